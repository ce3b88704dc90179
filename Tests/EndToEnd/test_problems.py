"""Each kind of error has its own type, and the type is the address of its explanation."""

import base64
import hashlib
import json
import re
import time

import pytest

from asking import GOOD, eventually
from client import PREFIX
from openapi import description
from problems import must_be_answer, must_be_problem
from stack import ROOT

NAMES = description.document["components"]["schemas"]["ProblemName"]["enum"]
JSON_TYPE = {"Content-Type": "application/json"}


def texts():
    """Returns nginx's texts for each status."""
    file = (ROOT / "nginx/snippets/errors/problem-texts.conf").read_text()
    return {name: dict(re.findall(r'^    (\w+) "?([^";]+)"?;$', block, re.MULTILINE))
            for name, block in re.findall(r"map \$status \$problem_(\w+) {(.*?)^}", file, re.DOTALL | re.MULTILINE)}


def test_the_document_lists_the_servers_own_types():
    source = (ROOT / "Sources/API/ProblemKind.swift").read_text()
    named = [text or case for case, text in re.findall(r'^    case (\w+)(?: = "([a-z0-9-]+)")?$', source, re.MULTILINE)]
    assert named == NAMES and len(set(named)) == len(named) >= 40
    assert set(texts()["type"].values()) <= set(named)


@pytest.mark.parametrize("name", NAMES)
def test_each_type_opens_a_page_without_a_token(api, name):
    response = must_be_answer(api.client.request("GET", f"/problems/{name}"), 200)
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    page = response.body.decode()
    assert page.count("<h1>") == 1 and f"/problems/{name}" in page and "What to do" in page
    style, = re.findall("<style>(.*?)</style>", page)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in response.header("Content-Security-Policy")
    assert "unsafe" not in response.header("Content-Security-Policy")
    assert api.client.request("HEAD", f"/problems/{name}").body == b""


@pytest.mark.parametrize("path", ["nothing", "", "No-Such-Route", "no-such-route/", "no-such-route.html", "%6eo",
                                  "..%2fhealth", "<b>"])
def test_an_unknown_type_has_no_page(api, path):
    assert must_be_problem(api.client.request("GET", f"/problems/{path}", fresh=True),
                           404)["type"] == "/problems/no-such-route"


def test_the_pages_allow_read_methods_only(api):
    must_be_problem(api.client.request("POST", "/problems/no-such-route"), 405)


def troubles(api, clinic):
    """Yields requests and the expected type."""
    ours, post = api.authorization(clinic), api.target(clinic, "log-outreach")
    as_json, target = {**ours, **JSON_TYPE}, api.target(clinic, "dashboard")

    def token(**claims):
        return {"Authorization": f"Bearer {api.signer.token(clinic, **claims)}"}

    now = int(time.time())
    return {
        "no-such-route": ("GET", "/nowhere", {}, None),
        "no-such-patient": ("GET", api.target(clinic, "patients/nobody"), ours, None),
        "method-not-allowed": ("PUT", target, ours, None),
        "token-missing": ("GET", target, {}, None),
        "token-invalid": ("GET", target, {"Authorization": "Bearer x.y.z"}, None),
        "token-expired": ("GET", target, token(exp=now - 60), None),
        "token-not-yet-valid": ("GET", target, token(nbf=now + 600), None),
        "session-pending": ("GET", target, token(sts="pending"), None),
        "other-organization": ("GET", target, api.authorization("org_other"), None),
        "no-active-organization": ("GET", target, token(o=...), None),
        "content-type-not-json": ("POST", post, ours, "{}"),
        "content-encoding-not-identity": ("POST", post, {**as_json, "Content-Encoding": "br"}, "{}"),
        "body-too-large": ("POST", post, as_json, "x" * 65537),
        "body-not-json": ("POST", post, as_json, "{"),
        "body-not-utf-8": ("POST", post, as_json, b'{"\xff": 1}'),
        "body-too-deep": ("POST", post, as_json, "[" * 1000 + "]" * 1000),
        "body-not-an-object": ("POST", post, as_json, "[]"),
        "bad-field": ("POST", post, as_json, "{}"),
        "bad-parameter": ("GET", api.target(clinic, "patients/prioritized?limit=0"), ours, None),
        "request-malformed": ("GET", "/%zz", {}, None),
        "address-too-long": ("GET", "/" + "x" * 9000, {}, None),
        "headers-too-large": ("GET", target, {"X-Long": "x" * 9000}, None),
        "not-implemented": ("POST", post, {"Transfer-Encoding": "gzip"}, None),
    }


def test_each_error_has_its_own_type_and_title(api, clinic):
    titles = {}
    for name, request in troubles(api, clinic).items():
        response = api.client.request(*request, fresh=True)
        problem = must_be_problem(response, response.status)
        assert problem["type"] == f"/problems/{name}", problem
        page = api.client.request("GET", problem["type"]).body.decode()
        assert f"<h1>{problem['title']}</h1>" in page and f"status {response.status}" in page
        titles.setdefault(problem["title"], name)
    assert len(titles) == len(troubles(api, clinic))


def test_a_used_key_is_distinguished_from_an_invalid_field(api, clinic):
    api.post(clinic, GOOD, key="one")
    problem = must_be_problem(api.post(clinic, {**GOOD, "notes": "other"}, key="one"), 422)
    assert problem["type"] == "/problems/idempotency-key-used"
    assert must_be_problem(api.post(clinic, {**GOOD, "notes": 5}, key="one"), 422)["type"] == "/problems/bad-field"


def test_the_titles_of_nginx_are_those_of_the_pages(api):
    for status, name in texts()["type"].items():
        page = api.client.request("GET", f"/problems/{name}").body.decode()
        assert f"<h1>{texts()['title'][status]}</h1>" in page
        assert status == "default" or f"status {status}" in page


def test_plain_http_on_the_port_of_https_has_its_type(stack):
    answer = stack.plain_on_tls_port(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "/problems/plain-http"


def test_errors_of_load_and_of_the_database_have_their_types(server_with, stack, clinic, folder):
    """The cases are a user with too many requests, an unavailable database and a database without the schema."""
    headers, path = stack.api.authorization(clinic), f"{PREFIX}/{clinic}/dashboard"
    limited = server_with(RATE_LIMIT="1")
    found = set()
    # The test sends requests until the machine exceeds the limit.
    eventually(lambda: found.add(limited.get(path, headers).json().get("type")) or len(found) > 1, every=0)
    assert found == {None, "/problems/rate-limited"}
    away = server_with(DATABASE_URL=f"postgresql:///x?host={folder}&port=5999&user=postgres")
    assert must_be_problem(away.get(path, headers), 503)["type"] == "/problems/database-away"
    bare = server_with(DATABASE_URL=stack.database_url("postgres"))
    assert must_be_problem(bare.get(path, headers), 500)["type"] == "/problems/internal-error"
