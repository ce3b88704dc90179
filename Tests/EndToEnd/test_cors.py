"""Browsers of the configured origins may call the API, including preflight. Other origins get no permission."""

import json

import pytest

from problems import must_be_answer, must_be_problem
from registry import paths
from stack import ORIGINS

STRANGERS = ("https://evil.example", "null", "http://localhost:3000.evil.example", "http://localhost:30000",
             "https://localhost:3000", "http://localhost:3000/", "http://localhost",
             "https://app.example.com.evil.example", "https://xapp.example.com", "https://appXexample.com", "*", "",
             "https://app.example.com, https://evil.example")


def kinds(api, clinic):
    """Returns one request for each origin of a response: the application and nginx itself."""
    path, token = api.target(clinic, "dashboard"), api.authorization(clinic)
    post, as_json = api.target(clinic, "log-outreach"), {**token, "Content-Type": "application/json"}
    return {
        200: ("GET", path, token, None), 401: ("GET", path, {}, None), 403: ("GET", path, api.authorization("org_x"),
                                                                             None), 404: ("GET", "/nowhere", {}, None),
        405: ("PUT", path, {}, None), 400: ("POST", post, as_json, "{"), 415: ("POST", post, token, "{}"),
        422: ("POST", post, as_json, "{}"),
        201: ("POST", post, as_json, json.dumps({"patient_id": "patient_123", "method": "sms", "outcome": "failed"})),
        413: ("POST", post, as_json, "x" * ((1 << 20) + 1)), 431: ("GET", path, {"X-Long": "x" * 9000}, None)
    }


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_allowed_origin_may_read_every_response(api, clinic, origin):
    for status, (method, target, headers, body) in kinds(api, clinic).items():
        response = api.client.request(method, target, {"Origin": origin, **headers}, body, fresh=True)
        assert response.status == status, response
        assert response.header("Access-Control-Allow-Origin") == origin, response
        exposed = {name.strip().lower() for name in response.header("Access-Control-Expose-Headers").split(",")}
        assert {"x-request-id", "retry-after", "server-timing"} <= exposed, response
        assert "origin" in ",".join(response.all("Vary")).lower(), response


@pytest.mark.parametrize("origin", STRANGERS)
def test_an_unlisted_origin_gets_no_permission_on_any_response(api, clinic, origin):
    for status, (method, target, headers, body) in kinds(api, clinic).items():
        response = api.client.request(method, target, {"Origin": origin, **headers}, body, fresh=True)
        assert response.status == status, response
        assert response.all("Access-Control-Allow-Origin") == [], response
        assert response.all("Access-Control-Allow-Credentials") == [], response


OWN_HEADERS = ("authorization", "content-type", "idempotency-key", "x-request-id")
# The headers of a page's client and its libraries.
PAGE_HEADERS = "authorization,baggage,content-type,sentry-trace,traceparent,x-organization-id,x-requested-with"
PATHS = ("dashboard", "log-outreach", "patients/prioritized", "patients/x", "no-such-thing", "patients/",
         "patients/a/b")
ELSEWHERE = ("/nowhere", "/", "/health", "/metrics", "/docs/", "/dashboard/nothing", "/a//b", "/%ff", "/problems/x?y=%")


def preflight_headers(origin=ORIGINS[0], wanted="GET", names=PAGE_HEADERS, **more):
    asked = {"Origin": origin, "Access-Control-Request-Method": wanted, "Access-Control-Request-Headers": names, **more}
    return {name: value for name, value in asked.items() if value is not None}


def names_in(response, header):
    return [each.strip().lower() for each in response.header(header).split(",")]


def must_allow(response, origin, names):
    must_be_answer(response, 204)
    assert response.body == b"" and response.header("Content-Type") is None, response
    assert response.header("Access-Control-Allow-Origin") == origin
    assert names_in(response, "Access-Control-Allow-Methods") == ["get", "head", "post", "put", "options"]
    assert set(names_in(response, "Access-Control-Allow-Headers")) - {""} == {*OWN_HEADERS, *names}, response
    assert int(response.header("Access-Control-Max-Age")) == 600
    assert response.all("Access-Control-Allow-Credentials") == []
    assert "origin" in ",".join(response.all("Vary")).lower()


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_preflight_of_any_path_allows_any_header(api, clinic, origin):
    for target in [api.target(clinic, path) for path in PATHS] + list(ELSEWHERE):
        for wanted in ("GET", "POST"):
            response = api.client.request("OPTIONS", target, preflight_headers(origin, wanted))
            must_allow(response, origin, PAGE_HEADERS.split(","))


