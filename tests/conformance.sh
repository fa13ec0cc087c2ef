#!/bin/sh
# Runs the official conformance suite: conformance.sh build/conformance-SIDE[-asan|-odd|-openssl]
# SIDE: server or client. Every case that conformance/SIDE.yaml makes must pass; none is known to fail, flaky or skipped,
# and there must be as many as we know of. Over OpenSSL these are the cases with TLS. The server also runs with the
# runner's own default configuration.
# PARALLEL: calls at once against a server, by default 8, and 64 with the default configuration, so that connections are
# closed and reused in all orders. RUNS: how often, by default once.
set -eu
cd "$(dirname "$0")/.."
program=$1
default= options= conf=
case $program in
*server*) side=server cases=5534 with_tls=2692 default=3600 options="--parallel" ;;
*) side=client cases=6872 with_tls=3201 ;;
esac
conf=conformance/$side.yaml
case $program in
*openssl)
    conf=build/conformance/${program##*/}.yaml cases=$with_tls default=
    { cat "conformance/$side.yaml"; printf 'exclude_cases:\n  - use_tls: false\n'; } > "$conf"
    ;;
esac
runner=build/tools/bin/connectconformance
log=build/conformance/${program##*/}.log
export UBSAN_OPTIONS=print_stacktrace=1

# suite CASES PARALLEL ARGUMENT...: one run of the runner
suite() {
    expected=$1 parallel=${PARALLEL:-$2}
    shift 2
    if ! "$runner" "$@" --mode "$side" ${options:+$options $parallel} -- "$program" > "$log" 2>&1; then
        grep -A 12 '^FAILED' "$log" | head -n 200
        tail -n 20 "$log"
        echo "The whole of it is in $log"
        exit 1
    fi
    tail -n 3 "$log"
    if grep -q 'runtime error\|ERROR: AddressSanitizer\|ERROR: LeakSanitizer' "$log"; then
        echo "The sanitizers found something, see $log"
        exit 1
    fi
    passed=$(sed -n 's/^Total cases: \([0-9]*\)$/\1/p' "$log")
    if [ "$passed" != "$expected" ]; then
        echo "$passed cases ran, not $expected; see $log"
        exit 1
    fi
}
run=0
while [ "$run" -lt "${RUNS:-1}" ]; do
    run=$((run + 1))
    suite "$cases" 8 --conf "$conf"
    [ -z "$default" ] || suite "$default" 64
done
