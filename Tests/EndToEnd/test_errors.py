"""Each status of the definitions, which of several comes first, and what every answer carries."""

import json

import pytest

from client import PREFIX
from problems import REQUEST_ID, must_be_answer, must_be_problem

READS = ("risk-metrics", "performance", "patients/prioritized", "trends", "dashboard", "patients/patient_123")
GOOD = {"patient_id": "patient_123", "method": "sms", "outcome": "failed"}
JSON_TYPE = {"Content-Type": "application/json"}


def bad_query(path):
    return {"performance": "?timeframe=x", "patients/prioritized": "?limit=x", "trends": "?period=x"}.get(path, "")


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
def test_a_valid_token_of_another_organization_is_403_before_parameters_count(api, clinic, second_clinic, path):
    must_be_problem(api.get(clinic, path + bad_query(path), headers=api.authorization(second_clinic)), 403)


def test_a_403_is_the_same_whether_or_not_the_other_organization_is_there(api, clinic, second_clinic):
    answers = [must_be_problem(api.get(other, "dashboard", headers=api.authorization(clinic)), 403)
               for other in (second_clinic, "org_that_never_was")]
    for answer in answers:
        answer.pop("request_id")
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "FOO"])
def test_another_method_is_405_before_the_token_counts(api, clinic, path, method):
    response = api.get(clinic, path + bad_query(path), method=method, headers={})
    must_be_problem(response, 405)
    allowed = {m.strip() for m in response.header("Allow").split(",")}
    assert {"GET", "HEAD"} <= allowed and not allowed & {"POST", "PUT", "DELETE", "PATCH"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_log_outreach_is_for_post_alone(api, clinic, method):
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
    assert head.header("Content-Type") == whole.header("Content-Type") and whole.header("Content-Type").startswith("application/json")
    if head.header("Content-Length") is not None:
        assert int(head.header("Content-Length")) == len(whole.body)
    refused = api.get(clinic, path, method="HEAD", headers={})
    assert must_be_answer(refused, 401).body == b""


UNKNOWN = ("/api", "/api/", "/api/v1", f"{PREFIX}", f"{PREFIX}/", f"{PREFIX}/O", f"{PREFIX}/O/", f"{PREFIX}/O/risk-metrics/", f"/{PREFIX}/O/risk-metrics",
           "/api//v1/reengagement/O/risk-metrics", f"{PREFIX}//O/risk-metrics", f"{PREFIX}/O//risk-metrics", f"{PREFIX}/O/risk-metrics//", f"{PREFIX}//risk-metrics",
           f"{PREFIX}/O/Risk-Metrics", f"{PREFIX}/O/risk_metrics", f"{PREFIX}/O/riskmetrics", f"{PREFIX}/O/risk-metrics/x", f"{PREFIX}/O/risk-metrics%2F",
           f"{PREFIX}/O%2Frisk-metrics", f"{PREFIX}/O/patients", f"{PREFIX}/O/patients/", f"{PREFIX}/O/patients//", f"{PREFIX}/O/patients/prioritized/",
           f"{PREFIX}/O/patients%2Fprioritized", f"{PREFIX}/O/patients/p/outreach", f"{PREFIX}/O/patients/p/", f"{PREFIX}/O/Patients/p", f"{PREFIX}/O/log-outreach/",
           "/API/v1/reengagement/O/dashboard", "/api/v2/reengagement/O/dashboard", "/api/v1/Reengagement/O/dashboard", "/api/v1/reengagement.O/dashboard",
           f"{PREFIX}/O/dashboard;x=1", f"{PREFIX}/O/dashboard%20", f"{PREFIX}/O/dashboard+", f"{PREFIX}/O/dashboard%3F", f"{PREFIX}/O/./dashboard",
           f"{PREFIX}/O/x/../dashboard", f"{PREFIX}/./O/dashboard", "/./health", "/x/../health", "/health/", "/Health", "//health", "/healthz", "/ready/", "/openapi.json/",
           "/openapi", "/favicon.txt", "/.git/config", "/index.php", "/%2e/health", f"{PREFIX}/O/%64ashboard%00".replace("%00", "%01"),
           f"{PREFIX}/%ff/dashboard", f"{PREFIX}/O/patients/%ff", f"{PREFIX}/O/patients/%c3%28", f"{PREFIX}/O/patients/%ed%a0%80", f"{PREFIX}/O/patients/%f4%90%80%80",
           f"{PREFIX}/O/patients/%c0%af", f"{PREFIX}/O/%ff", "/%ff", f"{PREFIX}/%e0%80%80/log-outreach")


@pytest.mark.parametrize("target", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_404_before_method_and_token(api, clinic, target, method):
    target = target.replace("/O", f"/{clinic}")
    must_be_problem(api.client.request(method, target), 404)
    must_be_problem(api.client.request(method, target, api.authorization(clinic)), 404)


@pytest.mark.parametrize("path", ["risk%2Dmetrics", "%72isk-metrics", "r%69sk-metric%73", "patients/%70rioritized", "%70atients/prioritized", "patients/prioritize%64?x=1",
                                  "dashboard?", "dashboard?/", "dashboard?a/b"])
def test_segments_are_percent_decoded_after_the_split(api, clinic, path):
    plain = path.replace("%2D", "-").replace("%72", "r").replace("%69", "i").replace("%73", "s").replace("%70", "p").replace("%64", "d").split("?")[0]
    got, expected = api.answer(clinic, path), api.answer(clinic, plain)
    assert set(got) == set(expected)


def test_the_organization_is_percent_decoded_too(api, clinic):
    encoded = "".join(f"%{byte:02X}" for byte in clinic.encode())
    response = api.client.request("GET", f"{PREFIX}/{encoded}/risk-metrics", api.authorization(clinic))
    assert response.status == 200 and response.json()["organization_id"] == clinic


@pytest.mark.parametrize("organization", ["org with space", "org/slash", "org%percent", "órg", "o\u0301rg", "組織", "🐨", "org?x#y", "a+b", "\"quoted\\\"", "o" * 300, "..a", "org\nline"])
def test_an_organization_of_any_name_without_rows_answers_zeros(api, organization):
    answer = api.answer(organization, "risk-metrics")
    assert answer["organization_id"] == organization
    assert set(answer["risk_summary"].values()) == {0} and set(answer["alerts"].values()) == {0}


def test_composed_and_decomposed_organizations_are_two(api):
    response = api.get("o\u0301rg", "dashboard", headers=api.authorization("\u00f3rg"))
    must_be_problem(response, 403)


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
    """Requests with two faults or more, and the status of the fault that comes first."""
    ours, theirs, bad = api.authorization(clinic), api.authorization(second), {"Authorization": "Bearer x"}
    text = {"Content-Type": "text/plain"}
    return [
        ("405 before 401", "PUT", "log-outreach", {}, TOO_LARGE, 405),
        ("405 before 403", "PUT", "log-outreach", theirs, NOT_JSON, 405),
        ("401 before 415 and 413", "POST", "log-outreach", text, TOO_LARGE, 401),
        ("401 invalid before 400", "POST", "log-outreach", {**bad, **JSON_TYPE}, NOT_JSON, 401),
        ("403 before 415 and 413", "POST", "log-outreach", {**theirs, **text}, TOO_LARGE, 403),
        ("403 before 413", "POST", "log-outreach", {**theirs, **JSON_TYPE}, TOO_LARGE, 403),
        ("403 before 400", "POST", "log-outreach", {**theirs, **JSON_TYPE}, NOT_JSON, 403),
        ("403 before 422", "POST", "log-outreach", {**theirs, **JSON_TYPE}, NOT_VALID, 403),
        ("403 before the key's 422", "POST", "log-outreach", {**theirs, **JSON_TYPE, "Idempotency-Key": "x" * 300}, json.dumps(GOOD), 403),
        ("415 before 413", "POST", "log-outreach", {**ours, **text}, TOO_LARGE, 415),
        ("415 before 400", "POST", "log-outreach", {**ours, **text}, NOT_JSON, 415),
        ("415 without a type", "POST", "log-outreach", ours, json.dumps(GOOD), 415),
        ("415 before the key's 422", "POST", "log-outreach", {**ours, **text, "Idempotency-Key": "x" * 300}, json.dumps(GOOD), 415),
        ("413 before 400", "POST", "log-outreach", {**ours, **JSON_TYPE}, "{" * 65537, 413),
        ("413 before 422", "POST", "log-outreach", {**ours, **JSON_TYPE}, json.dumps({"filler": "x" * 65536}), 413),
        ("400 before the key's 422", "POST", "log-outreach", {**ours, **JSON_TYPE, "Idempotency-Key": "x" * 300}, NOT_JSON, 400),
        ("422 before the patient's 404", "POST", "log-outreach", {**ours, **JSON_TYPE}, json.dumps({"patient_id": "nobody", "method": "fax", "outcome": "success"}), 422),
        ("the key's 422 before the patient's 404", "POST", "log-outreach", {**ours, **JSON_TYPE, "Idempotency-Key": "x" * 300}, NOBODY, 422),
        ("403 before the patient's 404", "GET", "patients/nobody", theirs, None, 403),
        ("401 before the patient's 404", "GET", "patients/nobody", {}, None, 401),
    ]


def test_of_several_faults_the_first_in_the_order_is_told(api, clinic, second_clinic):
    for title, method, path, headers, body, status in ordered(api, clinic, second_clinic):
        response = api.client.request(method, api.target(clinic, path), headers, body, fresh=True)
        assert response.status == status, f"{title}: {response}"
        must_be_problem(response, status)


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/jsonp", "application/json2", "application/x-www-form-urlencoded", "application/problem+json",
                                          "text/json", "multipart/form-data", "application /json", "application", "json", "application/jsonx; charset=utf-8", ";application/json"])
