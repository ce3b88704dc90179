"""What stands beside the API: health, readiness, metrics and the description that machines read."""

import json
import re
from urllib.parse import quote

import jsonschema
import pytest

from client import PREFIX
from problems import must_be_answer, must_be_problem


def test_health_needs_no_token_and_tells_the_version(api, stack):
    answer = must_be_answer(api.client.request("GET", "/health"), 200).json()
    assert set(answer) >= {"status", "version"} and answer["status"] == "ok" and re.match(r"\d+\.\d+", answer["version"])


def test_ready_answers_200_while_the_database_does(api):
    must_be_answer(api.client.request("GET", "/ready"), 200)


@pytest.mark.parametrize("target", ["/health", "/ready", "/metrics", "/openapi.json"])
def test_these_are_for_reading_alone(api, target):
    head, whole = api.client.request("HEAD", target), api.client.request("GET", target)
    assert head.status == whole.status == 200 and head.body == b"" and whole.body
    for method in ("POST", "PUT", "DELETE"):
        must_be_problem(api.client.request(method, target), 405)


@pytest.mark.parametrize("way", ["/health?x=1", "/health?", "/ready?a&b"])
def test_a_query_changes_nothing_there(api, way):
    must_be_answer(api.client.request("GET", way), 200)


SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? [-+]?([0-9.eE+-]+|NaN|\+?Inf)( \d+)?')


def test_metrics_are_prometheus_text_and_count_requests(api, clinic):
    api.answer(clinic, "dashboard")
    response = api.client.request("GET", "/metrics")
    assert response.status == 200 and response.header("Content-Type").startswith("text/plain")
    lines = response.body.decode().splitlines()
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    for line in lines:
        assert line == "" or line.startswith("#") or SAMPLE.fullmatch(line), line
    names = {re.match(r"[\w:]+", line)[0] for line in lines if line and not line.startswith("#")}
    assert typed and all(any(re.fullmatch(f"{t}(_bucket|_sum|_count|_total)?", name) for t in typed) for name in names), names - typed

    def total():
        text = api.client.request("GET", "/metrics").body.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(r"\w*requests?_total\{.*dashboard", line))
    before = total()
    for _ in range(5):
        api.answer(clinic, "dashboard")
    assert total() - before == 5


def test_metrics_hold_no_organization_patient_or_subject(api, clinic):
    api.get(clinic, "patients/patient_123")
    api.get(clinic, "patients/nobody_of_that_name")
    text = api.client.request("GET", "/metrics").body.decode()
    assert not any(secret in text for secret in (clinic, "patient_123", "nobody_of_that_name", "user_test"))


def test_unknown_paths_make_no_new_series(api):
    def series():
        return {line.rsplit(" ", 1)[0] for line in api.client.request("GET", "/metrics").body.decode().splitlines()}
    for number in range(3):
        api.client.request("GET", f"/nowhere{number}")
        api.client.request("BREW", "/nowhere")
    before = series()
    for number in range(30):
        api.client.request("GET", f"/nowhere/{number}")
        api.client.request(f"X{chr(65 + number % 26)}", "/health")
        api.client.request(f"Y{chr(65 + number % 26)}", f"{PREFIX}/o{number}/dashboard")
    assert len(series() - before) <= 5


@pytest.fixture(scope="module")
def description(api):
    response = must_be_answer(api.client.request("GET", "/openapi.json"), 200)
    assert response.header("Content-Type").startswith("application/json")
    document = json.loads(response.body)
    assert document["openapi"].startswith("3.1")
    return document


def resolve(document, node):
    """Follows references within the document."""
    while "$ref" in node:
        parts = node["$ref"].removeprefix("#/").split("/")
        node = document
        for part in parts:
            node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def check_against(document, template, method, status, response):
    """The live answer fits the schema written for it, and its kind of content is the one written."""
    operation = document["paths"][template][method.lower()]
    answers = operation["responses"]
    described = resolve(document, answers.get(str(status)) or answers.get("default") or pytest.fail(f"{method} {template}: {status} is not described"))
    content = described["content"]
    kind = response.header("Content-Type").split(";")[0]
    assert kind in content, f"{method} {template} {status}: {kind} is not described"
    schema = {**content[kind]["schema"], "components": document.get("components", {})}
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(json.loads(response.body))]
    assert not errors, f"{method} {template} {status}: {errors[:5]}"


