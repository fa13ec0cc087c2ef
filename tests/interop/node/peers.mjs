// connect-node and grpc-js as peers of the interop tests: README.md says what they do and check.
//
//     node peers.mjs DESCRIPTORS connect-client URL connect|grpc|grpcweb 1|2 proto|json
//     node peers.mjs DESCRIPTORS grpc-client URL
//     node peers.mjs DESCRIPTORS connect-server 1|2      node peers.mjs DESCRIPTORS grpc-server
//
// All take --tls FOLDER at the end: TLS, with the certificates of tests/tls/certificates.sh in that folder; a server
// insists on a client's. DESCRIPTORS: a FileDescriptorSet of telemetry.proto. A client prints a line per check, PASS name or FAIL name: why;
// a server prints where it listens. Packages are found by NODE_PATH.
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { createFileRegistry, create, fromBinary, toBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");

const [descriptors, role, ...args] = process.argv.slice(2);
const [, certificates] = args.at(-2) === "--tls" ? args.splice(-2) : [];
// As Node wants them; undefined: clear text.
function tlsOptions(name) {
  if (!certificates) return undefined;
  const file = (base) => fs.readFileSync(path.join(certificates, base));
  return { ca: file("ca.pem"), cert: file(`${name}.pem`), key: file(`${name}.key`), requestCert: true };
}
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(descriptors)));
const PACKAGE = "acme.telemetry.v1.";
const SERVICE = PACKAGE + "Telemetry";
const service = registry.getService(SERVICE);
const Fault = registry.getMessage(PACKAGE + "Fault");
const schema = (name) => registry.getMessage(PACKAGE + name);
const MISSING = 'no sensor "missing" ÄÖ%';
const sleep = (ms, signal) =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), done()));
  });

// ---- The behaviours, without a word of any RPC library; a failure is thrown as {code, message, fault} ----

const setPoints = new Map();
async function read(request, signal) {
  const { sensor } = request;
  if (sensor === "slow") await sleep(2000, signal);
  if (signal?.aborted) throw signal.reason;
  if (sensor === "missing")
    throw { code: "not_found", message: MISSING, fault: create(Fault, { code: 7, reason: "no such sensor" }) };
  if (!["boiler", "slow"].includes(sensor) && !sensor.startsWith("echo "))
    throw { code: "invalid_argument", message: "what is that?" };
  return create(schema("Reading"), {
    sensor,
    takenAt: { seconds: 1767323045n, nanos: 500000000 },
    celsius: 61.5,
    quality: 1,
    tags: ["roof", "north"],
    labels: { site: "1" },
    payload: { case: "text", value: "steady" },
    ...(sensor.startsWith("echo ") ? { rawFrame: new TextEncoder().encode(sensor) } : {}),
  });
}
async function* watch(request, signal) {
  const sensor = request.sensors.join();
  for (let i = 0; !signal.aborted; i++) {
    if (sensor === "flaky" && i === request.count)
      throw { code: "data_loss", message: "sensor went away", fault: create(Fault, { code: 9 }) };
    if (request.count && i === request.count) return;
    if (i && request.intervalMs !== undefined) await sleep(request.intervalMs, signal);
    yield create(schema("Reading"), { sensor, sequence: BigInt(i), celsius: 60 });
  }
}
function setPoint(request) {
  if (request.actuator === "locked") throw { code: "permission_denied", message: "locked" };
  const previous = setPoints.get(request.actuator) ?? 20;
  setPoints.set(request.actuator, request.target);
  return create(schema("SetPointResponse"), { previous, target: request.target });
}
async function upload(readings) {
  const summary = create(schema("UploadSummary"));
  for await (const reading of readings) {
    summary.taken++;
    summary.perSensor[reading.sensor] = (summary.perSensor[reading.sensor] ?? 0n) + 1n;
  }
  return summary;
}
function exchange(command) {
  const fault = command.actuator === "jammed" ? { code: 3, reason: "jammed" } : undefined;
  return create(schema("CommandResult"), { id: command.id, fault });
}

// ---- The checks. peer: read(request, {headers, timeoutMs, signal}) and so on; failures are {code, message, fault} ----

