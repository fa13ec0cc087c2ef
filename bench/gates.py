#!/usr/bin/env python3
"""Compares what is deterministic with the numbers in bench/gates.json: instructions of the codec for each byte, counted
by callgrind, and sizes of programs, from bench/footprint/size.sh.

    python3 bench/gates.py [--update]

Fails if a number is larger than the committed one by more than its tolerance, which leaves room for another patch level
of the compiler and of libc. One that is smaller by more than that is told: run with --update, and commit the result.
Architectures whose compiler is not there are told, too.
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
PATH = ROOT + "/gates.json"
sys.path.insert(0, ROOT + "/codec")
import run  # noqa: E402


def codec_instructions():
    return {"%s %s" % (operation, shape): round(run.instructions("connect.h", shape, operation), 3)
            for operation in run.OPERATIONS for shape in run.SHAPES}


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
    for name, measure in [("codec_instructions_per_byte", codec_instructions), ("program_bytes", sizes)]:
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
