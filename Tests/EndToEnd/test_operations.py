"""Paths besides the API: health, readiness, metrics, and access to them."""

import json
import re
import subprocess
from datetime import datetime, timezone

import pytest

import fastcgi
from asking import eventually
from client import PREFIX
from problems import must_be_answer, must_be_problem
from stack import response_of


def test_health_needs_no_token_and_returns_the_time_and_here_the_version(api):
    before = datetime.now(timezone.utc).replace(microsecond=0)
    answer = must_be_answer(api.client.request("GET", "/health"), 200).json()
    assert set(answer) == {"status", "version", "timestamp"} and answer["status"] == "ok"
    assert re.match(r"\d+\.\d+", answer["version"])
    assert before <= datetime.strptime(answer["timestamp"], "%Y-%m-%dT%H:%M:%S%z") <= datetime.now(timezone.utc)


@pytest.mark.parametrize("address, is_included",
                         [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("192.0.2.1", False),
                                              ("::", False), ("", False)])
def test_health_returns_its_version_to_its_own_machine_alone(stack, address, is_included):
    values = fastcgi.environment("GET", "/health", REMOTE_ADDR=address)
    with fastcgi.Connection(stack.socket) as connection:
        connection.send(fastcgi.request(values))
        answer = response_of(connection.answer()).json()
    assert ("version" in answer) == is_included and answer["status"] == "ok" and answer["timestamp"]


@pytest.mark.parametrize("header",
                         [{"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}, {"X-Real-IP": "192.0.2.1"},
                                    {"Via": "1.1 proxy"}, {"X-Forwarded-Host": "x"},
                                    {"X-Forwarded-Proto": "https"}, {"Host": "api.example.com"},
                          {"Host": "127.evil.example"},
                                    {"Host": "localhost.evil.example"}, {"X-Forwarded-For": "127.0.0.1"}])
def test_a_request_from_a_proxy_on_this_machine_is_external(api, plain_client, header):
    """For nginx it comes from loopback, like Prometheus' own request."""
    for client in (api.client, plain_client):
        assert client.request("GET", "/metrics", header).status == 403
        assert "version" not in client.request("GET", "/health", header).json()


def test_an_unmarked_proxy_is_recognized_by_its_http_1_0(plain_client):
    """The request has the form of `proxy_pass http://127.0.0.1:8000;`."""
    refused = plain_client.raw(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 403 "), refused
    response = plain_client.raw(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200 ") and b"version" not in response, response


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:9000", "[::1]", "[::1]:9000"])
def test_a_request_from_a_program_on_this_machine_is_internal(api, host):
    assert api.client.request("GET", "/metrics", {"Host": host}).status == 200
    assert "version" in api.client.request("GET", "/health", {"Host": host}).json()


def test_ready_is_200_while_the_database_is_available(api):
    must_be_answer(api.client.request("GET", "/ready"), 200)


@pytest.mark.parametrize("target", ["/health", "/ready", "/metrics", "/openapi.json", "/dashboard/settings"])
def test_the_service_paths_allow_read_methods_only(api, target):
    head, whole = api.client.request("HEAD", target), api.client.request("GET", target)
    assert head.status == whole.status == 200 and head.body == b"" and whole.body
    for method in ("POST", "PUT", "DELETE"):
        must_be_problem(api.client.request(method, target), 405)


@pytest.mark.parametrize("way", ["/health?x=1", "/health?", "/ready?a&b"])
def test_a_query_changes_no_service_path(api, way):
    must_be_answer(api.client.request("GET", way), 200)


SAMPLE = re.compile(
    r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? [-+]?([0-9.eE+-]+|NaN|\+?Inf)( \d+)?')


def test_metrics_are_prometheus_text_and_count_requests(api, clinic):
    api.answer(clinic, "dashboard")
    response = api.client.request("GET", "/metrics")
    assert response.status == 200 and response.header("Content-Type").startswith("text/plain")
    lines = response.body.decode().splitlines()
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    for line in lines:
        assert line == "" or line.startswith("#") or SAMPLE.fullmatch(line), line
    names = {re.match(r"[\w:]+", line)[0] for line in lines if line and not line.startswith("#")}
    assert typed and all(any(re.fullmatch(f"{t}(_bucket|_sum|_count|_total)?", name) for t in typed)
                         for name in names), names - typed

    def total():
        text = api.client.request("GET", "/metrics").body.decode()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
            if re.match(r"\w*requests?_total\{.*dashboard", line))

    def is_counted():
        """A response is counted after it was sent, so the client may be earlier."""
        return b"\nreengagement_http_requests_in_flight 1\n" in api.client.request("GET", "/metrics").body

    eventually(is_counted)
    before = total()
    for _ in range(5):
        api.answer(clinic, "dashboard")
    eventually(lambda: total() - before >= 5)
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
    # They are counted after their responses were sent.
    eventually(lambda: b"\nreengagement_http_requests_in_flight 1\n" in api.client.request("GET", "/metrics").body)
    before = series()
    for number in range(30):
        api.client.request("GET", f"/nowhere/{number}")
        api.client.request(f"X{chr(65 + number % 26)}", "/health")
        api.client.request(f"Y{chr(65 + number % 26)}", f"{PREFIX}/o{number}/dashboard")
    assert len(series() - before) <= 5


def test_both_ports_return_the_same(api, plain_client, clinic):
    target, headers = api.target(clinic, "patients/prioritized"), api.authorization(clinic)
    answers = [client.request("GET", target, headers).json() for client in (api.client, plain_client)]
    assert answers[0] | {"timestamp": None} == answers[1] | {"timestamp": None}


def test_a_browsers_http2_is_supported(api, stack, clinic):
    done = subprocess.run([
        "curl", "--silent", "--http2", "--cacert", stack.settings["CA_FILE"], "--header",
        f"Authorization: {api.authorization(clinic)['Authorization']}", "--write-out", "\n%{http_version} %{http_code}",
        f"https://localhost:{api.client.port}{api.target(clinic, 'risk-metrics')}"
    ],
                          stdout=subprocess.PIPE,
                          timeout=60)
    body, _, status = done.stdout.rpartition(b"\n")
    assert status == b"2 200" and json.loads(body)["organization_id"] == clinic
