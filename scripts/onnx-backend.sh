#!/usr/bin/env bash
# Runs the backend tests of the `onnx` package through every engine and prints the table of SPECIFICATION.md; fails when an
# engine answers wrongly or crashes. python/tests/setup.sh comes first.
set -euo pipefail
cd "$(dirname "$0")/.."
cases=$PWD/.cache/onnx-backend
stamp=$(sha256sum crates/model/tests/onnx_backend.py python/tests/requirements-onnx.txt | sha256sum | cut -c1-16)
if [ "$(cat "$cases.stamp" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$cases"
  .venv-onnx/bin/python crates/model/tests/onnx_backend.py "$cases"
  echo "$stamp" > "$cases.stamp"
fi
if [ -z "${MODELET_ONNXRUNTIME:-}" ]; then
  MODELET_ONNXRUNTIME=$(cargo run --quiet -- engines install --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["path"])')
  export MODELET_ONNXRUNTIME
fi
ONNX_BACKEND_TESTS=$cases cargo test --quiet -p modelet-model --test onnx_backend
