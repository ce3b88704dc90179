"""Correct and incorrect FastCGI records for the server's socket."""

import socket
import struct

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN = range(1, 12)


def record(kind, content=b"", request=1, version=1, padding=0, length=None):
    return struct.pack(">BBHHBB", version, kind, request,
                       len(content) if length is None else length, padding, 0) + content + bytes(padding)


def begin(keep=False, role=1, request=1):
    return record(BEGIN, struct.pack(">HB5x", role, int(keep)), request)


def length(number):
    return bytes([number]) if number < 128 else struct.pack(">I", number | 0x80000000)


def pair(name, value):
    return length(len(name)) + length(len(value)) + name + value


def parameters(values):
    pairs = values.items() if isinstance(values, dict) else values
    return b"".join(pair(n.encode(), v.encode()) for n, v in pairs)


def environment(method, uri, **more):
    path, _, query = uri.partition("?")
    return {
        "REQUEST_METHOD": method, "REQUEST_URI": uri, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_SCHEME": "https",
        "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_X_REQUEST_ID": "direct", **more
    }


def request(values, body=b"", keep=False):
    encoded = parameters(values)
    pieces = [record(PARAMS, encoded[i:i + 65535]) for i in range(0, len(encoded), 65535)]
    pieces += [record(PARAMS)] + [record(STDIN, body[i:i + 65535])
                                  for i in range(0, len(body), 65535)] + [record(STDIN)]
    return begin(keep) + b"".join(pieces)


class Connection:

    def __init__(self, address, timeout=60):
        """The address has FCGI_LISTEN's form: a path, or host:port."""
        host, _, port = address.rpartition(":")
        self.socket = socket.socket(socket.AF_INET if host else socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect((host, int(port)) if host else address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False if the server has already closed the connection."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def exactly(self, count):
        data = b""
        while len(data) < count:
            chunk = self.socket.recv(count - len(data))
            if not chunk:
                return None
            data += chunk
        return data

    def answer(self):
        """The standard output of one request, or None if the connection was closed first."""
        output = b""
        try:
            while header := self.exactly(8):
                _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", header)
                content = self.exactly(size + padding)
                if content is None:
                    return None
                if kind == STDOUT:
                    output += content[:size]
                if kind == END:
                    return output
        except ConnectionResetError:
            pass
        return None

    def closed_within(self, seconds):
        """True if the server closes the connection in time. Discards its output."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False


def status_of(output):
    """The status of CGI output: 200 if it has no Status line."""
    for line in output.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"status:"):
            return int(line.split()[1])
    return 200
