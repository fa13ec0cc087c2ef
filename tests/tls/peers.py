#!/usr/bin/env python3
"""TLS with other implementations: openssl s_client, curl, grpc-go (grpcurl) and connect-go (buf curl) with client certificates against our
server; our client against our server, each engine with each; and nginx with TLS on both its sides between them.

Standard library only; free ports of 127.0.0.1; certificates of certificates.sh. Exit status 0: all checks passed."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(ROOT)
SERVER, CLIENT, GRPCURL = "build/interop/server", "build/interop/client", "build/tools/bin/grpcurl"
CERTIFICATES = os.path.join(ROOT, "build/certificates")
CA, CERTIFICATE, KEY = (os.path.join(CERTIFICATES, name) for name in ("ca.pem", "client.pem", "client.key"))
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
passed, failed = 0, []


def run(*command, data=b""):
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=40,
                          env=dict(os.environ, BUF_CACHE_DIR=os.path.join(ROOT, "build/tools/buf-cache"), NO_PROXY="*"))
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
           1, {"bearssl": "wrong version number", "openssl": "alert number 70"}[engine])  # alert 70 in a record of version 0.0
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


def check_ours(name, url, *kinds):
    for engine in ("bearssl", "openssl"):
        for protocol, http in kinds:
            result = run(CLIENT, "--tls", engine, "--url", url, "--protocol", protocol, "--http", http)
            expect("%s, %s client, %s over HTTP/%s" % (name, engine, protocol, http), result, 0, "PASS")


def check_nginx(engine, address):
    sockets = [socket.socket() for _ in range(2)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
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


for engine in ("bearssl", "openssl"):
    process = subprocess.Popen([SERVER, engine], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        match = re.search(r"listens on (127\.0\.0\.1:\d+)", process.stdout.readline().decode())
        if not match:
            sys.exit("%s %s does not start" % (SERVER, engine))
        check_clients(engine, match.group(1))
        check_ours("%s server" % engine, "https://" + match.group(1),
                   ("connect", "1"), ("connect", "2"), ("grpc", "2"), ("grpcweb", "1"))
        check_nginx(engine, match.group(1))
    finally:
        status = stop(process)
        process.stdout.close()
    expect("%s server ends well" % engine, (status, ""), 0)
print("%d checks passed, %d failed" % (passed, len(failed)))
sys.exit(bool(failed))
