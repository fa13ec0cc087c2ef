#!/usr/bin/env python3
"""Measures connect.h beside its floors, tiny programs that do the same I/O and nothing else, and beside its peers.

    python3 bench/run.py [--rounds N] [--only WORD] [--quick] [--no-peers]

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
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
OUT = "build/bench"
SERVERS = {
    "floor_h1": [OUT + "/floor_h1"],
    "floor_h2": [OUT + "/floor_h2"],
    "connect.h": [OUT + "/bench_server"],
    "connectrpc": [OUT + "/connectrpc_peer"],
    "tonic": [OUT + "/tonic_peer"],
    "grpc-go": [OUT + "/go_peers", "grpc-go"],
    "connect-go": [OUT + "/go_peers", "connect-go"],
}
LOAD_CPU, SERVER_CPU = (0, 1) if (os.cpu_count() or 1) > 1 else (0, 0)


# ---- The messages of bench/echo.proto, written by hand: no codec under test checks itself ----


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field: an int as a varint, text or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def frame(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def log_batch(count):
    """The LogBatch of so many records, and the Accepted that is due for it."""
    batch, total = b"", 0
    words = "connection refused by upstream while reading response header from backend pool".split()
    for i in range(count):
        body = " ".join(words[(i + k) % len(words)] for k in range(14))
        attributes = {"http.method": "POST", "http.route": "/v1/devices/%d/readings" % (i * 7919),
                      "net.peer.name": "gateway-%02d.plant.example" % (i % 12), "thread.id": str(1000 + i),
                      "code.function": "ingest_batch", "user.id": "u-%06d" % (i * 31337 % 999983)}
        codes = [200, 404, 503, 70000 + i]
        texts = [(3, "WARNING"), (4, body), (5, "telemetry-ingest"), (6, "%032x" % (0x9E3779B97F4A7C15 * (i + 1)))]
        time_unix_nano = 1700000000000000000 + i * 1000003
        record = b"\x09" + time_unix_nano.to_bytes(8, "little") + field(2, 13)
        record += b"".join(field(number, text) for number, text in texts)
        record += b"".join(field(7, field(1, k) + field(2, v)) for k, v in attributes.items())
        record += field(8, b"".join(varint(c) for c in codes))
        total += time_unix_nano + 13 + sum(len(t) for _, t in texts) + sum(len(k) + len(v) for k, v in attributes.items())
        total += sum(codes)
        batch += field(1, record)
    return batch, field(1, count) + field(2, total % 2**64)


ECHO = field(1, "0123456789abcdef" * 4)
assert len(ECHO) == 66  # as in post.lua
LARGE = field(1, "0123456789abcdef" * 65536)
BATCH, ACCEPTED = log_batch(50)
TEN, LONG = (10, 340), (20000, 64)  # messages, bytes of text


class Scenario:
    def __init__(self, name, kind, clients, streams, goals, method="Unary", request=ECHO, response=None, messages=1):
        """goals: of connect.h against each server, least ratios; an M2 to M4 row if the first is a floor. messages: that
        a call counts for."""
        self.name, self.kind, self.clients, self.streams, self.goals = name, kind, clients, streams, goals
        self.method, self.messages = method, messages
        response = [request] if response is None else response
        self.content_type = "application/grpc" if kind == "grpc" else "application/proto"
        self.body = frame(request) if kind == "grpc" else request
        self.expected = b"".join(frame(r) for r in response) if kind == "grpc" else response[0]
        self.floor = next((name for name in goals if name.startswith("floor")), None)
        self.body_file = "%s/body-%s-%s" % (OUT, method, len(self.body))

    def servers(self, known):
        return [name for name in [*self.goals, "connect.h"] if name in known]


def stream(count, size):
    return {"method": "Stream", "request": field(1, count) + field(2, size),
            "response": [field(1, "x" * size)] * count, "messages": count}


SCENARIOS = [
    Scenario("gRPC unary, h2c, c=8 m=8", "grpc", 8, 8,
             {"floor_h2": 0.85, "connectrpc": 2.5, "tonic": 2.5, "grpc-go": 5, "connect-go": 18}),
    Scenario("gRPC unary, h2c, c=8 m=1", "grpc", 8, 1, {"floor_h2": 0.85, "connectrpc": 1.5, "tonic": 1.5}),
    Scenario("gRPC unary, h2c, c=1 m=64", "grpc", 1, 64, {"floor_h2": 0.85, "connectrpc": 3.3, "tonic": 3.3}),
    Scenario("Connect unary, h2c, c=8 m=8", "connect", 8, 8, {"floor_h2": 0.85, "connectrpc": 2.5, "connect-go": 18}),
    Scenario("Connect unary, HTTP/1.1, c=8", "http1", 8, 1, {"floor_h1": 0.85, "connectrpc": 1.4, "connect-go": 2.5}),
    Scenario("log ingest, gRPC, c=8 m=8", "grpc", 8, 8, {"connectrpc": 2.2, "tonic": 5, "grpc-go": 2, "connect-go": 11},
             "Ingest", BATCH, [ACCEPTED]),
    Scenario("1 MiB echo, gRPC, c=2 m=2", "grpc", 2, 2,
             {"floor_h2": 0.85, "connectrpc": 4.8, "tonic": 2.1, "grpc-go": 2.7}, request=LARGE),
    Scenario("stream of 10, gRPC, c=8 m=8", "grpc", 8, 8, {"connectrpc": 5, "tonic": 5, "grpc-go": 5}, **stream(*TEN)),
    Scenario("stream of 20,000, gRPC, c=1", "grpc", 1, 1, {"connectrpc": 8, "tonic": 8, "grpc-go": 8}, **stream(*LONG)),
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
        self.address = match.group(1)
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


def url(server, scenario):
    return "http://%s/bench.v1.Echo/%s" % (server.address, scenario.method)


def load(server, scenario, calls):
    """Makes at least so many calls; returns how many it were. All must have been answered with 200."""
    command = ["taskset", "-c", str(LOAD_CPU)]
    if scenario.kind == "http1" and calls >= 20000:  # wrk counts time, not calls
        seconds = max(1, round(calls / 100000))
        command += ["wrk", "-t1", "-c%d" % scenario.clients, "-d%ds" % seconds, "-s", "bench/post.lua"]
        out = run(*command, url(server, scenario))
        if "Non-2xx" in out or "Socket errors" in out:
            raise SystemExit("wrk: " + out)
        return int(re.search(r"(\d+) requests in", out).group(1))
    command += ["h2load", "-n", str(calls), "-c", str(scenario.clients), "-d", scenario.body_file,
                "-H", "content-type: " + scenario.content_type, "-H", "te: trailers"]
    command += ["--h1"] if scenario.kind == "http1" else ["-m", str(scenario.streams), "-w", "20", "-W", "20"]
    out = run(*command, url(server, scenario))
    match = re.search(r"(\d+) done, (\d+) succeeded", out)
    if not match or int(match.group(2)) != calls:
        raise SystemExit("h2load: not all of %d calls succeeded: %s" % (calls, out))
    return calls


def check_bytes(server, scenario):
    """One call, byte by byte: a fast wrong answer is worth nothing."""
    version = "--http1.1" if scenario.kind == "http1" else "--http2-prior-knowledge"
    done = subprocess.run(
        ["curl", "-s", "--noproxy", "*", version, "--data-binary", "@" + scenario.body_file, "-H", "Expect:",
         "-H", "content-type: " + scenario.content_type, "-H", "te: trailers", url(server, scenario)],
        capture_output=True, timeout=60)
    if done.stdout != scenario.expected:
        raise SystemExit("%s: wrong answer: %r" % (scenario.name, done.stdout[:200]))


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


def throughput(scenarios, rounds, cpu_seconds, known):
    samples = []  # (scenario, server, round, calls per CPU-second, worse calibration)
    running = {name: Server(name) for name in known}
    try:
        sizes = {}
        for scenario in scenarios:
            for name in scenario.servers(known):
                check_bytes(running[name], scenario)
                calls, used = max(2 * scenario.clients, 8), 0
                while used < 0.03:  # too short to tell
                    calls *= 4
                    before = running[name].cpu_seconds()
                    done = load(running[name], scenario, calls)
                    used = running[name].cpu_seconds() - before
                sizes[scenario.name, name] = max(calls, int(done / used * cpu_seconds))
        for turn in range(rounds):
            for scenario in scenarios:
                order = scenario.servers(known)
                order = order[turn % len(order) :] + order[: turn % len(order)]
                for name in order:
                    slow = calibrate()
                    before = running[name].cpu_seconds()
                    calls = load(running[name], scenario, sizes[scenario.name, name])
                    used = running[name].cpu_seconds() - before
                    slow = max(slow, calibrate())
                    samples.append((scenario.name, name, turn, calls / used, slow))
    finally:
        for server in running.values():
            server.stop()
    best_calibration = min(sample[4] for sample in samples)
    results = []
    print("\nM1  thousand messages per CPU-second of the server, and how many times as many connect.h answers\n")
    print("%-30s %-12s %10s %8s %8s %8s %6s" % ("", "", "k/CPU-s", "median", "best", "goal", "kept"))
    for scenario in scenarios:
        mine = [s for s in samples if s[0] == scenario.name]
        kept = [s for s in mine if s[4] <= 1.1 * best_calibration]
        rates = {}
        for name in scenario.servers(known):
            rates[name] = {s[2]: s[3] * scenario.messages for s in kept if s[1] == name} or \
                {s[2]: s[3] * scenario.messages for s in mine if s[1] == name}
        ours = rates["connect.h"]
        print("%-30s %-12s %10.1f" % (scenario.name, "connect.h", statistics.median(ours.values()) / 1e3))
        for name in scenario.servers(known)[:-1]:
            theirs = rates[name]
            pairs = [ours[turn] / theirs[turn] for turn in ours if turn in theirs]
            ratio = statistics.median(pairs) if pairs else statistics.median(ours.values()) / statistics.median(theirs.values())
            best = max(ours.values()) / max(theirs.values())
            results.append({"scenario": scenario.name, "peer": name, "goal": scenario.goals[name], "ratio_median": ratio,
                            "ratio_best": best, "rounds": rounds, "kept": len(kept), "samples": [
                                {"server": s[1], "round": s[2], "rate": s[3], "calibration_ms": s[4]}
                                for s in mine if s[1] in (name, "connect.h")]})
            print("%-30s %-12s %10.1f %8.2f %8.2f %8.2f %3d/%d" % (
                "", name, statistics.median(theirs.values()) / 1e3, ratio, best, scenario.goals[name], len(kept), len(mine)))
    return results


def per_call(title, scenarios, count, calls, form="%10.2f"):
    """Runs a count of something for each scenario and server, and prints it."""
    print("\n%s\n" % title)
    print("%-30s %10s %10s" % ("", "floor", "connect.h"))
    results = []
    for scenario in scenarios:
        values = [count(name, scenario, calls) for name in (scenario.floor, "connect.h")]
        results.append({"scenario": scenario.name, scenario.floor: values[0], "connect.h": values[1]})
        print("%-30s " % scenario.name + " ".join(form % value for value in values), flush=True)
    return results


def callgrind(name, scenario, calls):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/out"
        server = Server(name, ["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=" + path])
        load(server, scenario, calls)
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
        load(server, scenario, calls)
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
        load(server, scenario, calls)
        server.stop()
        with open(path) as file:
            return int(file.read())


def allocations(name, scenario, calls):
    return (count_allocations(name, scenario, 2 * calls) - count_allocations(name, scenario, calls)) / calls


def client_rate(command, calls):
    """Calls per CPU-second of the client."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = run("taskset", "-c", str(LOAD_CPU), *command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if "%d succeeded" % calls not in out and "%d calls, 0 failed" % calls not in out:
        raise SystemExit("%s: %s" % (command[0], out))
    return calls / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def clients(scenarios, rounds, calls, with_peers):
    """connect.h's client beside h2load and connectrpc's, against the same server; rounds in rotating order."""
    goals = {"h2load": 0.5, "connectrpc": 4} if with_peers else {"h2load": 0.5}
    print("\nM1  thousand calls per CPU-second of the client, against floor_h2\n")
    print("%-30s %-12s %10s %8s %8s" % ("", "", "k/CPU-s", "median", "goal"))
    results = []
    for scenario in scenarios:
        server = Server("floor_h2")
        load = ["http://" + server.address, "-n", str(calls), "-c", str(scenario.clients), "-m", str(scenario.streams),
                "-p", scenario.kind, "-h", "2"]
        commands = {
            "h2load": ["h2load", "-n", str(calls), "-c", str(scenario.clients), "-m", str(scenario.streams), "-d",
                       scenario.body_file, "-H", "content-type: " + scenario.content_type, "-H", "te: trailers",
                       url(server, scenario)],
            "connectrpc": [OUT + "/connectrpc_client", *load],
            "connect.h": [OUT + "/bench_load", *load],
        }
        names = [*goals, "connect.h"]
        rates = {name: [] for name in names}
        for turn in range(rounds):
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                rates[name].append(client_rate(commands[name], calls))
        server.stop()
        print("%-30s %-12s %10.1f" % (scenario.name, "connect.h", statistics.median(rates["connect.h"]) / 1e3))
        for name, goal in goals.items():
            ratio = statistics.median(ours / theirs for ours, theirs in zip(rates["connect.h"], rates[name]))
            results.append({"scenario": scenario.name, "peer": name, "goal": goal, "ratio_median": ratio,
                            "samples": {name: rates[name], "connect.h": rates["connect.h"]}})
            print("%-30s %-12s %10.1f %8.2f %8.2f" % ("", name, statistics.median(rates[name]) / 1e3, ratio, goal))
    return results


