#!/bin/sh
# Builds the examples that need no other program, with the sanitizers, and runs them. The demo has a check of its own.
set -eu
cd "$(dirname "$0")/.."
out=build/examples
rm -rf "$out" && mkdir -p "$out"
root=$PWD
flags="-std=c99 -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g ${WARNINGS:?say make examples} -Werror -I. -Ibuild/gen"
build() { # build NAME FLAGS...: with the implementation, which is compiled once for all that need no switch
    name=$1
    shift
    case "$*" in *CONNECT_ENABLE*) impl=examples/demo_impl.c ;; *) impl=$out/impl.o ;; esac
    [ "$impl" != "$out/impl.o" ] || [ -e "$impl" ] || gcc $flags -c examples/demo_impl.c -o "$impl"
    gcc $flags "$@" "examples/$name.c" "$impl" -o "$out/$name" -lnghttp2 -lz -lzstd -lbearssl
}
for sockets in 0 1; do
    build transport -DCONNECT_ENABLE_SOCKETS=$sockets
    (cd "$out" && timeout 20 ./transport)
done

build client
(cd "$out" && timeout 20 ./client | tee client.log && grep -qx "100 commands done" client.log)
build balance
(cd "$out" && timeout 20 ./balance | tee balance.log && grep -qx "calls: 10, 10, 10" balance.log &&
    grep -qx "calls: 0, 10, 0" balance.log)

build tls
cat > "$out/tls.expected" <<'END'
O=Acme, CN=dashboard reads, TLS 1.2 anew
https: ok
O=Acme, CN=dashboard reads, TLS 1.2 resumed
https: ok
reloaded
O=Acme, CN=dashboard reads, TLS 1.2 anew
https: ok
http: permission_denied, you may not read
END
(cd build/certificates && timeout 20 "$root/$out/tls") > "$out/tls.log"
diff "$out/tls.expected" "$out/tls.log"
echo "TLS, client certificates, resumption, reload: ok"

build foreign_loop -D_POSIX_C_SOURCE=200809L
mkfifo "$out/input"
timeout 20 "$out/foreign_loop" < "$out/input" > "$out/foreign_loop.log" 2>&1 &
program=$!
exec 3> "$out/input"
port=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    port=$(sed -n 's/^listens on port //p' "$out/foreign_loop.log")
    [ -z "$port" ] || break
    sleep 0.1
done
answer=$(curl -s --max-time 10 -H 'content-type: application/json' -d '{"sensor":"boiler"}' \
    "http://127.0.0.1:$port/acme.telemetry.v1.Telemetry/Read")
[ "$answer" = '{"sensor":"boiler"}' ] || { echo "foreign_loop answers: $answer" && exit 1; }
echo "in a foreign loop: ok"
echo > "$root/$out/input"
exec 3>&-
wait "$program"
