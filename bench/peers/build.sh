#!/bin/sh
# Builds what the benchmark compares with, into build/bench/: servers of tonic and connectrpc (crates), connect-go and
# grpc-go (Go modules), and a client of connectrpc. What their generators write goes into build/, too; none of it is
# committed.
set -eu
cd "$(dirname "$0")/../.."
sh tests/setup/debian.sh protobuf-compiler
sh tests/setup/tools.sh
cargo --version > /dev/null 2>&1 || {
    echo "Missing: cargo, of Rust 1.88 or later, for tonic and connectrpc" >&2
    exit 1
}
out=$PWD/build/bench
(cd bench/peers/rust && cargo build --quiet --release --locked --target-dir "$out/peers-rust")
cp "$out/peers-rust/release/tonic_peer" "$out/peers-rust/release/connectrpc_peer" \
    "$out/peers-rust/release/connectrpc_client" "$out/"

work=$out/peers-go
mkdir -p "$work/gen"
cp bench/peers/go/* "$work/"
PATH=$PWD/build/tools/bin:$PATH build/venv/bin/python -m grpc_tools.protoc -I bench echo.proto \
    --go_out="$work/gen" --go_opt=paths=source_relative,Mecho.proto=rpcpeers/gen \
    --go-grpc_out="$work/gen" --go-grpc_opt=paths=source_relative,Mecho.proto=rpcpeers/gen \
    --connect-go_out="$work/gen" --connect-go_opt=paths=source_relative,Mecho.proto=rpcpeers/gen
go=$(sh tests/setup/go.sh)
cd "$work"
"$go" build -o "$out/go_peers" .
