"""Contacts for reports of vulnerabilities: /.well-known/security.txt (RFC 9116) and SECURITY.md."""

import re
from datetime import datetime, timedelta, timezone

import pytest

from problems import must_be_answer, must_be_problem
from stack import ROOT

PATH = "/.well-known/security.txt"


def fields(response):
    must_be_answer(response, 200)
    assert response.header("Content-Type") == "text/plain; charset=utf-8"
    lines = response.body.decode().splitlines()
    assert all(re.fullmatch(r"[A-Z][A-Za-z-]+: \S.*", line) for line in lines)
    found = dict(line.split(": ", 1) for line in lines)
    assert len(found) == len(lines)
    return found


@pytest.mark.parametrize("who", ["stack", "plain"])
def test_the_stack_names_the_contact_and_an_expiry_within_a_year(stack, who):
    client = stack.client if who == "stack" else stack.plain
    found = fields(client.request("GET", PATH))
    assert set(found) == {"Contact", "Expires"} and found["Contact"] == "mailto:security@example.com"
    left = datetime.fromisoformat(found["Expires"].replace("Z", "+00:00")) - datetime.now(timezone.utc)
    assert timedelta(days=30) < left < timedelta(days=365)


def test_the_address_is_published_where_it_is_configured(server_with):
    server = server_with(SECURITY_CONTACT="https://example.com/report", PUBLIC_URL="https://api.example.com")
    assert fields(server.get(PATH))["Canonical"] == "https://api.example.com" + PATH
    head = server.request("HEAD", PATH)
    assert head.status == 200 and head.body == b""
    assert must_be_problem(server.request("POST", PATH), 405)


def test_without_a_contact_it_is_404(server_with):
    assert must_be_problem(server_with().get(PATH), 404)["type"] == "/problems/no-such-route"


def test_the_repository_explains_how_to_report():
    text = (ROOT / "SECURITY.md").read_text()
    assert PATH in text and max(map(len, text.splitlines())) <= 120
