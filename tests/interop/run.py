#!/usr/bin/env python3
"""Lets connect.h talk to other implementations, both ways round. README.md says what is checked.

    python3 tests/interop/run.py                all of it
    python3 tests/interop/run.py grpc-go curl   only the parts whose names contain one of these words

Standard library only. Everything listens on a free port of 127.0.0.1, every wait is bounded, and only processes
started here are ended. Exit status 0: all checks passed.
"""

import base64
import gzip
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

from proxies import Proxy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(ROOT)
SERVER, CLIENT, PEERS = "build/interop/server", "build/interop/client", "build/interop/peers"
NODE = ["node", "tests/interop/node/peers.mjs", "build/interop/telemetry.pb"]
PYTHON = ["build/venv/bin/python", "tests/interop/python/grpc_client.py", "examples"]
NODE_PACKAGES = os.path.join(ROOT, "build/tools/node-peers/node_modules")
GRPCURL, BUF = "build/tools/bin/grpcurl", "build/tools/node/node_modules/.bin/buf"
SERVICE = "acme.telemetry.v1.Telemetry"
MESSAGE = 'no sensor "missing" ÄÖ%'
NEEDED = [SERVER, CLIENT, PEERS, GRPCURL, BUF, NODE_PACKAGES, NODE[2], PYTHON[0]]

passed, failed = 0, []
words = sys.argv[1:]


def report(part, name, problem):
    global passed
    if problem:
        failed.append("%s: %s" % (part, name))
        print("FAIL  %s: %s: %s" % (part, name, problem), flush=True)
    else:
        passed += 1
        print("PASS  %s: %s" % (part, name), flush=True)


def wanted(part):
    return not words or any(word in part for word in words)


def check(part, name, test, server=None):
    """A test returns nothing, or raises AssertionError with what is wrong."""
    if not wanted(part):
        return
    try:
        test()
        report(part, name, None)
    except subprocess.TimeoutExpired as error:
        report(part, name, "no answer in %d s" % error.timeout)
    except Exception as error:  # a check that cannot be made has failed
        report(part, name, "%s: %s" % (type(error).__name__, str(error)[:1500]))
    if server:
        server.revive(part + ", " + name)


