#!/usr/bin/env python3
"""Everything that docs/generator.md shows: files are written, commands are run in their order, C is compiled and run.

    python3 tests/generator/test_docs.py
"""

import os
import re
import shlex
import sys
import unittest

import test_generator
from test_generator import CC, GENERATOR, INCLUDE, PROTOC, ROOT, WARNINGS, Case, run, tree

BUF = os.environ.get("BUF", os.path.join(ROOT, "build/tools/node/node_modules/.bin"))


class Docs(Case):
    def test_generator_md(self):
        with open(os.path.join(ROOT, "docs/generator.md")) as file:
            text = file.read()
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        self.assertGreater(len(blocks), 10)
        bin = os.path.join(self.folder, "bin")
        self.write("bin/protoc", "#!/bin/sh\nexec %s \"$@\"\n" % shlex.join(PROTOC))
        self.write("bin/cc", '#!/bin/sh\nexec %s %s -I %s "$@"\n' % (CC, " ".join(WARNINGS), INCLUDE))
        for name in ("protoc", "cc"):
            os.chmod(os.path.join(bin, name), 0o755)
        for name in ("connect_gen", "protoc-gen-connect-c"):
            os.symlink(GENERATOR, os.path.join(bin, name))
        for name in ("connect_gen.c", "connect.h"):
            os.symlink(os.path.join(INCLUDE, name), os.path.join(self.folder, name))
        environment = dict(os.environ, HOME=self.folder, PATH=os.pathsep.join([bin, BUF, os.environ["PATH"]]))
        counts = dict.fromkeys("proto c sh make ninja yaml".split(), 0)
        for language, body in blocks:
            name = re.match(r"(?://|#|/\*) ([\w./]+)(?: \*/)?\n", body)
            if language == "sh":
                result = run(["sh", "-e", "-c", body], cwd=self.folder, env=environment, timeout=120)
                self.assertEqual(result.returncode, 0, body + result.stdout + result.stderr)
                last = result.stdout
            elif language == "c" and name.group(1) == "generated":
                header = tree(os.path.join(self.folder, "gen"))["acme/station.connect.h"].decode()
                self.assertIn(body[name.end() :], header)
            elif name:
                self.write(name.group(1), body)
            else:
                self.assertEqual(language, "", "a block without a name:\n" + body)
                continue
            counts[language] += 1
        self.assertTrue(all(counts.values()), counts)
        shown = re.search(r"prints `(.*)`\.", text).group(1)
        self.assertEqual(run([os.path.join(self.folder, "program")]).stdout, shown + "\n")
        for way in ("from_protoc", "from_buf"):
            self.assertTrue(
                tree(os.path.join(self.folder, way)) == tree(os.path.join(self.folder, "gen")), way + " differs"
            )
        for tool in ("make", "ninja"):
            os.remove(os.path.join(self.folder, "gen/acme/station.connect.h"))
            result = run([tool], cwd=self.folder, env=environment)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertTrue(os.path.exists(os.path.join(self.folder, "gen/acme/station.connect.h")))


if __name__ == "__main__":
    unittest.main()
