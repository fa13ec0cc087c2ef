#!/usr/bin/env python3
"""TLS with other implementations, with client certificates, over both our engines:

their clients and our server   openssl s_client, curl, grpc-go (also grpcurl), connect-go (also buf curl), connect-node, grpc-js
our client and their servers   openssl s_server, grpc-go, connect-go, connect-node, grpc-js
between our two                nginx with TLS on both its sides; and nothing, each engine with each

and what either side refuses, with the words of the refusal. Standard library only; free ports of 127.0.0.1; certificates of certificates.sh. Exit status 0: all checks passed."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(ROOT)
SERVER, CLIENT, GRPCURL = "build/interop/server", "build/interop/client", "build/tools/bin/grpcurl"
CERTIFICATES = os.path.join(ROOT, "build/certificates")
CA, CERTIFICATE, KEY = (os.path.join(CERTIFICATES, name) for name in ("ca.pem", "client.pem", "client.key"))
PEERS = "build/interop/peers"
NODE = ["node", "tests/interop/node/peers.mjs", "build/interop/telemetry.pb"]
BUF = "build/tools/node/node_modules/.bin/buf"
READ = "/acme.telemetry.v1.Telemetry/Read"
NGINX = """
daemon off;
master_process off;
pid %(folder)s/pid;
error_log stderr;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    client_max_body_size 0;
    ssl_certificate %(certificates)s/server-rsa.pem;
    ssl_certificate_key %(certificates)s/server-rsa.key;
    ssl_client_certificate %(certificates)s/ca.pem;
    ssl_verify_client on;
    server {
        listen 127.0.0.1:%(port1)d ssl;
        location / {
            proxy_pass https://%(backend)s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_ssl_verify on;
            proxy_ssl_name localhost;
            proxy_ssl_trusted_certificate %(certificates)s/ca.pem;
            proxy_ssl_certificate %(certificates)s/client-2.pem;
            proxy_ssl_certificate_key %(certificates)s/client-2.key;
        }
    }
    server {
        listen 127.0.0.1:%(port2)d ssl http2;
        location / {
            grpc_pass grpcs://%(backend)s;
            grpc_ssl_verify on;
            grpc_ssl_name localhost;
            grpc_ssl_trusted_certificate %(certificates)s/ca.pem;
            grpc_ssl_certificate %(certificates)s/client-2.pem;
            grpc_ssl_certificate_key %(certificates)s/client-2.key;
        }
    }
}
"""
ENVIRONMENT = dict(os.environ, BUF_CACHE_DIR=os.path.join(ROOT, "build/tools/buf-cache"), NO_PROXY="*",
                   NODE_PATH=os.path.join(ROOT, "build/tools/node-peers/node_modules"))
ENGINES = ("bearssl", "openssl")
passed, failed = 0, []


def run(*command, data=b""):
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=40,
                          env=ENVIRONMENT)
    return done.returncode, done.stdout.decode(errors="replace")


def expect(name, result, status, *texts):
    """The command ended with this status, and each text is in what it printed."""
    global passed
    missing = [text for text in texts if text not in result[1]]
    if result[0] == status and not missing:
        passed += 1
        print("PASS  " + name, flush=True)
    else:
        failed.append(name)
        print("FAIL  %s: exit status %s, without %r: %s" % (name, result[0], missing, result[1][-2000:]), flush=True)


def stop(process):
    process.terminate()
    try:
        return process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def serving(*command):
    """A server, which says in its first line where it listens. Gives that, and the process."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=ENVIRONMENT)
    try:
        match = re.search(r"listens on (127\.0\.0\.1:\d+)", process.stdout.readline().decode())
        if not match:
            sys.exit("%s does not start" % " ".join(command))
        yield match.group(1), process
    finally:
        if process.poll() is None:
            stop(process)
        process.stdout.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    """Without connecting to it."""
    with open("/proc/net/tcp") as table:
        return any(line.split()[1:4:2] == ["0100007F:%04X" % port, "0A"] for line in table)