def test_a_body_that_is_not_declared_json_is_415(api, clinic, content_type):
    response = api.post(clinic, GOOD, headers={**api.authorization(clinic), "Content-Type": content_type})
    must_be_problem(response, 415)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "APPLICATION/JSON",
                                          "Application/Json ; charset=\"utf-8\""])
def test_json_may_be_declared_in_any_case_and_with_parameters(api, clinic, content_type):
    assert api.post(clinic, GOOD, headers={**api.authorization(clinic), "Content-Type": content_type}).status == 201


def all_kinds(api, clinic):
    post = {**api.authorization(clinic), **JSON_TYPE}
    return [("GET", api.target(clinic, "dashboard"), api.authorization(clinic), None), ("GET", api.target(clinic, "dashboard"), {}, None),
            ("GET", "/nowhere", {}, None), ("GET", "/health", {}, None), ("GET", "/ready", {}, None), ("PUT", api.target(clinic, "dashboard"), {}, None),
            ("POST", api.target(clinic, "log-outreach"), post, json.dumps(GOOD)), ("POST", api.target(clinic, "log-outreach"), post, "{"),
            ("POST", api.target(clinic, "log-outreach"), post, "x" * (1 << 20) + "x"), ("GET", "/" + "x" * 9000, {}, None),
            ("OPTIONS", api.target(clinic, "dashboard"), {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}, None)]


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128, "0", ".", "-", "01234567-89ab-cdef-0123-456789abcdef"])
def test_a_sane_request_id_comes_back_on_every_kind_of_answer(api, clinic, given):
    for method, target, headers, body in all_kinds(api, clinic):
        response = api.client.request(method, target, {**headers, "X-Request-Id": given}, body, fresh=True)
        if response.status != 414:                  # a request line that nginx gave up reading has no headers yet
            assert response.header("X-Request-Id") == given, (method, target[:80], response)


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a/b", "a\"b", "é", "a,b", "a;b", "{}", "a\tb", "%41", "<x>", "a:b", "x" * 5000])
def test_an_odd_request_id_is_replaced_by_a_new_one(api, clinic, given):
    seen = set()
    for method, target, headers, body in all_kinds(api, clinic):
        response = api.client.request(method, target, {**headers, "X-Request-Id": given}, body, fresh=True)
        new = response.header("X-Request-Id")
        assert REQUEST_ID.fullmatch(new) and new != given, (method, target[:80], response)
        seen.add(new)
    assert len(seen) == len(all_kinds(api, clinic))


