"""nginx and HAProxy in front of a server, each with a port for HTTP/1.1 and one for HTTP/2 without TLS."""

import os
import socket
import subprocess
import tempfile
import time

NGINX = """
daemon off;
master_process off;
pid %(folder)s/pid;
error_log %(folder)s/log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    client_max_body_size 0;
    server {
        listen 127.0.0.1:%(port1)d;
        location / {
            proxy_pass http://%(backend)s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
        }
    }
    server {
        listen 127.0.0.1:%(port2)d http2;
        location / { grpc_pass grpc://%(backend)s; }
    }
}
"""
HAPROXY = """
global
    maxconn 256
defaults
    mode http
    option abortonclose
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend h1
    bind 127.0.0.1:%(port1)d
    default_backend s1
frontend h2
    bind 127.0.0.1:%(port2)d proto h2
    default_backend s2
backend s1
    server ours %(backend)s
backend s2
    server ours %(backend)s proto h2
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Proxy:
    """with Proxy("nginx", "127.0.0.1:8080") as proxy: proxy.urls[1], proxy.urls[2]"""

    def __init__(self, name, backend):
        self.name, self.backend = name, backend

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        ports = free_ports(2)
        self.urls = {1: "http://127.0.0.1:%d" % ports[0], 2: "http://127.0.0.1:%d" % ports[1]}
        config = os.path.join(self.folder.name, "config")
        with open(config, "w") as file:
            file.write({"nginx": NGINX, "haproxy": HAPROXY}[self.name] % {
                "folder": self.folder.name, "backend": self.backend, "port1": ports[0], "port2": ports[1]})
        command = {"nginx": ["nginx", "-p", self.folder.name, "-e", "stderr", "-c", config], "haproxy": ["haproxy", "-db", "-f", config]}
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command[self.name], env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for port in ports:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                self.__exit__()
                self.log.seek(0)
                raise SystemExit("%s does not start: %s" % (self.name, self.log.read().decode(errors="replace")))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()
