#!/usr/bin/env python3
"""Builds and runs what README.md shows: its generator commands, its C files, its curl call. Names in the text are names here."""

import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build/readme")
CC = os.environ.get("CC", "cc")
FLAGS = "-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror".split()


def run(*command, **more):
    print("$", " ".join(command), flush=True)
    return subprocess.run(command, cwd=WORK, check=True, timeout=120, stdin=subprocess.DEVNULL, **more)


def main():
    with open(os.path.join(ROOT, "README.md")) as file:
        text = file.read()
    blocks = dict(re.findall(r"```c\n/\* (\w+\.c) \*/\n(.*?)```", text, re.S))
    assert sorted(blocks) == ["client.c", "codec.c", "impl.c", "server.c"], "C blocks in README.md: %s" % sorted(blocks)
    assert len(re.findall("```c", text)) == 4, "a C block without a name"
    os.makedirs(WORK, exist_ok=True)
    for name, code in blocks.items():
        with open(os.path.join(WORK, name), "w") as file:
            file.write(code.replace("127.0.0.1:8080", "127.0.0.1:0") if name == "server.c" else code)
    for shown in ["cc -o connect_gen connect_gen.c", "./connect_gen -I examples --out . telemetry.proto", "cc -c impl.c",
                  "cc -o server server.c impl.o -lnghttp2 -lz -lzstd -lbearssl -lpthread", "cc -o client client.c impl.o -lnghttp2 -lz -lzstd -lbearssl -lpthread"]:
        assert shown in text, "README.md no longer says: " + shown
    run(CC, "-o", "connect_gen", os.path.join(ROOT, "connect_gen.c"))
    run("./connect_gen", "-I", os.path.join(ROOT, "examples"), "--out", ".", "telemetry.proto")
    run(CC, *FLAGS, "-I" + ROOT, "-I.", "-c", "impl.c")
    for name in ["server", "client"]:
        run(CC, *FLAGS, "-I" + ROOT, "-I.", "-o", name, name + ".c", "impl.o", "-lnghttp2", "-lz", "-lzstd", "-lbearssl", "-lpthread")

    assert "cc -o codec codec.c" in text
    run(CC, *FLAGS, "-I" + ROOT, "-I.", "-o", "codec", "codec.c")
    assert run("./codec", capture_output=True).stdout.startswith(b'{"sensor":"boiler","takenAt":"2')

    # The server says nothing, so the kernel is asked where it listens.
    server = subprocess.Popen([os.path.join(WORK, "server")], stdin=subprocess.DEVNULL)
    try:
        url = "http://127.0.0.1:%d" % listening_port(server.pid)
        assert run("./client", url, capture_output=True).stdout == b"boiler: 61.5 C\n"
        answer = run("curl", "-sS", "--noproxy", "*", "-H", "content-type: application/json", "-d", '{"sensor":"boiler"}',
                     url + "/acme.telemetry.v1.Telemetry/Read", capture_output=True).stdout
        print(answer.decode())
        assert b'"celsius":61.5' in answer
    finally:
        server.kill()
        server.wait()


def listening_port(pid):
    for _ in range(100):
        sockets = set()
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                sockets.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
            except OSError:
                pass
        with open("/proc/net/tcp") as file:
            for line in list(file)[1:]:
                field = line.split()
                if field[3] == "0A" and "socket:[%s]" % field[9] in sockets:
                    return int(field[1].split(":")[1], 16)
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


if __name__ == "__main__":
    sys.exit(main())
