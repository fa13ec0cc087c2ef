#!/bin/sh
# Builds the official Connect conformance runner, a Go module, into build/tools/bin, and prints where its schema is: in
# Go's module cache. Quick when there is nothing to do.
set -eu
cd "$(dirname "$0")/../.."
module=connectrpc.com/conformance version=v1.0.5
stamp=build/tools/.conformance-$version
go=$(sh tests/setup/go.sh)
schema=$(GOFLAGS= "$go" env GOMODCACHE)/$module@$version/proto
if [ ! -e "$stamp" ] || [ ! -d "$schema" ] || [ ! -x build/tools/bin/connectconformance ]; then
    mkdir -p build/tools/bin
    echo "Fetching the conformance runner $version" >&2
    GOBIN="$PWD/build/tools/bin" GOFLAGS= "$go" install "$module/cmd/connectconformance@$version" \
        > build/tools/conformance.log 2>&1 < /dev/null || {
        cat build/tools/conformance.log >&2
        echo "Could not install $module $version" >&2
        exit 1
    }
    touch "$stamp" build/tools/bin/connectconformance
fi
echo "$schema"