function equal(got, want, what) {
  const text = (value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? String(v) : v));
  if (text(got) !== text(want)) throw new Error(`${what}: got ${text(got).slice(0, 300)}, not ${text(want).slice(0, 300)}`);
}
async function fails(run, code, message, fault) {
  let failure;
  try {
    await run();
  } catch (error) {
    failure = error;
  }
  if (!failure) throw new Error(`no error, though ${code} was wanted`);
  if (failure.code !== code) throw new Error(`got ${failure.code}: ${failure.message}; wanted ${code}`);
  if (message !== undefined) equal(failure.message, message, "message");
  equal(failure.fault?.code, fault, "the detail's code");
  return failure;
}
async function runChecks(peer) {
  let status = 0;
  const check = async (name, run) => {
    try {
      await Promise.race([run(), sleep(10000).then(() => Promise.reject(new Error("no answer in 10 s")))]);
      console.log(`PASS ${name}`);
    } catch (error) {
      console.log(`FAIL ${name}: ${String(error.message ?? error).replaceAll("\n", " ")}`);
      status = 1;
    }
  };
  const boiler = async (size) => {
    const request = create(schema("ReadRequest"), { sensor: size ? "echo " + '\0\n"ß'.repeat(size / 5) : "boiler" });
    const { message } = await peer.read(request, {});
    const want = await read(request);
    equal(Buffer.from(toBinary(schema("Reading"), message)).toString("hex"),
      Buffer.from(toBinary(schema("Reading"), want)).toString("hex"), "reading");
  };
  const readings = async (stream) => {
    const seen = [];
    for await (const reading of stream) seen.push(Number(reading.sequence));
    return seen;
  };
  const upTo = (n) => Array.from({ length: n }, (_, i) => i);
  const sensor = (name) => create(schema("ReadRequest"), { sensor: name });
  const watching = (fields) => create(schema("WatchRequest"), fields);

  await check("unary", () => boiler(0));
  await check("unary-1MiB", () => boiler(1 << 20));
  await check("unary-32-at-once", () => Promise.all(upTo(32).map(() => boiler(4000))));
  await check("set-point", async () => {
    const actuator = `actuator-${process.pid}-${Date.now()}`;
    for (const [previous, target] of [[20, 50], [50, 60]]) {
      const response = await peer.setPoint(create(schema("SetPointRequest"), { actuator, target }));
      equal([response.previous, response.target], [previous, target], "set point");
    }
    await fails(() => peer.setPoint(create(schema("SetPointRequest"), { actuator: "locked" })), "permission_denied", "locked");
  });
  await check("metadata", async () => {
    const blob = Buffer.from([0, 255, 32, 98]);
    const got = await peer.read(sensor("boiler"), { headers: { "x-request-id": "id-7", "x-blob-bin": blob } });
    equal([got.header("x-site"), got.header("x-request-id"), got.trailer("x-source")], ["north", "id-7", "i2c"], "metadata");
    equal(got.trailer("x-blob-bin").toString("hex"), blob.toString("hex"), "x-blob-bin");
  });
  await check("error", async () => {
    const failure = await fails(() => peer.read(sensor("missing"), {}), "not_found", MISSING, 7);
    equal(failure.metadata("x-source"), "i2c", "x-source");
  });
  await check("invalid-argument", () => fails(() => peer.read(sensor("?"), {}), "invalid_argument"));
  await check("deadline", () => fails(() => peer.read(sensor("slow"), { timeoutMs: 200 }), "deadline_exceeded"));
  await check("cancel", async () => {
    await fails(() => peer.read(sensor("slow"), { signal: AbortSignal.timeout(100) }), "canceled");
    await boiler(0);
  });
  await check("unimplemented", () => fails(() => peer.unknown(), "unimplemented"));
  for (const count of [1, 5, 1000])
    await check(`watch-${count}`, async () => {
      equal(await readings(peer.watch(watching({ sensors: ["boiler"], count }))), upTo(count), "readings");
    });
  await check("watch-fails", async () => {
    const seen = [];
    await fails(async () => {
      for await (const reading of peer.watch(watching({ sensors: ["flaky"], count: 2 }))) seen.push(Number(reading.sequence));
    }, "data_loss", "sensor went away", 9);
    equal(seen, [0, 1], "readings");
  });
  await check("watch-left", async () => {
    const seen = [];
    for await (const reading of peer.watch(watching({ sensors: ["boiler"], intervalMs: 5 })))
      if (seen.push(Number(reading.sequence)) === 3) break;
    equal(seen, [0, 1, 2], "readings");
    await boiler(0);
  });
  await check("upload", async () => {
    async function* all() {
      for (let i = 0; i < 100; i++) yield create(schema("Reading"), { sensor: ["a", "b", "b", "b"][i % 4] });
    }
    const summary = await peer.upload(all());
    equal([summary.taken, summary.perSensor.a, summary.perSensor.b], [100n, 25n, 75n], "summary");
  });
  if (!peer.bidi) return status;
  await check("exchange", async () => {
    let result; // each command waits for the result of the one before
    let wake = () => {};
    async function* commands() {
      for (let i = 0; i < 20; i++) {
        yield create(schema("Command"), { id: BigInt(i), actuator: i % 2 ? "jammed" : "valve" });
        if (result?.id !== BigInt(i)) await new Promise((done) => (wake = done));
      }
    }
    let count = 0;
    for await (result of peer.exchange(commands())) {
      equal([result.id, result.fault?.code], [BigInt(count), count % 2 ? 3 : undefined], "result");
      count++;
      wake();
    }
    equal(count, 20, "results");
  });
  return status;
}

