#!/bin/sh
# usage: tools/micropython.sh DIRECTORY
# Put a MicroPython with TLS at DIRECTORY/bin/micropython: the one from PATH, or Debian
# 13's, unpacked beside the system and run through its own loader and libraries.
set -eu

directory=$1
program=$directory/bin/micropython
rm -rf "$directory"
mkdir -p "$directory/bin"

found=$(command -v micropython || true)
if [ -n "$found" ] && "$found" -c 'import tls, cryptolib' 2>/dev/null; then
    ln -s "$found" "$program"
    exit
fi

"$(dirname "$0")/debian.sh" "$directory" micropython libc6 libffi8 \
    libmbedtls21 libmbedcrypto16 libmbedx509-7 || {
    echo "install micropython (brew install micropython) and run again" >&2
    exit 1
}
cat >"$program" <<'WRAPPER'
#!/bin/sh
root=${0%/*}/..
for loader in "$root"/usr/lib/*/ld*.so.*; do
    exec "$loader" --library-path "${loader%/*}" "$root/usr/bin/micropython" "$@"
done
WRAPPER
chmod +x "$program"
"$program" -c 'import tls, cryptolib'
