"""Each status of the definitions, and their order."""

import gzip
import json

import pytest

import http2
from asking import GOOD
from client import PREFIX
from openapi import QUERY
from problems import must_be_answer, must_be_problem
from registry import ENDPOINTS, PATIENT, paths
from stack import ORIGINS

READS = paths("patient_123")
JSON_TYPE = {"Content-Type": "application/json"}


def bad_query(path):
    """Returns an invalid value for the path's first parameter in the OpenAPI document."""
    return next((f"?{parameter['name']}=" for at, parameter in QUERY if at == f"{PREFIX}/{{org_id}}/{path}"), "")


@pytest.mark.parametrize("path", READS)
def test_no_token_is_401_without_an_error_code(api, clinic, path):
    response = api.get(clinic, path + bad_query(path), headers={})
    must_be_problem(response, 401)
    assert "error" not in response.header("WWW-Authenticate")


@pytest.mark.parametrize("path", READS)
def test_a_bad_token_is_401_invalid_token(api, clinic, path):
    response = api.get(clinic, path + bad_query(path), headers={"Authorization": "Bearer x.y.z"})
    must_be_problem(response, 401)
    assert 'error="invalid_token"' in response.header("WWW-Authenticate")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Digest x", "Token abc"])
def test_another_scheme_or_no_token_after_it_is_no_token(api, clinic, value):
    response = api.get(clinic, "dashboard", headers={"Authorization": value})
    must_be_problem(response, 401)
    assert "error" not in response.header("WWW-Authenticate")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR", "Bearer"])
def test_the_case_of_the_scheme_does_not_matter(api, clinic, scheme):
    token = api.signer.token(clinic)
    assert api.get(clinic, "dashboard", headers={"Authorization": f"{scheme} {token}"}).status == 200


@pytest.mark.parametrize("path", READS)
def test_a_valid_token_of_another_organization_is_403_before_parameters_are_checked(api, clinic, second_clinic, path):
    must_be_problem(api.get(clinic, path + bad_query(path), headers=api.authorization(second_clinic)), 403)


def test_a_403_is_the_same_whether_or_not_the_other_organization_exists(api, clinic, second_clinic):
    answers = [
        must_be_problem(api.get(other, "dashboard", headers=api.authorization(clinic)), 403)
        for other in (second_clinic, "org_that_never_was")
    ]
    for answer in answers:
        answer.pop("request_id")
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "FOO"])
def test_another_method_is_405_before_the_token_is_checked(api, clinic, path, method):
    own = {endpoint.method for endpoint in ENDPOINTS if endpoint.path.replace(PATIENT, "patient_123") == path}
    response = api.get(clinic, path + bad_query(path), method=method, headers={})
    must_be_problem(response, 401 if method in own else 405)
    if method not in own:
        assert {m.strip() for m in response.header("Allow").split(",")} == {"HEAD", "OPTIONS", *own}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_log_outreach_accepts_post_alone(api, clinic, method):
    response = api.get(clinic, "log-outreach", method=method, headers={})
    allowed = {m.strip() for m in response.header("Allow").split(",")}
    assert "POST" in allowed and not allowed & {"GET", "HEAD", "PUT", "DELETE"}
    if method == "HEAD":
        assert response.status == 405 and response.body == b""
    else:
        must_be_problem(response, 405)


@pytest.mark.parametrize("path", READS)
def test_head_is_get_without_the_body(api, clinic, path):
    whole, head = api.get(clinic, path), api.get(clinic, path, method="HEAD")
    assert must_be_answer(head, 200).body == b""
    assert head.header("Content-Type") == whole.header("Content-Type") and whole.header("Content-Type").startswith(
        "application/json")
    if head.header("Content-Length") is not None:
        assert int(head.header("Content-Length")) == len(whole.body)
    refused = api.get(clinic, path, method="HEAD", headers={})
    assert must_be_answer(refused, 401).body == b""


def test_an_unknown_patient_is_404_in_the_detail_and_in_the_post(api, clinic):
    must_be_problem(api.get(clinic, "patients/nobody"), 404)
    must_be_problem(api.get(clinic, "patients/" + "x" * 201), 404)
    must_be_problem(api.post(clinic, {**GOOD, "patient_id": "nobody"}), 404)


def test_an_archived_patient_is_404_in_the_detail_and_in_the_post(api, clinic):
    must_be_problem(api.get(clinic, "patients/patient_504"), 404)
    must_be_problem(api.post(clinic, {**GOOD, "patient_id": "patient_504"}), 404)


