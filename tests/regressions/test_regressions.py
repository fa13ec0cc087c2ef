#!/usr/bin/env python3
"""Each test that README.md names is there, and runs."""

import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "README.md"), encoding="utf-8") as table:
    named = re.findall(r"`(test_\w+\.c)` `(test_\w+)`", table.read())
missing = []
for file, function in named:
    path = os.path.join(here, "..", "unit", file)
    text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as source:
            text = source.read()
    if not re.search(r"cmocka_unit_test\(%s\)" % function, text):
        missing.append("%s has no %s" % (file, function))
for line in missing:
    print(line)
print("%d tests are named, %d of them are missing" % (len(named), len(missing)))
sys.exit(1 if missing or not named else 0)
