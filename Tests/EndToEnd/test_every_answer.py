"""Every response of every program has a request id and must not be stored."""

import json

import pytest

from asking import GOOD
from problems import REQUEST_ID

JSON_TYPE = {"Content-Type": "application/json"}


def all_kinds(api, clinic):
    post = {**api.authorization(clinic), **JSON_TYPE}
    return [("GET", api.target(clinic, "dashboard"), api.authorization(clinic), None),
            ("GET", api.target(clinic, "dashboard"), {}, None), ("GET", "/nowhere", {}, None),
            ("GET", "/health", {}, None), ("GET", "/ready", {}, None), ("PUT", api.target(clinic,
                                                                                          "dashboard"), {}, None),
            ("POST", api.target(clinic, "log-outreach"), post, json.dumps(GOOD)),
            ("POST", api.target(clinic, "log-outreach"), post, "{"),
            ("POST", api.target(clinic, "patients/search"), post, '{"q": "chen"}'),
            ("POST", api.target(clinic, "patients/search"), post, '{"q": "x"}'),
            ("POST", api.target(clinic, "log-outreach"), post, "x" * (1 << 20) + "x"),
            ("GET", "/" + "x" * 9000, {}, None),
            ("OPTIONS", api.target(clinic, "dashboard"),
             {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}, None)]


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128, "0", ".", "-", "01234567-89ab-cdef-0123-456789abcdef"])
def test_a_valid_request_id_is_returned_on_every_kind_of_response(api, clinic, given):
    for method, target, headers, body in all_kinds(api, clinic):
        response = api.client.request(method, target, {**headers, "X-Request-Id": given}, body, fresh=True)
        if response.status != 414:  # nginx has no headers after a request line that is too long
            assert response.header("X-Request-Id") == given, (method, target[:80], response)


@pytest.mark.parametrize(
    "given", ["", "x" * 129, "a b", "a/b", "a\"b", "é", "a,b", "a;b", "{}", "a\tb", "%41", "<x>", "a:b", "x" * 5000])
def test_an_invalid_request_id_is_replaced(api, clinic, given):
    seen = set()
    for method, target, headers, body in all_kinds(api, clinic):
        response = api.client.request(method, target, {**headers, "X-Request-Id": given}, body, fresh=True)
        new = response.header("X-Request-Id")
        assert REQUEST_ID.fullmatch(new) and new != given, (method, target[:80], response)
        seen.add(new)
    assert len(seen) == len(all_kinds(api, clinic))


def test_every_kind_of_response_forbids_storing(api, clinic):
    for method, target, headers, body in all_kinds(api, clinic):
        response = api.client.request(method, target, headers, body, fresh=True)
        assert response.header("Cache-Control") == "no-store", (method, target[:80], response)
