#!/bin/sh
# How large programs with connect.h are: -Os, unused functions dropped, stripped, at a fixed address as a static program
# is (so without relocations), libc not counted. For this machine, and for ARMv7 (Thumb-2) if its compiler is there.
# Prints "ARCHITECTURE PROGRAM BYTES", a line each: what is loaded, code, constants and data.
#   codec        protobuf and JSON, no calls        codec-pb     the same without JSON
#   h1           a server: Connect over HTTP/1.1    h1-pb        the same without JSON messages
#   all          a server: Connect, gRPC and gRPC-Web over both HTTP versions; +nghttp2: with that library inside
#   tls          the same with a TLS listener; +nghttp2+bearssl: with both libraries inside
# Then "tables NAME BYTES": what the generated code of bench/codec/*.proto takes, and that of other generators for the
# same schema if they are there.
set -eu
cd "$(dirname "$0")/../.."
out=build/bench/footprint
mkdir -p "$out"
flags="-std=c99 -Os -DNDEBUG -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-pie -no-pie -Wl,--gc-sections -s -I. -Ibuild/gen -w"
plain="-DCONNECT_ENABLE_CLIENT=0 -DCONNECT_ENABLE_GZIP=0 -DCONNECT_ENABLE_ZSTD=0"
none="$plain -DCONNECT_ENABLE_TLS=0"
h1="$none -DCONNECT_ENABLE_HTTP2=0 -DCONNECT_ENABLE_GRPC_WEB=0"

loaded() { # loaded SIZE FILE: text, rodata and data, as they are loaded
    "$1" "$2" | awk 'NR == 2 { print $1 + $2 }'
}
program() { # program ARCHITECTURE COMPILER SIZE NAME SOURCE FLAGS...
    arch=$1 cc=$2 size=$3 name=$4 source=$5
    shift 5
    # shellcheck disable=SC2086
    "$cc" $flags "bench/footprint/$source.c" -o "$out/$arch-$name" "$@"
    echo "$arch $name $(loaded "$size" "$out/$arch-$name")"
}
architecture() { # architecture NAME COMPILER SIZE FLAGS...
    arch=$1 cc=$2 size=$3
    shift 3
    codec="-DCONNECT_ENABLE_CLIENT=0 -DCONNECT_ENABLE_SERVER=0"
    # shellcheck disable=SC2086
    {
        program "$arch" "$cc" "$size" codec codec "$@" $codec
        program "$arch" "$cc" "$size" codec-pb codec "$@" $codec -DCONNECT_ENABLE_JSON=0
        program "$arch" "$cc" "$size" h1 server "$@" $h1
        program "$arch" "$cc" "$size" h1-pb server "$@" $h1 -DCONNECT_ENABLE_JSON=0
    }
}

architecture "$(uname -m)" "${CC:-gcc}" size
# shellcheck disable=SC2086
{
    program "$(uname -m)" "${CC:-gcc}" size all server $none -lnghttp2
    program "$(uname -m)" "${CC:-gcc}" size all+nghttp2 server $none -Wl,-Bstatic -lnghttp2 -Wl,-Bdynamic
    program "$(uname -m)" "${CC:-gcc}" size tls server $plain -DTLS -lnghttp2 -lbearssl -lpthread
    program "$(uname -m)" "${CC:-gcc}" size tls+nghttp2+bearssl server $plain -DTLS -Wl,-Bstatic -lnghttp2 -lbearssl \
        -Wl,-Bdynamic -lpthread
}
if command -v arm-linux-gnueabihf-gcc > /dev/null; then
    architecture armv7 arm-linux-gnueabihf-gcc arm-linux-gnueabihf-size -mthumb
fi

tables() { # tables NAME FLAGS... FILES...: sizes of objects
    name=$1
    shift
    total=0
    for file; do
        case $file in -*) continue ;; esac
        "${CC:-gcc}" -std=c99 -Os -w -fno-asynchronous-unwind-tables -I. -Ibuild/gen -I"$(dirname "$file")" \
            -DPB_ENABLE_MALLOC -DCONNECT_GENERATED_IMPLEMENTATION -x c -c "$file" -o "$out/table.o"
        total=$((total + $(loaded size "$out/table.o")))
    done
    echo "tables $name $total"
}
tables connect.h build/gen/codec/shapes.connect.h build/gen/codec/sparse.connect.h
for peer in nanopb protobuf_c; do
    folder=build/bench/codec/$peer-gen
    [ -d "$folder" ] && tables "$peer" "$folder"/*.c
done
true