// ---- connect-node ----

async function connectPeers() {
  const { Code, ConnectError, createClient, encodeBinaryHeader, decodeBinaryHeader } = require("@connectrpc/connect");
  const node = require("@connectrpc/connect-node");
  const codeName = (code) => Code[code].replace(/(?!^)[A-Z]/g, "_$&").toLowerCase();
  const codeOf = (name) => Object.keys(Code).map(Number).find((code) => code && codeName(code) === name);

  async function client([url, protocol, version, codec]) {
    const options = { baseUrl: url, httpVersion: version === "1" ? "1.1" : "2", useBinaryFormat: codec === "proto",
      nodeOptions: tlsOptions("client") };
    if (version === "1" && protocol === "grpc") throw new Error("gRPC needs HTTP/2");
    const transport = { connect: node.createConnectTransport, grpc: node.createGrpcTransport,
      grpcweb: node.createGrpcWebTransport }[protocol](
      codec === "proto" ? { ...options, sendCompression: node.compressionGzip } : options);
    const rpc = createClient(service, transport);
    const failure = (error) => {
      const e = ConnectError.from(error);
      return Object.assign(new Error(e.rawMessage), { code: codeName(e.code), fault: e.findDetails(Fault)[0],
        metadata: (name) => e.metadata.get(name) });
    };
    const rethrow = (error) => Promise.reject(failure(error));
    const other = { ...service.method.read, name: "NoSuchMethod", toString: () => "NoSuchMethod" };
    async function* stream(responses) {
      try {
        yield* responses;
      } catch (error) {
        throw failure(error);
      }
    }
    return runChecks({
      bidi: version === "2",
      async read(request, { headers = {}, timeoutMs, signal }) {
        let head, trail;
        const sent = new Headers();
        for (const [name, value] of Object.entries(headers))
          sent.set(name, name.endsWith("-bin") ? encodeBinaryHeader(value) : value);
        const message = await rpc.read(request, { headers: sent, timeoutMs, signal,
          onHeader: (h) => (head = h), onTrailer: (t) => (trail = t) }).catch(rethrow);
        const get = (from, name) => name.endsWith("-bin") ? Buffer.from(decodeBinaryHeader(from.get(name))) : from.get(name);
        return { message, header: (name) => get(head, name), trailer: (name) => get(trail, name) };
      },
      setPoint: (request) => rpc.setPoint(request).catch(rethrow),
      upload: (all) => rpc.upload(all).catch(rethrow),
      watch: (request) => stream(rpc.watch(request)),
      exchange: (commands) => stream(rpc.exchange(commands)),
      unknown: () => transport.unary(other, undefined, undefined, undefined, {}).catch(rethrow),
    });
  }

  function server([version]) {
    const thrown = (run) => async (request, context) => {
      context.responseHeader.set("x-site", "north");
      context.responseTrailer.set("x-source", "i2c");
      for (const [name, to] of [["x-request-id", context.responseHeader], ["x-blob-bin", context.responseTrailer]])
        if (context.requestHeader.has(name)) to.set(name, context.requestHeader.get(name));
      try {
        return await run(request, context);
      } catch (error) {
        throw failure(error);
      }
    };
    const failure = (error) => !error.code || error instanceof ConnectError ? error
      : new ConnectError(error.message, codeOf(error.code), undefined,
          error.fault ? [{ desc: Fault, value: error.fault }] : []);
    const handler = node.connectNodeAdapter({
      routes: (router) => router.service(service, {
        read: thrown((request, context) => read(request, context.signal)),
        setPoint: thrown(setPoint),
        upload: thrown(upload),
        async *watch(request, context) {
          context.responseTrailer.set("x-source", "i2c");
          try {
            yield* watch(request, context.signal);
          } catch (error) {
            throw failure(error);
          }
        },
        async *exchange(commands) {
          for await (const command of commands) yield exchange(command);
        },
      }),
    });
    const options = tlsOptions("server");
    const server = version === "1"
      ? (options ? https.createServer(options, handler) : http.createServer(handler))
      : (options ? http2.createSecureServer(options, handler) : http2.createServer(handler));
    server.listen(0, "127.0.0.1", () => console.log(`listens on 127.0.0.1:${server.address().port}`));
  }
  return { client, server };
}

