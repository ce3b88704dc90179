"""A client of the live streams, which speaks to the server's own socket or to nginx."""

import base64
import json
import os
import socket
import struct
import time

from client import Response

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


def connect(address, timeout):
    host, _, port = address.rpartition(":")
    made = socket.socket(socket.AF_INET if host else socket.AF_UNIX)
    made.settimeout(timeout)
    made.connect((host, int(port)) if host else address)
    return made


class Listener:
    """The response to one request. `messages` of a stream are read one by one."""

    def __init__(self, channel, target, headers=(), method="GET", body=b"", version="HTTP/1.1"):
        self.channel, self.received, self.closed_with, self.method = channel, b"", None, method
        lines = [f"{method} {target} {version}", "Host: localhost"] + [f"{n}: {v}" for n, v in dict(headers).items()]
        self.channel.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = self.until(b"\r\n\r\n").decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = [tuple(line.split(": ", 1)) for line in head[1:] if line]

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def response(self):
        """The whole response. It must not begin a stream."""
        assert self.status != 101 and (self.method == "HEAD" or self.header("Content-Type") != "text/event-stream")
        while self.more():
            pass
        return Response(self.status, self.headers, self.received)

    def more(self):
        try:
            chunk = self.channel.recv(65536)
        except ConnectionResetError:
            return False
        self.received += chunk
        return bool(chunk)

    def take(self, count):
        while len(self.received) < count:
            if not self.more():
                raise EOFError(self.received)
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def until(self, mark):
        while mark not in self.received:
            if not self.more():
                raise EOFError(self.received)
        taken, _, self.received = self.received.partition(mark)
        return taken

    def message(self):
        """The next message. EOFError at the end of the stream."""
        event = self.until(b"\n\n").decode().split("\n")
        fields = dict(line.split(": ", 1) for line in event)
        assert set(fields) <= {"id", "data"} and len(fields) == len(event), event
        message = json.loads(fields["data"])
        assert fields.get("id") == (str(message["sequence"]) if message["type"] == "notice" else None)
        return message

    def next(self, kind, but=("heartbeat", )):
        """The next message of a type. Only messages of the other types may come before it."""
        while True:
            message = self.message()
            if message["type"] == kind:
                return message
            assert message["type"] in but, f"{message} before {kind}"

    def rest(self):
        """All messages until the stream ends."""
        messages = []
        try:
            while True:
                messages.append(self.message())
        except EOFError:
            return messages

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class WebSocket(Listener):

    def __init__(self, channel, target, headers=(), token=None, **how):
        headers = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **dict(headers)
        }
        if token:
            headers["Sec-WebSocket-Protocol"] = f"reengagement.v1, bearer.{token}"
        super().__init__(channel, target, {n: v for n, v in headers.items() if v is not None}, **how)

    def frame(self):
        first, second = self.take(2)
        assert not second & 0x80, "the server masks nothing"
        length = second & 0x7F
        if length > 125:
            length = struct.unpack(">H" if length == 126 else ">Q", self.take(2 if length == 126 else 8))[0]
        return first & 0xF, self.take(length)

    def message(self):
        """The next message. EOFError after a close frame, whose code is then in `closed_with`."""
        while True:
            opcode, payload = self.frame()
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == CLOSE:
                self.closed_with = struct.unpack(">H", payload[:2])[0] if payload else 1005
                self.send(payload, CLOSE)
                raise EOFError
            if opcode == PONG:
                return {"type": "pong", "payload": payload}

    def send(self, payload, opcode=TEXT, final=True, masked=True, reserved=0):
        payload = payload.encode() if isinstance(payload, str) else payload
        length = len(payload)
        size = bytes([length]) if length < 126 else b"\x7e" + struct.pack(">H", length) if length < 65536 else (
            b"\x7f" + struct.pack(">Q", length))
        size = bytes([size[0] | 0x80 * masked]) + size[1:]
        mask = os.urandom(4) if masked else b""
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload
        try:
            self.channel.sendall(bytes([0x80 * final | reserved << 4 | opcode]) + size + mask + data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server has closed the connection.

    def end(self):
        """Reads until the server closes, and returns the code."""
        try:
            while True:
                self.message()
        except EOFError:
            return self.closed_with


def token_of(stack, organization, seconds=3600, **claims):
    return stack.signer.token(organization, exp=int(time.time()) + seconds, **claims)


def path(organization, query=""):
    return f"/api/v1/reengagement/{organization}/alerts/live{query}"
