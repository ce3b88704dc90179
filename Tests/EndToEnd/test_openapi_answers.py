"""Every response and every problem matches the documented schema of its path, method and status and has all of its
properties."""

import copy
import http.client
import json
import socket
import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest

import registry
from asking import GOOD, eventually
from client import PREFIX
from openapi import OPERATIONS, QUERY, STREAMS, description, filled, must_fit, present, schema_of
from problems import must_be_problem
from stack import Server

PROBLEMS = [(path, method, status) for path, method, operation in description.operations()
            for status in operation["responses"] if not status.startswith("2")
            # By FastCGI a stream is always 503.
            and not (path in STREAMS and status in ("500", "503"))]


# Requests in addition to the registry's, and the properties that no response to them has.
MORE = {
    "alerts": ["?state=all&days=30&limit=1", "?state=all&days=30"],
    "trends": ["?metrics=risk_levels", "?metrics=success_rates", "?period=7d&metrics=channel_performance"],
    "patients/prioritized": ["?limit=1", "?risk_level=all",
                             "?engagement_status=active&action_priority=4&risk_tier=low&q=ana&sort=name&include=notes", "?include=notes"],
}
READS = {
    endpoint.path: ["", *(f"?{question.query}" for question in endpoint.questions), *MORE.get(endpoint.path, ())]
    for endpoint in registry.READS if registry.PATIENT not in endpoint.path
}
# Null appears only for more than a thousand matches, which test_list.py checks. test_settings.py checks settings that
# were set.
UNSEEN = {
    "patients/prioritized": {".summary.total?"},
    "settings": {name for name in description.properties(schema_of(f"{PREFIX}/{{org_id}}/settings", "get", "200"))
                 if name.count(".") > 1 or name.endswith("[]")},
}


def make_alerts(api, database, organization):
    """Makes alerts and notices whose values are null and alerts whose values are not."""
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO patients (organization_id, id, name, created_at) "
                       "SELECT %s, 'p' || n, '', now() - interval '60 days' FROM generate_series(1, 30) n", (organization, ))
    api.answer(organization, "alerts")
    api.post(organization, {**GOOD, "patient_id": "p1"})
    api.post(organization, {**GOOD, "patient_id": "p2", "outcome": "success"})
    api.answer(organization, "alerts/events")
    acknowledge(api, organization, until=str(date.today() + timedelta(days=30)))
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM patients WHERE organization_id = %s AND id ~ '^p[3-9]$|^p[12].$'", (organization, ))


def acknowledge(api, organization, action="acknowledge", **values):
    """Acknowledges an alert of patient_123."""
    since = api.answer(organization, "patients/patient_123")["critical_since"]
    headers = {**api.authorization(organization), "Content-Type": "application/json"}
    body = {"patient_id": "patient_123", "critical_since": since, **values}
    return api.client.request("POST", api.target(organization, f"alerts/{action}"), headers, json.dumps(body))


@pytest.mark.parametrize("endpoint", READS)
def test_responses_match_and_have_exactly_the_documented_properties(api, database, clinic, endpoint):
    path, seen = f"{PREFIX}/{{org_id}}/{endpoint}", set()
    if endpoint.startswith("alerts"):
        make_alerts(api, database, clinic)
    for query in READS[endpoint]:
        seen |= present(must_fit(path, "get", "200", api.get(clinic, endpoint + query)))
        must_fit(path, "get", "200", api.get("org_without_rows", endpoint + query))
    assert seen == description.properties(schema_of(path, "get", "200")) - UNSEEN.get(endpoint, set())


def test_a_search_matches(api, clinic):
    path = f"{PREFIX}/{{org_id}}/patients/search"
    for body in ({}, {"q": "ana", "sort": "name", "include": "notes", "limit": 1}, {"q": "no such name"}):
        must_fit(path, "post", "200", api.search(clinic, body))


def test_patients_match_and_have_exactly_the_documented_properties(api, clinic):
    path = f"{PREFIX}/{{org_id}}/patients/{{patient_id}}"
    answers = [must_fit(path, "get", "200", api.get(clinic, f"patients/patient_{number}"))
               for number in (123, 456, 500, 501, 502, 503)]
    assert set().union(*map(present, answers)) == description.properties(schema_of(path, "get", "200"))


def test_posts_match_and_have_exactly_the_documented_properties(api, clinic):
    path = f"{PREFIX}/{{org_id}}/log-outreach"
    for status, example in (("201", "OutreachLogged"), ("200", "OutreachReplayed")):
        answer = must_fit(path, "post", status, api.post(clinic, GOOD, key="twice"))
        assert present(answer) == description.properties(schema_of(path, "post", status))
        assert answer["message"] == description.document["components"]["examples"][example]["value"]["message"]


@pytest.mark.parametrize("action", ["acknowledge", "reopen"])
def test_an_alert_matches(api, clinic, action):
    path = f"{PREFIX}/{{org_id}}/alerts/{action}"
    assert must_fit(path, "post", "200", acknowledge(api, clinic, action))["id"] == "patient_123"


@pytest.mark.parametrize("path", [path for path, _ in OPERATIONS if not path.startswith(PREFIX)])
def test_the_service_paths_match_and_have_exactly_the_documented_properties(api, path):
    answer = must_fit(path, "get", "200", api.client.request("GET", filled(path)))
    assert path == "/openapi.json" or present(answer) == description.properties(schema_of(path, "get", "200"))


