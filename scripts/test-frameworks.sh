#!/usr/bin/env bash
# Networks of Keras, TensorFlow and PyTorch against the real binary: a tier of its own, for the frameworks take gigabytes. Sets up
# what it needs, through uv; see python/frameworks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --workspace --bins --examples --quiet
export MODELET_BIN="$PWD/target/debug/modelet"
"$MODELET_BIN" engines install
python/tests/setup.sh
python/tests/setup.sh frameworks
python/tests/setup-containers.sh
scripts/runtimes.sh
MODELET_UV=${MODELET_UV:-$(command -v uv || echo "$PWD/.cache/tools/bin/uv")}
export MODELET_UV
# Two files at a time, each in one process: what it begins with takes minutes and gigabytes.
.venv-tests/bin/pytest python/frameworks -q -n 2 --dist loadfile
