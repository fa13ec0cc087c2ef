#!/bin/sh
# Compiles the modules one by one and links them: each includes all that it uses, and nothing that is private is missing.
set -eu
out=build/modules
rm -rf "$out" && mkdir -p "$out"
list=$(python3 amalgamate.py --list connect.h)
objects=
for file in $list; do
    case $file in src/*) ;; *) file=src/$file ;; esac
    object=$out/$(echo "${file#src/}" | tr / _ | sed 's/c$/o/')
    ${CC:-cc} -std=c99 $CFLAGS -DCN_MODULES -DCONNECT_IMPLEMENTATION -Isrc -c "$file" -o "$object"
    objects="$objects $object"
done
cat > "$out/main.c" <<'END'
const char *connect_build_info(void);
int main(void);
int main(void) {
    return connect_build_info()[0] != 'c';
}
END
${CC:-cc} -std=c99 "$out/main.c" $objects $LIBS -o "$out/main"
"$out/main"
echo "$(echo "$list" | wc -l) modules, one by one"
