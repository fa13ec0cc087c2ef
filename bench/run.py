#!/usr/bin/env python3
"""Measures connect.h beside its floors: tiny programs that do the same I/O and nothing else.

    python3 bench/run.py [--rounds N] [--only WORD] [--quick]

M1  Requests per CPU-second of the server. The server is pinned to one CPU, the load (h2load, wrk) to another. Every
    round runs every server once, in rotating order; a fixed calibration loop runs before and after each sample, and
    samples beside which it was more than 10 % slower than at its best are dropped. Ratios within a run mean something;
    absolute figures depend on the machine.
M2  Instructions per call, by callgrind: the difference between runs of N and 2N calls.
M3  System calls per call, by strace.
M4  Allocations per call in steady state: the difference between runs of N and 2N calls, counted by malloc_count.c.

Prints tables, and writes build/bench.json. Not a test: fails only if something cannot be measured or answers wrongly.
"""

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
OUT = "build/bench"
TEXT = b"0123456789abcdef" * 4
MESSAGE = b"\x0a\x40" + TEXT
assert len(MESSAGE) == 66
FRAME = b"\0" + len(MESSAGE).to_bytes(4, "big") + MESSAGE
PATH = "/bench.v1.Echo/Unary"
SERVERS = {
    "floor_h1": [OUT + "/floor_h1"],
    "floor_h2": [OUT + "/floor_h2"],
    "connect.h": [OUT + "/bench_server"],
}
LOAD_CPU, SERVER_CPU = (0, 1) if (os.cpu_count() or 1) > 1 else (0, 0)


class Scenario:
    def __init__(self, name, floor, kind, clients, streams, goal):
        self.name, self.floor, self.kind, self.clients, self.streams, self.goal = name, floor, kind, clients, streams, goal
        self.servers = [floor, "connect.h"]


SCENARIOS = [
    Scenario("gRPC unary, h2c, c=8 m=8", "floor_h2", "grpc", 8, 8, 0.6),
    Scenario("gRPC unary, h2c, c=8 m=1", "floor_h2", "grpc", 8, 1, 0.6),
    Scenario("gRPC unary, h2c, c=1 m=64", "floor_h2", "grpc", 1, 64, 0.6),
    Scenario("Connect unary, h2c, c=8 m=8", "floor_h2", "connect", 8, 8, 0.6),
    Scenario("Connect unary, HTTP/1.1, c=8", "floor_h1", "http1", 8, 1, 0.6),
]