def test_a_patient_of_another_organization_is_404(api, clinic, second_clinic):
    assert api.get(second_clinic, "patients/only_here").status == 200
    must_be_problem(api.get(clinic, "patients/only_here"), 404)
    must_be_problem(api.post(clinic, {**GOOD, "patient_id": "only_here"}), 404)


TOO_LARGE = json.dumps({**GOOD, "filler": "x" * 65536})
NOT_JSON, NOT_VALID, NOBODY = "{", json.dumps({"method": "fax"}), json.dumps({**GOOD, "patient_id": "nobody"})


def ordered(api, clinic, second):
    """Returns requests with two errors or more, and the status of the first."""
    ours, theirs, bad = api.authorization(clinic), api.authorization(second), {"Authorization": "Bearer x"}
    text = {"Content-Type": "text/plain"}
    return [
        ("405 before 401", "PUT", "log-outreach", {}, None, 405),
        ("405 before 403", "PUT", "log-outreach", theirs, NOT_JSON, 405),
        # nginx sees the length of these bodies.
        ("413 before 405 and 401", "PUT", "log-outreach", {}, TOO_LARGE, 413),
        ("413 before 401 and 415", "POST", "log-outreach", text, TOO_LARGE, 413),
        ("401 without a token before 404", "POST", "nowhere", text, NOT_JSON, 401),
        ("401 without a token before 405", "PUT", "log-outreach", text, NOT_JSON, 401),
        ("401 without a token before 415", "POST", "log-outreach", text, NOT_JSON, 401),
        ("401 invalid before 400", "POST", "log-outreach", {**bad, **JSON_TYPE}, NOT_JSON, 401),
        ("403 before 415", "POST", "log-outreach", {**theirs, **text}, NOT_JSON, 403),
        ("413 before 403", "POST", "log-outreach", {**theirs, **JSON_TYPE}, TOO_LARGE, 413),
        ("403 before 400", "POST", "log-outreach", {**theirs, **JSON_TYPE}, NOT_JSON, 403),
        ("403 before 422", "POST", "log-outreach", {**theirs, **JSON_TYPE}, NOT_VALID, 403),
        ("403 before the key's 422", "POST", "log-outreach", {**theirs, **JSON_TYPE, "Idempotency-Key": "x" * 300},
         json.dumps(GOOD), 403),
        ("413 before 415", "POST", "log-outreach", {**ours, **text}, TOO_LARGE, 413),
        ("413 before 415 of the coding", "POST", "log-outreach", {**ours, **JSON_TYPE, "Content-Encoding": "gzip"}, TOO_LARGE, 413),
        ("403 before 415 of the coding", "POST", "log-outreach", {**theirs, **JSON_TYPE, "Content-Encoding": "gzip"}, "", 403),
        ("400 before 422 of a header", "POST", "log-outreach", {**ours, "Content-Type": "application/json", "content-type": "a/b"}, NOT_JSON, 400),
        ("404 of the patient after 422 of a header", "POST", "log-outreach", {**ours, **JSON_TYPE, "Origin": "a", "origin": "b"},
         json.dumps({**GOOD, "patient_id": "nobody"}), 422),
        ("415 before 400", "POST", "log-outreach", {**ours, **text}, NOT_JSON, 415),
        ("415 without a type", "POST", "log-outreach", ours, json.dumps(GOOD), 415),
        ("415 before the key's 422", "POST", "log-outreach", {**ours, **text, "Idempotency-Key": "x" * 300},
         json.dumps(GOOD), 415),
        ("413 before 400", "POST", "log-outreach", {**ours, **JSON_TYPE}, "{" * 65537, 413),
        ("413 before 422", "POST", "log-outreach", {**ours, **JSON_TYPE}, json.dumps({"filler": "x" * 65536}), 413),
        ("400 before the key's 422", "POST", "log-outreach", {**ours, **JSON_TYPE, "Idempotency-Key": "x" * 300},
         NOT_JSON, 400),
        ("422 before the patient's 404", "POST", "log-outreach", {**ours, **JSON_TYPE},
         json.dumps({"patient_id": "nobody", "method": "fax", "outcome": "success"}), 422),
        ("the key's 422 before the patient's 404", "POST", "log-outreach",
         {**ours, **JSON_TYPE, "Idempotency-Key": "x" * 300}, NOBODY, 422),
        *((title, "POST", "patients/search", headers, body, status) for title, headers, body, status in (
            ("a search: 413 before 401 and 415", text, TOO_LARGE, 413),
            ("a search: 401 without a token before 415", text, NOT_JSON, 401),
            ("a search: 403 before 415", {**theirs, **text}, NOT_JSON, 403),
            ("a search: 413 before 415", {**ours, **text}, TOO_LARGE, 413),
            ("a search: 415 without a type", ours, "{}", 415),
            ("a search: 413 before 400", {**ours, **JSON_TYPE}, "{" * 65537, 413),
            ("a search: 413 before 422", {**ours, **JSON_TYPE}, json.dumps({"q": "x" * 65536}), 413),
            ("a search: 400 before 422", {**ours, **JSON_TYPE}, '{"limit": 0', 400),
            ("a search: 400 of an empty body", {**ours, **JSON_TYPE}, "", 400),
            ("a search: 422", {**ours, **JSON_TYPE}, '{"limit": 0}', 422))),
        ("403 before the patient's 404", "GET", "patients/nobody", theirs, None, 403),
        ("401 before the patient's 404", "GET", "patients/nobody", {}, None, 401),
    ]


