"""The code in docs/*.md: schemas are generated, what is called generated is, programs are run, and snippets compile.

    ```proto  with `// name.proto` in its first line: a schema, which all blocks of all pages may use
    ```c      with `/* generated */`: stands in the header of a schema, word by word
              with `/* name.c */`: a program; the next ```text block is what it prints
              else the inside of a function, to which SCOPE belongs
    A page whose first ```c block begins with #include: all its blocks, one behind the other, are a file that compiles; one
    with a main runs, too.
"""
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / 'build' / 'docs'
CC = os.environ.get('CC', 'cc')
FLAGS = '-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror'.split()
LIBS = '-lnghttp2 -lz -lzstd -lbearssl -lpthread'.split()
SCOPE = 'connect_str_t bytes, connect_str_t json, connect_arena_t arena, connect_error_t error'


def run(*command, **options):
    return subprocess.run([str(word) for word in command], cwd=WORK, check=True, timeout=200, **options)


def words(text):
    return ' '.join(text.split())


class Docs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        WORK.mkdir(parents=True, exist_ok=True)
        cls.blocks = []  # page, language, text
        for page in sorted((ROOT / 'docs').glob('*.md')):
            if page.name == 'generator.md':
                continue  # tests/generator/test_docs.py
            for language, text in re.findall(r'^```(\w*)\n(.*?)^```$', page.read_text(), re.M | re.S):
                cls.blocks.append((page.name, language, text))
        cls.headers = []
        for _, language, text in cls.blocks:
            if language == 'proto':
                name = re.match(r'// (\w+\.proto)\n', text)
                if not name:
                    continue  # a part of one
                name = name[1]
                (WORK / name).write_text(text)
                run(ROOT / 'build' / 'connect_gen', '-I', WORK, '--out', WORK, name)
                cls.headers.append(name.replace('.proto', '.connect.h'))

    def files(self):
        pages = {}
        for page, language, text in self.blocks:
            if language == 'c':
                pages.setdefault(page, []).append(text)
        return {page: texts for page, texts in pages.items() if texts[0].startswith('#include')}

    def c_blocks(self):
        files = self.files()
        for at, (page, language, text) in enumerate(self.blocks):
            if language == 'c' and page not in files:
                name = re.match(r'/\* ([\w.]+) \*/\n', text)
                yield at, page, name and name[1], text

    def test_generated(self):
        headers = words(' '.join((WORK / header).read_text() for header in self.headers))
        for _, page, name, text in self.c_blocks():
            if name == 'generated':
                with self.subTest(page):
                    self.assertIn(words(text.split('\n', 1)[1]), headers)

    def test_programs(self):
        for at, page, name, text in self.c_blocks():
            if not name or name == 'generated':
                continue
            with self.subTest(f'{page}: {name}'):
                (WORK / name).write_text(text)
                program = WORK / name.replace('.c', '')
                run(CC, *FLAGS, '-I', ROOT, '-I', WORK, name, '-o', program)
                self.assertEqual(self.blocks[at + 1][1], 'text')
                self.assertEqual(run(program, stdout=subprocess.PIPE, text=True).stdout, self.blocks[at + 1][2])

    def test_files(self):
        files = self.files()
        self.assertIn('tls.md', files)
        self.assertIn('server.md', files)
        run(ROOT / 'build' / 'connect_gen', '-I', ROOT / 'examples', '--out', WORK, 'telemetry.proto')
        (WORK / 'tables.c').write_text('#define CONNECT_IMPLEMENTATION\n#include "telemetry.connect.h"\n')
        for page, texts in files.items():
            with self.subTest(page):
                program = WORK / page.replace('.md', '')
                name = page.replace('.md', '.c')
                flags = [*FLAGS, '-D_POSIX_C_SOURCE=200809L', '-Wno-unused-function', '-I', ROOT, '-I', WORK]
                (WORK / name).write_text('\n'.join(texts))
                if any(re.search(r'^int main\(', text, re.M) for text in texts):
                    run(CC, *flags, name, 'tables.c', '-o', program, *LIBS)
                    run(program)
                else:
                    run(CC, *flags, '-c', name)

    def test_snippets(self):
        code = ''.join(f'#include "{header}"\n' for header in self.headers)
        code += '#include "google/protobuf/any.connect.h"\n#include "google/protobuf/field_mask.connect.h"\n'
        code += '#include "google/protobuf/struct.connect.h"\n#include <stdio.h>\n'
        count = 0
        for _, page, name, text in self.c_blocks():
            if name:
                continue
            count += 1
            code += f'\n/* {page} */\nvoid snippet_{count}({SCOPE});\nvoid snippet_{count}({SCOPE}) {{\n'
            code += '(void)bytes;\n(void)json;\n(void)arena;\n(void)error;\n{\n' + text + '}\n}\n'
        (WORK / 'all_types.proto').write_text(  # for headers that no schema of the pages imports
            'syntax = "proto3";\nimport "google/protobuf/any.proto";\nimport "google/protobuf/field_mask.proto";\n'
            'import "google/protobuf/struct.proto";\nmessage AllTypes { google.protobuf.Any any = 1;\n'
            'google.protobuf.FieldMask mask = 2; google.protobuf.Struct object = 3; }\n')
        run(ROOT / 'build' / 'connect_gen', '-I', WORK, '--out', WORK, 'all_types.proto')
        (WORK / 'snippets.c').write_text(code)
        run(CC, *FLAGS, '-Wno-unused-but-set-variable', '-Wno-unused-but-set-parameter', '-I', ROOT, '-I', WORK, '-c',
            'snippets.c')
        self.assertGreater(count, 10)


if __name__ == '__main__':
    unittest.main()