class Server:
    def __init__(self, name, wrapper=(), environment=None):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CPU), *wrapper, *SERVERS[name]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=dict(os.environ, **(environment or {})),
        )
        line = self.process.stdout.readline().decode()
        match = re.search(r"listens on (\S+)", line)
        if not match:
            raise SystemExit("%s does not start" % name)
        self.url = "http://%s%s" % (match.group(1), PATH)
        self.pid = self.process.pid  # taskset, valgrind and the like replace themselves by the program

    def cpu_seconds(self):
        return time.clock_gettime((~self.pid << 3) | 2)  # clock_getcpuclockid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def run(*command, timeout=120):
    done = subprocess.run(command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SystemExit("%s: %s" % (" ".join(command), (done.stderr + done.stdout).decode()[-1000:]))
    return done.stdout.decode()


def load(server, kind, clients, streams, calls):
    """Makes at least so many calls; returns how many it were. All must have been answered with 200."""
    pin = ["taskset", "-c", str(LOAD_CPU)]
    if kind == "http1" and calls < 20000:  # wrk counts time, not calls
        out = run(*pin, "h2load", "--h1", "-n", str(calls), "-c", str(clients), "-d", OUT + "/message",
                  "-H", "content-type: application/proto", server.url)
    elif kind == "http1":
        seconds = max(1, round(calls / 100000))
        out = run(*pin, "wrk", "-t1", "-c%d" % clients, "-d%ds" % seconds, "-s", "bench/post.lua", server.url)
        if "Non-2xx" in out or "Socket errors" in out:
            raise SystemExit("wrk: " + out)
        return int(re.search(r"(\d+) requests in", out).group(1))
    else:
        body, content_type = ("frame", "application/grpc") if kind == "grpc" else ("message", "application/proto")
        out = run(*pin, "h2load", "-n", str(calls), "-c", str(clients), "-m", str(streams), "-d", OUT + "/" + body,
                  "-H", "content-type: " + content_type, "-H", "te: trailers", server.url)
    match = re.search(r"(\d+) done, (\d+) succeeded", out)
    if not match or int(match.group(2)) != calls:
        raise SystemExit("h2load: not all of %d calls succeeded: %s" % (calls, out))
    return calls


def check_bytes(server, kind):
    """One call, byte by byte: a fast wrong answer is worth nothing."""
    body, content_type = (FRAME, "application/grpc") if kind == "grpc" else (MESSAGE, "application/proto")
    version = "--http1.1" if kind == "http1" else "--http2-prior-knowledge"
    done = subprocess.run(
        ["curl", "-s", "--noproxy", "*", version, "--data-binary", "@-", "-H", "content-type: " + content_type,
         "-H", "te: trailers", server.url], input=body, capture_output=True, timeout=20)
    if done.stdout != body:
        raise SystemExit("wrong answer: %r" % done.stdout[:200])


def calibrate():
    """Milliseconds for a fixed loop on the server's CPU."""
    os.sched_setaffinity(0, {SERVER_CPU})
    begin = time.process_time()
    total = 0
    for i in range(600000):
        total += i ^ 21
    took = time.process_time() - begin
    os.sched_setaffinity(0, set(range(os.cpu_count())))
    return took * 1000


def throughput(scenarios, rounds, cpu_seconds):
    samples = []  # (scenario, server, round, calls per CPU-second, worse calibration)
    running = {name: Server(name) for name in SERVERS}
    try:
        sizes = {}
        for scenario in scenarios:
            for name in scenario.servers:
                check_bytes(running[name], scenario.kind)
                before = running[name].cpu_seconds()
                calls = load(running[name], scenario.kind, scenario.clients, scenario.streams, 20000)
                rate = calls / (running[name].cpu_seconds() - before)
                sizes[scenario.name, name] = max(20000, int(rate * cpu_seconds))
        for turn in range(rounds):
            for scenario in scenarios:
                order = scenario.servers[turn % 2 :] + scenario.servers[: turn % 2]
                for name in order:
                    slow = calibrate()
                    before = running[name].cpu_seconds()
                    calls = load(running[name], scenario.kind, scenario.clients, scenario.streams, sizes[scenario.name, name])
                    used = running[name].cpu_seconds() - before
                    slow = max(slow, calibrate())
                    samples.append((scenario.name, name, turn, calls / used, slow))
    finally:
        for server in running.values():
            server.stop()
    best_calibration = min(sample[4] for sample in samples)
    results = []
    print("\nM1  thousand requests per CPU-second of the server, and the share of the floor\n")
    print("%-30s %9s %10s %8s %8s %8s %6s" % ("", "floor", "connect.h", "median", "best", "goal", "kept"))
    for scenario in scenarios:
        mine = [s for s in samples if s[0] == scenario.name]
        kept = [s for s in mine if s[4] <= 1.1 * best_calibration] or mine
        rates = {name: {s[2]: s[3] for s in kept if s[1] == name} or {s[2]: s[3] for s in mine if s[1] == name}
                 for name in scenario.servers}
        floor, ours = rates[scenario.floor], rates["connect.h"]
        pairs = [ours[turn] / floor[turn] for turn in ours if turn in floor]
        ratio = statistics.median(pairs) if pairs else statistics.median(ours.values()) / statistics.median(floor.values())
        best = max(ours.values()) / max(floor.values())
        results.append({"scenario": scenario.name, "floor": scenario.floor, "goal": scenario.goal, "ratio_median": ratio,
                        "ratio_best": best, "rounds": rounds, "kept": len(kept),
                        "samples": [{"server": s[1], "round": s[2], "rate": s[3], "calibration_ms": s[4]} for s in mine]})
        print("%-30s %9.1f %10.1f %8.2f %8.2f %8.2f %3d/%d" % (
            scenario.name, statistics.median(floor.values()) / 1e3, statistics.median(ours.values()) / 1e3, ratio, best,
            scenario.goal, len(kept), len(mine)))
    return results


def per_call(title, scenarios, count, calls, form="%10.2f"):
    """Runs a count of something for each scenario and server, and prints it."""
    print("\n%s\n" % title)
    print("%-30s %10s %10s" % ("", "floor", "connect.h"))
    results = []
    for scenario in scenarios:
        values = [count(name, scenario, calls) for name in scenario.servers]
        results.append({"scenario": scenario.name, scenario.floor: values[0], "connect.h": values[1]})
        print("%-30s " % scenario.name + " ".join(form % value for value in values), flush=True)
    return results


def callgrind(name, scenario, calls):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/out"
        server = Server(name, ["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=" + path])
        load(server, scenario.kind, scenario.clients, scenario.streams, calls)
        server.stop()
        with open(path) as file:
            return int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M).group(1))