def main():
    parser = argparse.ArgumentParser(description="connect.h beside its floors and its peers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="only scenarios with this word in their names")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that all of it works")
    parser.add_argument("--no-peers", action="store_true", help="only the floors")
    options = parser.parse_args()
    rounds, cpu_seconds = (1, 0.1) if options.quick else (options.rounds, 0.5)
    scenarios = [s for s in SCENARIOS if options.only in s.name]
    known = [name for name in SERVERS if name == "connect.h" or name.startswith("floor") or not options.no_peers]
    for scenario in scenarios:
        with open(scenario.body_file, "wb") as file:
            file.write(scenario.body)
    small = [s for s in scenarios if s.floor and s.messages == 1 and len(s.body) < 100]
    single = {s.name.split(", c=")[0]: s for s in small}
    single = [Scenario(name + ", c=1 m=1", s.kind, 1, 1, s.goals) for name, s in single.items()]
    steady = [s for s in small if s.streams in (1, 8)]
    results = {
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "M1": throughput(scenarios, rounds, cpu_seconds, known),
        "client": clients([s for s in small if s.kind != "http1"], rounds, 20000 if options.quick else 100000,
                          not options.no_peers),
        "M2": per_call("M2  instructions per call, kernel excepted", single, instructions, 2000, "%10.0f"),
        "M3": per_call("M3  system calls per call", steady, system_calls, 4000),
        "M4": per_call("M4  allocations per call in steady state", steady, allocations, 4000, "%10.3f"),
    }
    with open("build/bench.json", "w") as file:
        json.dump(results, file, indent=1)
    print("\nbuild/bench.json written")


if __name__ == "__main__":
    sys.exit(main())