def test_an_undocumented_response_is_detected(api, clinic):
    path, response = f"{PREFIX}/{{org_id}}/patients/prioritized", api.get(clinic, "patients/prioritized")
    good = json.loads(response.body)
    for spoil in (lambda v: v.pop("timestamp"), lambda v: v["summary"].update(more=1),
                  lambda v: v["patients"][0].update(risk_score="85"),
                  lambda v: v["patients"][0].update(last_appointment_date="2025-06-30T12:00:00+00:00"),
                  lambda v: v["patients"][-1].pop("phone"),
                  lambda v: v["patients"][0].update(name=None), lambda v: v["patients"][0].update(risk_level="none")):
        spoilt = copy.deepcopy(good)
        spoil(spoilt)
        response.body = json.dumps(spoilt).encode()
        with pytest.raises(AssertionError):
            must_fit(path, "get", "200", response)


# The tests of a real problem for each documented status.

@pytest.fixture(scope="module")
def alone(stack, database, directory):
    """Servers for the statuses that the stack's own server does not return."""
    folder = Path(tempfile.mkdtemp(prefix="o.", dir=directory))
    with database.cursor() as cursor:
        cursor.execute("CREATE DATABASE without_schema")
    # The last one has no keys to sign webhooks with.
    environments = {"409": {}, "429": {"RATE_LIMIT": "1"}, "500": {"DATABASE_URL": stack.database_url("without_schema")},
                    "503": {"DATABASE_URL": f"postgresql:///x?host={folder}&port=5999&user=postgres"}}
    servers = {}
    try:
        for status, environment in environments.items():
            (folder / status).mkdir()
            servers[status] = Server(stack, folder / status, **environment)
            servers[status].start()
        yield servers
    finally:
        for server in servers.values():
            if server.process:
                server.stop()


def well_formed(api, organization, path, method):
    """Returns a valid request for the operation."""
    headers = api.authorization(organization) if path.startswith(PREFIX) else {}
    target = filled(path, organization, "patient_123")
    if method == "get":
        return "GET", target, headers, None
    body = {"webhook": {"url": "https://n8n.example.com/"}} if path.endswith("/settings") else GOOD
    if "/alerts/" in path:
        body = {"patient_id": "patient_123", "critical_since": "2000-01-01"}
    return method.upper(), target, {**headers, "Content-Type": "application/json"}, json.dumps(body).encode()


def nowhere(method, target, headers, body):
    """Returns the same request for a missing patient or, without a patient, for a missing path."""
    if "patient_123" in target or target.endswith(("log-outreach", "alerts/acknowledge", "alerts/reopen")):
        return method, target.replace("patient_123",
                                      "nobody"), headers, body and body.replace(b"patient_123", b"nobody")
    return method, target.replace("no-such-patient",
                                  "nothing").replace("security.txt",
                                                     "nothing").replace(f"{PREFIX}/", f"{PREFIX}/%ff/"), headers, body


def spoilt(api, status, path, request):
    """Returns the same request with the one error that has the status."""
    method, target, headers, body = request
    query = next((parameter["name"] for at, parameter in QUERY if at == path), None)
    return {
        "400": lambda: (method, target, headers, b"[]"),
        "401": lambda: (method, target, {name: value for name, value in headers.items() if name != "Authorization"},
                        body),
        "403": lambda: (method, target, {**headers, **api.authorization("org_other")}, body),
        "404": lambda: nowhere(method, target, headers, body),
        "405": lambda: ("DELETE", target, headers, None),
        "413": lambda: (method, target, headers, b"x" * 65537),
        "415": lambda: (method, target, {**headers, "Content-Type": "text/plain"}, body),
        "409": lambda: request,
        "422": lambda: (method, f"{target}?{query}=" if query else target,
                        {**headers, **({"content-type": "a/b"} if "/webhook/" in path else {})},
                        b'{"limit": 0, "webhook": {}}'),
        "default": lambda: (method, target, {**headers, "X-Long": "x" * 40000}, body),
    }[status]()


def from_another_address(client, target):
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))         # sends nothing and only chooses the address
            address = probe.getsockname()[0]
    except OSError:
        pytest.skip("this machine has no address but loopback")
    return client.exchange(http.client.HTTPConnection("127.0.0.1", client.port, timeout=60,
                                                      source_address=(address, 0)), "GET", target, [], None)


# The example of these shows one of several details.
SEVERAL_REASONS = ("405", "409")


@pytest.mark.parametrize("path, method, status", PROBLEMS)
def test_a_problem_of_each_documented_status_matches(api, plain_client, alone, clinic, path, method, status):
    request = well_formed(api, clinic, path, method)
    if status in alone:
        verb, target, headers, body = request
        # The test sends requests until the machine exceeds the limit.
        tries = iter(lambda: alone[status].request(verb, target, headers, body or b""), None)
        response = eventually(lambda: next((r for r in (next(tries), ) if str(r.status) == status), None), every=0)
    elif (path, status) == ("/metrics", "403"):
        response = from_another_address(plain_client, path)
    else:
        response = api.client.request(*spoilt(api, status, path, request), fresh=True)
    problem = must_fit(path, method, status, response)
    must_be_problem(response, 431 if status == "default" else int(status))
    content = description.response(path, method, status)["content"]["application/problem+json"]
    members = ("type", "title", "status") if status in SEVERAL_REASONS else ("type", "title", "status", "detail")
    assert {name: problem[name] for name in members} == {name: content["example"][name] for name in members}
    assert present(problem) == description.properties(schema_of(path, method, status)) - (
        set() if status == "422" else {".errors", ".errors[].field", ".errors[].message"}
    )


def test_both_forms_of_401_and_of_404_match(api, clinic):
    path = f"{PREFIX}/{{org_id}}/log-outreach"
    invalid = api.post(clinic, GOOD, headers={"Authorization": "Bearer x.y.z"})
    must_fit(path, "post", "401", invalid)
    assert invalid.header("Server-Timing")
    must_fit(path, "post", "404", api.client.request("POST", f"{PREFIX}/%ff/log-outreach"))
