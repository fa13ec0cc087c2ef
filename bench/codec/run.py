#!/usr/bin/env python3
"""Measures the codec of connect.h beside its peers, on the messages that generate.c makes.

    python3 bench/codec/run.py [--rounds N] [--shape WORD] [--no-instructions] [--instructions-only]

Every program does the same work on the same bytes, checks that it understood them, and prints its own CPU time. A round
runs every program once for each shape and operation, in rotating order; printed are medians of the rounds, and the ratio
is the median of the ratios within a round. Ratios within a run mean something; absolute figures depend on the machine.
Instructions are counted by callgrind, in the measured loop only, and do not depend on what else the machine does.

Prints tables, and writes build/bench-codec.json.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "build/bench/codec")
SHAPES = ["ApiResponse", "LogRecord", "AnalyticsEvent", "SparseRecord", "MediaFrame", "PackedTile"]
# operation: title
OPERATIONS = {"decode": "Decode", "encode": "Encode", "json-decode": "JSON decode", "json-encode": "JSON encode"}
BINARY, ALL = ("decode", "encode"), tuple(OPERATIONS)
PEERS = {  # column: program, its operations, what decode is called there
    "connect.h": ("connect_h", ALL, "decode"),
    "protobuf-c": ("protobuf_c", BINARY, "decode"),
    "nanopb": ("nanopb", BINARY, "decode"),
    "C++": ("protobuf_cpp", ALL, "decode"),
    "upb": ("upb", BINARY, "decode"),
    "prost": ("prost", BINARY, "decode"),
    "buffa": ("buffa", ALL, "decode"),
    "buffa view": ("buffa", ("decode",), "decode-view"),
    "yyjson": ("yyjson", ("json-decode", "json-encode"), "decode"),
}
SECONDS = 0.06  # of one sample


def size(shape, operation):
    """How many bytes the messages of a shape have."""
    path = "%s/data/%s%s" % (FOLDER, shape, ".json" if operation.startswith("json") else ".pb")
    with open(path, "rb") as file:
        data = file.read()
    count = at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        count, at = count + length, at + 4 + length
    return count


def command(peer, shape, operation, passes):
    program, _, decode = PEERS[peer]
    return ["%s/%s" % (FOLDER, program), FOLDER + "/data", shape, decode if operation == "decode" else operation, str(passes)]


def run(arguments):
    done = subprocess.run(arguments, capture_output=True, timeout=300, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise SystemExit("%s: %s" % (" ".join(arguments), done.stderr.decode()[-1000:]))
    return done.stdout.decode()


def nanoseconds(peer, shape, operation, passes):
    return max(1.0, float(run(command(peer, shape, operation, passes))))


def instructions(peer, shape, operation, functions=None):
    """Instructions for each byte; functions: a path for callgrind's own file."""
    with tempfile.TemporaryDirectory() as folder:
        path = functions or folder + "/out"
        run(["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=" + path, "--toggle-collect=measured",
             *command(peer, shape, operation, 1)])
        with open(path) as file:
            total = int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M).group(1))
    if total == 0:
        raise SystemExit("callgrind did not see the measured loop of %s" % peer)
    return total / 2 / size(shape, operation)  # two passes: one of them is there to warm up


def cases(shapes):
    return [(operation, shape, [peer for peer in PEERS if operation in PEERS[peer][1]])
            for operation in OPERATIONS for shape in shapes]


def table(title, rows, form):
    """rows: {shape: {peer: value}}, in Markdown."""
    peers = [peer for peer in PEERS if any(peer in row for row in rows.values())]
    print("\n%s\n\n| | %s |\n|---|%s" % (title, " | ".join(peers), "--:|" * len(peers)))
    for name, row in rows.items():
        print("| %s | %s |" % (name, " | ".join(form % row[peer] if peer in row else "" for peer in peers)))
    sys.stdout.flush()


def with_mean(ratios):
    """A last row: the geometric means."""
    peers = next(iter(ratios.values()))
    means = {peer: math.exp(statistics.mean(math.log(row[peer]) for row in ratios.values())) for peer in peers}
    return dict(ratios, **{"geometric mean": means}) if len(ratios) > 1 else ratios


def measure_speed(shapes, rounds):
    passes = {}
    for operation, shape, peers in cases(shapes):
        for peer in peers:
            some = 8
            while (taken := nanoseconds(peer, shape, operation, some)) < SECONDS * 1e9 / 4 and some < 1 << 20:
                some *= 2
            passes[operation, shape, peer] = max(1, round(some * SECONDS * 1e9 / taken))
    speeds = {}
    for turn in range(rounds):
        for operation, shape, peers in cases(shapes):
            shift = turn % len(peers)
            for peer in peers[shift:] + peers[:shift]:
                key = operation, shape, peer
                mebibytes = passes[key] * size(shape, operation) / 2**20
                speeds.setdefault(key, []).append(mebibytes / (nanoseconds(peer, shape, operation, passes[key]) / 1e9))
    results = []
    for operation, title in OPERATIONS.items():
        medians, ratios = {}, {}
        for shape in shapes:
            mine = speeds[operation, shape, "connect.h"]
            for peer in PEERS:
                theirs = speeds.get((operation, shape, peer))
                if not theirs:
                    continue
                medians.setdefault(shape, {})[peer] = statistics.median(theirs)
                ratio = statistics.median(a / b for a, b in zip(mine, theirs))
                if peer != "connect.h":
                    ratios.setdefault(shape, {})[peer] = ratio
                results.append({"operation": operation, "shape": shape, "peer": peer, "mib_per_second": theirs,
                                "connect_h_ratio": ratio})
        table(title + ", MiB/s", medians, "%.0f")
        table(title + ": how many times faster connect.h is", with_mean(ratios), "%.2f")
    return results


def measure_instructions(shapes):
    results = []
    for operation, title in OPERATIONS.items():
        rows = {}
        for shape in shapes:
            for peer in PEERS:
                if operation in PEERS[peer][1]:
                    count = instructions(peer, shape, operation)
                    rows.setdefault(shape, {})[peer] = count
                    results.append({"operation": operation, "shape": shape, "peer": peer, "per_byte": count})
        table(title + ", instructions for each byte", rows, "%.2f")
    return results


def main():
    parser = argparse.ArgumentParser(description="the codec of connect.h beside its peers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--shape", default="", help="only shapes with this word in their names")
    parser.add_argument("--no-instructions", action="store_true")
    parser.add_argument("--instructions-only", action="store_true")
    options = parser.parse_args()
    shapes = [shape for shape in SHAPES if options.shape in shape]
    results = {}
    if not options.instructions_only:
        results["speed"] = measure_speed(shapes, options.rounds)
    if not options.no_instructions:
        results["instructions"] = measure_instructions(shapes)
    with open(ROOT + "/build/bench-codec.json", "w") as file:
        json.dump(results, file, indent=1)
    print("\nbuild/bench-codec.json written")


if __name__ == "__main__":
    sys.exit(main())