class Server:
    """A server process, which says in its first line where it listens."""

    def __init__(self, *command):
        self.command = command

    def __enter__(self):
        self.start()
        return self

    def start(self):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, env=environment()
        )
        line = self.process.stdout.readline().decode()
        match = re.search(r"listens on (127\.0\.0\.1:\d+)", line)
        if not match:
            self.__exit__()
            raise SystemExit("%s does not start: %s" % (" ".join(self.command), line or self.stderr()))
        self.address = match.group(1)
        self.url = "http://" + self.address

    def revive(self, part):
        """After a crash: one failed check that says so, and a new process, so that the rest still tells something."""
        if self.process.poll() is not None:
            report(part, "the server survives", "exit status %d: %s" % (self.process.returncode, self.stderr()[-6000:]))
            self.process.stdout.close()
            self.start()

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def stop(self):
        """Asks it to end. Returns its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "it had to be killed"

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.process.stdout.close()


def environment():
    cache = os.path.join(ROOT, "build/tools/buf-cache")
    return dict(os.environ, BUF_CACHE_DIR=cache, NODE_PATH=NODE_PACKAGES, NO_PROXY="*", no_proxy="*")


def run(*command, timeout=30, data=None):
    return subprocess.run(command, input=data, capture_output=True, timeout=timeout, env=environment())


def equal(got, want):
    assert got == want, "got %r, not %r" % (got, want)


def contains(text, want):
    assert want in text, "%r is not in %r" % (want, text)


def leaves_nothing_open(server):
    """The handlers of calls that were canceled have heard of it: the server tells how many calls are still open."""
    for _ in range(10):
        answer = curl(server, "/%s/Read" % SERVICE, b'{"sensor": "open calls"}').json()
        if answer["celsius"] == 0:
            return
        time.sleep(0.1)
    raise AssertionError("after a second %d calls are still open" % answer["celsius"])


# ---- curl: the Connect protocol as a person types it ----


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def curl(server, path, body, *options, content_type="application/json"):
    with tempfile.TemporaryDirectory() as folder:
        head, out = os.path.join(folder, "head"), os.path.join(folder, "body")
        command = ["curl", "-sS", "--max-time", "20", "-D", head, "-o", out, "-w", "%{http_code}"]
        if body is not None:
            command += ["--data-binary", "@-", "-H", "content-type: " + content_type]
        done = run(*command, *options, server.url + path, data=body)
        assert done.returncode == 0, "curl: exit status %d: %s" % (done.returncode, done.stderr.decode())
        with open(head, encoding="latin-1") as lines:
            blocks = re.split(r"\r?\n\r?\n", lines.read().strip())
        headers = {}
        for line in blocks[-1].split("\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        content = b""
        if os.path.exists(out):
            with open(out, "rb") as file:
                content = file.read()
        return Answer(int(done.stdout), headers, content)


def check_curl(server, part, version):
    read = "/%s/Read" % SERVICE

    def boiler_json():
        answer = curl(server, read, b'{"sensor": "boiler"}', version, "-H", "x-request-id: 12")
        equal(answer.status, 200)
        equal(answer.headers.get("content-type"), "application/json")
        value = answer.json()
        equal(value, {"sensor": "boiler", "takenAt": "2026-01-02T03:04:05.500Z", "celsius": 61.5, "quality": "QUALITY_GOOD",
                      "tags": ["roof", "north"], "labels": {"site": "1"}, "text": "steady"})
        equal(answer.headers.get("x-site"), "north")
        equal(answer.headers.get("x-request-id"), "12")
        equal(answer.headers.get("trailer-x-source"), "i2c")

    def boiler_proto():
        answer = curl(server, read, b"\x0a\x07echo \xc3\x9f", version, content_type="application/proto")
        equal(answer.status, 200)
        equal(answer.headers.get("content-type"), "application/proto")
        for field in [b"\x0a\x07echo \xc3\x9f", b"\x21" + struct.pack("<d", 61.5), b"\x28\x01", b"\x6a\x07echo \xc3\x9f"]:
            contains(answer.body, field)

    def error(path, body, status, code, *options, content_type="application/json", text="", **more):
        answer = curl(server, path, body, version, *options, content_type=content_type)
        equal(answer.status, status)
        value = answer.json()
        equal(value["code"], code)
        contains(value.get("message", ""), text)
        return answer

    def missing():
        answer = error(read, b'{"sensor": "missing"}', 404, "not_found", text=MESSAGE)
        equal(answer.headers.get("content-type"), "application/json")
        detail = answer.json()["details"][0]
        equal([detail["type"], detail["value"]], ["acme.telemetry.v1.Fault", "CAcSDm5vIHN1Y2ggc2Vuc29y"])
        equal(answer.headers.get("trailer-x-source", answer.headers.get("x-source")), "i2c")

    def large():
        sensor = "echo " + "ABC" * 350000
        value = curl(server, read, json.dumps({"sensor": sensor}).encode(), version).json()
        equal([value["sensor"] == sensor, base64.b64decode(value["rawFrame"]) == sensor.encode()], [True, True])

    def wrong_type():
        answer = curl(server, read, b"sensor=boiler", version, content_type="application/x-www-form-urlencoded")
        equal(answer.status, 415)
        contains(answer.headers.get("accept-post", ""), "application/json")

    def wrong_verb():
        answer = curl(server, read, b"{}", version, "-X", "PUT")
        equal(answer.status, 405)
        contains(answer.headers.get("allow", ""), "POST")

    def position():
        answer = error(read, b'{"sensor": "boiler",\n }', 400, "invalid_argument")
        assert re.search(r"\d", answer.json()["message"]), "no position: " + answer.json()["message"]

    def over_limit():
        body = b'{"sensor": "' + b"x" * (5 << 20) + b'"}'
        if version == "--http1.1":
            error(read, body, 429, "resource_exhausted")
            return
        # curl 7.88 loses a response that comes while it still sends, in one piece with RST_STREAM (RFC 9113 8.1)
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            text = run("nghttp", "-v", "-d", file.name, "-H", "content-type: application/json", server.url + read).stdout.decode()
        contains(text, ":status: 429")
        contains(text, '"code":"resource_exhausted"')

    def compressed():
        sensor = "echo " + "ABC" * 3000
        body = gzip.compress(json.dumps({"sensor": sensor}).encode())
        answer = curl(server, read, body, version, "-H", "content-encoding: gzip", "-H", "accept-encoding: gzip")
        equal(answer.headers.get("content-encoding"), "gzip")
        equal(json.loads(gzip.decompress(answer.body))["sensor"] == sensor, True)

    def binary_metadata():
        answer = curl(server, read, b'{"sensor": "boiler"}', version, "-H", "x-blob-bin: AP8gYg")
        equal(answer.headers.get("trailer-x-blob-bin").rstrip("="), "AP8gYg")

    def get():
        answer = curl(server, read + "?connect=v1&encoding=json&message=%7B%22sensor%22%3A%22boiler%22%7D", None, version)
        equal([answer.status, answer.json()["text"]], [200, "steady"])

    def cancel():
        done = run("curl", "-sS", "--max-time", "0.4", version, "-H", "content-type: application/json",
                   "-d", '{"sensor": "slow"}', server.url + read)
        equal(done.returncode, 28)  # "Operation timeout"
        leaves_nothing_open(server)

    check(part, "JSON", boiler_json, server)
    check(part, "compressed both ways", compressed, server)
    check(part, "binary metadata", binary_metadata, server)
    check(part, "GET", get, server)
    check(part, "cancel", cancel, server)
    check(part, "proto", boiler_proto, server)
    check(part, "charset", lambda: equal(
        curl(server, read, b'{"sensor":"boiler"}', version, content_type="application/json; charset=utf-8").status, 200), server)
    check(part, "error with detail", missing, server)
    check(part, "1 MiB", large, server)
    check(part, "unknown content type is 415", wrong_type, server)
    check(part, "PUT is 405", wrong_verb, server)
    check(part, "unknown service is 404", lambda: equal(curl(server, "/nobody.Here/Read", b"{}", version).status, 404), server)
    check(part, "unknown method is 404", lambda: equal(curl(server, read + "er", b"{}", version).status, 404), server)
    check(part, "malformed JSON says where", position, server)
    check(part, "wrong JSON type names the field", lambda: error(read, b'{"sensor": 5}', 400, "invalid_argument", text="sensor"), server)
    check(part, "malformed proto", lambda: error(
        read, b"\x0a\x7fshort", 400, "invalid_argument", content_type="application/proto"), server)
    check(part, "timeout", lambda: error(
        read, b'{"sensor": "slow"}', 504, "deadline_exceeded", "-H", "connect-timeout-ms: 200"), server)
    check(part, "unknown compression", lambda: error(read, b"{}", 501, "unimplemented", "-H", "content-encoding: weird"), server)
    check(part, "over the limit", over_limit, server)


def envelopes(*messages):
    """JSON messages as the body of a stream."""
    bodies = [json.dumps(message).encode() for message in messages]
    return b"".join(b"\0" + struct.pack(">I", len(body)) + body for body in bodies)


def check_curl_stream(server, part, version):
    """Streams as their bytes: envelopes of JSON, the last one of a response with flag 2."""

    def stream(method, *messages, options=()):
        """Returns the messages of the response, and the END_STREAM message."""
        answer = curl(server, "/%s/%s" % (SERVICE, method), envelopes(*messages), version, *options,
                      content_type="application/connect+json")
        equal(answer.status, 200)
        frames, rest = [], answer.body
        while rest:
            flag, size = rest[0], struct.unpack(">I", rest[1:5])[0]
            frames.append((flag, json.loads(rest[5 : 5 + size])))
            rest = rest[5 + size :]
        equal([frame[0] for frame in frames], [0] * (len(frames) - 1) + [2])
        return [frame[1] for frame in frames[:-1]], frames[-1][1]

    def watch():
        readings, end = stream("Watch", {"sensors": ["boiler"], "count": 3})
        equal([reading.get("sequence", "0") for reading in readings], ["0", "1", "2"])
        metadata = {name.lower(): values for name, values in end.get("metadata", {}).items()}
        equal(metadata.get("x-source"), ["i2c"])
        assert "error" not in end, end

    def watch_fails():
        readings, end = stream("Watch", {"sensors": ["flaky"], "count": 2})
        equal(len(readings), 2)
        equal([end["error"]["code"], end["error"]["message"]], ["data_loss", "sensor went away"])
        equal(end["error"]["details"][0]["type"], "acme.telemetry.v1.Fault")

    def deadline():
        readings, end = stream("Watch", {"sensors": ["boiler"], "intervalMs": 20}, options=("-H", "connect-timeout-ms: 200"))
        equal([len(readings) > 2, end["error"]["code"]], [True, "deadline_exceeded"])

    def left():
        done = run("curl", "-sS", "-N", "--max-time", "0.4", version, "-H", "content-type: application/connect+json",
                   "--data-binary", "@-", "%s/%s/Watch" % (server.url, SERVICE),
                   data=envelopes({"sensors": ["boiler"], "intervalMs": 10}))
        equal([done.returncode, done.stdout.count(b"boiler") > 2], [28, True])
        leaves_nothing_open(server)

    def upload():
        summaries, end = stream("Upload", *[{"sensor": "abbb"[i % 4]} for i in range(100)])
        equal([summaries, end], [[{"taken": "100", "perSensor": {"a": "25", "b": "75"}}], {}])

    def exchange():
        results, end = stream("Exchange", *[{"id": str(i), "actuator": "jammed"} for i in range(1, 21)])
        equal([result["id"] for result in results], [str(i) for i in range(1, 21)])
        equal([results[0]["fault"]["code"], end], [3, {}])

    check(part, "stream", watch, server)
    check(part, "stream that fails", watch_fails, server)
    check(part, "stream with a deadline", deadline, server)
    check(part, "stream that is left", left, server)
    check(part, "client stream", upload, server)
    check(part, "bidirectional stream", exchange, server)


# ---- grpcurl and buf curl ----


def leave(server, *command):
    """Starts a call without an end, and ends the program when something of it has come."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(), start_new_session=True)  # buf is a script that runs another program
    try:
        contains(process.stdout.readline().decode() + process.stdout.readline().decode(), "boiler")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=10)
    leaves_nothing_open(server)


