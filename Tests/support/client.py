"""An HTTP client for tests: sends targets unchanged, never retries, and parses responses strictly."""

import http.client
import json
import select
import socket
import ssl
import threading
from decimal import Decimal
from urllib.parse import quote

PREFIX = "/api/v1/reengagement"


def only_once(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a duplicate name in one object: {names}"
    return dict(pairs)


def no_constant(text):
    raise AssertionError(f"{text} is not JSON")


def strict_json(text):
    return json.loads(text, parse_float=Decimal, parse_constant=no_constant, object_pairs_hook=only_once)


class Response:

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        """The value of a header that must not be repeated."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is repeated {len(values)} times"
        return values[0] if values else None

    def json(self):
        return strict_json(self.body.decode())

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:400]!r}>"


def is_open(connection):
    """True if an idle connection can be reused for a POST, which is not sent again: nginx closes a connection that is
    idle for long."""
    return connection is not None and connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]


class Client:
    """Reuses one connection per thread, as a browser does."""

    def __init__(self, port, authority=None, timeout=60):
        self.port, self.timeout, self.local = port, timeout, threading.local()
        self.context = ssl.create_default_context(cafile=authority) if authority else None

    def open(self):
        if self.context:
            return http.client.HTTPSConnection("localhost", self.port, timeout=self.timeout, context=self.context)
        return http.client.HTTPConnection("localhost", self.port, timeout=self.timeout)

    def request(self, method, target, headers=(), body=None, fresh=False):
        """`headers` are pairs, so that one can be sent twice. `fresh` opens a new connection."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if not fresh and is_open(getattr(self.local, "connection", None)):
            try:
                return self.exchange(self.local.connection, method, target, pairs, body)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                if method not in ("GET", "HEAD", "OPTIONS"):
                    raise
                self.local.connection = None  # it was idle, and nginx has closed it meanwhile
        connection = self.open()
        try:
            return self.exchange(connection, method, target, pairs, body)
        finally:
            if fresh:
                connection.close()
            else:
                self.local.connection = connection

    def exchange(self, connection, method, target, pairs, body):
        names = {name.lower() for name, _ in pairs}
        try:
            connection.putrequest(method, target, skip_host="host" in names, skip_accept_encoding=True)
            if isinstance(body, str):
                body = body.encode()
            if body is not None and not names & {"content-length", "transfer-encoding"}:
                pairs = pairs + [("Content-Length", str(len(body)))]
            for name, value in pairs:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            received = answer.read()
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        return Response(answer.status, answer.getheaders(), received)

    def raw(self, data, timeout=60, half_close=False):
        """Sends the bytes unchanged, and returns everything received until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as plain:
            with (self.context.wrap_socket(plain, server_hostname="localhost") if self.context else plain) as channel:
                try:
                    channel.sendall(data)
                    if half_close and not self.context:
                        channel.shutdown(socket.SHUT_WR)
                except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                    pass  # refused before all was sent, possibly with a response
                received = b""
                try:
                    while chunk := channel.recv(65536):
                        received += chunk
                except (ConnectionResetError, ssl.SSLEOFError):
                    pass
                return received


class API:
    """The endpoints, called with a token for the organization in the path by default."""

    def __init__(self, client, signer):
        self.client, self.signer = client, signer

    def authorization(self, organization, **claims):
        return {"Authorization": f"Bearer {self.signer.token(organization, **claims)}"}

    def target(self, organization, path):
        return f"{PREFIX}/{quote(organization, safe='')}/{path}"

    def get(self, organization, path, method="GET", headers=None, fresh=False):
        headers = self.authorization(organization) if headers is None else headers
        return self.client.request(method, self.target(organization, path), headers, fresh=fresh)

    def post(self, organization, body, key=None, headers=None, subject="user_test", more=None, fresh=False):
        """Posts to log-outreach. `body` is bytes, text or a value to encode as JSON."""
        if headers is None:
            headers = {**self.authorization(organization, sub=subject), "Content-Type": "application/json"}
        if key is not None:
            headers = {**headers, "Idempotency-Key": key}
        if not isinstance(body, (bytes, str, type(None))):
            body = json.dumps(body)
        return self.client.request("POST", self.target(organization, "log-outreach"), {**headers, **(more or {})}, body,
                                   fresh)

    def search(self, organization, body, headers=None, query="", fresh=False):
        """Posts to patients/search. `body` is bytes, text or a value to encode as JSON."""
        if headers is None:
            headers = {**self.authorization(organization), "Content-Type": "application/json"}
        if not isinstance(body, (bytes, str, type(None))):
            body = json.dumps(body)
        return self.client.request("POST", self.target(organization, "patients/search") + query, headers, body, fresh)

    def answer(self, organization, path):
        response = self.get(organization, path)
        assert response.status == 200, response
        return response.json()

    def patient_path(self, patient_id):
        return f"patients/{quote(patient_id, safe='')}"


def difference(expected, got, path="$"):
    """The first difference between two responses, or None. Numbers are compared by value."""
    if isinstance(expected, dict) and isinstance(got, dict):
        if set(expected) != set(got):
            return f"{path}: missing {sorted(set(expected) - set(got))}, unexpected {sorted(set(got) - set(expected))}"
        return next(filter(None, (difference(expected[k], got[k], f"{path}.{k}") for k in expected)), None)
    if isinstance(expected, list) and isinstance(got, list):
        found = next(filter(None, (difference(e, g, f"{path}[{i}]") for i, (e, g) in enumerate(zip(expected, got)))),
                     None)
        return found or (f"{path}: {len(expected)} expected, {len(got)} given" if len(expected) != len(got) else None)
    kinds = [
        bool if isinstance(v, bool) else Decimal if isinstance(v, (int, Decimal)) else type(v) for v in (expected, got)
    ]
    return None if kinds[0] is kinds[1] and expected == got else f"{path}: expected {expected!r}, got {got!r}"
