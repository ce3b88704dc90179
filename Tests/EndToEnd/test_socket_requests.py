"""Requests that nginx would refuse or correct, sent to the server's socket. The server refuses them itself, in the same
form."""

import json
import re

import pytest

import fastcgi
from fastcgi import Connection, status_of
from hostile_tokens import bad
from odd_requests import all_requests
from problems import NEVER_TOLD
from test_socket import HOSTILE, ODD

REQUESTS = all_requests()


def ask(stack, organization, method, target, more, body, token=None):
    """Sends a request. Any value may be bytes, because a parameter of FastCGI is not text."""
    values = fastcgi.environment("", "", HTTP_AUTHORIZATION=f"Bearer {token or stack.signer.token(organization)}")
    values |= {"REQUEST_METHOD": method, "REQUEST_URI": target, "CONTENT_LENGTH": str(len(body)), **more}
    raw = {name: v.replace("{org}", organization).encode() if isinstance(v, str) else v for name, v in values.items()}
    encoded = b"".join(fastcgi.pair(name.encode(), value) for name, value in raw.items())
    with Connection(stack.socket) as connection:
        connection.send(fastcgi.begin() + records(fastcgi.PARAMS, encoded) + records(fastcgi.STDIN, body))
        return connection.answer()


def records(kind, content):
    return b"".join(fastcgi.record(kind, content[i:i + 65535])
                    for i in range(0, len(content), 65535)) + fastcgi.record(kind)


def headers_of(output):
    lines = output.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    assert all(re.fullmatch(r"[A-Za-z-]+: [^\r\n]*", line) for line in lines), lines
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def must_be_in_form(output, status):
    """Asserts a complete problem for an error, and no header injected by the request."""
    headers, body = headers_of(output), output.partition(b"\r\n\r\n")[2]
    assert "x-evil" not in headers and re.fullmatch(r"[A-Za-z0-9._-]{1,128}", headers["x-request-id"])
    if status >= 400:
        problem = json.loads(body)
        assert headers["content-type"] == "application/problem+json" and problem["status"] == status
        assert problem["request_id"] == headers["x-request-id"] and not NEVER_TOLD.search(body.decode())


def test_there_are_many_cases():
    assert len(REQUESTS) >= 100 and len(HOSTILE) + len(ODD) >= 60


@pytest.mark.parametrize("title", REQUESTS)
def test_an_odd_request_at_the_socket_gets_a_well_formed_response(stack, clinic, title):
    *request, allowed = REQUESTS[title]
    output = ask(stack, clinic, *request)
    status = None if output is None else status_of(output)
    assert status in allowed, output and output[:2000]
    if output is not None:
        must_be_in_form(output, status)


def test_no_hostile_token_passes_at_the_socket(stack, clinic):
    cases = bad(stack.signer, clinic)
    assert len(cases) >= 100
    for title, token in cases.items():
        value = b"Bearer " + (token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass"))
        for _ in range(2):  # the second may come from a cache
            output = ask(stack, clinic, "GET", "/api/v1/reengagement/{org}/risk-metrics", {"HTTP_AUTHORIZATION": value},
                         b"")
            assert status_of(output) == 401, f"{title}: {output}"
            must_be_in_form(output, 401)
            assert 'error="invalid_token"' in headers_of(output)["www-authenticate"], title
