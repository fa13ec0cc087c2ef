#!/usr/bin/env python3
"""grpcio as a client of the interop tests: README.md says what is checked.

    python grpc_client.py PROTO_FOLDER HOST:PORT [gzip]

Prints a line per check, PASS name or FAIL name: why."""

import sys
import threading

import grpc
from grpc_tools import protoc  # noqa: F401  grpc.protos_and_services compiles with it

sys.path.insert(0, sys.argv[1])
protos, services = grpc.protos_and_services("telemetry.proto")
MISSING = 'no sensor "missing" ÄÖ%'
SERVICE = "/acme.telemetry.v1.Telemetry/"
status = 0


def equal(got, want):
    assert got == want, "got %.300r, not %.300r" % (got, want)


def fields(data):
    """The fields of a protobuf message, of the two wire types that a google.rpc.Status needs."""

    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 128:
                return value, at

    at, found = 0, {}
    while at < len(data):
        key, at = varint(at)
        value, at = varint(at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        found[key >> 3] = value
    return found


def fails(run, code, message=None, fault=None):
    try:
        run()
    except grpc.RpcError as error:
        equal(error.code(), code)
        if message is not None:
            equal(error.details(), message)
        if fault is not None:
            trailing = dict(error.trailing_metadata())
            answer = fields(trailing["grpc-status-details-bin"])
            detail = fields(answer[3])
            equal([answer[1], answer[2].decode()], [code.value[0], message])
            equal(detail[1].decode().rsplit("/", 1)[1], "acme.telemetry.v1.Fault")
            equal(protos.Fault.FromString(detail[2]).code, fault)
        return error
    raise AssertionError("no error, though %s was wanted" % code)


def check(name):
    def run(test):
        global status
        try:
            test()
            print("PASS", name, flush=True)
        except Exception as error:  # a check that cannot be made has failed
            print("FAIL %s: %s: %s" % (name, type(error).__name__, str(error).replace("\n", " ")), flush=True)
            status = 1

    return run


def main():
    compression = grpc.Compression.Gzip if "gzip" in sys.argv[3:] else grpc.Compression.NoCompression
    channel = grpc.insecure_channel(
        sys.argv[2], compression=compression, options=[("grpc.max_receive_message_length", 8 << 20)]
    )
    rpc = services.TelemetryStub(channel)

    def boiler(size=0):
        sensor = "echo " + '\0\n"ß' * (size // 5) if size else "boiler"
        reading = rpc.Read(protos.ReadRequest(sensor=sensor), timeout=10)
        equal(reading.sensor, sensor)
        equal([reading.taken_at.seconds, reading.taken_at.nanos, reading.celsius], [1767323045, 500000000, 61.5])
        equal([reading.quality, list(reading.tags), dict(reading.labels)], [1, ["roof", "north"], {"site": "1"}])
        equal([reading.text, reading.raw_frame], ["steady", sensor.encode() if size else b""])

    check("unary")(boiler)
    check("unary-1MiB")(lambda: boiler(1 << 20))

    @check("unary-32-at-once")
    def _():
        calls = [rpc.Read.future(protos.ReadRequest(sensor="boiler"), timeout=10) for _ in range(32)]
        equal([call.result().celsius for call in calls], [61.5] * 32)

    @check("set-point")
    def _():
        actuator = "actuator-%d" % threading.get_native_id()
        for previous, target in [(20, 50), (50, 60)]:
            response = rpc.SetPoint(protos.SetPointRequest(actuator=actuator, target=target), timeout=10)
            equal([response.previous, response.target], [previous, target])
        locked = protos.SetPointRequest(actuator="locked")
        fails(lambda: rpc.SetPoint(locked, timeout=10), grpc.StatusCode.PERMISSION_DENIED, "locked")

    @check("metadata")
    def _():
        sent = (("x-request-id", "id-7"), ("x-blob-bin", b"\0\xff b"))
        _, call = rpc.Read.with_call(protos.ReadRequest(sensor="boiler"), metadata=sent, timeout=10)
        head, trail = dict(call.initial_metadata()), dict(call.trailing_metadata())
        equal([head["x-site"], head["x-request-id"]], ["north", "id-7"])
        equal([trail["x-source"], trail["x-blob-bin"]], ["i2c", b"\0\xff b"])

    @check("error")
    def _():
        missing = protos.ReadRequest(sensor="missing")
        error = fails(lambda: rpc.Read(missing, timeout=10), grpc.StatusCode.NOT_FOUND, MISSING, 7)
        equal(dict(error.trailing_metadata())["x-source"], "i2c")

    slow = protos.ReadRequest(sensor="slow")
    bad = protos.ReadRequest(sensor="?")
    check("invalid-argument")(lambda: fails(lambda: rpc.Read(bad, timeout=10), grpc.StatusCode.INVALID_ARGUMENT))
    check("deadline")(lambda: fails(lambda: rpc.Read(slow, timeout=0.2), grpc.StatusCode.DEADLINE_EXCEEDED))

    @check("cancel")
    def _():
        call = rpc.Read.future(slow)
        threading.Timer(0.1, call.cancel).start()
        try:
            call.result(timeout=1.5)
            raise AssertionError("it was not canceled")
        except grpc.FutureCancelledError:
            boiler()

    @check("unimplemented")
    def _():
        other = channel.unary_unary(SERVICE + "NoSuchMethod")
        fails(lambda: other(b"", timeout=10), grpc.StatusCode.UNIMPLEMENTED)

    for count in [1, 5, 1000]:

        @check("watch-%d" % count)
        def _():
            call = rpc.Watch(protos.WatchRequest(sensors=["boiler"], count=count), timeout=10)
            equal([reading.sequence for reading in call], list(range(count)))
            equal(dict(call.trailing_metadata())["x-source"], "i2c")

    @check("watch-fails")
    def _():
        seen = []

        def run():
            for reading in rpc.Watch(protos.WatchRequest(sensors=["flaky"], count=2), timeout=10):
                seen.append(reading.sequence)

        fails(run, grpc.StatusCode.DATA_LOSS, "sensor went away", 9)
        equal(seen, [0, 1])

    @check("watch-left")
    def _():
        call = rpc.Watch(protos.WatchRequest(sensors=["boiler"], interval_ms=5), timeout=10)
        equal([next(call).sequence for _ in range(3)], [0, 1, 2])
        call.cancel()
        boiler()

    @check("upload")
    def _():
        summary = rpc.Upload((protos.Reading(sensor="abbb"[i % 4]) for i in range(100)), timeout=10)
        equal([summary.taken, dict(summary.per_sensor)], [100, {"a": 25, "b": 75}])

    @check("exchange")
    def _():
        results = threading.Semaphore(0)  # each command waits for the result of the one before

        def commands():
            for i in range(20):
                yield protos.Command(id=i, actuator="jammed" if i % 2 else "valve")
                assert results.acquire(timeout=10)

        count = 0
        for result in rpc.Exchange(commands(), timeout=10):
            equal([result.id, result.fault.code], [count, 3 if count % 2 else 0])
            count += 1
            results.release()
        equal(count, 20)

    channel.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
