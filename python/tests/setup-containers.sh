#!/bin/sh
# Brings what the tests of container images need: a registry, skopeo, podman and runc, Debian's packages. Where that cannot be, it says
# why, and those tests are skipped with the same words.
set -eu
PATH=$PATH:/usr/sbin:/sbin
say() { echo "tests: $*" >&2; }
missing=
for tool in docker-registry skopeo podman runc; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -z "$missing" ]; then
    say "registry, skopeo, podman and runc are there"
elif ! command -v apt-get >/dev/null; then
    say "skipping tests of containers: no$missing, and no apt-get to install them with"
elif [ "$(id -u)" != 0 ]; then
    say "skipping tests of containers: no$missing, and only root may install them (apt-get install$missing)"
else
    say "installing$missing"
    # Started by tests alone: no service is to run on the machine.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        say "skipping tests of containers:$missing could not be installed"
fi
