#!/bin/sh
# Builds connect.h in every shape that is promised, with gcc and clang, and looks at what came out:
#   C99, no warnings, at several levels of optimization; every switch alone at 0; the smallest builds need libc only
#   C++11, 14, 17 and 20 include connect.h, connect_openssl.h and every generated header
#   connect_openssl.h without warnings
#   included twice; implementation asked for after an earlier include; tables in another file than the library
#   no macro but CONNECT_... and no external symbol but connect_... is left behind
# WARNINGS: the flags of CONTRIBUTING.md. JOBS, CCS, CXXS: how many at a time, and which compilers.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
out=build/matrix
rm -rf "$out" && mkdir -p "$out"
strict="${WARNINGS:?say make build-matrix} -Werror"
cxx_strict="-Wall -Wextra -Werror -pedantic -Wold-style-cast -Wshadow -Wundef"
export root out

# ---- The sources ----
generated=$(cd build/gen && find . -name '*.connect.h' | sed 's|^\./||' | sort)
include_generated() {
    for header in $generated; do echo "#include \"$header\""; done
}
printf '#define CONNECT_IMPLEMENTATION\n#include "connect.h"\n' > "$out/library.c"
{ echo '#define CONNECT_IMPLEMENTATION' && include_generated; } > "$out/both.c" # library and tables in one file
{ echo '#define CONNECT_GENERATED_IMPLEMENTATION' && include_generated; } > "$out/tables.c"
printf '#include "connect.h"\n#define CONNECT_IMPLEMENTATION\n#include "connect.h"\n#include "connect.h"\n' > "$out/later.c"
cat > "$out/user.c" <<'END'
#include "connect.h"
#include "connect.h"
int main(void);
int main(void) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    char *text = CONNECT_NEW(&arena, char, 4);
    int failed = !text || !connect_build_info()[0];
    connect_arena_free(&arena);
    return failed;
}
END
cat > "$out/openssl.c" <<'END'
#define CONNECT_IMPLEMENTATION
#define CONNECT_OPENSSL_IMPLEMENTATION
#include "connect.h"
#include "connect_openssl.h"
#include "connect_openssl.h"
int main(void) {
    return connect_openssl_engine() == NULL;
}
END
{ include_generated && include_generated && cat "$out/user.c"; } > "$out/user_generated.c"
{ include_generated && echo '#include "connect_openssl.h"' && sed '/^int main(void);/d' "$out/user.c"; } > "$out/user.cpp"

# ---- The jobs: a line each, "NAME COMMAND" ----
jobs=$out/jobs
: > "$jobs"
job() { echo "$*" >> "$jobs"; }
link_main() { # link_main NAME COMPILER FLAGS LIBS: the library and a user of it, and a run
    job "$1" "$2 -std=c99 $strict $3 -I. -c $out/library.c -o $out/$1.library.o" \
        "&& $2 -std=c99 $strict $3 -I. -c $out/user.c -o $out/$1.user.o" \
        "&& $2 $out/$1.library.o $out/$1.user.o $4 -o $out/$1 && $out/$1"
}
libc_only() { # ... which may need nothing but libc
    link_main "$1" "$2" "$3" ""
    echo "$(tail -n 1 "$jobs") && ! readelf -d $out/$1 | grep NEEDED | grep -v 'libc\.so'" > "$out/line"
    sed -i '$d' "$jobs" && cat "$out/line" >> "$jobs"
}
alone="-DCONNECT_ENABLE_GZIP=0 -DCONNECT_ENABLE_ZSTD=0 -DCONNECT_ENABLE_TLS=0"
for cc in ${CCS:-gcc clang}; do
    case $cc in gcc*) levels="O0 O2 Os O3" some=O1 ;; *) levels="O0 O2" some=O0 ;; esac # gcc's warnings depend on it
    for level in $levels; do link_main "$cc-$level" "$cc" "-$level" "-lnghttp2 -lz -lzstd -lbearssl -lpthread"; done
    for switch in CLIENT SERVER GRPC GRPC_WEB JSON GZIP ZSTD TLS; do
        link_main "$cc-no-$switch" "$cc" "-$some -DCONNECT_ENABLE_$switch=0" "-lnghttp2 -lz -lzstd -lbearssl -lpthread"
    done
    link_main "$cc-no-SOCKETS" "$cc" "-$some -DCONNECT_ENABLE_SOCKETS=0" "-lnghttp2 -lz -lzstd -lbearssl"
    link_main "$cc-no-HTTP2" "$cc" "-$some -DCONNECT_ENABLE_HTTP2=0" "-lz -lzstd -lbearssl -lpthread"
    libc_only "$cc-own-code" "$cc" "-$some -DCONNECT_ENABLE_HTTP2=0 $alone"
    libc_only "$cc-codec-only" "$cc" "-$some -DCONNECT_ENABLE_CLIENT=0 -DCONNECT_ENABLE_SERVER=0"
    libc_only "$cc-minimum" "$cc" "-$some -DCONNECT_ENABLE_CLIENT=0 -DCONNECT_ENABLE_SERVER=0 -DCONNECT_ENABLE_JSON=0"
    libc_only "$cc-server-http1" "$cc" "-$some -DCONNECT_ENABLE_CLIENT=0 -DCONNECT_ENABLE_HTTP2=0 -DCONNECT_ENABLE_GRPC_WEB=0 -DCONNECT_ENABLE_JSON=0 $alone"
    libc_only "$cc-client-http1" "$cc" "-$some -DCONNECT_ENABLE_SERVER=0 -DCONNECT_ENABLE_HTTP2=0 -DCONNECT_ENABLE_JSON=0 $alone"
    job "$cc-openssl" "$cc -std=c99 $strict -O2 -I. -c $out/openssl.c -o $out/$cc-openssl.o" \
        "&& $cc $out/$cc-openssl.o -lnghttp2 -lz -lzstd -lbearssl -lssl -lcrypto -lpthread -o $out/$cc-openssl && $out/$cc-openssl"
    job "$cc-later" "$cc -std=gnu99 $strict -$some -I. -c $out/later.c -o $out/$cc-later.o"
    job "$cc-generated" "$cc -std=c99 $strict -O2 -I. -Ibuild/gen -c $out/both.c -o $out/$cc-both.o" \
        "&& $cc -std=c99 $strict -O2 -I. -Ibuild/gen $out/user_generated.c $out/$cc-both.o -lnghttp2 -lz -lzstd -lbearssl -lpthread -o $out/$cc-both && $out/$cc-both"
    job "$cc-tables-apart" "$cc -std=c99 $strict -I. -Ibuild/gen -c $out/tables.c -o $out/$cc-tables.o" \
        "&& $cc -std=c99 $strict -I. -c $out/library.c -o $out/$cc-apart.o" \
        "&& $cc -std=c99 $strict -I. -Ibuild/gen $out/user_generated.c $out/$cc-tables.o $out/$cc-apart.o -lnghttp2 -lz -lzstd -lbearssl -lpthread -o $out/$cc-apart && $out/$cc-apart"
