#!/usr/bin/env python3
"""Tests connect_gen: what it makes of good files, what it says about bad ones, and that nothing else happens.

    python3 tests/generator/test_generator.py [-v] [Class[.test]]...

Environment, each with its default: CONNECT_GEN (build/connect_gen), CONNECT_INCLUDE (the folder of connect.h: the top
level), PROTOC (python -m grpc_tools.protoc, in build/venv), CC (gcc) and CXX (g++), CLANG (clang).

good/     what must be accepted; the result is compiled as C and C++, and compared with protoc's descriptors
bad.txt   what must be refused, with every message; protoc must refuse it, too
lib/      what files in bad.txt import
"""

import collections
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VENV_PYTHON = os.path.join(ROOT, "build", "venv", "bin", "python")
try:
    from google.protobuf import descriptor_pb2, descriptor_pool
except ImportError:
    if not os.path.exists(VENV_PYTHON) or os.environ.get("CONNECT_TEST_REEXEC"):
        sys.exit("Python's protobuf is missing: run `sh tests/setup/tools.sh`, which puts it into build/venv.")
    os.environ["CONNECT_TEST_REEXEC"] = "1"
    os.execv(VENV_PYTHON, [VENV_PYTHON] + sys.argv)

GENERATOR = os.path.abspath(os.environ.get("CONNECT_GEN", os.path.join(ROOT, "build", "connect_gen")))
INCLUDE = os.path.abspath(os.environ.get("CONNECT_INCLUDE", ROOT))
PROTOC = shlex.split(os.environ["PROTOC"]) if "PROTOC" in os.environ else [sys.executable, "-m", "grpc_tools.protoc"]
CC, CXX, CLANG = (
    os.environ.get(name, default) for name, default in (("CC", "gcc"), ("CXX", "g++"), ("CLANG", "clang"))
)
if CC == "cc":
    CC = "gcc"
GOOD = os.path.join(HERE, "good")
EXAMPLE = os.path.join(ROOT, "examples", "telemetry.proto")
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-qual -Wredundant-decls -Werror".split()
C_WARNINGS = ["-std=c99", "-Wstrict-prototypes"] + WARNINGS
CPP_WARNINGS = "-pedantic -Wall -Wextra -Wold-style-cast -Wshadow -Wundef -Werror".split()
CODEC_ONLY = ["-DCONNECT_ENABLE_CLIENT=0", "-DCONNECT_ENABLE_SERVER=0"]


def run(command, cwd=None, timeout=60, **more):
    return subprocess.run(
        command,
        cwd=cwd,
        timeout=timeout,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        errors="replace",
        **more
    )


def good_files():
    names = []
    for folder, _, files in os.walk(GOOD):
        names += [os.path.relpath(os.path.join(folder, name), GOOD) for name in files if name.endswith(".proto")]
    return sorted(names)


def tree(folder):
    """What is below a folder: {name: bytes}."""
    result = {}
    for base, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                result[os.path.relpath(path, folder)] = file.read()
    return result


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp(prefix="connect_gen_test_")
        cls.addClassCleanup(shutil.rmtree, cls.scratch)

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.scratch)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def generate(self, *arguments, generator=GENERATOR, status=0, cwd=None, timeout=60):
        result = run([generator] + list(arguments), cwd=cwd or self.folder, timeout=timeout)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def compile(self, command, source, name):
        path = self.write(name, source)
        result = run(command + [path, "-o", os.path.join(self.folder, "object")], cwd=self.folder)
        self.assertEqual(result.returncode, 0, "%s\n%s" % (" ".join(command), result.stderr[:4000]))


# ---- Good files ----------------------------------------------------------------------------------------------------


