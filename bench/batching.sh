#!/usr/bin/env bash
# What computing calls together is worth, in one command. Not part of the tests: figures depend on the machine and its mood.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v wrk >/dev/null || { echo "bench: wrk is missing; next: apt-get install wrk" >&2; exit 1; }
if [ -z "${MODELET_BIN:-}" ]; then
  cargo build --release --quiet
  target/release/modelet engines install
  python/tests/setup.sh
fi
exec "${BENCH_PYTHON:-.venv-tests/bin/python}" bench/batching.py
