#!/usr/bin/env python3
"""Compares what is deterministic with the numbers in bench/gates.json: instructions of a call at the server and of the
codec for each byte, counted by callgrind, and sizes of programs, from bench/footprint/size.sh.

    python3 bench/gates.py [--update]

Fails if a number is larger than the committed one by more than its tolerance, which leaves room for another patch level
of the compiler and of libc. One that is smaller by more than that is told: run with --update, and commit the result.
Architectures whose compiler is not there are told, too.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
PATH = ROOT + "/gates.json"


def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


calls = load_module("calls", ROOT + "/run.py")
codec = load_module("codec", ROOT + "/codec/run.py")


def call_instructions():
    """One connection, one call at a time."""
    single = [calls.Scenario("gRPC unary, h2c", "grpc", 1, 1, {}), calls.Scenario("Connect unary, h2c", "connect", 1, 1, {}),
              calls.Scenario("Connect unary, HTTP/1.1", "http1", 1, 1, {}),
              calls.Scenario("log ingest, gRPC, h2c", "grpc", 1, 1, {}, "Ingest", calls.BATCH, [calls.ACCEPTED]),
              calls.Scenario("stream of 10, gRPC, h2c", "grpc", 1, 1, {}, **calls.stream(*calls.TEN))]
    for scenario in single:
        with open(scenario.body_file, "wb") as file:
            file.write(scenario.body)
    return {scenario.name: round(calls.instructions("connect.h", scenario, 500)) for scenario in single}


def codec_instructions():
    return {"%s %s" % (operation, shape): round(codec.instructions("connect.h", shape, operation), 3)
            for operation in codec.OPERATIONS for shape in codec.SHAPES}


def sizes():
    out = subprocess.run(["sh", ROOT + "/footprint/size.sh"], capture_output=True, check=True, timeout=600).stdout.decode()
    lines = [line.split() for line in out.splitlines()]
    return {" ".join(line[:2]): int(line[2]) for line in lines if line[0] != "tables" or line[1] == "connect.h"}


def main():
    parser = argparse.ArgumentParser(description="instruction counts and sizes against the committed ones")
    parser.add_argument("--update", action="store_true", help="write the measured numbers into bench/gates.json")
    options = parser.parse_args()
    with open(PATH) as file:
        gates = json.load(file)
    failed = 0
    for name, measure in [("instructions_per_call", call_instructions), ("codec_instructions_per_byte", codec_instructions), ("program_bytes", sizes)]:
        gate, measured = gates[name], measure()
        for key in sorted({*gate["numbers"], *measured}):
            committed, now = gate["numbers"].get(key), measured.get(key)
            if committed is None or now is None:
                verdict = "not measured here" if now is None else "new"
            elif now > committed * (1 + gate["tolerance"]):
                verdict = "TOO LARGE"
                failed += 1
            else:
                verdict = "better: --update" if now < committed * (1 - gate["tolerance"]) else "ok"
            print("%-28s %-28s %12s, committed %12s  %s" % (name, key, now, committed, verdict))
        gate["numbers"].update(measured)
    if options.update:
        with open(PATH, "w") as file:
            json.dump(gates, file, indent=1)
            file.write("\n")
        return 0
    print("%d numbers too large" % failed)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