@contextmanager
def s_server(*options):
    """openssl s_server; what it decrypts comes out of its stdout, and what it is given goes into records."""
    port = free_port()
    process = subprocess.Popen(("openssl", "s_server", "-quiet", "-accept", "127.0.0.1:%d" % port) + options,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        while not listens(port) and process.poll() is None:
            time.sleep(0.02)
        yield "https://127.0.0.1:%d" % port, process
    finally:
        stop(process)
        process.stdin.close()
        process.stdout.close()


def curl(url, *options):
    return run("curl", "-sS", "-i", "--max-time", "20", "--noproxy", "*", "-w", "\nHTTP %{http_version}", *options, "-H",
               "content-type: application/json", "-d", '{"sensor": "boiler"}', url + READ)


def check_clients(engine, address):
    url = "https://" + address
    mutual = ("--cacert", CA, "--cert", CERTIFICATE, "--key", KEY)
    name = "%s server, " % engine
    version = {"bearssl": "TLSv1.2", "openssl": "TLSv1.3"}[engine]
    expect(name + "openssl s_client",
           run("openssl", "s_client", "-connect", address, "-alpn", "h2,http/1.1", "-CAfile", CA, "-cert", CERTIFICATE,
               "-key", KEY, "-verify_return_error", "-verify_ip", "127.0.0.1"),
           0, "Verify return code: 0 (ok)", "ALPN protocol: h2", version, "CN = Test CA")
    expect(name + "s_client with another protocol (ALPN)",
           run("openssl", "s_client", "-connect", address, "-alpn", "h3", "-CAfile", CA), 1, "alert number 120")
    expect(name + "s_client with TLS 1.1",
           run("openssl", "s_client", "-connect", address, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0", "-CAfile", CA),
           1, "alert number 70")
    expect(name + "curl, HTTP/1.1", curl(url, "--http1.1", *mutual), 0, "celsius", "HTTP 1.1", "O=Acme, CN=dashboard")
    expect(name + "curl, HTTP/2", curl(url, "--http2", *mutual), 0, "celsius", "HTTP 2", "O=Acme, CN=dashboard")
    answer = curl(url, "--cacert", CA)
    expect(name + "curl without a certificate", (answer[0], str("x-client" in answer[1]) + answer[1]), 0, "False", "celsius")
    expect(name + "curl with a stranger's CA", curl(url, "--cacert", os.path.join(CERTIFICATES, "other.pem")), 60)
    for method, body, text in (("Read", '{"sensor": "boiler"}', '"celsius": 61.5'),
                               ("Watch", '{"sensors": ["boiler"], "count": 5}', '"sequence": "4"')):
        expect(name + "grpc-go, " + method,
               run(GRPCURL, "-cacert", CA, "-cert", CERTIFICATE, "-key", KEY, "-v", "-max-time", "20", "-import-path",
                   "examples", "-proto", "telemetry.proto", "-d", body, address, "acme.telemetry.v1.Telemetry/" + method),
               0, text, "x-client: O=Acme, CN=dashboard")
    for protocol in ("connect", "grpc", "grpcweb"):
        expect(name + "connect-go (buf curl), " + protocol,
               run(BUF, "curl", "--protocol", protocol, "--schema", "examples/telemetry.proto", "-v", "--cacert", CA,
                   "--cert", CERTIFICATE, "--key", KEY, "-d", '{"sensor": "boiler"}', url + READ),
               0, '"celsius": 61.5', "O=Acme, CN=dashboard")


def check_other_clients(engine, address):
    url = "https://" + address
    name = "%s server, " % engine
    for protocol, http in (("connect", "1"), ("connect", "2"), ("grpc", "2"), ("grpcweb", "1")):
        kind = ", %s over HTTP/%s" % (protocol, http)
        expect(name + "connect-go" + kind,
               run(PEERS, "connect-client", "--url", url, "--protocol", protocol, "--http", http, "--tls", CERTIFICATES), 0, "PASS")
        expect(name + "connect-node" + kind,
               run(*NODE, "connect-client", url, protocol, http, "proto", "--tls", CERTIFICATES), 0, "PASS")
    expect(name + "grpc-go", run(PEERS, "grpc-client", "--url", url, "--tls", CERTIFICATES), 0, "PASS")
    expect(name + "grpc-js", run(*NODE, "grpc-client", url, "--tls", CERTIFICATES), 0, "PASS")


def check_other_servers():
    """They insist on a certificate. Over HTTP/1.1 they refuse streams in both directions."""
    connect2, grpc = ("connect", "2"), ("grpc", "2")
    connect1, web = (kind + ("1", "--exchange", "refused") for kind in (("connect",), ("grpcweb",)))
    for name, command, kinds in (
            ("connect-go server", [PEERS, "connect-server"], (connect1, connect2, grpc, web)),
            ("grpc-go server", [PEERS, "grpc-server"], (grpc,)),
            ("connect-node server", NODE + ["connect-server", "1"], (connect1, web)),
            ("connect-node server", NODE + ["connect-server", "2"], (connect2, grpc, ("grpcweb", "2"))),
            ("grpc-js server", NODE + ["grpc-server"], (grpc + ("--received", "identity"),))):
        with serving(*command, "--tls", CERTIFICATES) as (address, _):
            check_ours(name, "https://" + address, *kinds)
            for engine in ENGINES:
                expect_refused("%s, %s client without a certificate" % (name, engine), engine, "https://" + address, "",
                               REFUSED + {"bearssl": "handshake failure (TLS alert 40)",
                                          "openssl": "certificate required (TLS alert 116)"}[engine], *kinds[0][:2])


REFUSED = "the server refused it: "


def expect_refused(name, engine, url, certificate, why, protocol="connect", http="1"):
    """Our client's call fails, with these words."""
    result = run(CLIENT, "--tls", engine, "--url", url, "--protocol", protocol, "--http", http, "--check", "unary",
                 "--certificate", certificate)
    expect(name, result, 1, "unavailable: TLS with %s: %s (made here)" % (url.split("/")[-1], why))


def check_bad_s_servers():
    weak = ("-cipher", "DEFAULT:@SECLEVEL=0")
    names = "localhost, gw.local, *.wild.example, 127.0.0.1, ::1"
    subject = "certificate of 127.0.0.1 "
    for name, certificate, options, why in (
            ("expired", "expired", (), subject + "expired on 2026-03-01"),
            ("not valid yet", "early", (), subject + "is not valid before 2097-01-01 (the clock here says %s)" %
             time.strftime("%Y-%m-%d", time.gmtime())),
            ("another name", "site-1", (),
             "no name in the certificate matches 127.0.0.1 (it has site-1.example, *.site-1.example)"),
            ("another address", "address", (), "no name in the certificate matches 127.0.0.1 (it has gw.local, 10.0.0.1)"),
            ("another CA", "server-other", (), subject + "is signed by CN=Other CA, which is none of the trust anchors (1)"),
            ("self-signed", "self", (), subject + "is self-signed and none of the trust anchors (1)"),
            ("without the intermediate", "deep", (),
             subject + "is signed by CN=Test Issuing CA, which is none of the trust anchors (1)"),
            ("for signing certificates", "usage", (), {
                "bearssl": REFUSED + "handshake failure (TLS alert 40)",  # s_server has no suite for it in TLS 1.2
                "openssl": "the key usage of certificate of 127.0.0.1 forbids this"}),
            ("RSA with 1,024 bits", "weak", weak, subject + "has an RSA key of 1024 bits, less than 2048"),
            ("SHA-1", "sha1", weak, subject + "is signed with SHA-1"),
            ("a client's", "client-rsa", (), {
                "bearssl": "no name in the certificate matches 127.0.0.1 (it has none but the CN dashboard-rsa, which does not count)",
                "openssl": subject + "is not made for servers (extended key usage)"}),
            ("TLS 1.1", "server-rsa", ("-tls1_1",) + weak, {
                "bearssl": REFUSED + "handshake failure (TLS alert 40)",
                "openssl": REFUSED + "protocol version (TLS alert 70)"}),
            ("TLS 1.3 only", "server", ("-tls1_3",), {
                "bearssl": REFUSED + "protocol version (TLS alert 70)", "openssl": None}),
            ("no suite in common", "server-rsa", ("-tls1_2", "-cipher", "AES128-SHA256"),
             REFUSED + "handshake failure (TLS alert 40)"),
            ("no certificate of ours", "server", ("-CAfile", CA, "-Verify", "1"), {
                "bearssl": REFUSED + "handshake failure (TLS alert 40)",
                "openssl": REFUSED + "certificate required (TLS alert 116)"}),
            ):
        for engine in ENGINES:
            text = why[engine] if isinstance(why, dict) else why
            with s_server("-cert", "%s/%s.pem" % (CERTIFICATES, certificate), "-key", "%s/%s.key" % (CERTIFICATES, certificate),
                          *options) as (url, _):
                if text:
                    expect_refused("%s client, s_server: %s" % (engine, name), engine, url, "", text)


def check_bad_s_clients(engine):
    """Our server insists on a certificate, and refuses these."""
    weak = ("-cipher", "DEFAULT:@SECLEVEL=0")
    with serving(SERVER, engine, "required") as (address, _):
        for name, certificate, options, alert in (
                ("good", "client", (), None),
                ("expired", "late-client", (), 45),
                ("not valid yet", "early", (), {"bearssl": 45, "openssl": 42}[engine]),
                ("another CA", "client-other", (), 48),
                ("self-signed", "self", (), 48),
                ("without the intermediate", "deep", (), 48),
                ("for signing certificates", "usage", (), 43),
                ("a server's", "not-for-clients", (), 43),
                ("RSA with 1,024 bits", "weak", weak, 42),
                ("SHA-1", "sha1", weak, {"bearssl": 43, "openssl": 42}[engine]),
                ("none", "", (), {"bearssl": 40, "openssl": 116}[engine]),
                ("TLS 1.1", "client", ("-tls1_1",) + weak, 70),
                ("no suite in common", "client", ("-tls1_2", "-cipher", "AES128-SHA256"), 40),
                ("another protocol (ALPN)", "client", ("-alpn", "h3"), 120)):
            own = ("-cert", "%s/%s.pem" % (CERTIFICATES, certificate), "-key", "%s/%s.key" % (CERTIFICATES, certificate))
            result = run("openssl", "s_client", "-connect", address, "-CAfile", CA, *options, *(own if certificate else ()),
                         *(("-ign_eof",) if alert else ()), data=b"")
            expect("%s server, s_client: %s" % (engine, name), result, 1 if alert else 0,
                   "SSL alert number %d" % alert if alert else "Verify return code: 0 (ok)")


def check_mixed_up(engine):
    """TLS and clear text, and neither."""
    with serving(SERVER, engine) as (address, _):
        for http in ("--http1.1", "--http2-prior-knowledge"):
            result = curl("http://" + address, http, "--http0.9")
            expect("%s server, curl without TLS, %s" % (engine, http), result, {"--http1.1": 0}.get(http, 16),
                   *(("400 Bad Request", "This port speaks TLS, not clear text: use https://") if http == "--http1.1" else ()))
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), 10) as s:
            s.sendall(b"SSH-2.0-OpenSSH_9\r\n")
            answer = b"".join(iter(lambda: s.recv(4096), b""))
        expect("%s server, another protocol" % engine, (0, repr(answer)), 0, "This port speaks TLS")
        with socket.create_connection((host, int(port)), 10) as s:
            s.sendall(b"\x16\x03\x01\x00\x05hello")
            answer = b"".join(iter(lambda: s.recv(4096), b""))
        expect("%s server, a record that is no handshake" % engine, (0, answer.hex()), 0, "1503030002020a")  # unexpected_message
    for name, command in (("ours", [SERVER]), ("connect-go", [PEERS, "connect-server"])):
        with serving(*command) as (address, _):
            result = run(CLIENT, "--tls", engine, "--url", "https://" + address, "--check", "unary")
            expect("%s client, clear-text server: %s" % (engine, name), result, 1,
                   "unavailable: the server does not speak TLS here: use http:// (made here)")


