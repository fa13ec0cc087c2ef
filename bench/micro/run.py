#!/usr/bin/env python3
"""Measures how the head of a request is parsed, beside picohttpparser: CPU time of interleaved rounds, and instructions.

    python3 bench/micro/run.py
"""

import os
import re
import statistics
import subprocess
import tempfile

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/bench/h1_parse")
PARSERS = {"connect.h": (PROGRAM, "connect"), "picohttpparser": (PROGRAM, "pico"),
           "picohttpparser, SSE4.2": (PROGRAM + "_sse42", "pico")}
PASSES, ROUNDS, COPIES = 5000, 9, 64


def instructions(program, parser):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=" + folder + "/out",
                        "--toggle-collect=measured", program, parser, "100"], check=True, capture_output=True, timeout=120)
        with open(folder + "/out") as file:
            return int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M).group(1)) / 100 / COPIES


times = {name: [] for name in PARSERS}
for _ in range(ROUNDS):
    for name, (program, parser) in PARSERS.items():
        done = subprocess.run([program, parser, str(PASSES)], check=True, capture_output=True, timeout=60)
        times[name].append(float(done.stdout) / PASSES / COPIES)
print("Head of an HTTP/1.1 request\n\n| | ns | connect.h takes | instructions |\n|---|--:|--:|--:|")
for name, (program, parser) in PARSERS.items():
    ratio = statistics.median(a / b for a, b in zip(times["connect.h"], times[name]))
    count = "%.0f" % instructions(program, parser) if program == PROGRAM else "" # valgrind does not know all of SSE4.2
    print("| %s | %.0f | %.2f | %s |" % (name, statistics.median(times[name]), ratio, count))
