#!/bin/sh
# Builds the Go program `peers`: build_peers.sh OUTPUT. What protoc generates goes beside a copy of the sources, in
# build/, so that none of it is committed.
set -eu
cd "$(dirname "$0")/../.."
output=$PWD/$1
work=build/interop/go
mkdir -p "$work/gen"
cp tests/interop/go/* "$work/"
PATH=$PWD/build/tools/bin:$PATH build/venv/bin/python -m grpc_tools.protoc -I examples telemetry.proto \
    --go_out="$work/gen" --go_opt=paths=source_relative,Mtelemetry.proto=interop/gen \
    --go-grpc_out="$work/gen" --go-grpc_opt=paths=source_relative,Mtelemetry.proto=interop/gen \
    --connect-go_out="$work/gen" --connect-go_opt=paths=source_relative,Mtelemetry.proto=interop/gen
go=$(sh tests/setup/go.sh)
cd "$work"
"$go" build -o "$output" .