def check_s_server():
    """Behind it, in clear text, connect-go: s_server makes one connection at a time to bytes."""
    def carry(source, sink):
        while True:
            data = source.read1(65536) if hasattr(source, "read1") else source.recv(65536)
            if not data:
                return
            sink(data)

    def relay(process, address):
        host, port = address.split(":")
        first = process.stdout.read1(65536)
        if not first:
            return
        with socket.create_connection((host, int(port))) as backend:
            backend.sendall(first)
            def answer(data):
                process.stdin.write(data)
                process.stdin.flush()
            threading.Thread(target=carry, args=(backend, answer), daemon=True).start()
            carry(process.stdout, backend.sendall)

    with serving(PEERS, "connect-server") as (address, _):
        for engine in ENGINES:
            for http, alpn, protocol, *one in (("1", "http/1.1", "connect", "--check", "unary"), ("2", "h2", "connect"),
                                               ("2", "h2", "grpc")):
                with s_server("-alpn", alpn, "-cert", CERTIFICATES + "/server.pem", "-key", CERTIFICATES + "/server.key",
                              "-CAfile", CA, "-Verify", "1", "-verify_return_error") as (url, process):
                    thread = threading.Thread(target=relay, args=(process, address), daemon=True)
                    thread.start()
                    result = run(CLIENT, "--tls", engine, "--url", url, "--protocol", protocol, "--http", http, *one)
                    expect("openssl s_server, %s client, %s over HTTP/%s" % (engine, protocol, http), result, 0, "PASS")


