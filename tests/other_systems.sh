#!/bin/sh
# Builds connect.h and connect_gen.c for systems that poll with kqueue, by Zig's C compiler and its headers of them:
# programs are linked of what needs libc only, all features are compiled. WARNINGS: the flags of CONTRIBUTING.md.
set -eu
cd "$(dirname "$0")/.."
out=build/other-systems
rm -rf "$out" && mkdir -p "$out/include"
export ZIG_GLOBAL_CACHE_DIR="$PWD/build/zig-cache" ZIG_LOCAL_CACHE_DIR="$PWD/build/zig-cache"
for header in nghttp2 zlib.h zconf.h zstd.h zstd_errors.h bearssl.h bearssl; do
    found=$(ls -d "/usr/include/$header" "/usr/include/$(gcc -dumpmachine)/$header" 2> /dev/null | head -n 1)
    ln -s "${found:?no header $header}" "$out/include/"
done
printf '#define CONNECT_IMPLEMENTATION\n#include "connect.h"\n' > "$out/library.c"
cat > "$out/program.c" <<'END'
#include "connect.h"
int main(void);
int main(void) {
    connect_error_t error;
    connect_server_t *server = connect_server_new(NULL, &error);
    connect_client_t *client = server ? connect_client_new("http://localhost:8080", NULL, &error) : NULL;
    int status = !client || connect_server_listen(server, "127.0.0.1:0", NULL, &error) < 0;
    connect_client_free(client);
    connect_server_free(server);
    return status;
}
END
libc_only="-DCONNECT_ENABLE_HTTP2=0 -DCONNECT_ENABLE_GZIP=0 -DCONNECT_ENABLE_ZSTD=0 -DCONNECT_ENABLE_TLS=0"
for system in aarch64-macos x86_64-freebsd x86_64-netbsd; do
    cc="build/venv/bin/python -m ziglang cc -target $system -std=c99 ${WARNINGS:?say make other-systems} -Werror -O0 -I."
    $cc -isystem "$out/include" -c "$out/library.c" -o "$out/$system-library.o"
    $cc $libc_only "$out/library.c" "$out/program.c" -o "$out/$system-program"
    build/venv/bin/python -m ziglang cc -target "$system" -O0 -I. connect_gen.c -o "$out/$system-connect_gen"
    for program in program connect_gen; do
        case $system-$(od -An -N4 -tx1 "$out/$system-$program" | tr -d ' ') in
        *-macos-cffaedfe | *bsd-7f454c46) echo "$system: $program" ;;
        *) echo "$system: $program is no program of it" && exit 1 ;;
        esac
    done
done