done
gcc -std=c99 -I. -Ibuild/gen -c "$out/both.c" -o "$out/both.o" # for C++ programs: C compiles it
for cxx in ${CXXS:-g++ clang++}; do
    for std in c++11 c++14 c++17 c++20; do
        job "$cxx-$std" "$cxx -std=$std $cxx_strict -I. -Ibuild/gen $out/user.cpp $out/both.o -lnghttp2 -lz -lzstd -lbearssl -lpthread -o $out/$cxx-$std && $out/$cxx-$std"
    done
done

# ---- What is left behind ----
# -dD keeps #define and #undef in place, and line marks say whose they are.
cat > "$out/macros.awk" <<'END'
/^# [0-9]+ "/ { file = $3; next }
file !~ /connect\.h"$/ { next }
/^#define / { name = $2; sub(/\(.*/, "", name); defined[name] = 1 }
/^#undef / { delete defined[$2] }
END {
    for (name in defined)
        if (name !~ /^CONNECT_/ && name !~ /_CONNECT_(H|DONE)$/ && name !~ /^(_POSIX_C_SOURCE|_DEFAULT_SOURCE)$/) {
            print "leaves the macro " name " behind"
            failed = 1
        }
    exit failed
}
END
cp "$out/user_generated.c" "$out/declarations.c"
for unit in library both declarations; do
    job "macros-$unit" "gcc -std=c99 -E -dD -I. -Ibuild/gen $out/$unit.c > $out/$unit.i && awk -f $out/macros.awk $out/$unit.i"
done
job symbols "gcc -std=c99 -I. -c $out/library.c -o $out/symbols.o" \
    "&& nm -g --defined-only $out/symbols.o | grep -q connect_build_info" \
    "&& ! nm -g --defined-only $out/symbols.o | awk 'NF == 3 {print \$3}' | grep -v '^connect_'"
job misspelt-switch "! gcc -std=c99 -I. -DCONNECT_NO_JSON -fsyntax-only $out/user.c 2> $out/misspelt.log && grep -q 'CONNECT_ENABLE_JSON=0' $out/misspelt.log"
job impossible-switches "! gcc -std=c99 -I. -DCONNECT_ENABLE_HTTP2=0 -DCONNECT_ENABLE_GRPC=1 -fsyntax-only $out/user.c 2> $out/impossible.log && grep -q 'CONNECT_ENABLE_GRPC=1 needs' $out/impossible.log"

# ---- Run ----
cat > "$out/run.sh" <<'END'
line=$1 name=${1%% *}
if sh -c "${line#* }" > "$out/$name.log" 2>&1; then echo "ok $name"; else
    echo "FAILED $name"
    echo "    ${line#* }"
    head -n 40 "$out/$name.log" | sed 's/^/    /'
    exit 1
fi
END
status=0
xargs -d '\n' -n 1 -P "${JOBS:-2}" sh "$out/run.sh" < "$jobs" || status=1
echo "$(wc -l < "$jobs") builds"
exit $status
