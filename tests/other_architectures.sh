#!/bin/sh
# The unit tests of the codec where pointers have 32 bits, and where bytes stand in the other order: built by Zig's C
# compiler, the second run by qemu.
set -eu
cd "$(dirname "$0")/.."
tests="base64 json message pb pbjson extension rules schema text wellknown"
mkdir -p build/other-architectures
for target in x86-linux-musl s390x-linux-musl; do
    for test in $tests; do
        program=build/other-architectures/$target-$test
        build/venv/bin/python -m ziglang cc -target "$target" -std=c99 -O1 -fno-sanitize=undefined -static -Werror \
            -DCONNECT_ENABLE_CLIENT=0 -DCONNECT_ENABLE_SERVER=0 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE \
            -Itests/support/portable -Ibuild/private -I. -Ibuild/gen -Itests -Itests/support \
            "tests/unit/test_$test.c" -o "$program"
        printf '%s %s: ' "$target" "$test"
        case $target in
        x86-*) "$program" ;;
        *) "qemu-${target%%-*}" "$program" ;;
        esac
    done
done
