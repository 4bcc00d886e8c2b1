#!/bin/sh
# Brings what runtimes for arm64 are made and tried with on another machine: a C compiler and an emulator of that processor (qemu), Debian's
# packages, and Rust's library; and makes them. Where that cannot be, it says why, and those tests are skipped with the same words.
set -eu
cd "$(dirname "$0")/../.."
say() { echo "tests: $*" >&2; }
if [ "$(uname -m)" != x86_64 ]; then
    say "skipping tests of arm64: they are for machines with another processor, and this one is $(uname -m)"
    exit 0
fi
missing=
command -v aarch64-linux-gnu-gcc >/dev/null || missing="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
command -v qemu-aarch64-static >/dev/null || missing="$missing qemu-user-static"
if [ -z "$missing" ]; then
    say "the C compiler and the emulator of arm64 are there"
elif ! command -v apt-get >/dev/null; then
    say "skipping tests of arm64: no $missing, and no apt-get to install them with"
    exit 0
elif [ "$(id -u)" != 0 ]; then
    say "skipping tests of arm64: no $missing, and only root may install them (apt-get install $missing)"
    exit 0
else
    say "installing $missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    if ! { apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends $missing >/dev/null; }; then
        say "skipping tests of arm64: $missing could not be installed"
        exit 0
    fi
fi
triple=aarch64-unknown-linux-gnu
if ! [ -d "$(rustc --print target-libdir --target $triple)" ]; then
    if ! rustup target add $triple >/dev/null 2>&1; then
        say "skipping tests of arm64: rustup target add $triple failed"
        exit 0
    fi
fi
scripts/runtimes.sh aarch64
