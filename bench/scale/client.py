"""A minimal HTTPS client, so that the server dominates the time: one persistent connection, prepared bytes."""

import json
import socket
import ssl
import time
from decimal import Decimal

PREFIX = "/api/v1/reengagement"
LONG_SILENCE = 30  # seconds; nginx closes after 75


class Answer:
    __slots__ = ("status", "milliseconds", "body")

    def __init__(self, status, milliseconds, body):
        self.status, self.milliseconds, self.body = status, milliseconds, body

    def json(self):
        return json.loads(self.body, parse_float=Decimal)


class Connection:

    def __init__(self, where, stack, organization):
        self.port, self.prefix = int(where["HTTPS_PORT"]), f"{PREFIX}/{organization}/"
        self.context = ssl.create_default_context(cafile=where["CA_FILE"])
        self.authorization = f"Bearer {stack.token(organization)}"
        self.channel, self.used = None, 0.0

    def open(self):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.channel = self.context.wrap_socket(plain, server_hostname="localhost")
        self.buffer = b""

    def close(self):
        if self.channel:
            self.channel.close()
            self.channel = None

    def get(self, path):
        """The time excludes opening a connection, which nginx requires after 1,000 requests or a long pause."""
        if time.monotonic() - self.used > LONG_SILENCE:
            self.close()
        if not self.channel:
            self.open()
        request = (f"GET {self.prefix}{path} HTTP/1.1\r\nHost: localhost\r\n"
                   f"Authorization: {self.authorization}\r\n\r\n").encode()
        began = time.perf_counter()
        self.channel.sendall(request)
        head = self.read_head()
        body = self.read_body(head)
        milliseconds = (time.perf_counter() - began) * 1000
        self.used = time.monotonic()
        if "connection: close" in head:
            self.close()
        return Answer(int(head[9:12]), milliseconds, body)

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self.receive()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head.decode("latin-1").lower()

    def read_body(self, head):
        length = next((line.split(":", 1)[1] for line in head.split("\r\n") if line.startswith("content-length:")),
                      None)
        return self.take(int(length)) if length else b"".join(self.chunks())

    def chunks(self):
        while True:
            while b"\r\n" not in self.buffer:
                self.receive()
            size, self.buffer = self.buffer.split(b"\r\n", 1)
            piece = self.take(int(size.split(b";")[0], 16) + 2)[:-2]
            if not piece:
                return
            yield piece

    def take(self, length):
        pieces, missing = [self.buffer], length - len(self.buffer)
        while missing > 0:
            piece = self.channel.recv(262_144)
            if not piece:
                raise ConnectionError("the connection was closed in the middle of an answer")
            pieces.append(piece)
            missing -= len(piece)
        received = b"".join(pieces)
        self.buffer = received[length:]
        return received[:length]

    def receive(self):
        piece = self.channel.recv(262_144)
        if not piece:
            raise ConnectionError("the connection was closed before an answer")
        self.buffer += piece