// ---- grpc-js ----

async function grpcPeers() {
  const grpc = require("@grpc/grpc-js");
  const methods = {};
  for (const method of service.methods) {
    const codec = (desc) => [(message) => Buffer.from(toBinary(desc, message)), (bytes) => fromBinary(desc, bytes)];
    const [requestSerialize, requestDeserialize] = codec(method.input);
    const [responseSerialize, responseDeserialize] = codec(method.output);
    methods[method.name] = { path: `/${SERVICE}/${method.name}`, requestSerialize, requestDeserialize, responseSerialize,
      responseDeserialize, requestStream: ["client_streaming", "bidi_streaming"].includes(method.methodKind),
      responseStream: ["server_streaming", "bidi_streaming"].includes(method.methodKind) };
  }
  const codeName = (code) => grpc.status[code].toLowerCase().replace("cancelled", "canceled");
  const codeOf = (name) => grpc.status[name.toUpperCase().replace("CANCELED", "CANCELLED")];
  const { FileDescriptorProtoSchema, file_google_protobuf_any } = require("@bufbuild/protobuf/wkt");
  const Status = createFileRegistry(create(FileDescriptorProtoSchema, { name: "status.proto", package: "google.rpc",
    syntax: "proto3", dependency: ["google/protobuf/any.proto"], messageType: [{ name: "Status", field: [
      { name: "code", number: 1, type: 5, label: 1 }, { name: "message", number: 2, type: 9, label: 1 },
      { name: "details", number: 3, type: 11, label: 3, typeName: ".google.protobuf.Any" }] }] }),
    () => file_google_protobuf_any).getMessage("google.rpc.Status");

  async function client([url]) {
    const compressed = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };
    const target = url.replace(/^https?:\/\//, ""), tls = tlsOptions("client");
    const credentials = tls ? grpc.credentials.createSsl(tls.ca, tls.key, tls.cert) : grpc.credentials.createInsecure();
    const Client = grpc.makeGenericClientConstructor(methods, "Telemetry");
    const rpc = new Client(target, credentials, { ...compressed, "grpc.max_receive_message_length": 8 << 20 });
    const Other = grpc.makeGenericClientConstructor({ none: { ...methods.Read, path: `/${SERVICE}/NoSuchMethod` } }, "Other");
    const failure = (e) => {
      const bin = e.metadata?.get("grpc-status-details-bin")[0];
      const any = bin && fromBinary(Status, bin).details[0];
      return Object.assign(new Error(e.details), { code: codeName(e.code), fault: any && fromBinary(Fault, any.value),
        metadata: (name) => e.metadata.get(name)[0] });
    };
    const unary = (call, done) => (error, message) => (error ? done.reject(failure(error)) : done.resolve(message));
    const promise = () => {
      const done = {};
      done.promise = new Promise((resolve, reject) => Object.assign(done, { resolve, reject }));
      return done;
    };
    async function* stream(call) {
      try {
        yield* call;
      } catch (error) {
        throw failure(error);
      } finally {
        call.cancel();
      }
    }
    async function write(call, all) {
      for await (const message of all)
        if (!call.write(message)) await new Promise((done) => call.once("drain", done));
      call.end();
    }
    const status = await runChecks({
      bidi: true,
      async read(request, { headers = {}, timeoutMs, signal }) {
        const metadata = new grpc.Metadata(), done = promise();
        for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
        const call = rpc.Read(request, metadata, timeoutMs ? { deadline: Date.now() + timeoutMs } : {}, unary(null, done));
        let head, trail;
        call.on("metadata", (m) => (head = m)).on("status", (s) => (trail = s.metadata));
        signal?.addEventListener("abort", () => call.cancel());
        const message = await done.promise;
        await sleep(0);
        return { message, header: (name) => head.get(name)[0], trailer: (name) => trail.get(name)[0] };
      },
      setPoint(request) {
        const done = promise();
        rpc.SetPoint(request, unary(null, done));
        return done.promise;
      },
      async upload(all) {
        const done = promise();
        await write(rpc.Upload(unary(null, done)), all);
        return done.promise;
      },
      watch: (request) => stream(rpc.Watch(request)),
      exchange(commands) {
        const call = rpc.Exchange();
        write(call, commands);
        return stream(call);
      },
      unknown() {
        const done = promise();
        new Other(target, credentials).none(create(schema("ReadRequest")), unary(null, done));
        return done.promise;
      },
    });
    return status;
  }

  function server() {
    const failure = (error, metadata = new grpc.Metadata()) => {
      metadata.set("x-source", "i2c");
      if (error.fault) {
        const any = { typeUrl: `type.googleapis.com/${Fault.typeName}`, value: toBinary(Fault, error.fault) };
        const status = create(Status, { code: codeOf(error.code), message: error.message, details: [any] });
        metadata.set("grpc-status-details-bin", Buffer.from(toBinary(Status, status)));
      }
      return { code: codeOf(error.code) ?? grpc.status.INTERNAL, details: error.message, metadata };
    };
    const unary = (run) => async (call, done) => {
      const head = new grpc.Metadata(), trail = new grpc.Metadata(), abort = new AbortController();
      call.on("cancelled", () => abort.abort({ code: "canceled", message: "nobody waits" }));
      head.set("x-site", "north");
      trail.set("x-source", "i2c");
      for (const [name, to] of [["x-request-id", head], ["x-blob-bin", trail]])
        for (const value of call.metadata.get(name)) to.set(name, value);
      call.sendMetadata(head);
      try {
        done(null, await run(call.request ?? call, abort.signal), trail);
      } catch (error) {
        done(failure(error, trail));
      }
    };
    const server = new grpc.Server({ "grpc.max_receive_message_length": 8 << 20 });
    server.addService(methods, {
      Read: unary(read),
      SetPoint: unary(setPoint),
      Upload: unary(upload),
      async Watch(call) {
        const abort = new AbortController();
        call.on("cancelled", () => abort.abort({ code: "canceled", message: "nobody waits" }));
        try {
          for await (const reading of watch(call.request, abort.signal))
            if (!call.write(reading)) await new Promise((done) => call.once("drain", done));
          const trail = new grpc.Metadata();
          trail.set("x-source", "i2c");
          call.end(trail);
        } catch (error) {
          call.emit("error", failure(error));
        }
      },
      Exchange: (call) => call.on("data", (command) => call.write(exchange(command))).on("end", () => call.end()),
    });
    const tls = tlsOptions("server");
    const credentials = tls
      ? grpc.ServerCredentials.createSsl(tls.ca, [{ private_key: tls.key, cert_chain: tls.cert }], true)
      : grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
      if (error) throw error;
      console.log(`listens on 127.0.0.1:${port}`);
    });
  }
  return { client, server };
}

const [library, side] = role.split("-");
const peers = await (library === "grpc" ? grpcPeers() : connectPeers());
if (side === "server") {
  process.on("SIGTERM", () => process.exit(0));
  peers.server(args);
} else {
  process.exit(await peers.client(args));
}
