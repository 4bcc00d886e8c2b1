#!/usr/bin/env bash
# The runtime's programs that artifacts carry to other hosts, into target/runtimes: scripts/runtimes.sh [x86_64|aarch64 ...], for the
# processor of this machine where none is named, and by cross-compiling for another one.
#   modelet-runtime-MACHINE        one file that needs nothing
#   modelet-runtime-MACHINE-glibc  for models of ONNX Runtime, a library that has to be loaded: needs glibc 2.34, as Amazon Linux 2023 has it
# Needs Rust and a C compiler of each processor. Some minutes the first time; `modelet package` refuses programs that ask for more.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/runtimes"

missing() { printf 'runtimes: %s\n          %s\n' "$1" "$2" >&2; exit 1; }

# Random numbers come from the kernel itself: a static program does not find glibc's function for them, and there may be no /dev.
export RUSTFLAGS='--cfg getrandom_backend="linux_getrandom"'

# Libraries are compiled once: the two differ in how they are linked, which the last step alone is told.
build() { # the triple, the program's name, what rustc is told
  # shellcheck disable=SC2086
  cargo rustc --profile runtime --quiet --package modelet-runtime --bin modelet-runtime --target "$1" -- $3
  install -m 755 "$target/$1/runtime/modelet-runtime" "$target/runtimes/$2"
}

# The C compiler for a machine, which links; another one than this machine's is Debian's for cross-compiling.
compiler() {
  if [ "$1" = "$(uname -m)" ]; then echo cc; else echo "${1//_/-}-linux-gnu-gcc"; fi
}

for machine in "${@:-$(uname -m)}"; do
  triple=$machine-unknown-linux-gnu
  cc=$(compiler "$machine")
  # hypotf is the one function that a newer glibc (2.35) has anew, for how it tells errors, which nobody asks here: the older one is taken.
  case $machine in
    x86_64) oldest=2.2.5 ;;
    aarch64) oldest=2.17 ;;
    *) missing "there is no runtime for $machine" "the processors are x86_64 and aarch64" ;;
  esac
  command -v "$cc" >/dev/null || missing "$cc, which links for $machine, is not on PATH" \
    "apt-get install gcc-${machine//_/-}-linux-gnu libc6-dev-$([ "$machine" = aarch64 ] && echo arm64 || echo amd64)-cross"
  [ -d "$(rustc --print target-libdir --target "$triple")" ] || missing "Rust's library for $triple is not installed" \
    "rustup target add $triple"
  linker=CARGO_TARGET_${triple^^}_LINKER
  export "${linker//-/_}=$cc"

  build "$triple" "modelet-runtime-$machine" "-C target-feature=+crt-static"

  object=$(realpath "$target/runtimes")/hypotf-$machine.o
  "$cc" -O2 -c -o "$object" -x c - <<C
float older(float, float);
__asm__(".symver older, hypotf@GLIBC_$oldest");
float __wrap_hypotf(float a, float b) { return older(a, b); }
C
  build "$triple" "modelet-runtime-$machine-glibc" "-C link-arg=-Wl,--wrap=hypotf -C link-arg=$object"
  rm "$object"
done
