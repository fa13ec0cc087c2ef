#!/usr/bin/env python3
"""Memory of idle connections: idle.py [--check] [--connections N] SERVER...

Starts each server (a command that prints "listens on ADDRESS:PORT"), opens N connections over HTTP/1.1 and as many over
HTTP/2, makes one unary call on each, and prints by how much the server's resident memory has grown for each of them.
--check: exit status 1 if one is above its goal: 1 KiB for HTTP/1.1, 16 KiB for HTTP/2, 2 MiB for a server at its start.
Linux; the bytes of a connection in the kernel are not counted."""

import argparse
import math
import re
import resource
import socket
import struct
import subprocess
import sys

PATH = "/bench.v1.Echo/Unary"
BODY = b"\x0a\x05hello"  # Payload { text: "hello" }
GOALS = {"start": 2048, "HTTP/1.1": 1.0, "HTTP/2": 16.0}  # KiB


def resident(pid):
    """KiB of a process that are in memory."""
    with open("/proc/%d/status" % pid) as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M).group(1))


def receive(connection, done):
    data = b""
    while not done(data):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed after %r" % data)
        data += piece
    return data


def call_http1(connection):
    connection.sendall(
        ("POST %s HTTP/1.1\r\nHost: idle\r\nContent-Type: application/proto\r\nContent-Length: %d\r\n\r\n"
         % (PATH, len(BODY))).encode() + BODY)
    answer = receive(connection, lambda data: data.endswith(BODY))
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def frame(kind, flags, stream, payload):
    return struct.pack(">IBBI", len(payload), kind, flags, stream)[1:] + payload


def literal(name, value):
    """A header field without indexing (RFC 7541 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call_http2(connection):
    head = b"".join(literal(name, value) for name, value in (
        (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "idle"),
        ("content-type", "application/proto")))
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, head) +
                       frame(0, 1, 1, BODY))

    def done(data):
        """END_STREAM has come on stream 1, and our SETTINGS were acknowledged."""
        at, ended, acknowledged = 0, False, False
        while len(data) - at >= 9:
            length = int.from_bytes(data[at:at + 3], "big")
            kind, flags, stream = data[at + 3], data[at + 4], int.from_bytes(data[at + 5:at + 9], "big")
            if len(data) - at < 9 + length:
                break
            ended = ended or (stream == 1 and kind in (0, 1) and flags & 1)
            acknowledged = acknowledged or (kind == 4 and flags & 1)
            at += 9 + length
        return ended and acknowledged

    answer = receive(connection, done)
    assert BODY in answer, answer
    connection.sendall(frame(4, 1, 0, b""))


def start(command):
    process = subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True)
    match = re.match(r"listens on (.*):(\d+)$", process.stdout.readline().strip())
    if not match:
        raise SystemExit("%s did not start" % command)
    return process, (match.group(1).strip("[]"), int(match.group(2)))


def measure(command, count, call):
    """Returns KiB at the start, and for each connection; not a number if the server does not speak this version."""
    process, address = start(command)
    try:
        before = resident(process.pid)
        connections = []
        with socket.create_connection(address) as first:  # what all of them share is not theirs
            first.settimeout(5)
            try:
                call(first)
            except (AssertionError, OSError):
                return before, math.nan
            base = resident(process.pid)
            for _ in range(count):
                connections.append(socket.create_connection(address))
                call(connections[-1])
            grown = resident(process.pid) - base
        for connection in connections:
            connection.close()
        return before, grown / count
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("servers", nargs="+")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, options.connections + 100), hard))
    failed = False
    print("%-40s %10s %10s %10s   KiB" % ("", "start", "HTTP/1.1", "HTTP/2"))
    for command in options.servers:
        at_start, http1 = measure(command, options.connections, call_http1)
        _, http2 = measure(command, options.connections, call_http2)
        print("%-40s %10d %10.2f %10.2f" % (command, at_start, http1, http2))
        for name, value in (("start", at_start), ("HTTP/1.1", http1), ("HTTP/2", http2)):
            if options.check and not value <= GOALS[name]:
                print("%s: %s needs %.2f KiB, more than %.2f" % (command, name, value, GOALS[name]))
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
