#!/usr/bin/env bash
# Cold start and warm call under Lambda's emulator, in one command. Not part of the tests: figures depend on the machine and its mood.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${MODELET_BIN:-}" ]; then
  cargo build --release --quiet --package modelet
  scripts/runtimes.sh
  python/tests/setup.sh
fi
exec "${BENCH_PYTHON:-.venv-tests/bin/python}" bench/lambda.py
