"""The production configuration on loopback: its additions to the local one, and its own refusals."""

import http.client
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

import http2
from asking import GOOD, eventually
from problems import REQUEST_ID, must_be_answer, must_be_problem
from stack import ORIGINS, Stack


@pytest.fixture(scope="module")
def production(stack, directory):
    production = Stack(directory / "production", DATABASE_URL=stack.settings["DATABASE_URL"], STACK_NGINX="production")
    with production.started("server-start", "nginx-start") as made:
        yield made


@pytest.fixture(autouse=True)
def calm(production):
    """Waits after each test, so that the next one has its full allowance."""
    yield
    time.sleep(0.3)


def test_it_serves_requests_and_pins_browsers_to_tls(production, clinic):
    response = must_be_answer(production.api.get(clinic, "dashboard"), 200)
    assert int(re.search(r"max-age=(\d+)", response.header("Strict-Transport-Security"))[1]) >= 15768000
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert not re.search(r"\d", response.header("Server") or "")
    assert production.api.get(clinic, "dashboard", headers={}).header("Strict-Transport-Security")


@pytest.mark.parametrize("host",
                         ["api.example.com", "localhost", "evil.example", "evil.example:8000", "10.0.0.1", "[::1]"])
@pytest.mark.parametrize("method, path",
                         [("GET", "/"), ("GET", "/dashboard/?x=1"), ("HEAD", "/docs"), ("GET", "/health"),
                                          ("GET", "//evil.example/%2e%2e")])
def test_plain_http_redirects_pages_to_this_servers_own_name(production, host, method, path):
    response = production.plain.request(method, path, {"Host": host})
    assert response.status == 308 and response.header("Location") == f"https://api.example.com{path}", response
    assert REQUEST_ID.fullmatch(response.header("X-Request-Id"))


def test_another_or_missing_host_is_redirected_to_the_own_name(production):
    for line in (b"GET http://evil.example/x HTTP/1.1\r\nHost: localhost", b"GET /x HTTP/1.0"):
        answer = production.plain.raw(line + b"\r\nConnection: close\r\n\r\n")
        assert b"\r\nLocation: https://api.example.com/x\r\n" in answer, answer


@pytest.mark.parametrize("host", ["api.example.com", "localhost", "evil.example"])
@pytest.mark.parametrize("method, path, body",
                         [("POST", "log-outreach", "{}"), ("GET", "dashboard", None), ("OPTIONS", "dashboard", None),
                                                ("PUT", "dashboard", "x"), ("GET", "patients/a%2Fb?x=1", None)])
def test_the_api_over_plain_http_is_403(production, clinic, host, method, path, body):
    headers = {**production.api.authorization(clinic), "Host": host, "Origin": ORIGINS[0]}
    response = production.plain.request(method, production.api.target(clinic, path), headers, body)
    problem = must_be_problem(response, 403)
    assert problem["type"] == "/problems/https-required" and "https://" in problem["detail"]
    assert response.header("Location") is None and response.header("Access-Control-Allow-Origin") == ORIGINS[0]
    assert must_be_answer(production.client.request("GET", problem["type"]), 200)


def test_requests_with_a_body_over_plain_http_are_never_redirected(production):
    for method, path in (("POST", "/"), ("PUT", "/docs"), ("DELETE", "/health"),
                         ("POST", "/%61pi/v1/reengagement/o/log-outreach")):
        assert must_be_problem(production.plain.request(method, path, body="{}"),
                               403)["type"] == "/problems/https-required"
    spelt = production.plain.request("GET", "/%61pi/v1/reengagement/o/dashboard")
    assert must_be_problem(spelt, 403)["type"] == "/problems/https-required"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "api.example.com.evil.example", "10.0.0.1:443", "[::1]"])