@pytest.fixture
def alone(server_with):
    """The server without nginx."""
    return server_with(CORS_ALLOWED_ORIGINS=",".join(ORIGINS))


LISTS = ("x-organization-id", "A, b\t,\tc", "a,,b", ",", "!#$%&'*+-.^_`|~09AZaz", "x" * 2048, "a" + ",b" * 1023, "*")
NO_LISTS = ("a b", "a:b", "a;b", 'a,"b"', "(a)", "a/b", "a=b", "{}", "a@b", "x" * 2049, "a" + ",b" * 1024,
            "a" + " " * 2040 + "b")


@pytest.mark.parametrize("names", [*LISTS, *NO_LISTS, None], ids=lambda names: str(names)[:20])
def test_nginx_and_the_server_answer_a_preflight_alike(api, alone, names):
    headers = preflight_headers(names=names, **{"Access-Control-Request-Private-Network": "true"})
    answers = [api.client.request("OPTIONS", "/nowhere", headers), alone.request("OPTIONS", "/nowhere", headers)]
    expected = names.split(",") if names in LISTS else []
    for response in answers:
        must_allow(response, ORIGINS[0], {each.strip().lower() for each in expected} - {""})
        assert response.header("Access-Control-Allow-Private-Network") == "true"
    permissions = [{n.lower(): v for n, v in r.headers if n.lower().startswith("access-control") or n.lower() == "vary"}
            for r in answers]
    assert permissions[0] == permissions[1]


def test_requested_headers_in_two_lines_are_one_list(api, alone):
    twice = [("Origin", ORIGINS[0]), ("Access-Control-Request-Headers", "x-a"),
             ("Access-Control-Request-Headers", "x-b")]
    response = api.client.exchange(api.client.open(), "OPTIONS", "/nowhere", twice, None)
    assert response.status == 204 and set(names_in(response, "Access-Control-Allow-Headers")) >= {"x-a"}


def test_a_page_may_send_the_headers_it_requested(api, clinic):
    headers = {name: "x" for name in PAGE_HEADERS.split(",") if name != "authorization"} | api.authorization(clinic)
    headers |= {"Origin": ORIGINS[0], "Baggage": "a=" + "b" * 4000, "x_with_underscores": "1", "x.with.dots": "1", "X-Other": "é"}
    for path in paths("patient_123"):
        response = api.get(clinic, path, headers=headers)
        assert response.status == 200 and response.header("Access-Control-Allow-Origin") == ORIGINS[0], response


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_preflight_of_an_unlisted_origin_gets_no_permission(api, clinic, origin):
    for target, status in ((api.target(clinic, "dashboard"), 204), ("/nowhere", 404)):
        headers = preflight_headers(origin, **{"Access-Control-Request-Private-Network": "true"})
        response = api.client.request("OPTIONS", target, headers)
        assert response.status == status, response
        assert not [name for name, _ in response.headers if name.lower().startswith("access-control")], response


def test_options_without_an_origin_lists_the_allowed_methods(api, clinic):
    for path, methods in (("dashboard", {"GET", "HEAD", "OPTIONS"}), ("log-outreach", {"POST", "OPTIONS"})):
        response = api.get(clinic, path, method="OPTIONS", headers={})
        assert must_be_answer(response, 204).body == b""
        assert {m.strip() for m in response.header("Allow").split(",")} == methods
    assert api.client.request("OPTIONS", "/nowhere").status == 404


def test_options_of_the_whole_server_is_refused_by_nginx(api):
    """nginx refuses `*` with its usual error."""
    must_be_problem(api.client.request("OPTIONS", "*", preflight_headers(), fresh=True), 400)
