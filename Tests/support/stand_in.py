"""Clients of the live stream, and a stand-in for the server that nginx passes streams to."""

import contextlib
import json
import os
import queue
import socket
import threading

SWITCHING = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             b"X-Server-Request-Id: the-servers-own\r\n\r\n")
EVENTS = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
          b"X-Server-Request-Id: the-servers-own\r\n\r\n")


class Head:
    """The first line and the headers of a request or of a response, and what was received after them."""

    def __init__(self, channel):
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = channel.recv(65536)
            if not chunk:
                raise ConnectionResetError(f"closed after {received!r}")
            received += chunk
        head, _, self.rest = received.partition(b"\r\n\r\n")
        self.first, *lines = head.decode("latin-1").split("\r\n")
        self.headers = [tuple(line.split(": ", 1)) for line in lines]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def status(self):
        return int(self.first.split()[1])


class StandIn:
    """Listens like the server's LIVE_LISTEN. `requests` has each request, with the connection that it came on.

    It answers a WebSocket or an event stream, and leaves the connection to the test.
    """

    def __init__(self, path=None):
        """Listens on a free port without a path."""
        self.requests = queue.Queue()
        if path is None:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        else:
            self.address = str(path)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.address)
            os.chmod(path, 0o666)
        self.listener.listen(64)
        self.channels = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                channel, _ = self.listener.accept()
                self.channels.append(channel)
                threading.Thread(target=self.answer, args=(channel, ), daemon=True).start()

    def answer(self, channel):
        with contextlib.suppress(OSError):
            request = Head(channel)
            request.channel = channel
            channel.sendall(SWITCHING if request.all("Upgrade") else EVENTS)
            self.requests.put(request)

    def close(self):
        # A listener that a thread waits on stays open until it is shut down.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for channel in self.channels:
            channel.close()


class Stream:
    """A stream over HTTP/1.1 with the client's own headers."""

    def __init__(self, client, target, headers=(), method="GET", body=b"", host="localhost", address="127.0.0.1"):
        plain = socket.create_connection(("127.0.0.1", client.port), timeout=60, source_address=(address, 0))
        self.channel = client.context.wrap_socket(plain, server_hostname="localhost") if client.context else plain
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
        self.channel.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        self.head = Head(self.channel)
        self.received = self.head.rest

    @property
    def status(self):
        return self.head.status

    def until(self, text):
        """Reads until the text has arrived, and returns everything that was received."""
        while text not in self.received:
            chunk = self.channel.recv(65536)
            assert chunk, f"closed after {self.received!r}"
            self.received += chunk
        return self.received

    def rest(self):
        """Reads until nginx closes the connection."""
        with contextlib.suppress(ConnectionResetError, OSError):
            while chunk := self.channel.recv(65536):
                self.received += chunk
        return self.received

    def problem(self):
        return json.loads(self.rest().partition(b"\r\n\r\n")[2] or self.received)

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