def test_another_host_is_421_except_for_the_health_checks(production, clinic, host):
    target = production.api.target(clinic, "dashboard")
    for path in ("/", "/openapi.json", "/docs", "/nowhere", target):
        headers = {**production.api.authorization(clinic), "Host": host}
        assert must_be_problem(production.client.request("GET", path, headers), 421)["type"] == "/problems/other-host"
    must_be_problem(production.client.request("POST", production.api.target(clinic, "log-outreach"), {"Host": host},
                                              "{}"), 421)
    for path in ("/health", "/ready"):
        must_be_answer(production.client.request("GET", path, {"Host": host}), 200)
    assert production.client.request("GET", "/metrics",
                                     {"Host": host}).status == (200 if host in ("127.0.0.1", "[::1]") else 403)


def test_each_of_its_own_names_is_served(production, clinic):
    for host in ("api.example.com", "API.EXAMPLE.COM", "api.example.com:443", "localhost"):
        headers = {**production.api.authorization(clinic), "Host": host}
        assert production.client.request("GET", production.api.target(clinic, "dashboard"), headers).status == 200
    must_be_problem(production.client.request("GET", "/metrics", {"Host": "api.example.com"}), 403)


def test_over_http2_a_long_header_and_another_host_are_refused_alone(production, clinic):
    with http2.Connection(production.client) as connection:
        for headers, status in (([("x-long", "x" * 40000)], 431), ([("authorization", "Bearer " + "x" * 11000)], 401)):
            stream = connection.send("GET", production.api.target(clinic, "dashboard"), headers)
            must_be_problem(connection.answer(stream), status)
        other = connection.send("GET", "/", authority="evil.example")
        must_be_problem(connection.answer(other), 421)
        must_be_answer(connection.answer(connection.send("GET", "/health")), 200)


def test_plain_http_serves_the_challenges_of_a_certificate_authority(production):
    response = production.plain.request("GET", "/.well-known/acme-challenge/no-such-proof")
    must_be_problem(response, 404)
    for path in ("/.well-known/acme-challenge", "/.well-known/other", "/metrics"):
        assert production.plain.request("GET", path).status in (301, 308)


