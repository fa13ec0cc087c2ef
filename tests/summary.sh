#!/bin/sh
# Counts which of the checks named, files in build/passed/, were passed: the last line of `make test`.
set -u
passed=0 failed=0
for check; do
    if [ -e "$check" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  ${check#build/passed/}"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