class Good(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = os.path.join(cls.scratch, "all")
        result = run(
            [GENERATOR, "-I", GOOD, "-I", os.path.dirname(EXAMPLE), "--out", cls.out]
            + good_files()
            + ["telemetry.proto"]
        )
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        cls.warnings = result.stderr
        cls.headers = sorted(name for name in tree(cls.out))
        cls.includes = "".join('#include "%s"\n' % name for name in cls.headers)

    def test_every_file_has_its_header(self):
        for name in good_files():
            self.assertIn(name[: -len(".proto")] + ".connect.h", self.headers)
        for name in (
            "any",
            "api",
            "descriptor",
            "duration",
            "empty",
            "field_mask",
            "source_context",
            "struct",
            "timestamp",
            "type",
            "wrappers",
        ):
            self.assertIn("google/protobuf/%s.connect.h" % name, self.headers)

    def test_c(self):
        """All headers together, with and without tables, with each switch off."""
        for compiler in (CC, CLANG):
            for switches in (
                [],
                CODEC_ONLY,
                ["-DCONNECT_ENABLE_CLIENT=0"],
                ["-DCONNECT_ENABLE_SERVER=0"],
                ["-DCONNECT_ENABLE_SOCKETS=0"],
            ):
                for tables in ([], ["-DCONNECT_GENERATED_IMPLEMENTATION"]):
                    with self.subTest(compiler=compiler, switches=switches, tables=tables):
                        self.compile(
                            [compiler] + C_WARNINGS + switches + tables + ["-I", INCLUDE, "-I", self.out, "-c"],
                            self.includes + "typedef int not_empty;\n",
                            "all.c",
                        )

    def test_cpp(self):
        for compiler in (CXX, CLANG):
            for standard in ("11", "17", "20"):
                with self.subTest(compiler=compiler, standard=standard):
                    self.compile(
                        [compiler, "-x", "c++", "-std=c++" + standard]
                        + CPP_WARNINGS
                        + ["-I", INCLUDE, "-I", self.out, "-c"],
                        self.includes,
                        "all.cpp",
                    )

    def test_each_header_alone(self):
        for name in self.headers:
            with self.subTest(header=name):
                self.compile(
                    [CC] + C_WARNINGS + ["-I", INCLUDE, "-I", self.out, "-c"],
                    '#define CONNECT_GENERATED_IMPLEMENTATION\n#include "%s"\n' % name,
                    "one.c",
                )

    def test_tables_after_declarations(self):
        """A header that was included without tables first still brings its own and those of its imports."""
        self.compile(
            [CC] + C_WARNINGS + CODEC_ONLY + ["-I", INCLUDE, "-I", self.out],
            '#include "telemetry.connect.h"\n'
            "#define CONNECT_GENERATED_IMPLEMENTATION\n"
            '#include "telemetry.connect.h"\n'
            '#include "telemetry.connect.h"\n'
            "int main(void) {\n"
            "    return acme_telemetry_v1_Reading_type.types[0] == &google_protobuf_Timestamp_type ? 0 : 1;\n"
            "}\n",
            "late.c",
        )
        self.assertEqual(run([os.path.join(self.folder, "object")]).returncode, 0)

    def test_ascii_lines(self):
        for name, text in tree(self.out).items():
            self.assertTrue(text.startswith(b"/* Generated by connect_gen "), name)
            self.assertNotIn(b"\t", text, name)
            self.assertNotIn(b"\r", text, name)
            self.assertNotRegex(text.decode("ascii"), r"(?m) $", name)

    def test_deterministic(self):
        """Neither the order, nor how files are named, nor where it runs changes a byte."""
        expected = tree(self.out)
        names = good_files() + ["telemetry.proto"]
        self.generate("-I", GOOD, "-I", os.path.dirname(EXAMPLE), "--out", "again", *reversed(names))
        self.assertEqual(tree(os.path.join(self.folder, "again")), expected)
        self.generate(
            "-I./good//",
            "-I" + os.path.dirname(EXAMPLE),
            "--out=" + self.folder + "/paths/",
            EXAMPLE,
            *[os.path.join("good", name) for name in names[:-1]],
            cwd=HERE
        )
        self.assertEqual(tree(os.path.join(self.folder, "paths")), expected)

    def test_well_known_types_are_stable(self):
        """Whoever imports them, and even if a folder has files of these names."""
        expected = tree(self.out)["google/protobuf/timestamp.connect.h"]
        self.write("google/protobuf/timestamp.proto", "this is not looked at")
        self.write("x.proto", 'syntax = "proto3"; import "google/protobuf/timestamp.proto";')
        self.generate("x.proto")
        with open(os.path.join(self.folder, "google/protobuf/timestamp.connect.h"), "rb") as file:
            self.assertEqual(file.read(), expected)

    def test_descriptors(self):
        """The descriptor in the header; where there are no custom options it is protoc's byte for byte."""
        for name in good_files() + ["telemetry.proto"]:
            with self.subTest(file=name):
                ours = embedded_descriptor(tree(self.out)[name[: -len(".proto")] + ".connect.h"].decode())
                theirs = protoc_descriptor(self, name)
                if name in ("everything.proto", "options.proto"):  # test_descriptors.py compares their options
                    ours = without_unknown(descriptor_pb2.FileDescriptorProto.FromString(ours)).SerializeToString()
                    without_unknown(theirs)
                self.assertEqual(ours, theirs.SerializeToString())

    def test_well_known_descriptors(self):
        for name in (
            "any",
            "api",
            "duration",
            "empty",
            "field_mask",
            "source_context",
            "struct",
            "timestamp",
            "type",
            "wrappers",
        ):
            with self.subTest(file=name):
                ours = embedded_descriptor(tree(self.out)["google/protobuf/%s.connect.h" % name].decode())
                theirs = protoc_descriptor(self, "google/protobuf/%s.proto" % name)
                if name == "api" and "edition" not in [field.name for field in theirs.message_type[0].field]:
                    continue  # protoc before 32; ours is newer
                self.assertEqual(ours, theirs.SerializeToString())

    def test_tables(self):
        """Numbers, names, kinds, flags and references in the tables, against protoc's descriptors."""
        names = good_files() + ["telemetry.proto"]
        symbols = []
        for name in names + [
            "google/protobuf/%s.proto" % name for name in ("any", "struct", "timestamp", "wrappers")
        ]:
            text = tree(self.out)[name[: -len(".proto")] + ".connect.h"].decode()
            symbols.append("&" + re.search(r"CONNECT_API const connect_file_t (\w+);", text).group(1))
        self.write("generated_headers.h", self.includes)
        program = os.path.join(self.folder, "tables")
        result = run(
            [CC, "-std=c99", "-Wall", "-DFILES=" + ",".join(symbols)]
            + CODEC_ONLY
            + ["-I", INCLUDE, "-I", self.out, "-I", self.folder, os.path.join(HERE, "tables.c"), "-o", program]
        )
        self.assertEqual(result.returncode, 0, result.stderr[:4000])
        ours = run([program]).stdout.splitlines()
        theirs = []
        pool = protoc_pool(self, names)
        for name in names + [
            "google/protobuf/%s.proto" % name for name in ("any", "struct", "timestamp", "wrappers")
        ]:
            theirs += expected_tables(protoc_descriptor(self, name), pool)
        sizes = re.compile(r" descriptor=\d+$")
        self.assertEqual([sizes.sub("", line) for line in ours], theirs)

    def test_names(self):
        """What became of names that mean something else, or meet; each change has a warning, but not keywords."""
        text = tree(self.out)["names.connect.h"].decode()
        for member in (
            "int32_t int_;",
            "connect_str_t class_;",
            "connect_str_t errno_;",
            "connect_str_t stdin_;",
            "connect_str_t unix_;",
            "connect_str_t linux_;",
            "connect_str_t major_;",
            "connect_str_t signbit_;",
            "connect_str_t NULL_;",
            "connect_str_t EINVAL_;",
            "connect_str_t INT_MAX_;",
            "connect_str_t template_;",
            "bool bool_;",
            "uint32_t uint32_t_;",
            "connect_str_t connect_str_t_;",
            "const names_names_Members *names_Members_;",
            "bool has_x_;",
            "int32_t choice_case_;",
            "connect_str_list_t unknown_fields_;",
            "int32_t int__;",
        ):
            self.assertTrue("    " + member in text, member)
        for name in (
            "names_Sample_list_;",
            "names_Sample_type_;",
            "names_A_B_;",
            "names_S__Read_with__with(",
            "} errno_;",
        ):
            self.assertTrue(name in text, name)
        self.assertIn(
            'names.proto:46:9: warning: "names_Sample_list", the C name of message names.Sample_list, is taken by '
            'message names.Sample: it becomes "names_Sample_list_"',
            re.sub(r"\S*/names", "names", self.warnings),
        )
        plain = tree(self.out)["no_package.connect.h"].decode()
        for name in (
            "struct class_ {",
            "struct FILE_ {",
            "struct key_ {",
            "NULL_ = 0,",
            "EOF_ = 1,",
            "SIGINT_ = 2,",
            "TRUE_ = 3,",
            "struct pb_connect_str_t {",
            "client__request_with(",
        ):
            self.assertTrue(name in plain, name)
        self.assertIn("struct pb_connect_schema {", tree(self.out)["connect.connect.h"].decode())

    def test_names_of_unrelated_files(self):
        """Files that meet only in C: the first by name keeps its names."""
        self.write("b.proto", 'syntax = "proto3"; package a; message b_C { string x = 1; }')
        self.write("a.proto", 'syntax = "proto3"; package a.b; message C { string x = 1; }')
        self.write("d/a.proto", 'syntax = "proto3"; package a.b;')
        result = self.generate("b.proto", "d/a.proto", "a.proto")
        self.assertIn(
            'b.proto:1:39: warning: "a_b_C", the C name of message a.b_C, is taken by message a.b.C', result.stderr
        )
        self.compile(
            [CC] + C_WARNINGS + ["-DCONNECT_GENERATED_IMPLEMENTATION", "-I", INCLUDE, "-I", self.folder, "-c"],
            '#include "b.connect.h"\n#include "a.connect.h"\n#include "d/a.connect.h"\n',
            "meet.c",
        )

    def test_fields_named_as_macros(self):
        """Whatever system headers come before the generated one; in capitals fields are rare, and macros many."""
        headers = (
            "arpa/inet.h complex.h ctype.h dirent.h errno.h fcntl.h fenv.h ifaddrs.h inttypes.h locale.h math.h net/if.h "
            "netdb.h netinet/in.h netinet/tcp.h poll.h pthread.h sched.h setjmp.h signal.h stdarg.h stdbool.h stddef.h "
            "stdint.h stdio.h stdlib.h string.h strings.h sys/ioctl.h sys/mman.h sys/socket.h sys/stat.h sys/sysmacros.h "
            "sys/time.h sys/types.h sys/un.h sys/wait.h termios.h time.h unistd.h wchar.h"
        )
        includes = "".join("#include <%s>\n" % name for name in headers.split())
        self.write("system.h", includes)
        gnu = [CC, "-std=gnu99", "-D_GNU_SOURCE"]
        macros = run(gnu + ["-dM", "-E", os.path.join(self.folder, "system.h")]).stdout
        names = sorted(set(re.findall(r"(?m)^#define ([a-z]\w*)", macros)))
        self.assertGreater(len(names), 60)
        self.write(
            "m.proto",
            'syntax = "proto3"; package m;'
            + "".join("message M%d { optional int32 %s = 1; }" % (i, name) for i, name in enumerate(names))
            + "".join("message N%d { oneof o { int32 %s = 1; } }" % (i, name) for i, name in enumerate(names)),
        )
        self.generate("m.proto")
        self.compile(
            gnu + ["-Wall", "-Werror", "-DCONNECT_GENERATED_IMPLEMENTATION", "-I", INCLUDE, "-I", self.folder, "-c"],
            includes + '#include "m.connect.h"\n',
            "macros.c",
        )

    def test_names_of_helpers(self):
        """Names of functions in the headers of well-known types are taken."""
        helpers = set()
        for text in (text.decode() for name, text in tree(self.out).items() if name.startswith("google/protobuf/")):
            helpers.update(re.findall(r"static inline .*?\bgoogle_(protobuf_\w+)\(", text))
        self.assertGreater(len(helpers), 60)
        self.write(
            "h.proto",
            'syntax = "proto3"; package google; import "google/protobuf/any.proto"; import "google/protobuf/struct.proto";'
            'import "google/protobuf/duration.proto"; import "google/protobuf/field_mask.proto";'
            'import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";'
            'import "google/protobuf/descriptor.proto"; import "google/protobuf/type.proto";'
            'import "google/protobuf/api.proto"; import "google/protobuf/source_context.proto";'
            'import "google/protobuf/empty.proto";' + "".join("message %s {}" % name for name in sorted(helpers)),
        )
        result = self.generate("h.proto")
        for name in helpers:
            self.assertIn('it becomes "google_%s_"' % name, result.stderr)
        self.compile(
            [CC] + C_WARNINGS + ["-DCONNECT_GENERATED_IMPLEMENTATION", "-I", INCLUDE, "-I", self.folder, "-c"],
            '#include "h.connect.h"\n',
            "helpers.c",
        )

    def test_well_known_type_with_other_fields(self):
        """protoc takes them; but JSON and the helpers rely on what they are."""
        struct = (
            "message Struct { map<string, Value> fields = 1; } enum NullValue { NULL_VALUE = 0; } message Value { oneof "
            "kind { NullValue null_value = 1; double number_value = 2; string string_value = 3; bool bool_value = 4; "
            "Struct struct_value = 5; ListValue list_value = 6; } } message ListValue { repeated Value values = 1; }"
        )
        for body in (
            "message Int32Value {}",
            "message Int32Value { int64 value = 1; }",
            "message Int32Value { optional int32 value = 1; }",
            "message Int32Value { int32 value = 1; bool more = 2; }",
            "message Any { string type_url = 1; string value = 2; }",
            "message Timestamp { int64 nanos = 1; int32 seconds = 2; }",
            "message FieldMask { string paths = 1; }",
            "message Struct { map<string, Value> fields = 1; } message Value { int32 kind = 1; }",
            "message Struct { map<int32, string> fields = 1; }",
            "message Empty { int32 a = 1; }",
            struct.replace("map<string", "map<int32"),
            struct.replace("oneof kind", "oneof sort"),
            struct.replace(" ListValue list_value = 6; }", " } ListValue list_value = 6;"),
            struct.replace(" ListValue list_value = 6; }", " } oneof more { ListValue list_value = 6; }"),
            struct.replace("repeated Value", "Value"),
        ):
            with self.subTest(body):
                self.write("w.proto", 'syntax = "proto3"; package google.protobuf; ' + body)
                self.assertIn("is a well-known type: it must have its fields", self.generate("w.proto", status=1).stderr)
        for body in ("message Int32Value { int32 value = 1; }", struct):
            self.write("w.proto", 'syntax = "proto3"; package google.protobuf; ' + body)
            self.generate("w.proto")

    def test_comments(self):
        self.write(
            "c.proto",
            'syntax = "proto3";\n'
            "// Detached.\n\n// Leads M.\nmessage M {\n  // trails the brace\n\n"
            "  int32 a = 1; // trails a\n  // leads b\n  int32 b = 2; /* trails b */\n"
            "  /* block\n   * of lines\n   *\n   * end */ int32 c = 3;\n"
            "  // */ #error broken /* ??/\n  // end \\\n  int32 d = 4 [deprecated = true];\n"
            "  //// \x01\xff\u202e\u00e4\n  int32 e = 5;\n  int32 f = 6 [deprecated = true];\n}\n",
        )
        self.generate("c.proto")
        text = tree(self.folder)["c.connect.h"].decode()
        self.assertNotIn("Detached", text)
        self.assertIn(
            "/* Leads M.\n   trails the brace */\nstruct M {\n    /* trails a */\n    int32_t a;\n"
            "    /* leads b\n       trails b */\n    int32_t b;\n",
            text,
        )
        self.assertIn("    /* block\n       of lines\n\n       end */\n    int32_t c;\n", text)
        self.assertIn("    /* * / #error broken / * ? ?/\n       end\n       Deprecated. */\n    int32_t d;\n", text)
        self.assertIn("    /* Deprecated. */\n    int32_t f;\n", text)
        self.assertNotIn("\u202e", text)
        self.compile([CC] + C_WARNINGS + ["-I", INCLUDE, "-I", self.folder, "-c"], '#include "c.connect.h"\n', "c.c")

    def test_legacy_json_names(self):
        """Names that meet in JSON, where the format is best effort: Python's descriptors would refuse them."""
        self.write(
            "json.proto",
            'edition = "2023"; message M { option features.json_format = LEGACY_BEST_EFFORT;\n'
            "  string same_name = 5; string sameName = 6; }",
        )
        self.generate("json.proto")
        self.assertEqual(len(protoc_descriptor(self, "json.proto", self.folder).message_type[0].field), 2)

    def test_large(self):
        """Names and a descriptor that are longer than C99 lets a literal be."""
        fields = "".join(
            "  optional string quite_a_long_name_for_a_field_%d = %d;\n" % (i, i + 1) for i in range(400)
        )
        values = "".join("  QUITE_A_LONG_NAME_FOR_A_VALUE_%d = %d;\n" % (i, i) for i in range(400))
        self.write("large.proto", 'syntax = "proto3";\nmessage Large {\n%s}\nenum Values {\n%s}\n' % (fields, values))
        self.generate("large.proto")
        for compiler in (CC, CLANG):
            self.compile(
                [compiler]
                + C_WARNINGS
                + ["-DCONNECT_GENERATED_IMPLEMENTATION", "-I", INCLUDE, "-I", self.folder, "-c"],
                '#include "large.connect.h"\n',
                "large.c",
            )
        ours = embedded_descriptor(tree(self.folder)["large.connect.h"].decode())
        self.assertEqual(ours, protoc_descriptor(self, "large.proto", self.folder).SerializeToString())


def embedded_descriptor(text):
    """The bytes of X_file_bytes in a header."""
    body = re.search(r"static const char \w+_file_bytes\[\] =(.*?);\n(?=static|const)", text, re.DOTALL).group(1)
    is_array = body.strip().startswith("{")
    result = bytearray()
    for literal in re.findall(r"'(\\?[^'\\]|\\'|\\\\|\\[0-7]+)'" if is_array else r'"((?:[^"\\]|\\.)*)"', body):
        for escape, octal, simple, plain in re.findall(r"(\\([0-7]{1,3})|\\(.))|(.)", literal):
            result += bytes([int(octal, 8)]) if octal else (simple or plain).encode("latin-1")
    return bytes(result)


def protoc_descriptor(case, name, *folders):
    out = os.path.join(case.folder, "protoc.pb")
    result = run(
        PROTOC
        + ["-I" + folder for folder in list(folders) + [GOOD, os.path.dirname(EXAMPLE)]]
        + ["--descriptor_set_out=" + out, name]
    )
    case.assertEqual(
        result.returncode, 0, "%s\n%s\nprotoc is missing? Run `sh tests/setup/tools.sh`." % (PROTOC, result.stderr)
    )
    with open(out, "rb") as file:
        return descriptor_pb2.FileDescriptorSet.FromString(file.read()).file[0]


def protoc_pool(case, names):
    """All files and what they import, in a descriptor pool of their own."""
    out = os.path.join(case.folder, "pool.pb")
    folders = ["-I" + folder for folder in (GOOD, os.path.dirname(EXAMPLE))]
    result = run(PROTOC + folders + ["--include_imports", "--descriptor_set_out=" + out] + names)
    case.assertEqual(result.returncode, 0, result.stderr)
    pool = descriptor_pool.DescriptorPool()
    with open(out, "rb") as file:
        for one in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
            pool.Add(one)
    return pool


def without_unknown(message):
    message.DiscardUnknownFields()
    return message


FORMS = collections.defaultdict(
    int,
    {
        "google.protobuf." + name: form
        for form, names in enumerate(
            (
                "",
                "Any",
                "Timestamp",
                "Duration",
                "FieldMask",
                "Struct",
                "Value",
                "ListValue",
                "DoubleValue FloatValue Int64Value UInt64Value Int32Value UInt32Value BoolValue StringValue BytesValue",
                "Empty",
            )
        )
        for name in names.split()
    },
)


def checks_utf8(file, field):
    """utf8_validation is the one feature that Python's descriptors do not tell."""
    wanted = file.syntax != ""
    for options in (file.options, field.options):
        if options.features.HasField("utf8_validation"):
            wanted = options.features.utf8_validation == options.features.VERIFY
    return wanted


def has_required(message, seen=()):
    if message.full_name in seen:
        return False
    seen += (message.full_name,)
    return any(
        field.is_required or (field.message_type and has_required(field.message_type, seen))
        for field in message.fields
    )


def extensions_of(messages):
    """Innermost first, as they are listed in a file's table."""
    result = []
    for message in messages:
        result += extensions_of(message.nested_type) + list(message.extension)
    return result


def expected_field(file, field, resolved, entries, in_entry):
    repeated = resolved.is_repeated
    oneof = field.HasField("oneof_index") and not field.proto3_optional
    is_message = resolved.message_type is not None
    text = field.type in (field.TYPE_STRING, field.TYPE_BYTES)
    tracked = resolved.has_presence and not oneof and not repeated and not in_entry
    nullable = text and not field.HasField("default_value")
    flags = (
        1 * repeated
        + 2 * (repeated and resolved.is_packed)
        + 4 * (repeated and entries.get(field.type_name[1:], False))
        + 8 * resolved.is_required
        + 16 * (tracked and not is_message and not nullable)
        + 32 * oneof
        + 64 * (is_message and not repeated and not oneof or tracked and nullable)
        + 128 * (field.type == field.TYPE_STRING and checks_utf8(file, field))
    )
    return "field %d %s %s kind=%d flags=%d [%s]" % (
        field.number,
        field.name,
        field.json_name,
        resolved.type,
        flags,
        field.type_name[1:],
    )


def expected_tables(file, pool):
    """What tables.c prints, worked out from descriptors; Python's protobuf resolves features and defaults of syntaxes."""
    lines = ["file " + file.name] + ["import " + name for name in file.dependency]
    scope = file.package + "." if file.package else ""
    entries = {}

    def inner_first(prefix, messages):
        for message in messages:
            yield from inner_first(prefix + message.name + ".", message.nested_type)
            yield prefix + message.name, message

    def enums_of(prefix, messages):
        for message in messages:
            yield from enums_of(prefix + message.name + ".", message.nested_type)
            yield from ((prefix + message.name + "." + enum.name, enum) for enum in message.enum_type)

    for name, enum in [(scope + enum.name, enum) for enum in file.enum_type] + list(
        enums_of(scope, file.message_type)
    ):
        lines.append("enum %s closed=%d" % (name, pool.FindEnumTypeByName(name).is_closed))
        lines += [
            "value %d %s" % (value.number, value.name) for value in sorted(enum.value, key=lambda value: value.number)
        ]
    for name, message in inner_first(scope, file.message_type):
        entries[name] = message.options.map_entry
        fields = sorted(message.field, key=lambda field: field.number)
        dense = 0
        while dense < len(fields) and fields[dense].number == dense + 1:
            dense += 1
        lines.append(
            "type %s entry=%d unknown=%d required=%d form=%d dense=%d"
            % (
                name,
                message.options.map_entry,
                not message.options.map_entry,
                has_required(pool.FindMessageTypeByName(name)),
                FORMS[name],
                dense,
            )
        )
        for field in fields:
            resolved = pool.FindMessageTypeByName(name).fields_by_number[field.number]
            lines.append(expected_field(file, field, resolved, entries, message.options.map_entry))
    for extension in extensions_of(file.message_type) + list(file.extension):
        resolved = pool.FindExtensionByNumber(
            pool.FindMessageTypeByName(extension.extendee[1:]), extension.number
        )
        lines.append("extension %s of %s" % (resolved.full_name, extension.extendee[1:]))
        lines.append(expected_field(file, extension, resolved, entries, False))
    for service in file.service:
        lines.append("service " + scope + service.name)
        for method in service.method:
            lines.append(
                "method /%s/%s %s %s kind=%d idempotency=%d"
                % (
                    scope + service.name,
                    method.name,
                    method.input_type[1:],
                    method.output_type[1:],
                    method.client_streaming + 2 * method.server_streaming,
                    method.options.idempotency_level,
                )
            )
    return lines


def checked_generator(folder, name):
    """Builds connect_gen with the sanitizers."""
    path = os.path.join(folder, name)
    flags = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all".split()
    result = run([CC] + flags + ["-I", INCLUDE, "-o", path, os.path.join(ROOT, "connect_gen.c")], timeout=300)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return path


# ---- Bad files -----------------------------------------------------------------------------------------------------

PROTOC_TAKES = set()  # what connect_gen does not yet
PROTOC_VARIES = set()  # by its version


def bad_cases():
    with open(os.path.join(HERE, "bad.txt"), encoding="utf-8") as file:
        for part in re.split(r"^==== ", file.read(), flags=re.MULTILINE)[1:]:
            head, rest = part.split("\n", 1)
            text, messages = re.split(r"^----\n", rest, flags=re.MULTILINE)
            yield head.split(":")[0], text, [line for line in messages.splitlines() if line]


class Bad(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.checked = checked_generator(cls.scratch, "connect_gen_checked")

    def refuse(self, name, timeout=60):
        """Runs the checked generator; returns the messages. Each must have its source line and caret."""
        result = self.generate("--out", "out", name, generator=self.checked, status=1, timeout=timeout)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "out")), "something was written")
        messages, lines = [], result.stderr.split("\n")
        while lines and lines != [""]:
            line = lines.pop(0)
            messages.append(line)
            if line.startswith("connect_gen: "):
                continue
            self.assertRegex(line, r"^[^:\n]+:\d+:\d+: (error|warning): \S")
            self.assertRegex(lines.pop(0), r"^    ")
            self.assertRegex(lines.pop(0), r"^    [ \t]*\^$")
        return messages

    def test_each(self):
        count = 0
        for name, text, messages in bad_cases():
            count += 1
            with self.subTest(name):
                self.folder = tempfile.mkdtemp(dir=self.scratch)
                shutil.copytree(os.path.join(HERE, "lib"), os.path.join(self.folder, "lib"))
                self.write(name + ".proto", text)
                self.assertEqual(self.refuse(name + ".proto"), messages)
                self.assertTrue(messages)
                protoc = run(PROTOC + ["-I.", "--descriptor_set_out=protoc.pb", name + ".proto"], cwd=self.folder)
                if name in PROTOC_VARIES:
                    continue
                self.assertEqual(protoc.returncode == 0, name in PROTOC_TAKES, "protoc says: " + protoc.stderr)
        self.assertGreater(count, 40)

    def test_caret(self):
        """The caret stands below the place, behind tabs and in long lines, and in lines with CR LF."""
        self.write("t.proto", b'syntax = "proto3";\r\nmessage M {\r\n\tint32\ta = 1;\tMissing b = 2;\r\n}\r\n')
        result = self.generate("t.proto", status=1)
        self.assertEqual(
            result.stderr,
            't.proto:3:15: error: "Missing" is not defined\n'
            "    \tint32\ta = 1;\tMissing b = 2;\n"
            "    \t     \t      \t^\n",
        )
        self.write("long.proto", 'syntax = "proto3"; %s message M { Missing m = 1; } %s' % (" " * 5000, " " * 5000))
        lines = self.generate("long.proto", status=1).stderr.split("\n")
        self.assertLess(len(lines[1]), 200)
        self.assertEqual(lines[1][lines[2].index("^") :][:7], "Missing")

    def test_places_in_imports(self):
        """A message names the file as it was opened, and a file that is found in a second folder."""
        self.write("one/a.proto", 'syntax = "proto3";\nimport "b.proto";\n')
        self.write("two/b.proto", 'syntax = "proto3";\nmessage B { Missing m = 1; }\n')
        result = self.generate("-I", "one", "-Itwo/", "a.proto", status=1)
        self.assertTrue(
            result.stderr.startswith('two/b.proto:2:13: error: "Missing" is not defined\n'), result.stderr
        )
        self.write("one/c.proto", 'syntax = "proto3";\nimport "d.proto";\n')
        result = self.generate("-I", "one", "-Itwo", "c.proto", status=1)
        self.assertTrue(
            result.stderr.startswith('one/c.proto:2:8: error: "d.proto" was not found; searched in: one, two\n')
        )

    def test_hostile(self):
        deep = 'syntax = "proto3";\n' + "message A {" * 40 + "}" * 40
        aggregate = 'syntax = "proto3";\noption (a) = ' + "{ b: " * 100 + "1" + "}" * 100 + ";"
        cases = {
            "deep": (deep, "messages nest deeper than 32 levels"),
            "endless": ('syntax = "proto3";\n' + "message A{" * 100000, "nest deeper"),
            "aggregate": (aggregate, "nests deeper than 64 levels"),
            "nul": (b'syntax = "proto3";\nmessage \0M {}', "control character \\x00"),
            "nul_in_string": (b'syntax = "proto3";\noption java_package = "a\0b";', "closing quote"),
            "binary": (bytes(range(256)) * 100, "syntax"),
            "braces": ("{" * 1000000, "syntax"),
            "closing": ('syntax = "proto3";' + "}" * 100000, "closes nothing"),
            "brackets": ('syntax = "proto3"; message M { int32 a = 1 ' + "[" * 100000, "name of an option"),
            "word": ('syntax = "proto3"; message ' + "A" * 1000000 + " {}", "more than 512 bytes"),
            "path": ('syntax = "proto3"; message M { ' + "a." * 100000 + "b c = 1; }", "more than 4096 bytes"),
            "strings": ('syntax = "proto3"; option go_package = ' + '"a" ' * 200000 + "; x", "expected message"),
            "number": ('syntax = "proto3"; message M { int32 a = ' + "9" * 1000000 + "; }", "out of range"),
            "errors": ('syntax = "proto3";\n' + "x;\n" * 100000, "too many errors"),
            "fields": (
                'syntax = "proto3"; message M {'
                + "".join("string f%d=%d;" % (i, i + 20000) for i in range(5000))
                + "}",
                "its struct would have more than 65535 bytes",
            ),
            "names": (
                'syntax = "proto3"; message M {'
                + "".join("bool %s%d=%d;" % ("n" * 100, i, i + 1) for i in range(700))
                + "}",
                "have more than 65535 bytes",
            ),
            "values": (
                'syntax = "proto3"; enum E {' + "".join("E%d=%d;" % (i, i) for i in range(100000)) + "}",
                "has more than 65535 values",
            ),
            "numbers": ('syntax = "proto3"; message M {' + "bool a=1;" * 50000 + "}", "is defined already"),
            "reserved": (
                'syntax = "proto3"; message M { reserved 1' + ", 1 to 536870911" * 50000 + "; }",
                "overlaps",
            ),
            "long_names": (
                'syntax = "proto3"; '
                + "".join("message %s%d {" % ("n" * 400, i) for i in range(30))
                + "".join("bool b%d = %d;" % (i, i + 1) for i in range(18000))
                + "}" * 30,
                "full name with more than 1024 bytes",
            ),
            "open_comment": ('syntax = "proto3"; /*' + "*" * 1000000, "comment without its end"),
        }
        for name, (text, wanted) in cases.items():
            with self.subTest(name):
                self.folder = tempfile.mkdtemp(dir=self.scratch)
                self.write(name + ".proto", text)
                start = time.monotonic()
                messages = self.refuse(name + ".proto", timeout=30)
                self.assertIn(wanted, "\n".join(messages))
                self.assertLess(time.monotonic() - start, 20)
                self.assertLessEqual(len(messages), 210)

    def test_large(self):
        """What is large, and right: accepted in bounded time."""
        head = (
            'syntax = "proto3"; import "google/protobuf/descriptor.proto";\n'
            "message B { int32 i = 1; B b = 2; repeated int32 r = 3; repeated B rb = 4; }\n"
            "extend google.protobuf.FileOptions { B one = 50001; repeated int32 many = 50002; }\n"
        )
        cases = {
            "list": head + "option (one) = { r: [" + ",".join("1" * 200000) + "] };",
            "many": head + "option (many) = 1;" * 50000,
            "dots": head + "option (one).rb = {i:1};" * 30000,
            "deep": head + "option (one) = " + "{b" * 60 + "{r:[" + ",".join("1" * 50000) + "]}" + "}" * 60 + ";",
            "messages": 'syntax = "proto3";' + "".join("message M%d { B b = 1; }" % i for i in range(5000)) + "message B {}",
            "defaults": 'syntax = "proto2"; enum E {'
            + "".join("E%d=%d;" % (i, i) for i in range(65000))
            + "} message M {"
            + "".join("optional E f%d = %d [default = E64999];" % (i, i + 20000) for i in range(5000))
            + "}",
            "extensions": 'syntax = "proto2"; message M { extensions 1 to max; } extend M {'
            + "".join("optional int32 e%d = %d;" % (i, i + 20000) for i in range(10000))
            + "}",
            "required": 'syntax = "proto2"; message M0 { required int32 a = 1; }'
            + "".join("message M%d { optional M%d a = 1; }" % (30000 - i, 29999 - i) for i in range(30000)),
            "many_names": 'syntax = "proto3";'
            + "".join("message M%d { %s }" % (i, "".join("bool f%d = %d;" % (j, j + 1) for j in range(255))) for i in range(100)),
            "underscores": 'syntax = "proto3";' + "".join("message a%s {}" % ("_" * i) for i in range(300)),
        }
        for name, text in cases.items():
            with self.subTest(name):
                self.write(name + ".proto", text)
                start = time.monotonic()
                self.generate("--out", "large", name + ".proto", generator=self.checked)
                self.assertLess(time.monotonic() - start, 30)

    def test_long_import_chain(self):
        for i in range(300):
            self.write("f%d.proto" % i, 'syntax = "proto3"; import "f%d.proto";' % (i + 1))
        self.assertIn("imports nest deeper than 200 files", "\n".join(self.refuse("f0.proto")))

    def test_mutated(self):
        """Good files with bytes, words and lines changed: accepted or refused, but nothing else."""
        chance = random.Random(20240607)
        texts = []
        for name in good_files():
            with open(os.path.join(GOOD, name), "rb") as file:
                texts.append(file.read())
        shutil.copytree(os.path.join(GOOD, "shared"), os.path.join(self.folder, "shared"))
        pieces = [
            b"{",
            b"}",
            b"[",
            b"]",
            b"<",
            b">",
            b"(",
            b")",
            b";",
            b"=",
            b",",
            b".",
            b'"',
            b"'",
            b"\\",
            b"/*",
            b"//",
            b"\n",
            b"\0",
            b"\xff",
            b"message ",
            b"oneof ",
            b"map<",
            b"optional ",
            b"reserved ",
            b"extend ",
            b"group ",
            b"option ",
            b"stream ",
            b"0x",
            b"-",
            b"99999999999999999999",
            b"max",
            b"1.5e",
            b"import ",
        ]
        for i in range(250):
            text = chance.choice(texts)
            for _ in range(chance.randint(1, 6)):
                at, end = sorted((chance.randrange(len(text)), chance.randrange(len(text))))
                end = min(end, at + 40)
                text = (
                    chance.choice(
                        (
                            text[:at] + chance.choice(pieces) + text[at:],
                            text[:at] + text[end:],
                            text[:at] + chance.choice(pieces) + text[end:],
                            text[:at] + text[at:end] + text[at:],
                            text[:end],
                        )
                    )
                    or b" "
                )
            self.write("mutated.proto", text)
            result = run([self.checked, "--out", "out", "mutated.proto"], cwd=self.folder, timeout=30)
            if result.returncode not in (0, 1) or "Sanitizer" in result.stderr or "runtime error" in result.stderr:
                self.fail("mutation %d: exit %d\n%s\n%r" % (i, result.returncode, result.stderr[-3000:], text))


