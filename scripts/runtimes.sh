#!/usr/bin/env bash
# The runtime's programs that artifacts carry to other hosts, into target/runtimes, for the processor of this machine:
#   modelet-runtime-MACHINE        one file that needs nothing
#   modelet-runtime-MACHINE-glibc  for models of ONNX Runtime, a library that has to be loaded: needs glibc 2.34, as Amazon Linux 2023 has it
# Needs Rust and a C compiler. Some minutes the first time; `modelet package` refuses programs that ask for more.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
machine=$(uname -m)
triple=$machine-unknown-linux-gnu
mkdir -p "$target/runtimes"

# Libraries are compiled once: the two differ in how they are linked, which the last step alone is told.
build() { # the program's name, what rustc is told
  # shellcheck disable=SC2086
  cargo rustc --release --quiet --package modelet-runtime --bin modelet-runtime --target "$triple" -- $2
  install -m 755 "$target/$triple/release/modelet-runtime" "$target/runtimes/$1"
}

build "modelet-runtime-$machine" "-C target-feature=+crt-static"

# hypotf is the one function that a newer glibc (2.35) has anew, for how it tells errors, which nobody asks here: the older one is taken.
oldest=2.2.5
[ "$machine" = x86_64 ] || oldest=2.17
object=$(realpath "$target/runtimes")/hypotf.o
cc -O2 -c -o "$object" -x c - <<C
float older(float, float);
__asm__(".symver older, hypotf@GLIBC_$oldest");
float __wrap_hypotf(float a, float b) { return older(a, b); }
C
build "modelet-runtime-$machine-glibc" "-C link-arg=-Wl,--wrap=hypotf -C link-arg=$object"
