"""The sender alone, and the receivers that it sends to."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

from asking import eventually
from stack import LONG_TIMEOUTS, ROOT, Program, clean_environment


def packages():
    """Makes the packages from PyPI importable: standardwebhooks and aiosmtpd."""
    python = subprocess.run([ROOT / "scripts/venv", ROOT / "Tests/Receivers/requirements.txt"], stdout=subprocess.PIPE,
                            text=True, check=True).stdout.strip()
    folder = next((Path(python).parents[1] / "lib").glob("python*/site-packages"))
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


class Keys:
    """A SECRETS_KEY_FILE."""

    def __init__(self, path, number=1):
        self.path, self.keys = path, [os.urandom(32) for _ in range(number)]
        self.write()

    def write(self):
        self.path.write_text("".join(base64.b64encode(key).decode() + "\n" for key in self.keys))
        self.path.chmod(0o600)

    def secret(self, organization, version=1, number=0):
        message = b"webhook\0" + organization.encode() + b"\0" + str(version).encode()
        return "whsec_" + base64.b64encode(hmac.new(self.keys[number], message, hashlib.sha256).digest()).decode()


class Sender(Program):
    """`reengagement-api deliver` with its own environment."""

    def __init__(self, stack, directory, keys=None, **environment):
        defaults = {
            "DATABASE_URL": stack.settings["DATABASE_URL"], "DATABASE_LOGIN": "any", "WEBHOOK_ALLOW_PRIVATE": "1",
            "LOG_LEVEL": "debug", "SECRETS_KEY_FILE": keys and str(keys.path), **LONG_TIMEOUTS
        }
        self.environment = {name: value for name, value in {**defaults, **environment}.items() if value is not None}
        self.binary, self.log, self.process = stack.binary, Path(directory) / "sender.log", None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary, "deliver"], env=clean_environment(**self.environment),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        started = self.log.stat().st_size
        eventually(lambda: self.process.poll() is not None or "sending" in self.log.read_text()[started:])
        assert self.process.poll() is None, self.log.read_text()
        return self


class Received:

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.at = time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.headers["webhook-id"]


class Receiver:
    """An HTTP server that keeps what it receives. `answers` are the next statuses; the last one stays."""

    def __init__(self, answers=(204, ), certificate=None, pause=0, body=b""):
        self.received, self.answers, self.pause, self.body = [], list(answers), pause, body
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/hook/secret-path?token=abc"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handler(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    outer.received.append(Received(self.path, self.headers, body))
                    status = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                    outer.now += 1
                    outer.most = max(outer.most, outer.now)
                try:
                    time.sleep(outer.pause)
                    self.send_response(status)
                    if status in (301, 302, 307):
                        self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", str(len(outer.body)))
                    self.end_headers()
                    self.wfile.write(outer.body)
                except OSError:
                    pass  # The sender has closed the connection.
                finally:
                    with outer.lock:
                        outer.now -= 1

            def log_message(self, *_):
                pass

        return Handler

    def wait_for(self, number, seconds=60):
        return eventually(lambda: len(self.received) >= number and list(self.received), seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def other_name():
    """A name of this machine that is not `localhost`."""
    name = socket.gethostname()
    assert name != "localhost" and socket.gethostbyname(name)
    return name
