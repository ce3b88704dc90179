"""nginx passes live streams on, to a stand-in for the server."""

import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

import http2
from asking import eventually
from problems import must_be_problem
from stack import ORIGINS, ROOT, Stack, is_running
from stand_in import StandIn, Stream

WEBSOCKET = (("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
             ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))


class Edge:
    """A stack whose nginx finds the stand-in at LIVE_LISTEN."""

    def __init__(self, stack, stand_in):
        self.stack, self.stand_in = stack, stand_in
        self.client, self.plain, self.api = stack.client, stack.plain, stack.api

    def target(self, organization, path="alerts/live"):
        return self.api.target(organization, path)

    def token(self, organization):
        return self.api.signer.token(organization)

    def open(self, organization, headers=(), client=None, path="alerts/live", **how):
        """Opens a stream with a token, and returns it with the request that the stand-in got."""
        headers = (("Authorization", f"Bearer {self.token(organization)}"), *headers)
        stream = Stream(client or self.client, self.target(organization, path), headers, **how)
        return stream, self.stand_in.requests.get(timeout=60)

    def websocket(self, organization, token=None, headers=()):
        protocols = f"reengagement.v1, bearer.{token or self.token(organization)}"
        stream = Stream(self.client, self.target(organization),
                        (*WEBSOCKET, ("Sec-WebSocket-Protocol", protocols), *headers))
        return stream, self.stand_in.requests.get(timeout=60)

    def logged(self, request_id):
        lines = Path(self.stack.settings["NGINX_ACCESS_LOG"])
        return eventually(lambda: next((json.loads(line) for line in lines.read_text().splitlines()
                                        if request_id in line), None))

    def workers(self):
        nginx = self.stack.settings["NGINX_PID"]
        return set(Path(f"/proc/{nginx}/task/{nginx}/children").read_text().split())

    def reconfigure(self, *changes):
        """Changes the configuration, each (file, text, other text), and reloads it. Returns the old workers."""
        for file, text, other in changes:
            path = Path(self.stack.settings["NGINX_CONFIGURATION"]).parent / file
            shipped = path.read_text()
            assert text in shipped, (file, text)
            path.write_text(shipped.replace(text, other))
        old = self.workers()
        os.kill(int(self.stack.settings["NGINX_PID"]), signal.SIGHUP)
        # An old worker accepts connections until it is told to end.
        eventually(lambda: self.workers() - old and all(map(is_ending, old)))
        return old


def is_ending(worker):
    try:
        return b"is shutting down" in Path(f"/proc/{worker}/cmdline").read_bytes() or not is_running(worker)
    except FileNotFoundError:
        return True


def edge_of(stack, folder, name, **address):
    """Yields a stack of its own, with streams answered by a stand-in."""
    own = Stack(folder / name, DATABASE_URL=stack.settings["DATABASE_URL"], STACK_NGINX=name)
    stand_in = StandIn(**(address or {"path": folder / f"{name}.sock"}))
    try:
        with own.started("server-start", "nginx-start"):
            own.call("nginx-start", LIVE_LISTEN=stand_in.address)
            yield Edge(own.attach(), stand_in)
    finally:
        with contextlib.suppress(OSError):  # a test has closed it
            stand_in.close()


@pytest.fixture(scope="module")
def local(stack, directory):
    (directory / "edge").mkdir(exist_ok=True)
    yield from edge_of(stack, directory / "edge", "local")


@pytest.fixture(scope="module")
def production(stack, directory):
    (directory / "edge").mkdir(exist_ok=True)
    yield from edge_of(stack, directory / "edge", "production")


