#!/usr/bin/env bash
# The benchmark of SPECIFICATION.md, in one command. Not part of the tests: figures depend on the machine and its mood.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v wrk >/dev/null || { echo "bench: wrk is missing; next: apt-get install wrk" >&2; exit 1; }
cargo build --release --quiet --package modelet --package modelet-runtime
target/release/modelet engines install
python/tests/setup.sh
uv=$(command -v uv || echo .cache/tools/bin/uv)
exec "$uv" run --quiet --no-project --with fastapi==0.165.0 --with 'uvicorn[standard]==0.54.0' --with onnxruntime==1.28.0 \
  python bench/tabular.py