def instructions(name, scenario, calls):
    return (callgrind(name, scenario, 2 * calls) - callgrind(name, scenario, calls)) / calls


def system_calls(name, scenario, calls):
    server = Server(name)
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/out"
        tracer = subprocess.Popen(["strace", "-f", "-c", "-o", path, "-p", str(server.pid)], stderr=subprocess.PIPE)
        tracer.stderr.readline()  # "attached"
        load(server, scenario.kind, scenario.clients, scenario.streams, calls)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(timeout=20)
        tracer.stderr.close()
        with open(path) as file:
            lines = file.read().splitlines()
    server.stop()
    return sum(int(line.split()[3]) for line in lines if re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+\d+", line) and "total" not in line) / calls


def count_allocations(name, scenario, calls):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/count"
        server = Server(name, ["env", "LD_PRELOAD=" + os.path.abspath(OUT + "/malloc_count.so"), "MALLOC_COUNT_FILE=" + path])
        load(server, scenario.kind, scenario.clients, scenario.streams, calls)
        server.stop()
        with open(path) as file:
            return int(file.read())


def allocations(name, scenario, calls):
    return (count_allocations(name, scenario, 2 * calls) - count_allocations(name, scenario, calls)) / calls


def main():
    parser = argparse.ArgumentParser(description="connect.h beside its floors")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="only scenarios with this word in their names")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that all of it works")
    options = parser.parse_args()
    rounds, cpu_seconds = (1, 0.1) if options.quick else (options.rounds, 0.5)
    scenarios = [s for s in SCENARIOS if options.only in s.name]
    for name, bytes_ in [("frame", FRAME), ("message", MESSAGE)]:
        with open(OUT + "/" + name, "wb") as file:
            file.write(bytes_)
    single = [Scenario(s.name.split(", c=")[0] + ", c=1 m=1", s.floor, s.kind, 1, 1, None) for s in scenarios]
    single = list({s.name: s for s in single}.values())
    steady = [s for s in scenarios if s.streams in (1, 8)]
    results = {
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "M1": throughput(scenarios, rounds, cpu_seconds),
        "M2": per_call("M2  instructions per call, kernel excepted", single, instructions, 2000, "%10.0f"),
        "M3": per_call("M3  system calls per call", steady, system_calls, 4000),
        "M4": per_call("M4  allocations per call in steady state", steady, allocations, 4000, "%10.3f"),
    }
    with open("build/bench.json", "w") as file:
        json.dump(results, file, indent=1)
    print("\nbuild/bench.json written")


if __name__ == "__main__":
    sys.exit(main())
