#!/bin/sh
# Compiles every C block of docs/client.md, all in one file and in order, and links it.
set -eu
cd "$(dirname "$0")/.."
out=build/client-docs
rm -rf "$out" && mkdir -p "$out"
{
    printf '#define CONNECT_IMPLEMENTATION\n#include "telemetry.connect.h"\n#include <stdio.h>\n'
    awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/client.md
    echo 'int main(void) {'
    echo '    const void *all[] = {'
    sed -n '/^```c$/,/^```$/s/^static [a-z].*[ *]\([a-z_]*\)($/        (const void *)\&\1,/p
            /^```c$/,/^```$/s/^static [a-z].*[ *]\([a-z_]*\)([a-z].*$/        (const void *)\&\1,/p' docs/client.md
    printf '    };\n    return all[0] == NULL;\n}\n'
} > "$out/client_docs.c"
count=$(grep -c '(const void \*)&' "$out/client_docs.c")
[ "$count" -ge 10 ] || { echo "only $count functions in docs/client.md" && exit 1; }
cc -std=c99 -O0 -Wall -Wextra -Wshadow -Wundef -Werror -I. -Ibuild/gen "$out/client_docs.c" -o "$out/client_docs" \
    -lnghttp2 -lz -lzstd -lbearssl -lpthread
"$out/client_docs"
echo "$count functions of docs/client.md compile"
