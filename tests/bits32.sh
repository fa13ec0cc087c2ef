#!/bin/sh
# Runs unit tests of what counts bytes, built for a 32-bit machine: buffers, the codec, HTTP/1.1, and the lengths that
# peers declare. A length near 2^32 that is added to something wraps around there. TESTS: which; any that needs neither
# nghttp2 nor another library.
set -eu
cd "$(dirname "$0")/.."
export ZIG_GLOBAL_CACHE_DIR="$PWD/build/zig-cache" ZIG_LOCAL_CACHE_DIR="$PWD/build/zig-cache"
mkdir -p build/bits32
for test in ${TESTS:-lengths buf json pb http1}; do
    echo "test_$test"
    build/venv/bin/python -m ziglang cc -target x86-linux-musl -static -std=c99 -O0 -w -DCONNECT_ENABLE_HTTP2=0 \
        -DCONNECT_ENABLE_TLS=0 -DCONNECT_ENABLE_GZIP=0 -DCONNECT_ENABLE_ZSTD=0 -Itests/bits32 -Ibuild/private -I. -Ibuild/gen -Itests \
        -Itests/support "tests/unit/test_$test.c" -o "build/bits32/test_$test" -lm
    "build/bits32/test_$test"
done
