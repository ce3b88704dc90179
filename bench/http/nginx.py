"""The server blocks of the applications in the stack's nginx, with the product's snippets."""

import os
import signal
import socket
import time
from pathlib import Path

HEAD = """
server {{
    listen 127.0.0.1:{status};
    location = /status {{ stub_status; access_log off; }}
}}
"""

SITE = """
server {{
    listen 127.0.0.1:{https} ssl http2;
    listen 127.0.0.1:{http};
    server_name localhost;
    ssl_certificate ../tls/localhost.pem;
    ssl_certificate_key ../tls/localhost.key;
    location / {{
        include snippets/security/security-headers.conf;
        {location}
    }}
}}
"""

UPSTREAM = """
upstream {name} {{
    server unix:{socket};
    include snippets/api/upstream.conf;
}}
"""

# A file that is opened once, and sent without a copy if there is no TLS.
CONSTANT = """root {directory};
        default_type application/json;
        sendfile on;
        open_file_cache max=100 inactive=1h;
        open_file_cache_valid 1h;
        open_file_cache_min_uses 1;"""

# Persistent connections, as for the product.
PROXY = """proxy_pass http://{name};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Request-Id $sane_request_id;
        proxy_buffer_size 16k;
        proxy_buffers 32 16k;
        proxy_busy_buffers_size 64k;
        proxy_max_temp_file_size 0;"""

# No persistent connections: each would occupy a process of php-fpm.
FASTCGI = """fastcgi_pass unix:{socket};
        fastcgi_param SCRIPT_FILENAME {script};
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param QUERY_STRING $query_string;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param HTTP_X_REQUEST_ID $sane_request_id;
        fastcgi_param HTTP_PROXY "";
        fastcgi_buffer_size 16k;
        fastcgi_buffers 32 16k;
        fastcgi_busy_buffers_size 64k;
        fastcgi_max_temp_file_size 0;"""


def free_ports(count):
    """Holds all ports until each is found, so that none is found twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Nginx:

    def __init__(self, where):
        self.pid, self.main = int(where["NGINX_PID"]), Path(where["NGINX_CONFIGURATION"])
        self.access_log = Path(where["NGINX_ACCESS_LOG"])
        self.error_log = Path(where["NGINX_ERROR_LOG"])
        (self.status,) = free_ports(1)
        self.parts, self.ports = [HEAD.format(status=self.status)], {}

    @property
    def status_url(self):
        return f"http://127.0.0.1:{self.status}/status"

    def product_location(self, upstream):
        """The product's site, with another server."""
        snippet = (self.main.parent / "snippets/api/fastcgi.conf").read_text()
        product = "fastcgi_pass $backend;"
        if snippet.count(product) != 1:
            raise SystemExit(f"error: snippets/api/fastcgi.conf has no line \"{product}\" to name another server in")
        return snippet.replace(product, f"fastcgi_pass {upstream};")

    def add(self, who, location, upstream=""):
        https, http = free_ports(2)
        self.ports[who] = {"https": https, "http": http}
        self.parts.append(upstream + SITE.format(https=https, http=http, location=location))

    def apply(self):
        (self.main.parent / "bench.conf").write_text("".join(self.parts))
        text = self.main.read_text().rstrip()
        self.main.write_text(text.removesuffix("}") + "    include bench.conf;\n}\n")
        os.kill(self.pid, signal.SIGHUP)
        wanted = [self.status, *(port for ports in self.ports.values() for port in ports.values())]
        deadline = time.monotonic() + 10
        while not all(is_open(port) for port in wanted):
            if time.monotonic() > deadline:
                tail = self.error_log.read_text()[-2000:]
                raise SystemExit(f"error: nginx does not take the contestants in:\n{tail}")
            time.sleep(0.05)


def is_open(port):
    with socket.socket() as channel:
        return channel.connect_ex(("127.0.0.1", port)) == 0