ENDPOINTS = ("risk-metrics", "performance", "patients/prioritized", "trends", "dashboard", "log-outreach", "patients/{patient_id}")


def test_every_schema_in_the_description_is_one(description):
    for schema in description.get("components", {}).get("schemas", {}).values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_description_holds_every_endpoint_with_its_parameters(description):
    paths = description["paths"]
    assert {f"{PREFIX}/{{org_id}}/{e}" for e in ENDPOINTS} | {"/health", "/ready", "/metrics"} <= set(paths)
    parameters = {e: {resolve(description, p)["name"] for p in paths[f"{PREFIX}/{{org_id}}/{e}"].get("get", {}).get("parameters", [])} |
                  {resolve(description, p)["name"] for p in paths[f"{PREFIX}/{{org_id}}/{e}"].get("parameters", [])} for e in ENDPOINTS}
    assert "timeframe" in parameters["performance"] and {"period", "metrics"} <= parameters["trends"]
    assert {"risk_level", "limit", "cursor"} <= parameters["patients/prioritized"] and "patient_id" in parameters["patients/{patient_id}"]


def test_live_answers_fit_the_description(api, description, clinic):
    def at(endpoint):
        return f"{PREFIX}/{{org_id}}/{endpoint}"
    reads = {"risk-metrics": ["risk-metrics"], "performance": ["performance", "performance?timeframe=last_7_days"], "dashboard": ["dashboard"],
             "patients/prioritized": ["patients/prioritized", "patients/prioritized?limit=1"], "trends": ["trends", "trends?period=7d&metrics=risk_levels,success_rates,channel_performance"],
             "patients/{patient_id}": ["patients/patient_123", "patients/patient_502"]}
    for endpoint, paths in reads.items():
        for path in paths:
            check_against(description, at(endpoint), "GET", 200, api.get(clinic, path))
            check_against(description, at(endpoint), "GET", 200, api.get("org_without_rows", path)) if "{" not in endpoint else None
        check_against(description, at(endpoint), "GET", 401, api.get(clinic, paths[0], headers={}))
        check_against(description, at(endpoint), "GET", 403, api.get(clinic, paths[0], headers=api.authorization("org_other")))
    for path, endpoint in (("performance?timeframe=x", "performance"), ("trends?period=x", "trends"), ("patients/prioritized?limit=x", "patients/prioritized")):
        check_against(description, at(endpoint), "GET", 422, api.get(clinic, path))
    check_against(description, at("patients/{patient_id}"), "GET", 404, api.get(clinic, "patients/" + quote("no body")))
    good = {"patient_id": "patient_123", "method": "sms", "outcome": "failed"}
    posts = {201: api.post(clinic, good, key="k"), 200: api.post(clinic, good, key="k"), 400: api.post(clinic, "{"), 404: api.post(clinic, {**good, "patient_id": "x"}),
             413: api.post(clinic, "x" * 65537), 415: api.post(clinic, good, headers=api.authorization(clinic)), 422: api.post(clinic, {}), 401: api.post(clinic, good, headers={}),
             403: api.post(clinic, good, headers={**api.authorization("org_other"), "Content-Type": "application/json"})}
    for status, response in posts.items():
        assert response.status == status
        check_against(description, at("log-outreach"), "POST", status, response)
    for target in ("/health", "/ready"):
        check_against(description, target, "GET", 200, api.client.request("GET", target))


def test_the_description_refuses_what_it_should(api, description, clinic):
    """The check above can fail: an answer with a field taken away or of another kind does not fit."""
    response = api.get(clinic, "risk-metrics")
    for spoilt in ({"organization_id": clinic}, {**json.loads(response.body), "last_updated": 5}, {**json.loads(response.body), "risk_summary": {}}):
        response.body = json.dumps(spoilt).encode()
        with pytest.raises(AssertionError):
            check_against(description, f"{PREFIX}/{{org_id}}/risk-metrics", "GET", 200, response)
