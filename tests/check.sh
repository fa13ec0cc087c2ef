#!/bin/sh
# Runs one check of `make test`: check.sh NAME COMMAND...
# At most TIMEOUT seconds, by default 300. Its output goes to build/log/NAME, and is shown if it fails.
# build/passed/NAME exists afterwards only if it passed.
set -u
name=$1
shift
mkdir -p "$(dirname "build/log/$name")" "$(dirname "build/passed/$name")"
rm -f "build/passed/$name"
if timeout "${TIMEOUT:-300}" "$@" > "build/log/$name" 2>&1 < /dev/null; then
    echo "ok      $name"
    touch "build/passed/$name"
else
    status=$?
    { echo "FAILED  $name (exit status $status): $*"; sed 's/^/        /' "build/log/$name" | tail -n 60; }
    exit 1
fi
