#!/bin/sh
# Runs h2spec, strict, against the server of the interop tests, which is built with sanitizers: h2spec.sh SERVER
# All of its 146 tests must run and pass. The server speaks HTTP/2 alone here: where it speaks both, what does not begin
# with the preface is an HTTP/1.1 request, and h2spec's test of that cannot read the 400 it gets.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || true; rm -rf "$out"' EXIT
"$1" http2 > "$out/server" 2> "$out/errors" &
server=$!
port= tries=0
while [ -z "$port" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || { echo "The server does not start:"; cat "$out/errors"; exit 1; }
    sleep 0.1
    port=$(sed -n 's/^listens on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$out/server")
done
status=0
build/tools/bin/h2spec --strict --host 127.0.0.1 --port "$port" --timeout 5 > "$out/log" 2>&1 || status=$?
count=$(tail -n 1 "$out/log")
sed -n '/^Failures/,$p' "$out/log"
echo "$count"
if [ "$status" -ne 0 ] || [ "$count" != "146 tests, 146 passed, 0 skipped, 0 failed" ]; then
    exit 1
fi
kill "$server"
wait "$server" || { echo "The server ended with exit status $?:"; cat "$out/errors"; exit 1; }
server=
if [ -s "$out/errors" ]; then
    cat "$out/errors"
    exit 1
fi