def handshake(production, version):
    context = ssl.create_default_context(cafile=production.settings["CA_FILE"])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", production.client.port), timeout=60) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as channel:
            return channel.version()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_is_1_2_or_1_3(production):
    assert handshake(production, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert handshake(production, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            handshake(production, old)


def test_an_address_above_its_rate_is_429_in_the_same_form(production):

    def ask():
        return production.client.request("GET", "/health", {"Origin": ORIGINS[0]})

    assert {ask().status for _ in range(200)} == {200}
    # wrk is faster than this process can be, even on a busy machine.
    crowd = subprocess.Popen(["wrk", "-t1", "-c20", "-d60s", f"https://localhost:{production.client.port}/health"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        refused = eventually(lambda: next((answer for answer in (ask(), ) if answer.status != 200), None))
    finally:
        crowd.kill()
        crowd.wait()
    must_be_problem(refused, 429)
    assert refused.header("Access-Control-Allow-Origin") == ORIGINS[0]
    time.sleep(max(1, int(refused.header("Retry-After"))))
    eventually(lambda: ask().status == 200)


class SlowBody:
    """A request over TLS from one of loopback's addresses with a body that never ends."""

    def __init__(self, production, clinic, address, authorization="Authorization: Bearer x.y.z\r\n"):
        plain = socket.create_connection(("127.0.0.1", production.client.port), timeout=60, source_address=(address, 0))
        self.channel = production.client.context.wrap_socket(plain, server_hostname="localhost")
        head = (f"POST {production.api.target(clinic, 'log-outreach')} HTTP/1.1\r\nHost: "
                f"localhost\r\n{authorization}Content-Length: 60000\r\n\r\n{{")
        self.channel.sendall(head.encode())
        self.channel.setblocking(False)
        self.status = None

    def look(self):
        """Returns the status if the response has arrived. Otherwise sends another byte."""
        try:
            self.status = self.status or int(self.channel.recv(4096).split()[1])
        except ssl.SSLWantReadError:
            self.channel.send(b" ")
        return self.status


def statuses(bodies):
    return sorted(body.look() or 0 for body in bodies)


def test_slow_bodies_of_some_addresses_leave_room_for_other_clients(production, clinic):
    bodies = []
    try:
        for address in ("127.0.0.2", "127.0.0.3"):
            for _ in range(40):
                bodies.append(SlowBody(production, clinic, address))
                # Every body must make progress, because nginx times out one without data for ten seconds.
                statuses(bodies)
        # nginx waits for the first 32 bodies of each address.
        eventually(lambda: statuses(bodies) == [0] * 64 + [429] * 16)
        for _ in range(3):
            assert production.api.get(clinic, "dashboard", fresh=True).status == 200
            assert production.api.post(clinic, GOOD, fresh=True).status == 201
            statuses(bodies)
        # For this address only further bodies are refused.
        from_there = http.client.HTTPSConnection("localhost", production.client.port, timeout=60,
                                                 context=production.client.context, source_address=("127.0.0.2", 0))
        target, headers = production.api.target(clinic, "dashboard"), production.api.authorization(clinic)
        assert production.client.exchange(from_there, "GET", target, list(headers.items()), None).status == 200
        assert statuses(bodies) == [0] * 64 + [429] * 16
    finally:
        for body in bodies:
            body.channel.close()
    eventually(lambda: production.api.post(clinic, GOOD, fresh=True).status == 201)


def test_nginx_does_not_wait_for_slow_bodies_without_a_token(production, clinic):
    bodies = [SlowBody(production, clinic, "127.0.0.4", authorization="") for _ in range(20)]
    try:
        eventually(lambda: statuses(bodies) == [401] * 20)
    finally:
        for body in bodies:
            body.channel.close()


@pytest.mark.nightly
def test_over_http2_slow_bodies_are_counted_too(production, clinic):
    head = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"),
            (":path", production.api.target(clinic, "log-outreach")),
            ("authorization", "Bearer x.y.z")]
    with http2.Connection(production.client) as first, http2.Connection(production.client) as second:
        for connection, count in ((first, 25), (second, 8)):
            for _ in range(count):
                stream = connection.protocol.get_next_available_stream_id()
                connection.protocol.send_headers(stream, head, end_stream=False)
                connection.answers[stream] = ([], bytearray())
            connection.flush()
            # The first connection's bodies must have arrived before the second's.
            must_be_answer(connection.answer(connection.send("GET", "/health")), 200)
        refused = [stream for stream, (headers, _) in second.answers.items() if (":status", "429") in headers]
        assert len(refused) == 1 and not any((":status", "429") in headers for headers, _ in first.answers.values())


def test_no_log_of_nginx_contains_a_path_of_the_api(production, clinic, fresh_id):
    """This includes refusals and failures."""
    secret = fresh_id("secret")
    target = production.api.target(clinic, f"patients/{secret}")
    for method, path, body in (("GET", target, None), ("POST", target, "x" * ((1 << 20) + 1)),
                               ("GET", target + "?" + secret * 900, None), ("GET", target + "/%zz", None)):
        production.client.request(method, path, production.api.authorization(clinic), body, fresh=True)
    production.call("server-stop")
    try:
        must_be_problem(production.client.request("GET", target, production.api.authorization(clinic), fresh=True), 502)
    finally:
        production.call("server-start")
    time.sleep(0.3)
    for log in ("NGINX_ACCESS_LOG", "NGINX_ERROR_LOG"):
        assert secret not in Path(production.settings[log]).read_text()


def test_without_a_server_the_error_is_502_in_the_same_form_and_readable_by_browsers(production, clinic):
    production.call("server-stop")
    try:
        for method, body in (("GET", None), ("POST", "{}")):
            response = production.client.request(method,
                                                 production.api.target(clinic, "dashboard"),
                                                 {**production.api.authorization(clinic), "Origin": ORIGINS[0],
                                                  "X-Request-Id": "mine"},
                                                 body,
                                                 fresh=True)
            must_be_problem(response, 502)
            assert response.header("X-Request-Id") == "mine" and response.header(
                "Access-Control-Allow-Origin") == ORIGINS[0]
    finally:
        production.call("server-start")
    assert production.api.get(clinic, "dashboard", fresh=True).status == 200