# ---- The functions in headers ---


class Functions(Case):
    def test_what_they_do(self):
        self.write(
            "f.proto",
            'syntax = "proto2"; package f;\n'
            "message M {\n"
            "  enum Mode { FAST = 3; EXACT = 5; }\n"
            "  optional int32 retries = 1 [default = 3]; optional Mode mode = 2 [default = EXACT];\n"
            '  optional string unit = 3 [default = "K"]; optional string note = 4;\n'
            "  oneof payload { int64 number = 5; string text = 6; M inner = 7; }\n"
            "  map<string, int32> counts = 8; extensions 100 to max;\n"
            "  extend M { optional int32 level = 100; repeated string tags = 101; optional M deep = 102; }\n"
            "}\n",
        )
        self.generate("f.proto")
        program = """
            #define CONNECT_IMPLEMENTATION
            #include "f.connect.h"
            #define CHECK(condition) if (!(condition)) return __LINE__
            int main(void) {
                static const f_M_CountsEntry counts[] = {{{"a", 1}, 7}, {{"b", 1}, 8}};
                static const connect_str_t two[] = {{"x", 1}, {"y", 1}};
                connect_arena_t arena = CONNECT_DEFAULTS;
                connect_str_t bytes;
                f_M m, back, inner;
                f_M_level level;
                f_M_tags tags;
                f_M_deep deep;
                memset(&m, 0xAA, sizeof m);
                f_M_init(&m);
                f_M_init(&inner);
                CHECK(m.retries == 3 && m.mode == f_M_EXACT && m.unit.len == 1 && !m.note.data && !m.has_retries);
                CHECK(strcmp(f_M_Mode_name(m.mode), "EXACT") == 0 && !f_M_Mode_name(4));
                f_M_set_retries(&m, 0);
                f_M_set_mode(&m, f_M_FAST);
                f_M_set_unit(&m, connect_str_of(""));
                CHECK(m.has_retries && m.has_mode && m.has_unit && m.retries == 0 && m.unit.len == 0);
                f_M_set_number(&m, -9);
                CHECK(m.payload_case == f_M_payload_number && m.payload.number == -9);
                f_M_set_text(&m, connect_str_of("t"));
                CHECK(m.payload_case == f_M_payload_text && m.payload.text.len == 1);
                f_M_set_inner(&m, &inner);
                m.counts.items = counts;
                m.counts.count = 2;
                CHECK(f_M_counts_get(&m, connect_str_of("b"))->value == 8 && !f_M_counts_get(&m, connect_str_of("c")));
                CHECK(!f_M_level_get(&m, &level, &arena));
                connect_message_init(&f_M_level_type, &level);
                connect_message_init(&f_M_tags_type, &tags);
                level.value = 12;
                level.has_value = true;
                tags.value.items = two;
                tags.value.count = 2;
                CHECK(f_M_level_set(&m, &level, &arena) && f_M_tags_set(&m, &tags, &arena));
                bytes = connect_message_encode(&f_M_type, &m, &arena, NULL, NULL);
                CHECK(bytes.data && connect_message_decode(&f_M_type, &back, bytes, &arena, NULL, NULL));
                CHECK(f_M_level_get(&back, &level, &arena) && level.value == 12);
                CHECK(f_M_tags_get(&back, &tags, &arena) && tags.value.count == 2 && tags.value.items[1].data[0] == 'y');
                CHECK(!f_M_deep_get(&back, &deep, &arena));
                CHECK(back.has_retries && back.retries == 0 && back.mode == f_M_FAST && back.has_unit);
                CHECK(back.payload_case == f_M_payload_inner && back.payload.inner->retries == 3);
                CHECK(f_M_level_set(&back, NULL, &arena) && !f_M_level_get(&back, &level, &arena));
                connect_arena_free(&arena);
                return 0;
            }
        """
        self.compile(
            [CC] + C_WARNINGS + CODEC_ONLY + ["-I", INCLUDE, "-I", self.folder], program, "functions.c"
        )
        self.assertEqual(run([os.path.join(self.folder, "object")]).returncode, 0, "status: the line of functions.c that failed")


