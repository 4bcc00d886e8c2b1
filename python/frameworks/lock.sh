#!/bin/sh
# Writes the locks anew from the .in files. Run it after changing one of those; commit what it writes.
set -eu
cd "$(dirname "$0")"
options="-q --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-deps --generate-hashes --no-header --no-emit-index-url --no-annotate"
${UV:-uv} pip compile $options "$@" requirements-tensorflow.in -o requirements-tensorflow.txt
${UV:-uv} pip compile $options "$@" requirements-torch.in -o requirements-torch.txt