@pytest.fixture(params=["local", "production"])
def edge(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def own_edge(stack, folder):
    """For a test that changes nginx's configuration."""
    folder.chmod(0o755)
    yield from edge_of(stack, folder, "production")


def test_each_event_arrives_while_the_stream_goes_on(edge, clinic):
    for client in (edge.client, *([edge.plain] if edge.stack.environment["STACK_NGINX"] == "local" else ())):
        stream, request = edge.open(clinic, client=client)
        with stream:
            assert stream.status == 200 and stream.head.all("Content-Type") == ["text/event-stream"]
            for number in (1, 2, 3):
                request.channel.sendall(b"data: {\"sequence\":%d}\n\n" % number)
                stream.until(b"data: {\"sequence\":%d}\n\n" % number)
            assert not stream.head.all("Content-Encoding")


def test_the_server_may_listen_on_a_port(stack, folder, clinic):
    folder.chmod(0o755)
    for edge in edge_of(stack, folder, "local", path=None):
        stream, request = edge.open(clinic)
        with stream:
            request.channel.sendall(b"data: one\n\n")
            stream.until(b"data: one\n\n")


@pytest.mark.parametrize("address", ["/tmp/a socket", "/tmp/{x}.sock", "somewhere;:9000"])
def test_an_address_that_nginx_would_interpret_is_refused(stack, folder, address):
    own = Stack(folder / "own", DATABASE_URL=stack.settings["DATABASE_URL"], LIVE_LISTEN=address)
    with pytest.raises(AssertionError, match="LIVE_LISTEN: nginx cannot reach"):
        own.call("nginx-start")


def read_until(connection, text):
    """Reads an HTTP/2 connection until a frame with the text has arrived. h2 ignores frames after a GOAWAY."""
    received = b""
    while text not in received:
        chunk = connection.channel.recv(65536)
        assert chunk, f"closed after {received!r}"
        received += chunk


def test_over_http2_each_event_arrives_while_the_stream_goes_on(edge, clinic):
    with http2.Connection(edge.client) as connection:
        connection.send("GET", edge.target(clinic), [("authorization", f"Bearer {edge.token(clinic)}"),
                                                     ("upgrade", "websocket")])
        request = edge.stand_in.requests.get(timeout=60)
        # HTTP/2 has no upgrade.
        assert not request.all("Upgrade")
        for text in (b"data: one\n\n", b"data: two\n\n"):
            request.channel.sendall(text)
            read_until(connection, text)


def test_the_server_gets_the_request_as_it_was_sent_and_the_client_s_own_address(edge, clinic):
    address = edge.target(clinic) + "?after=7&x=%2F"
    stream, request = edge.open(clinic, (("X-Request-Id", "mine"), ("X-Forwarded-For", "192.0.2.1"),
                                         ("X-Forwarded-Proto", "gopher"), ("Last-Event-ID", "41"),
                                         ("Origin", ORIGINS[0])), path="alerts/live?after=7&x=%2F",
                                host="localhost:8443")
    with stream:
        assert request.first == f"GET {address} HTTP/1.1"
        expected = {"Host": "localhost:8443", "X-Request-Id": "mine", "X-Forwarded-For": "127.0.0.1",
                    "X-Forwarded-Proto": "https", "Last-Event-ID": "41", "Origin": ORIGINS[0], "Connection": "close"}
        assert {name: request.all(name) for name in expected} == {name: [value] for name, value in expected.items()}
        assert not request.all("Upgrade") and not request.all("Content-Length")
        assert not stream.head.all("X-Server-Request-Id")
        assert stream.head.all("X-Content-Type-Options") == ["nosniff"]


def test_a_websocket_with_its_token_in_the_subprotocol_passes_both_ways(edge, clinic):
    stream, request = edge.websocket(clinic)
    with stream:
        assert stream.status == 101 and stream.head.all("Upgrade") == ["websocket"]
        assert [value.lower() for value in request.all("Connection")] == ["upgrade"]
        assert request.all("Upgrade") == ["websocket"] and request.all("Sec-WebSocket-Key")
        assert request.all("Sec-WebSocket-Protocol")[0].startswith("reengagement.v1, bearer.ey")
        request.channel.sendall(b"\x81\x05hello")
        stream.until(b"\x81\x05hello")
        stream.channel.sendall(b"\x81\x85maskworld")
        assert request.rest + request.channel.recv(100) == b"\x81\x85maskworld"


@pytest.mark.parametrize("upgrade", ["h2c", "TLS/1.0", "websocket2", "web socket"])
def test_another_protocol_is_not_passed_on(local, clinic, upgrade):
    stream, request = local.open(clinic, (("Connection", "Upgrade"), ("Upgrade", upgrade)))
    with stream:
        assert stream.status == 200 and not request.all("Upgrade") and request.all("Connection") == ["close"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_the_server_answers_every_method_and_gets_no_body(local, clinic, method):
    stream, request = local.open(clinic, (("Content-Length", "4"), ), method=method, body=b"body")
    with stream:
        assert request.first.startswith(method + " ") and not request.all("Content-Length") and not request.rest


def test_a_body_without_authorization_is_401_and_opens_nothing(edge, clinic):
    response = edge.client.request("POST", edge.target(clinic), {"Sec-WebSocket-Protocol": "bearer.x"}, "body")
    must_be_problem(response, 401)
    assert edge.stand_in.requests.empty()


def test_a_preflight_of_an_allowed_origin_is_204(edge, clinic):
    headers = {"Origin": ORIGINS[0], "Access-Control-Request-Method": "GET",
               "Access-Control-Request-Headers": "authorization,last-event-id"}
    response = edge.client.request("OPTIONS", edge.target(clinic), headers)
    assert response.status == 204 and "last-event-id" in response.header("Access-Control-Allow-Headers")
    assert edge.stand_in.requests.empty()


def test_a_patient_whose_id_ends_like_the_stream_is_no_stream(edge, clinic):
    target = edge.target(clinic, "patients/a%2Falerts%2Flive")
    must_be_problem(edge.client.request("GET", target, edge.api.authorization(clinic)), 404)
    assert edge.stand_in.requests.empty()


def test_an_address_or_a_head_that_is_too_long_is_refused(edge, clinic):
    headers = edge.api.authorization(clinic)
    must_be_problem(edge.client.request("GET", edge.target(clinic) + "?" + "x" * 8200, headers, fresh=True), 414)
    must_be_problem(edge.client.request("GET", edge.target(clinic), {**headers, "X": "x" * 33000}, fresh=True), 431)
    assert edge.stand_in.requests.empty()


def test_the_access_log_has_the_end_of_a_stream_without_its_token_and_its_query(edge, clinic, fresh_id):
    secret, name = fresh_id("secret"), fresh_id("request")
    stream, request = edge.websocket(clinic, secret, (("X-Request-Id", name), ))
    time.sleep(1.1)
    stream.close()
    line = edge.logged(name)
    assert (line["route"], line["status"], line["method"]) == ("/api/v1/reengagement/{org_id}/alerts/live", 101, "GET")
    assert line["seconds"] >= 1 and line["server_request_id"] == "the-servers-own"
    stream, request = edge.open(clinic, (("X-Request-Id", name + "-2"), ), path=f"alerts/live?after={secret}")
    request.channel.sendall(b"data: bye\n\n")
    request.channel.close()
    stream.until(b"\r\n0\r\n\r\n")
    stream.close()
    assert edge.logged(name + "-2")["status"] == 200
    for log in ("NGINX_ACCESS_LOG", "NGINX_ERROR_LOG"):
        assert secret not in Path(edge.stack.settings[log]).read_text()


def test_the_server_hears_of_the_end_of_a_stream(edge, clinic):
    for stream, request in (edge.open(clinic), edge.websocket(clinic)):
        stream.close()
        assert request.channel.recv(100) == b""


def test_without_a_server_it_is_502_in_the_same_form(own_edge, clinic):
    """Also for a WebSocket."""
    own_edge.stand_in.close()
    headers = [*own_edge.api.authorization(clinic).items(), ("Origin", ORIGINS[0]), ("X-Request-Id", "mine")]
    for more in ([], list(WEBSOCKET)):
        response = own_edge.client.request("GET", own_edge.target(clinic), headers + more, fresh=True)
        assert must_be_problem(response, 502)["request_id"] == "mine"
        assert response.header("Access-Control-Allow-Origin") == ORIGINS[0]


def test_a_silent_stream_ends_after_more_than_two_heartbeats(own_edge, clinic):
    shipped = (ROOT / "nginx/snippets/api/live.conf").read_text()
    # A heartbeat is due every 15 s, and a client reopens a stream after 40 s.
    assert int(re.search(r"\n    proxy_read_timeout (\d+)s;", shipped)[1]) > 40
    own_edge.reconfigure(("snippets/api/live.conf", "proxy_read_timeout 45s;", "proxy_read_timeout 1s;"))
    for stream, request in (own_edge.open(clinic), own_edge.websocket(clinic)):
        with stream:
            request.channel.sendall(b"once")
            stream.until(b"once")
            stream.rest()
            assert request.channel.recv(100) == b""


def test_plain_http_is_403_in_production(production, clinic):
    headers = production.api.authorization(clinic)
    for more in ((), WEBSOCKET):
        problem = must_be_problem(production.plain.request("GET", production.target(clinic),
                                                           [*headers.items(), *more], fresh=True), 403)
        assert problem["type"] == "/problems/https-required"
    assert production.stand_in.requests.empty()


def test_another_host_is_421_in_production(production, clinic):
    headers = {**production.api.authorization(clinic), "Host": "evil.example"}
    must_be_problem(production.client.request("GET", production.target(clinic), headers), 421)


def test_streams_do_not_count_as_connections_of_their_address_and_their_opening_counts_as_a_request(own_edge, clinic):
    limits = "snippets/limits/rate-limits.conf"
    own_edge.reconfigure((limits, "connections_by_network 200;", "connections_by_network 2;"),
                         (limits, "rate=100r/s", "rate=1r/m"), (limits, "burst=200", "burst=11"))
    streams = [own_edge.open(clinic)[0] for _ in range(4)] + [own_edge.websocket(clinic)[0] for _ in range(4)]
    try:
        assert {stream.status for stream in streams} == {200, 101}
        # Requests are served beside the streams until the rate is used up.
        for _ in range(4):
            assert own_edge.api.get(clinic, "dashboard", fresh=True).status == 200
        refused = own_edge.client.request("GET", own_edge.target(clinic), own_edge.api.authorization(clinic), fresh=True)
        assert must_be_problem(refused, 429)["type"] == "/problems/address-rate-limited"
    finally:
        for stream in streams:
            stream.close()


def test_a_reload_keeps_a_stream_over_http2(own_edge, clinic):
    """nginx tells the client to send further requests on another connection (GOAWAY)."""
    with http2.Connection(own_edge.client) as connection:
        connection.send("GET", own_edge.target(clinic), [("authorization", f"Bearer {own_edge.token(clinic)}")])
        request = own_edge.stand_in.requests.get(timeout=60)
        own_edge.reconfigure()
        for text in (b"data: one\n\n", b"data: two\n\n"):
            request.channel.sendall(text)
            read_until(connection, text)


def test_a_reload_keeps_streams_until_the_old_worker_s_limit(own_edge, clinic):
    events, request = own_edge.open(clinic)
    socket, other = own_edge.websocket(clinic)
    # The limit is that of the configuration before the reload.
    old = own_edge.reconfigure(("nginx.conf", "worker_shutdown_timeout 11m;", "worker_shutdown_timeout 1s;"))
    with events, socket:
        for stream, at in ((events, request), (socket, other)):
            at.channel.sendall(b"after the reload")
            stream.until(b"after the reload")
    eventually(lambda: not old & own_edge.workers())
    events, request = own_edge.open(clinic)
    socket, other = own_edge.websocket(clinic)
    old = own_edge.reconfigure()
    with events, socket:
        events.rest()
        socket.rest()
        eventually(lambda: not old & own_edge.workers())


@pytest.mark.parametrize("file, requests", [("production.conf", 4 * 4096), ("local.conf", 4096)])
def test_nginx_has_connections_for_5000_streams_beside_the_requests(file, requests):
    text = (ROOT / "nginx" / file).read_text()
    connections, descriptors = (int(re.search(rf"\b{name} (\d+);", text)[1])
                                for name in ("worker_connections", "worker_rlimit_nofile"))
    # The client's connection and the server's. A request may have a temporary file too.
    assert connections >= requests + 2 * 5000 and descriptors >= 2 * requests + 2 * 5000