# ---- The style ---


class Style(Case):
    """--strip-package, --prefix, --drop-unknown."""

    def header(self, *options):
        self.generate("-I", os.path.dirname(EXAMPLE), "--out", "out", *options, "telemetry.proto")
        text = tree(os.path.join(self.folder, "out"))["telemetry.connect.h"].decode()
        for command in ([CC] + C_WARNINGS, [CXX, "-x", "c++"] + CPP_WARNINGS):
            tables = ["-DCONNECT_GENERATED_IMPLEMENTATION"] if command[0] == CC else []
            self.compile(
                command + tables + ["-I", INCLUDE, "-I", os.path.join(self.folder, "out"), "-c"],
                '#include "telemetry.connect.h"\n',
                "style.c",
            )
        return text

    def test_names(self):
        for options, reading in (
            ([], "acme_telemetry_v1_Reading"),
            (["--strip-package"], "Reading"),
            (["--strip-package=acme"], "telemetry_v1_Reading"),
            (["--strip-package=acme.telemetry.v1"], "Reading"),
            (["--strip-package", "--prefix=tel_"], "tel_Reading"),
            (["--strip-package=acme", "--strip-package=acme.telemetry"], "v1_Reading"),
            (["--strip-package=acm"], "acme_telemetry_v1_Reading"),
            (["--strip-package=other"], "acme_telemetry_v1_Reading"),
            (["--prefix", "x"], "xacme_telemetry_v1_Reading"),
        ):
            with self.subTest(options):
                text = self.header(*options)
                self.assertIn("\nstruct %s {\n" % reading, text)
                self.assertIn("    const google_protobuf_Timestamp *taken_at;\n", text)
                self.assertIn("#ifndef ACME_TELEMETRY_V1_TELEMETRY_CONNECT_H\n", text)
                self.assertIn('.full_name = "acme.telemetry.v1.Reading"', text)
                self.assertIn('"/acme.telemetry.v1.Telemetry/Read"', text)

    def test_stripped_names_that_mean_something(self):
        self.write("a.proto", 'syntax = "proto3"; package p; message FILE { string x = 1; } message connect_x {}')
        self.generate("--strip-package", "a.proto")
        text = tree(self.folder)["a.connect.h"].decode()
        self.assertIn("struct FILE_ {", text)
        self.assertIn("struct pb_connect_x {", text)

    def test_stripped_names_that_meet(self):
        self.write("a.proto", 'syntax = "proto3"; package a; message M { string x = 1; }')
        self.write("b.proto", 'syntax = "proto3"; package b; message M { string x = 1; }')
        result = self.generate("--strip-package", "a.proto", "b.proto")
        self.assertIn('b.proto:1:39: warning: "M", the C name of message b.M, is taken by message a.M', result.stderr)
        self.assertIn("struct M_ {", tree(self.folder)["b.connect.h"].decode())

    def test_drop_unknown(self):
        self.assertNotIn("unknown_fields", self.header("--drop-unknown"))
        self.write(
            "a.proto",
            'syntax = "proto2"; message Plain { optional int32 a = 1; } message Empty {}\n'
            "message Extended { extensions 5 to 9; } extend Extended { optional Plain note = 5; }",
        )
        self.generate("--drop-unknown", "a.proto")
        self.compile(
            [CC] + C_WARNINGS + CODEC_ONLY + ["-I", INCLUDE, "-I", self.folder],
            "#define CONNECT_IMPLEMENTATION\n"
            '#include "a.connect.h"\n'
            "int main(void) {\n"
            "    connect_arena_t arena = CONNECT_DEFAULTS;\n"
            "    connect_str_t bytes = {\"\\x10\\x07\\x08\\x05\\x2a\\x02\\x08\\x09\", 8}, again;\n"
            "    Plain plain;\n"
            "    Empty empty;\n"
            "    Extended extended;\n"
            "    note value;\n"
            "    if (sizeof plain != 8 || sizeof empty != 1) return 1;\n"
            "    if (!connect_message_decode(&Plain_type, &plain, bytes, &arena, NULL, NULL)) return 2;\n"
            "    again = connect_message_encode(&Plain_type, &plain, &arena, NULL, NULL);\n"
            "    if (plain.a != 5 || again.len != 2 || memcmp(again.data, \"\\x08\\x05\", 2) != 0) return 3;\n"
            "    if (!connect_message_decode(&Empty_type, &empty, bytes, &arena, NULL, NULL)) return 4;\n"
            "    if (connect_message_size(&Empty_type, &empty) != 0) return 5;\n"
            "    if (!connect_message_decode(&Extended_type, &extended, bytes, &arena, NULL, NULL)) return 6;\n"
            "    if (!connect_extension_get(&note_extension, &extended, &value, &arena)) return 7;\n"
            "    if (value.value->a != 9) return 8;\n"
            "    connect_arena_free(&arena);\n"
            "    return 0;\n"
            "}\n",
            "dropped.c",
        )
        self.assertEqual(run([os.path.join(self.folder, "object")]).returncode, 0)


