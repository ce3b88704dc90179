"""Browsers of the configured origins may call, preflight included; others get no permission."""

import json

import pytest

from stack import ORIGINS
from problems import must_be_answer

STRANGERS = ("https://evil.example", "null", "http://localhost:3000.evil.example", "http://localhost:30000",
             "https://localhost:3000", "http://localhost:3000/", "http://localhost",
             "https://app.example.com.evil.example", "https://xapp.example.com", "https://appXexample.com", "*", "",
             "https://app.example.com, https://evil.example")


def kinds(api, clinic):
    """One request for each place an answer can come from: the application and nginx itself."""
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
def test_an_allowed_origin_may_read_every_answer(api, clinic, origin):
    for status, (method, target, headers, body) in kinds(api, clinic).items():
        response = api.client.request(method, target, {"Origin": origin, **headers}, body, fresh=True)
        assert response.status == status, response
        assert response.header("Access-Control-Allow-Origin") == origin, response
        exposed = {name.strip().lower() for name in response.header("Access-Control-Expose-Headers").split(",")}
        assert {"x-request-id", "retry-after", "server-timing"} <= exposed, response
        assert "origin" in ",".join(response.all("Vary")).lower(), response


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_stranger_gets_no_permission_on_any_answer(api, clinic, origin):
    for status, (method, target, headers, body) in kinds(api, clinic).items():
        response = api.client.request(method, target, {"Origin": origin, **headers}, body, fresh=True)
        assert response.status == status, response
        assert response.all("Access-Control-Allow-Origin") == [], response
        assert response.all("Access-Control-Allow-Credentials") == [], response


@pytest.mark.parametrize("path, wanted", [("dashboard", "GET"), ("trends", "GET"), ("patients/prioritized", "GET"),
                                          ("patients/x", "GET"), ("log-outreach", "POST")])
@pytest.mark.parametrize("origin", ORIGINS)
def test_the_preflight_lets_the_guides_own_requests_through(api, clinic, path, wanted, origin):
    response = api.get(clinic,
                       path,
                       method="OPTIONS",
                       headers={
                           "Origin": origin, "Access-Control-Request-Method": wanted,
                           "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,x-request-id"
                       })
    assert response.status in (200, 204) and response.body == b""
    must_be_answer(response, response.status)
    assert response.header("Access-Control-Allow-Origin") == origin
    assert wanted in [m.strip() for m in response.header("Access-Control-Allow-Methods").split(",")]
    allowed = {name.strip().lower() for name in response.header("Access-Control-Allow-Headers").split(",")}
    assert {"authorization", "content-type", "idempotency-key", "x-request-id"} <= allowed


def test_a_preflight_of_a_stranger_gets_no_permission(api, clinic):
    for origin in STRANGERS:
        response = api.get(clinic,
                           "dashboard",
                           method="OPTIONS",
                           headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
        assert response.status < 500 and response.all("Access-Control-Allow-Origin") == [], response


def test_options_of_an_unknown_path_is_404(api):
    response = api.client.request("OPTIONS", "/nowhere", {"Origin": ORIGINS[0], "Access-Control-Request-Method": "GET"})
    assert response.status == 404


def test_options_without_an_origin_tells_what_is_allowed(api, clinic):
    response = api.get(clinic, "dashboard", method="OPTIONS", headers={})
    assert response.status in (200, 204)
    assert {"GET", "HEAD", "OPTIONS"} <= {m.strip() for m in response.header("Allow").split(",")}
