#!/bin/sh
# usage: tools/micropython-lib.sh DIRECTORY PACKAGE...
# Unpack micropython-lib packages. They are sdists without a setup.py, which pip refuses
# to touch and unearth fetches as they are, from the index that pip is set up to use.
set -eu

directory=$1
shift
bin=$(cd "$(dirname "$0")/../.venv/bin" && pwd)
index=${PIP_INDEX_URL:-$("$bin/pip" config get global.index-url 2>/dev/null || true)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$directory"
for package; do
    "$bin/unearth" ${index:+--index-url "$index"} --no-binary --download "$work" \
        "$package" >/dev/null
done
for archive in "$work"/*.tar.gz; do
    tar -xmzf "$archive" --strip-components=1 -C "$directory"
done