# ---- The command ---------------------------------------------------------------------------------------------------


class Command(Case):
    def test_help_and_version(self):
        self.assertTrue(self.generate("--help").stdout.startswith("Usage: connect_gen "))
        with open(os.path.join(ROOT, "src/api/version.h")) as file:
            version = re.search(r'CONNECT_VERSION_STRING "(.*)"', file.read()).group(1)
        self.assertEqual(self.generate("--version").stdout, "connect_gen %s\n" % version)

    def test_wrong_command_line(self):
        for arguments in (
            ["--nonsense"],
            ["-x"],
            ["-I"],
            ["--out"],
            [],
            ["--out="],
            ["-I", "."],
            ["a.proto", "--outx"],
        ):
            with self.subTest(arguments):
                result = self.generate(*arguments, status=2)
                self.assertTrue(result.stderr.startswith("connect_gen: error: "), result.stderr)
                self.assertIn("--help", result.stderr)

    def test_inputs(self):
        self.write("in/a.proto", 'syntax = "proto3";')
        self.write("other/b.proto", 'syntax = "proto3";')
        for arguments, wanted in (
            (["missing.proto"], '"missing.proto" was not found; searched in: .'),
            (["-I", "in", "other/b.proto"], "is not below an -I folder (in)"),
            (["-I", "in", os.path.join(self.folder, "other/b.proto")], "is not below an -I folder (in)"),
            (["-I", "in", "../" + os.path.basename(self.folder) + "/other/b.proto"], "is not below"),
            (["in"], "was not found"),
        ):
            with self.subTest(arguments):
                result = self.generate("--out", "out", *arguments, status=1)
                self.assertIn(wanted, result.stderr)
                self.assertFalse(os.path.exists(os.path.join(self.folder, "out")))
        self.generate("-I", "in", "--out", "out/deep/er", "in/a.proto", "a.proto")
        self.assertEqual(list(tree(os.path.join(self.folder, "out"))), ["deep/er/a.connect.h"])
        self.generate("--out", "same", "--", "in/a.proto")
        self.assertEqual(list(tree(os.path.join(self.folder, "same"))), ["in/a.connect.h"])

    def test_descriptor_set(self):
        """As protoc writes it; headers only if they are asked for."""
        self.write("a.proto", 'syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "b/b.proto";')
        self.write("b/b.proto", 'syntax = "proto2"; message B { optional int32 a = 1 [default = 5]; }')
        for more in ([], ["--include_imports"]):
            self.generate("--descriptor_set_out=out/ours.pb", *more, "a.proto")
            run(PROTOC + ["-I.", "--descriptor_set_out=theirs.pb"] + more + ["a.proto"], cwd=self.folder)
            sets = []
            for name in ("out/ours.pb", "theirs.pb"):
                with open(os.path.join(self.folder, name), "rb") as file:
                    sets.append(descriptor_pb2.FileDescriptorSet.FromString(file.read()))
            self.assertEqual(str(sets[0]), str(sets[1]))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "a.connect.h")))
        self.generate("--descriptor_set_out", "x.pb", "--out", "headers", "a.proto")
        self.assertTrue(os.path.exists(os.path.join(self.folder, "headers/a.connect.h")))
        self.assertTrue(os.path.exists(os.path.join(self.folder, "x.pb")))

    def test_same_header(self):
        self.write("a.proto", 'syntax = "proto3";')
        self.write("a", 'syntax = "proto3";')
        self.assertIn('would both become "a.connect.h"', self.generate("a", "a.proto", status=1).stderr)

    def test_nothing_half_written(self):
        """If one output cannot be written, none is, and what was there stays."""
        self.write("a.proto", 'syntax = "proto3";')
        self.write("b/c.proto", 'syntax = "proto3";')
        self.write("out/a.connect.h", "as it was")
        self.write("out/b", "a file where a folder should be")
        before = tree(os.path.join(self.folder, "out"))
        result = self.generate("--out", "out", "a.proto", "b/c.proto", status=1)
        self.assertIn("cannot write", result.stderr)
        self.assertEqual(tree(os.path.join(self.folder, "out")), before)

    def test_links_and_pipes_are_written_to(self):
        self.write("a.proto", 'syntax = "proto3"; message A {}')
        self.generate("--descriptor_set_out", "a.pb", "a.proto")
        with open(os.path.join(self.folder, "a.pb"), "rb") as file:
            expected = file.read()
        os.symlink(self.write("real.pb", ""), os.path.join(self.folder, "link.pb"))
        self.generate("--descriptor_set_out", "link.pb", "a.proto")
        self.assertTrue(os.path.islink(os.path.join(self.folder, "link.pb")))
        with open(os.path.join(self.folder, "real.pb"), "rb") as file:
            self.assertEqual(file.read(), expected)
        os.mkfifo(os.path.join(self.folder, "pipe"))
        with subprocess.Popen(["timeout", "20", "cat", "pipe"], cwd=self.folder, stdout=subprocess.PIPE) as reader:
            self.generate("--descriptor_set_out", "pipe", "a.proto", timeout=20)
            self.assertEqual(reader.stdout.read(), expected)
        os.symlink("new.pb", os.path.join(self.folder, "dangling.pb"))
        self.generate("--descriptor_set_out", "dangling.pb", "a.proto")
        with open(os.path.join(self.folder, "new.pb"), "rb") as file:
            self.assertEqual(file.read(), expected)
        os.symlink("/dev/full", os.path.join(self.folder, "full"))
        self.write("out/a.connect.h", "as it was")
        result = self.generate("--out", "out", "--descriptor_set_out", "full", "a.proto", status=1)
        self.assertIn('cannot write "full": ', result.stderr)
        self.assertEqual(os.listdir(os.path.join(self.folder, "out")), ["a.connect.h"])
        with open(os.path.join(self.folder, "out/a.connect.h"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "as it was")

    def test_one_wrong_of_two(self):
        self.write("a.proto", 'syntax = "proto3";')
        self.write("b.proto", "wrong")
        self.generate("--out", "out", "a.proto", "b.proto", status=1)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "out")))

    def test_one_command_compiles_it(self):
        """cc -o connect_gen connect_gen.c, and without warnings."""
        for compiler in (CC, CLANG):
            result = run(
                [
                    compiler,
                    "-O1",
                    "-I",
                    INCLUDE,
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-o",
                    os.path.join(self.folder, "g"),
                    os.path.join(ROOT, "connect_gen.c"),
                ],
                timeout=300,
            )
            self.assertEqual(result.returncode, 0, result.stderr[:4000])
            self.write("a.proto", 'syntax = "proto3";')
            self.generate("a.proto", generator=os.path.join(self.folder, "g"))


if __name__ == "__main__":
    if not os.access(GENERATOR, os.X_OK):
        sys.exit("%s is missing: run `make build/connect_gen`, or set CONNECT_GEN." % GENERATOR)
    unittest.main()