def test_several_errors_get_the_status_of_the_first(api, clinic, second_clinic):
    for title, method, path, headers, body, status in ordered(api, clinic, second_clinic):
        response = api.client.request(method, api.target(clinic, path), headers, body, fresh=True)
        assert response.status == status, f"{title}: {response}"
        must_be_problem(response, status)


@pytest.mark.parametrize("content_type", [
    "text/plain", "", "application/jsonp", "application/json2", "application/x-www-form-urlencoded",
    "application/problem+json", "text/json", "multipart/form-data", "application /json", "application", "json",
    "application/jsonx; charset=utf-8", ";application/json"
])
def test_a_body_that_is_not_declared_json_is_415(api, clinic, content_type):
    response = api.post(clinic, GOOD, headers={**api.authorization(clinic), "Content-Type": content_type})
    must_be_problem(response, 415)


@pytest.mark.parametrize("content_type", [
    "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "APPLICATION/JSON",
    "Application/Json ; charset=\"utf-8\""
])
def test_json_may_be_declared_in_any_case_and_with_parameters(api, clinic, content_type):
    assert api.post(clinic, GOOD, headers={**api.authorization(clinic), "Content-Type": content_type}).status == 201


def test_a_body_over_64_kib_is_refused_before_a_byte_of_it_is_sent(api, clinic):
    for headers in ({}, {**api.authorization(clinic), **JSON_TYPE}):
        for length in (65537, 1 << 40):
            response = api.client.request("POST", api.target(clinic, "log-outreach"), {**headers, "Content-Length": str(length)}, b"", fresh=True)
            assert must_be_problem(response, 413)["type"] == "/problems/body-too-large"


@pytest.mark.parametrize("path", ["log-outreach", "patients/search", "nowhere", "dashboard"])
@pytest.mark.parametrize("how", [{"Content-Length": "65536"}, {"Content-Length": "1"}, {"Transfer-Encoding": "chunked"}])
@pytest.mark.parametrize("method, authorization", [("POST", {}), ("PUT", {}), ("GET", {}), ("POST", {"Authorization": ""})])
def test_a_body_without_a_token_is_401_before_a_byte_of_it_is_sent(api, clinic, path, how, method, authorization):
    response = api.client.request(method, api.target(clinic, path), {**how, **authorization, "Origin": ORIGINS[0]}, b"", fresh=True)
    problem = must_be_problem(response, 401)
    of_the_server = api.get(clinic, "dashboard", headers={})
    assert {**problem, "request_id": ""} == {**of_the_server.json(), "request_id": ""}
    assert response.header("WWW-Authenticate") == of_the_server.header("WWW-Authenticate") == "Bearer"
    assert response.header("Access-Control-Allow-Origin") == ORIGINS[0]


@pytest.mark.parametrize("path", ["/%61pi/v1/reengagement/o/log-outreach", "//api/v1/reengagement/o/log-outreach", "/x/../api/v1/reengagement/o/log-outreach"])
def test_another_spelling_of_the_path_does_not_bypass_the_token_check(api, path):
    must_be_problem(api.client.request("POST", path, {"Content-Length": "9"}, b"", fresh=True), 401)


def test_over_http2_a_body_without_a_token_is_401_with_or_without_a_length(api, clinic):
    with http2.Connection(api.client) as connection:
        for headers in ([], [("content-length", "9")]):
            stream = connection.protocol.get_next_available_stream_id()
            head = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", api.target(clinic, "log-outreach"))]
            connection.protocol.send_headers(stream, head + headers, end_stream=False)
            connection.flush()
            connection.answers[stream] = ([], bytearray())
            assert must_be_problem(connection.answer(stream), 401)["type"] == "/problems/token-missing"
        must_be_answer(connection.answer(connection.send("GET", "/health")), 200)


