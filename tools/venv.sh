#!/bin/sh
# usage: tools/venv.sh PYTHON DIRECTORY
# Make a virtual environment with pip, also on a Debian without python3-venv: there pip
# comes from Debian's package of its wheel, unpacked privately.
set -eu

python=$1
directory=$2
parent=$(dirname "$directory")

[ -w "$parent" ] || {
    echo "cannot write to $(cd "$parent" && pwd), where .venv and .cache have to be:" \
        "copy the checkout to a folder of your own and run make there" >&2
    exit 1
}
command -v "$python" >/dev/null || {
    echo "no $python here: apt-get install python3, or make PYTHON=…" >&2
    exit 1
}
if "$python" -c 'import ensurepip' 2>/dev/null; then
    exec "$python" -m venv --clear "$directory" # says itself what is wrong
fi
echo "no ensurepip here: taking pip from Debian's python3-pip-whl" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$(dirname "$0")/debian.sh" "$work" python3-pip-whl || {
    echo "apt-get install python3-venv and run again" >&2
    exit 1
}
"$python" -m venv --clear --without-pip "$directory"
for wheel in "$work"/usr/share/python-wheels/pip-*.whl; do
    "$directory/bin/python" "$wheel/pip" install --quiet --no-compile --no-index "$wheel"
done
