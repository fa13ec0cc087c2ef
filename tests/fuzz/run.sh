#!/bin/sh
# Runs a fuzzer from its committed corpus: run.sh WHAT. FUZZ_SECONDS: how long, by default 60.
# New inputs go to build/fuzz/corpus/WHAT, and are used again; what was found is kept as build/fuzz/found-WHAT-*.
set -eu
what=$1
mkdir -p "build/fuzz/corpus/$what"
exec "build/fuzz/$what" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/found-$what-" \
    "build/fuzz/corpus/$what" "tests/fuzz/corpus/$what"
