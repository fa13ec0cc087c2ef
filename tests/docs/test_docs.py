#!/usr/bin/env python3
"""Compiles the C of each page in docs/, its blocks in their order as one file, with all warnings; runs it if it has a main."""

import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(ROOT, "build/docs")
CC = os.environ.get("CC", "cc")
FLAGS = "-std=c99 -D_POSIX_C_SOURCE=200809L -O1 -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror".split()
LIBS = "-lnghttp2 -lz -lzstd -lbearssl -lpthread".split()


def run(*command):
    print("$", " ".join(command), flush=True)
    subprocess.run(command, cwd=WORK, check=True, timeout=120, stdin=subprocess.DEVNULL)


def main():
    os.makedirs(WORK, exist_ok=True)
    run(CC, "-o", "connect_gen", os.path.join(ROOT, "connect_gen.c"))
    run("./connect_gen", "-I", os.path.join(ROOT, "examples"), "--out", ".", "telemetry.proto")
    with open(os.path.join(WORK, "impl.c"), "w") as file:
        file.write('#define CONNECT_IMPLEMENTATION\n#include "telemetry.connect.h"\n')
    run(CC, *FLAGS, "-I" + ROOT, "-I.", "-c", "impl.c")
    pages = 0
    for page in sorted(glob.glob(os.path.join(ROOT, "docs/*.md"))):
        with open(page) as file:
            text = file.read()
        blocks = re.findall(r"^```c\n(.*?)^```$", text, re.S | re.M)
        assert len(blocks) == len(re.findall(r"^```c\b", text, re.M)), page + ": a C block that does not end"
        if not blocks:
            continue
        pages += 1
        name = os.path.basename(page)[:-3]
        with open(os.path.join(WORK, name + ".c"), "w") as file:
            for block in blocks:
                line = text[: text.index(block)].count("\n") + 1
                file.write('#line %d "%s"\n%s' % (line, page, block))
        if re.search(r"^int main\(", "".join(blocks), re.M):
            run(CC, *FLAGS, "-I" + ROOT, "-I.", "-o", name, name + ".c", "impl.o", *LIBS)
            run("./" + name)
        else:
            run(CC, *FLAGS, "-I" + ROOT, "-I.", "-c", name + ".c")
    assert pages, "no page with C"


if __name__ == "__main__":
    sys.exit(main())