def check_grpcurl(server):
    part = "grpcurl"

    def call(method, *messages, options=(), seconds="20"):
        return run(GRPCURL, "-plaintext", "-v", "-max-time", seconds, "-import-path", "examples", "-proto", "telemetry.proto",
                   "-max-msg-sz", str(8 << 20), *options, "-d", "@", server.address, SERVICE + "/" + method,
                   data="\n".join(map(json.dumps, messages)).encode())

    def unary():
        done = call("Read", {"sensor": "boiler"})
        equal(done.returncode, 0)
        text = done.stdout.decode()
        for line in ['"celsius": 61.5', '"text": "steady"', "x-site: north", "x-source: i2c"]:
            contains(text, line)

    def stream():
        done = call("Watch", {"sensors": ["boiler"], "count": 5})
        equal(done.returncode, 0)
        contains(done.stdout.decode(), '"sequence": "4"')
        contains(done.stdout.decode(), "received 5 responses")

    def error():
        done = call("Read", {"sensor": "missing"})
        equal(done.returncode, 64 + 5)
        for line in ["Code: NotFound", MESSAGE, '"reason": "no such sensor"']:
            contains((done.stdout + done.stderr).decode(), line)

    def stream_error():
        done = call("Watch", {"sensors": ["flaky"], "count": 2})
        equal(done.returncode, 64 + 15)
        contains(done.stdout.decode(), '"sequence": "1"')

    def metadata():
        text = call("Read", {"sensor": "boiler"}, options=("-H", "x-request-id: 12", "-H", "x-blob-bin: AP8gYg==")).stdout.decode()
        contains(text, "x-request-id: 12")
        contains(text, "x-blob-bin: AP8gYg")

    def deadline():
        equal(call("Read", {"sensor": "slow"}, seconds="0.3").returncode, 64 + 4)
        leaves_nothing_open(server)

    def left():
        leave(server, GRPCURL, "-plaintext", "-import-path", "examples", "-proto", "telemetry.proto", "-d",
              '{"sensors": ["boiler"], "intervalMs": 10}', server.address, SERVICE + "/Watch")

    def upload():
        text = call("Upload", *[{"sensor": "abbb"[i % 4]} for i in range(100)]).stdout.decode()
        for line in ['"taken": "100"', '"a": "25"', '"b": "75"']:
            contains(text, line)

    def exchange():
        text = call("Exchange", *[{"id": i, "actuator": "jammed"} for i in range(1, 21)]).stdout.decode()
        equal(re.findall(r'"id": "(\d+)"', text), [str(i) for i in range(1, 21)])
        contains(text, '"code": 3')

    check(part, "unary", unary, server)
    check(part, "metadata", metadata, server)
    check(part, "deadline", deadline, server)
    check(part, "stream", stream, server)
    check(part, "stream that is left", left, server)
    check(part, "client stream", upload, server)
    check(part, "bidirectional stream", exchange, server)
    check(part, "error with detail", error, server)
    check(part, "error after two readings", stream_error, server)


