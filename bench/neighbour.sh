#!/usr/bin/env bash
# What a function that computes on all processors does to the latency of its neighbour, on each rung of isolation, in one command.
# Not part of the tests: figures depend on the machine and its mood.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${MODELET_BIN:-}" ]; then
  cargo build --release --quiet --workspace --bins
  cargo build --release --quiet -p modelet-runtime --example hostile
  target/release/modelet engines install
  python/tests/setup.sh
  export MODELET_BIN=$PWD/target/release/modelet
fi
exec "${BENCH_PYTHON:-.venv-tests/bin/python}" bench/neighbour.py
