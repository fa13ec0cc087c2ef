#!/bin/sh
# Brings what the codec benchmark compares with: Debian's packages, and the sources of upb and yyjson, which two PyPI
# packages hold, into build/peers/. Rust's peers are fetched by cargo when they are built.
set -eu
cd "$(dirname "$0")/../.."
sh tests/setup/debian.sh valgrind python3-venv protobuf-compiler libprotobuf-dev protobuf-c-compiler libprotobuf-c-dev \
    nanopb libnanopb-dev g++=g++
cargo --version > /dev/null 2>&1 || {
    echo "Missing: cargo, of Rust 1.85 or later, for buffa and prost" >&2
    exit 1
}
fetch() { # fetch PACKAGE VERSION
    [ -e "build/peers/.$1-$2" ] && return
    echo "Fetching $1 $2"
    rm -rf "build/peers/$1"
    mkdir -p "build/peers/$1"
    [ -x build/venv/bin/pip ] || python3 -m venv build/venv
    build/venv/bin/pip download --quiet --no-deps --no-binary "$1" --dest "build/peers/$1" "$1==$2"
    tar xzf "build/peers/$1/$1-$2.tar.gz" -C "build/peers/$1" --strip-components=1
    touch "build/peers/.$1-$2"
}
fetch protobuf 6.33.2
fetch yyjson 4.0.6
