#!/bin/sh
# Runs h2specd against a client: h2specd.sh CLIENT, which calls the URL in its last argument. h2specd serves each case on
# a port of its own, all behind each other. All of its 57 must run and pass; it exits with 0 in any case.
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
try=0
while :; do
    try=$((try + 1))
    port=$((20000 + ($$ * 7 + try * 611) % 180 * 60))
    build/tools/bin/h2specd --exec "$1" --from-port "$port" --timeout 5 > "$log" 2>&1
    grep -q 'address already in use' "$log" && [ "$try" -lt 5 ] || break
done
grep -v 'use of closed network connection' "$log" | sed -n '/^Failures/,$p'
count=$(grep '^[0-9]* tests, ' "$log" || true)
echo "$count"
[ "$count" = "57 tests, 57 passed, 0 skipped, 0 failed" ]