def check_ours(name, url, *kinds):
    for engine in ENGINES:
        for protocol, http, *more in kinds:
            result = run(CLIENT, "--tls", engine, "--url", url, "--protocol", protocol, "--http", http, *more)
            expect("%s, %s client, %s over HTTP/%s" % (name, engine, protocol, http), result, 0, "PASS")


def check_nginx(engine, address):
    ports = [free_port(), free_port()]
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config")
        with open(config, "w") as file:
            file.write(NGINX % {"folder": folder, "backend": address, "certificates": CERTIFICATES, "port1": ports[0],
                                "port2": ports[1]})
        process = subprocess.Popen(["nginx", "-p", folder, "-e", "stderr", "-c", config], stdin=subprocess.DEVNULL,
                                   env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        try:
            for port in ports:
                for _ in range(100):
                    try:
                        socket.create_connection(("127.0.0.1", port), 1).close()
                        break
                    except OSError:
                        time.sleep(0.1)
            name = "%s server behind nginx" % engine
            expect(name + ", curl", curl("https://127.0.0.1:%d" % ports[0], "--cacert", CA, "--cert", CERTIFICATE, "--key", KEY),
                   0, "celsius", "CN=second")
            check_ours(name, "https://127.0.0.1:%d" % ports[0], ("connect", "1"))
            check_ours(name, "https://127.0.0.1:%d" % ports[1], ("grpc", "2"))
        finally:
            stop(process)


for engine in ENGINES:
    with serving(SERVER, engine) as (address, process):
        check_clients(engine, address)
        check_other_clients(engine, address)
        check_ours("%s server" % engine, "https://" + address,
                   ("connect", "1"), ("connect", "2"), ("grpc", "2"), ("grpcweb", "1"))
        check_nginx(engine, address)
        expect("%s server ends well" % engine, (stop(process), ""), 0)
check_other_servers()
check_s_server()
check_bad_s_servers()
for engine in ENGINES:
    check_bad_s_clients(engine)
    check_mixed_up(engine)
print("%d checks passed, %d failed" % (passed, len(failed)))
sys.exit(bool(failed))
