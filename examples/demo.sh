#!/bin/sh
# Builds the telemetry gateway from nothing, runs it, and calls it with curl and with our client. Every command is shown
# as it can be typed. Fails if an answer is not the one expected.
set -eu
cd "$(dirname "$0")/.."
out=build/demo
rm -rf "$out" && mkdir -p "$out"
cc=${CC:-cc}
server=
gateway=
stop_server() {
    [ -z "$gateway" ] || kill "$gateway" 2> /dev/null || true
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
}
trap stop_server EXIT
wrong=0

show() { # show COMMAND: prints it and runs it; what it prints is kept in $out/answer, its exit status in $status
    echo
    echo "\$ $1"
    status=0
    sh -c "$1" > "$out/answer" 2>&1 < /dev/null || status=$?
    cat "$out/answer"
    [ -z "$(tail -c 1 "$out/answer")" ] || echo
}
find_port() { # find_port LOG: waits until a server has said where it listens
    port=
    tries=0
    while [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        port=$(sed -n 's/^listens on port //p' "$1" 2> /dev/null || true)
        [ -z "$port" ] || break
        sleep 0.1
    done
    cat "$1"
    [ -n "$port" ] || { echo "The server did not start." && exit 1; }
}
built() {
    [ "$status" -eq 0 ] || exit 1
}
expect() { # expect STATUS TEXT...: what the last answer must be, and hold
    [ "$status" -eq "$1" ] || { echo "    WRONG: exit status $status, not $1" && wrong=$((wrong + 1)); }
    shift
    for text; do
        grep -qF -e "$text" "$out/answer" || { echo "    WRONG: expected: $text" && wrong=$((wrong + 1)); }
    done
}

echo "-- The generator is one file; it turns the .proto into a header"
show "$cc -o $out/connect_gen connect_gen.c"
built
show "$out/connect_gen -I examples --out $out telemetry.proto"
built

echo
echo "-- One file of two lines holds the library and the generated tables"
show "cat examples/demo_impl.c"
show "$cc -O2 -I. -I$out -c examples/demo_impl.c -o $out/impl.o"
built
show "$cc -O2 -I. -I$out examples/demo_server.c $out/impl.o -lnghttp2 -lz -lzstd -lbearssl -lpthread -o $out/server"
built
show "$cc -O2 -I. examples/gateway.c $out/impl.o -lnghttp2 -lz -lzstd -lbearssl -lpthread -o $out/gateway"
built
show "$cc -O2 -I. -I$out examples/demo_client.c $out/impl.o -lnghttp2 -lz -lzstd -lbearssl -lpthread -o $out/client"
built

echo
echo "-- A server on a free port"
echo
echo "\$ $out/server 127.0.0.1:0 &"
"$out/server" 127.0.0.1:0 > "$out/server.log" 2>&1 < /dev/null &
server=$!
find_port "$out/server.log"
url=http://127.0.0.1:$port
service=acme.telemetry.v1.Telemetry

echo
echo "-- curl, with JSON"
show "curl -s -H 'content-type: application/json' -d '{\"sensor\":\"boiler\"}' $url/$service/Read"
expect 0 '"sensor":"boiler"' '"celsius":61.5' '"quality":"QUALITY_GOOD"'

echo
echo "-- The same port, in three protocols"
show "$out/client $url connect read boiler"
expect 0 'boiler: 61.50 C'
show "$out/client $url grpc set boiler 65"
expect 0 'boiler: 65.00 C, was 61.50 C'
show "$out/client $url grpc-web read boiler"
expect 0 'boiler: 65.00 C'

echo
echo "-- A stream"
show "$out/client $url grpc watch roof 4"
expect 0 'roof: #1 -3.25 C' 'roof: #2 -3.00 C' 'roof: #3 -2.75 C' 'roof: #4 -3.25 C'

echo
echo "-- An error, with a detail that has a type: to our client, and to curl"
show "$out/client $url grpc read cellar"
expect 1 'not_found: no sensor cellar' 'fault 404: ask for boiler or roof'
show "curl -s -w ' (HTTP %{http_code})' -H 'content-type: application/json' -d '{\"sensor\":\"cellar\"}' $url/$service/Read"
expect 0 '"code":"not_found"' '"message":"no sensor cellar"' 'acme.telemetry.v1.Fault' 'HTTP 404'

echo
echo "-- Through a gateway that knows no schema"
echo
echo "\$ $out/gateway 127.0.0.1:0 $url &"
"$out/gateway" 127.0.0.1:0 "$url" > "$out/gateway.log" 2>&1 < /dev/null &
gateway=$!
find_port "$out/gateway.log"
show "$out/client http://127.0.0.1:$port grpc watch roof 2"
expect 0 'roof: #1 -3.25 C' 'roof: #2 -3.00 C'
show "$out/client http://127.0.0.1:$port connect read cellar"
expect 1 'not_found: no sensor cellar' 'fault 404: ask for boiler or roof'
kill "$gateway"
gateway=

echo
echo "-- SIGTERM drains the server"
echo
echo "\$ kill -TERM $server"
kill -TERM "$server"
status=0
wait "$server" || status=$?
server=
cp "$out/server.log" "$out/answer"
tail -n 1 "$out/answer"
expect 0 'drained'

echo
if [ "$wrong" -ne 0 ]; then
    echo "$wrong answers were wrong."
    exit 1
fi
echo "All answers were right."
