#!/usr/bin/env python3
"""Compiles the C blocks of each file in docs/ that has any: in their order, as one file."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build/docs")
CC = os.environ.get("CC", "cc")
FLAGS = "-std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wno-unused-function -Werror".split()


def main():
    os.makedirs(WORK, exist_ok=True)
    compiled = 0
    for name in sorted(os.listdir(os.path.join(ROOT, "docs"))):
        with open(os.path.join(ROOT, "docs", name)) as file:
            text = file.read()
        blocks = re.findall(r"^```c\n(.*?)^```$", text, re.S | re.M)
        assert text.count("```c\n") == len(blocks), "%s: a C block that does not end" % name
        if not blocks or blocks[0].startswith("/* "):  # whole programs, by name: tests/docs/test_docs.py runs them
            continue
        source = os.path.join(WORK, name.replace(".md", ".c"))
        with open(source, "w") as file:
            file.write("\n".join(blocks))
        subprocess.run([CC, *FLAGS, "-I" + ROOT, "-I" + os.path.join(ROOT, "build/gen"), "-c", source, "-o",
                        source.replace(".c", ".o")], check=True, timeout=120)
        print("%s: %d blocks" % (name, len(blocks)))
        compiled += 1
    assert compiled, "no file in docs/ has a C block"


if __name__ == "__main__":
    sys.exit(main())