def test_every_kind_of_answer_forbids_storing(api, clinic):
    for method, target, headers, body in all_kinds(api, clinic):
        response = api.client.request(method, target, headers, body, fresh=True)
        assert response.header("Cache-Control") == "no-store", (method, target[:80], response)


def test_a_body_over_a_megabyte_is_refused_by_nginx_in_the_same_form(api, clinic):
    for headers in ({}, {**api.authorization(clinic), **JSON_TYPE}):
        response = api.client.request("POST", api.target(clinic, "log-outreach"), headers, "x" * ((1 << 20) + 1), fresh=True)
        must_be_problem(response, 413)


def test_a_request_line_too_long_is_414_in_the_same_form(api):
    must_be_problem(api.client.request("GET", "/" + "x" * 9000, fresh=True), 414)


def test_headers_too_large_are_431_in_the_same_form(api, clinic):
    must_be_problem(api.client.request("GET", api.target(clinic, "dashboard"), {"Authorization": "Bearer " + "x" * 9000}, fresh=True), 431)


def test_plain_http_on_the_tls_port_is_497_in_the_same_form(stack):
    answer = stack.plain_on_tls_port(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head and head.split()[1] in (b"400", b"497")
    problem = json.loads(body)
    assert problem["status"] == int(head.split()[1]) and problem["request_id"]