def check_buf(server, protocol, versions):
    part = "buf curl, " + protocol + (", h2c" if versions else ", HTTP/1.1")

    command = [BUF, "curl", "--protocol", protocol, *versions, "--schema", "examples/telemetry.proto"]

    def call(method, *messages, options=()):
        return run(*command, *options, "-d", "@-", "%s/%s/%s" % (server.url, SERVICE, method),
                   data="\n".join(map(json.dumps, messages)).encode())

    def unary():
        done = call("Read", {"sensor": "boiler"})
        assert done.returncode == 0, done.stderr.decode()
        value = json.loads(done.stdout)
        equal([value["celsius"], value["text"]], [61.5, "steady"])

    def stream():
        done = call("Watch", {"sensors": ["boiler"], "count": 3})
        assert done.returncode == 0, done.stderr.decode()
        equal(re.findall(r'"sequence": *"(\d+)"', done.stdout.decode()), ["1", "2"])
        equal(len(re.findall(r'"sensor"', done.stdout.decode())), 3)

    def error():
        done = call("Read", {"sensor": "missing"})
        assert done.returncode != 0, "exit status 0"
        value = json.loads(done.stderr)
        equal([value["code"], value["message"]], ["not_found", MESSAGE])
        detail = value["details"][0]
        equal(detail["type"], "acme.telemetry.v1.Fault")
        equal(detail["value"].rstrip("="), "CAcSDm5vIHN1Y2ggc2Vuc29y")

    def stream_error():
        done = call("Watch", {"sensors": ["flaky"], "count": 2})
        equal([json.loads(done.stderr)["code"], done.stdout.count(b'"sensor"')], ["data_loss", 2])

    def metadata():
        done = call("Read", {"sensor": "boiler"}, options=("-v", "-H", "x-request-id: 12", "-H", "x-blob-bin: AP8gYg"))
        text = done.stderr.decode().lower()
        contains(text, "< (#1) x-request-id: 12")
        if protocol != "grpcweb":  # its trailers are in the body
            contains(text, "x-source: i2c")
            assert re.search("< .*x-blob-bin: ap8gyg", text), text

    def compressed():
        sensor = "echo " + "ABC" * 3000
        done = call("Read", {"sensor": sensor}, options=("-v",))
        equal(json.loads(done.stdout)["sensor"] == sensor, True)
        # in streams and in gRPC a header announces it, with a bare body the header is the compression's own
        assert re.search(r"< \(.*\) (\w+-)*encoding: gzip", done.stderr.decode().lower()), done.stderr.decode()[-3000:]

    def left():
        leave(server, *command, "-d", '{"sensors": ["boiler"], "intervalMs": 10}', "%s/%s/Watch" % (server.url, SERVICE))

    def upload():
        done = call("Upload", *[{"sensor": "abbb"[i % 4]} for i in range(100)])
        assert done.returncode == 0, done.stderr.decode()
        equal(json.loads(done.stdout), {"taken": "100", "perSensor": {"a": "25", "b": "75"}})

    def exchange():
        done = call("Exchange", *[{"id": i, "actuator": "jammed"} for i in range(1, 21)])
        assert done.returncode == 0, done.stderr.decode()
        equal(re.findall(r'"id": *"(\d+)"', done.stdout.decode()), [str(i) for i in range(1, 21)])

    check(part, "unary", unary, server)
    check(part, "metadata", metadata, server)
    check(part, "compressed", compressed, server)
    check(part, "stream", stream, server)
    check(part, "stream that is left", left, server)
    check(part, "client stream", upload, server)
    check(part, "bidirectional stream", exchange, server)
    check(part, "error with detail", error, server)
    check(part, "error after two readings", stream_error, server)


