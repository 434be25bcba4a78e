#!/bin/sh
# usage: tools/debian.sh DIRECTORY PACKAGE...
# Fetch packages of Debian 13 from this machine's own Debian mirror and unpack them into
# DIRECTORY. Needs no root and leaves the system's apt as it is: every path that apt
# writes to is private. Signatures are checked as always.
set -eu

directory=$1
shift
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    echo "this is not a Debian: no apt-get, no dpkg-deb" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial"

# apt as root would drop to a user that cannot write here.
apt() {
    apt-get -qq -o APT::Sandbox::User="$(id -un)" -o Dir::State::Lists="$work/lists" \
        -o Dir::State::Status=/dev/null -o Dir::Cache="$work" \
        -o Acquire::Languages=none "$@"
}

mirror() {
    "$@" indextargets --format '$(SITE)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}

site=$(mirror apt-get)
if [ -z "$site" ]; then # fresh containers have sources but no lists yet
    apt update
    site=$(mirror apt)
fi
[ -n "$site" ] || {
    echo "apt knows no Debian mirror" >&2
    exit 1
}

signed=
[ ! -r "$keyring" ] || signed="[signed-by=$keyring]"
echo "deb $signed $site $suite main" >"$work/sources.list"
private() {
    apt -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null "$@"
}

private update
(cd "$work" && private download "$@")
mkdir -p "$directory"
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$directory"
done
