#!/bin/sh
# Brings the tools that the tests use and Debian does not have, each in a fixed version, into build/:
#   build/tools/bin    grpcurl, h2spec, h2specd and the protoc plugins for Go (Go modules)
#   build/tools/node   buf (npm)
#   build/tools/node-peers  connect-node and grpc-js (npm)
#   build/venv         protoc: python -m grpc_tools.protoc; a C compiler for other systems: python -m ziglang cc (PyPI)
# A tool is fetched once for each version; delete build/ to begin anew.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/tools/bin

once() { # once NAME VERSION COMMAND...: runs the command unless it has been done for this version
    stamp=build/tools/.$1-$2
    [ -e "$stamp" ] && return
    echo "Fetching $1 $2"
    name=$1 version=$2
    shift 2
    "$@" > "build/tools/$name.log" 2>&1 < /dev/null || {
        cat "build/tools/$name.log" >&2
        echo "Could not install $name $version: $*" >&2
        exit 1
    }
    touch "$stamp"
}
go_tool() { # go_tool NAME PACKAGE VERSION
    once "$1" "$3" env GOBIN="$PWD/build/tools/bin" GOFLAGS= "$go" install "$2@$3"
}

python_tool() { # python_tool PACKAGE VERSION
    [ -x build/venv/bin/pip ] || python3 -m venv build/venv
    once "$1" "$2" build/venv/bin/pip install --quiet "$1==$2"
}
python_tool grpcio-tools 1.85.1
python_tool googleapis-common-protos 1.76.0
python_tool ziglang 0.15.2

go=$(sh tests/setup/go.sh)
go_tool protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go v1.36.12
go_tool protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2
go_tool protoc-gen-connect-go connectrpc.com/connect/cmd/protoc-gen-connect-go v1.21.1
go_tool h2spec github.com/summerwind/h2spec/cmd/h2spec v2.2.1+incompatible
go_tool h2specd github.com/summerwind/h2spec/cmd/h2specd v2.2.1+incompatible
go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl v1.9.3
once node-peers 1 npm install --no-audit --no-fund --no-save --prefix build/tools/node-peers \
    @connectrpc/connect@2.1.1 @connectrpc/connect-node@2.1.1 @bufbuild/protobuf@2.10.1 @grpc/grpc-js@1.14.1
once buf 1.75.0 npm install --no-audit --no-fund --no-save --prefix build/tools/node @bufbuild/buf@1.75.0