# ---- Clients that check by themselves ----


def bidi(version):
    """Those servers answer a bidirectional stream over HTTP/1.1 with 505, ours does not."""
    return ["--exchange", "refused"] if version == 1 else []


def check_client(part, *command, timeout=90, server=None):
    if not wanted(part):
        return
    try:
        done = run(*command, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        lines = (error.stdout or b"").decode(errors="replace").splitlines()
        report(part, "all", "not done in %d s; last: %s" % (timeout, lines[-1] if lines else "nothing"))
        return
    lines = done.stdout.decode(errors="replace").splitlines()
    for line in lines:
        result, _, rest = line.partition(" ")
        name, _, why = rest.partition(": ")
        report(part, name, why or "failed" if result == "FAIL" else None)
    if not lines or done.returncode not in (0, 1) or (done.returncode == 1 and not any(l.startswith("FAIL") for l in lines)):
        report(part, "all", "exit status %d: %s" % (done.returncode, done.stderr.decode(errors="replace")[-6000:]))
    if server:
        server.revive(part)
        check(part, "leaves nothing open", lambda: leaves_nothing_open(server), server)


def main():
    for program in NEEDED:
        if not os.path.exists(program):
            raise SystemExit("%s is missing: run `make interop`" % program)
    begin = time.time()

    with Server(SERVER) as ours:
        print("Our server and other clients", flush=True)
        check_curl(ours, "curl, HTTP/1.1", "--http1.1")
        check_curl(ours, "curl, h2c", "--http2-prior-knowledge")
        check_curl_stream(ours, "curl, HTTP/1.1", "--http1.1")
        check_curl_stream(ours, "curl, h2c", "--http2-prior-knowledge")
        check_grpcurl(ours)
        for protocol in ["connect", "grpc", "grpcweb"]:
            check_buf(ours, protocol, ["--http2-prior-knowledge"])
        for protocol in ["connect", "grpcweb"]:
            check_buf(ours, protocol, [])
        for protocol, version in [("connect", 1), ("connect", 2), ("grpc", 2), ("grpcweb", 1), ("grpcweb", 2)]:
            for codec in ["proto", "json"]:
                check_client("connect-go client, %s, HTTP/%d, %s" % (protocol, version, codec), PEERS, "connect-client",
                             "--url", ours.url, "--protocol", protocol, "--http", str(version), "--codec", codec, server=ours)
            check_client("connect-go client, %s, HTTP/%d, gzip" % (protocol, version), PEERS, "connect-client", "--gzip",
                         "--url", ours.url, "--protocol", protocol, "--http", str(version), server=ours)
        for compression in [[], ["--gzip"]]:
            check_client(" ".join(["grpc-go client", *compression]), PEERS, "grpc-client", *compression, "--url", ours.url,
                         server=ours)
        for protocol, version, codec in [("connect", 1, "proto"), ("connect", 1, "json"), ("connect", 2, "proto"),
                                         ("grpc", 2, "proto"), ("grpcweb", 1, "proto"), ("grpcweb", 2, "json")]:
            check_client("connect-node client, %s, HTTP/%d, %s" % (protocol, version, codec), *NODE, "connect-client",
                         ours.url, protocol, str(version), codec, server=ours)
        check_client("grpc-js client", *NODE, "grpc-client", ours.url, server=ours)
        for compression in ["", "gzip"]:
            check_client("grpcio client " + compression, *PYTHON, ours.address, compression, server=ours)
        ours_client = "our client and server, %s, HTTP/%d, %s"
        for protocol, version in [("connect", 1), ("connect", 2), ("grpc", 2), ("grpcweb", 1), ("grpcweb", 2)]:
            for codec in ["proto", "json"]:
                check_client(ours_client % (protocol, version, codec), CLIENT, "--url", ours.url,
                             "--protocol", protocol, "--http", str(version), "--codec", codec,
                             "--compression", "zstd" if codec == "proto" else "gzip", server=ours)
        for name in ["nginx", "haproxy"]:
            with Proxy(name, ours.address) as proxy:
                for protocol, version in [("connect", 1), ("connect", 2), ("grpc", 2), ("grpcweb", 1), ("grpcweb", 2)]:
                    check_client("our client, %s, our server, %s, HTTP/%d" % (name, protocol, version), CLIENT, "--url",
                                 proxy.urls[version], "--protocol", protocol, "--http", str(version), server=ours)
        check("our server", "still runs", lambda: equal(ours.process.poll(), None))
        check("our server", "ends by SIGTERM", lambda: equal(ours.stop(), 0))
        check("our server", "complains of nothing", lambda: equal(ours.stderr(), ""))

    print("Our client and other servers", flush=True)
    with Server(PEERS, "connect-server") as theirs:
        for protocol, version in [("connect", 1), ("connect", 2), ("grpc", 2), ("grpcweb", 1), ("grpcweb", 2)]:
            for codec in ["proto", "json"]:
                check_client("connect-go server, %s, HTTP/%d, %s" % (protocol, version, codec), CLIENT,
                             "--url", theirs.url, "--protocol", protocol, "--http", str(version), "--codec", codec,
                             *bidi(version))
    with Server(PEERS, "grpc-server") as theirs:
        check_client("grpc-go server", CLIENT, "--url", theirs.url, "--protocol", "grpc", "--http", "2")

    for version, protocols in [(1, ["connect", "grpcweb"]), (2, ["connect", "grpc", "grpcweb"])]:
        with Server(*NODE, "connect-server", str(version)) as theirs:
            for protocol in protocols:
                for codec in ["proto", "json"]:
                    check_client("connect-node server, %s, HTTP/%d, %s" % (protocol, version, codec), CLIENT,
                                 "--url", theirs.url, "--protocol", protocol, "--http", str(version), "--codec", codec,
                                 *bidi(version))
    with Server(*NODE, "grpc-server") as theirs:
        check_client("grpc-js server", CLIENT, "--url", theirs.url, "--protocol", "grpc", "--http", "2",
                     "--received", "identity")

    for name in failed[:40]:
        print("FAILED  " + name)
    print("%.0f s" % (time.time() - begin))
    print("%d passed, %d failed" % (passed, len(failed)))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
