#!/usr/bin/env python3
"""Compiles, and where it can runs, the code in docs/*.md.

A page without schemas of its own: its C blocks, in their order, are one file, over examples/telemetry.proto.

A page with schemas:
    ```proto  begins with `// name.proto`: a schema, which all such pages may use
    ```c      begins with `/* generated */`: stands in the header of a schema, word by word
              begins with `/* name.c */`: a program; the ```text block behind it is what it prints
              else the inside of a function, to which SCOPE belongs

docs/generator.md, which is a session at a terminal, is run by tests/generator/test_docs.py."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "docs"
CC = os.environ.get("CC", "cc")
FLAGS = "-std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wno-unused-function -Werror".split()
SCOPE = "connect_str_t bytes, connect_str_t json, connect_arena_t arena, connect_error_t error"
WELL_KNOWN = ["any", "field_mask", "struct"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], cwd=WORK, check=True, timeout=200, **options)


def compile_c(name, *more):
    run(CC, *FLAGS, "-I", ROOT, "-I", WORK, "-I", ROOT / "build" / "gen", name, *more)


def generate(name, text):
    (WORK / name).write_text(text)
    run(ROOT / "build" / "connect_gen", "-I", WORK, "--out", WORK, name)
    return name.replace(".proto", ".connect.h")


def words(text):
    return " ".join(text.split())


def check_page(name, blocks):
    source = name.replace(".md", ".c")
    (WORK / source).write_text("\n".join(text for language, text in blocks if language == "c"))
    compile_c(source, "-c")


def check_with_schemas(pages):
    blocks = [block for page in pages.values() for block in page]
    headers = [generate(re.match(r"// (\w+\.proto)\n", text)[1], text) for language, text in blocks if language == "proto"]
    generate("well_known.proto", 'syntax = "proto3";\n' + "".join(
        'import "google/protobuf/%s.proto";\n' % name for name in WELL_KNOWN) + "message WellKnown {\n"
        "google.protobuf.Any any = 1; google.protobuf.FieldMask mask = 2; google.protobuf.Struct object = 3; }\n")
    generated = words(" ".join((WORK / header).read_text() for header in headers))
    code = "".join('#include "%s"\n' % header for header in headers)
    code += "".join('#include "google/protobuf/%s.connect.h"\n' % name for name in WELL_KNOWN) + "#include <stdio.h>\n"
    snippets = 0
    for at, (language, text) in enumerate(blocks):
        name = re.match(r"/\* ([\w.]+) \*/\n", text)
        if language != "c":
            continue
        if name and name[1] == "generated":
            assert words(text.split("\n", 1)[1]) in generated, "no longer generated:\n" + text
        elif name:
            (WORK / name[1]).write_text(text)
            program = WORK / name[1].replace(".c", "")
            compile_c(name[1], "-o", program)
            printed = run(program, stdout=subprocess.PIPE, text=True).stdout
            assert blocks[at + 1] == ("text", printed), "%s prints\n%s" % (name[1], printed)
        else:
            snippets += 1
            code += "\nvoid snippet_%d(%s);\nvoid snippet_%d(%s) {\n" % (snippets, SCOPE, snippets, SCOPE)
            code += "(void)bytes;\n(void)json;\n(void)arena;\n(void)error;\n{\n" + text + "}\n}\n"
    (WORK / "snippets.c").write_text(code)
    compile_c("snippets.c", "-c", "-Wno-unused-but-set-variable", "-Wno-unused-but-set-parameter")


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    pages, with_schemas = {}, {}
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text()
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M)
        assert len(re.findall("^```", text, re.M)) == 2 * len(blocks), "%s: a block that does not end" % path.name
        if path.name == "generator.md" or not any(language == "c" for language, _ in blocks):
            continue
        (with_schemas if any(language == "proto" for language, _ in blocks) else pages)[path.name] = blocks
    assert pages and with_schemas
    for name, blocks in pages.items():
        check_page(name, blocks)
    check_with_schemas(with_schemas)
    print("%d pages" % (len(pages) + len(with_schemas)))


if __name__ == "__main__":
    sys.exit(main())