def test_a_request_line_too_long_is_414_in_the_same_form(api):
    must_be_problem(api.client.request("GET", "/" + "x" * 9000, fresh=True), 414)


def test_headers_too_large_are_431_in_the_same_form(api, clinic):
    for header in ({"Authorization": "Bearer " + "x" * 40000}, {"X-Long": "x" * 9000}, {"X-Long": "x" * 90000},
                   {"X" * 9000: "x"}, {f"X-{n}": "x" * 7000 for n in range(6)}):
        must_be_problem(api.client.request("GET", api.target(clinic, "dashboard"), header, fresh=True), 431)


def test_long_cookies_are_ignored(api, clinic):
    """They belong to other programs of the same domain."""
    headers = {**api.authorization(clinic), "Cookie": "a=" + "x" * 12000}
    assert api.client.request("GET", api.target(clinic, "dashboard"), headers, fresh=True).status == 200


def test_a_token_that_is_too_long_for_the_server_is_its_own_401(api, clinic):
    for length in (8193, 11000, 30000):
        response = api.get(clinic, "dashboard", headers={"Authorization": "Bearer " + "x" * length})
        assert must_be_problem(response, 401)["detail"] == "The token is longer than 8192 bytes."


def test_a_long_body_is_no_long_head(api, clinic):
    must_be_problem(api.post(clinic, b" " * 60000 + b"{}"), 422)


@pytest.mark.parametrize("coding", ["", "identity", "IDENTITY", "identity, identity", ",", " identity "])
def test_a_body_may_declare_the_identity_coding(api, clinic, coding):
    assert api.post(clinic, GOOD, more={"Content-Encoding": coding}).status == 201
    assert api.search(clinic, {}, {**api.authorization(clinic), **JSON_TYPE, "Content-Encoding": coding}).status == 200


@pytest.mark.parametrize("body", [json.dumps(GOOD).encode(), gzip.compress(json.dumps(GOOD).encode()), b"", b"x" * 65536],
                         ids=["plain", "gzipped", "empty", "long"])
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "br", "deflate", "identity, gzip", "GZIP", "identity;q=1", "\xff"])
def test_an_encoded_body_is_415_whatever_it_holds(api, database, clinic, coding, body):
    response = api.post(clinic, body, more={"Content-Encoding": coding})
    assert must_be_problem(response, 415)["type"] == "/problems/content-encoding-not-identity"
    assert response.header("Accept-Encoding") == "identity"
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outreach_log WHERE organization_id = %s AND idempotency_key IS NULL"
                       " AND logged_by = 'user_test' AND created_at > now() - interval '1 minute'", (clinic, ))
        assert cursor.fetchone()[0] == 0


def test_two_lines_of_codings_are_one_list(api, clinic):
    def post(*codings):
        headers = [*api.authorization(clinic).items(), *JSON_TYPE.items(), *(("Content-Encoding", coding) for coding in codings)]
        return api.client.request("POST", api.target(clinic, "log-outreach"), headers, json.dumps(GOOD))

    assert post("identity", "identity").status == 201
    must_be_problem(post("identity", "gzip"), 415)
    must_be_problem(post("gzip", "identity"), 415)


@pytest.mark.parametrize("encoding, name", [("utf-8-sig", "byte order mark (EF BB BF)"), ("utf-16", "byte order mark of UTF-16"),
                                            ("utf-32", "byte order mark of UTF-32")])
def test_the_error_names_a_byte_order_mark(api, clinic, encoding, name):
    for post in (api.post, api.search):
        assert name in must_be_problem(post(clinic, json.dumps(GOOD).encode(encoding)), 400)["detail"]


def test_the_error_names_a_missing_organization(api, clinic):
    for claims in ({"o": ...}, {"o": {}}, {"o": None}, {"o": {"id": ""}}, {"v": 1, "o": {"id": clinic}}, {"v": ..., "o": ..., "org_id": ""}):
        problem = must_be_problem(api.get(clinic, "dashboard", headers=api.authorization(clinic, **claims)), 403)
        assert problem["type"] == "/problems/no-active-organization" and "names no active organization" in problem["detail"]


def test_plain_http_on_the_tls_port_is_497_in_the_same_form(stack):
    answer = stack.plain_on_tls_port(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head and head.split()[1] in (b"400", b"497")
    problem = json.loads(body)
    assert problem["status"] == int(head.split()[1]) and problem["request_id"]
