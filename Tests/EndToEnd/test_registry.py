"""The registry of endpoints is complete: it agrees with the database and with everything else that lists endpoints."""

import json
from pathlib import Path

import pytest

from asking import eventually
from registry import ENDPOINTS, PATIENT, questions


def test_each_question_is_valid_and_each_title_is_unique():
    assert all(endpoint.questions for endpoint in ENDPOINTS)
    titles = [question.title for question in questions(ENDPOINTS) if question.title]
    assert len(titles) == len(set(titles))
    for question in questions(ENDPOINTS):
        assert set(question.arguments) <= set(question.endpoint.parameters), question


def test_the_database_has_exactly_the_functions_of_the_registry(database):
    names = {endpoint.function for endpoint in ENDPOINTS}
    # The sender asks for the numbers of a digest. No endpoint does.
    flat = {endpoint.function for endpoint in ENDPOINTS if endpoint.has_flat} | {"digest_numbers"}
    with database.cursor() as cursor:
        cursor.execute("SELECT proname, pronargs FROM pg_proc WHERE pronamespace = 're'::regnamespace")
        found = cursor.fetchall()
    functions = {name for name, _ in found}
    assert names <= functions
    assert flat == {name.removeprefix("plain_") for name in functions if name.startswith("plain_")}
    assert {f"flat_{name}" for name in flat} <= functions
    for endpoint in ENDPOINTS:
        assert (endpoint.function, len(endpoint.parameters)) in found


# test_live_nginx.py has the streams.
@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if not each.streams], ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_the_access_logs_name_the_route_of_each_endpoint(stack, api, clinic, endpoint):
    path = endpoint.path.replace("{patient_id}", "patient_123")
    headers = {**api.authorization(clinic), "Content-Type": "application/json"}
    asked = json.dumps(endpoint.questions[0].body).replace(PATIENT, "patient_123")
    body = None if endpoint.method == "GET" else asked
    response = api.client.request(endpoint.method, api.target(clinic, path), headers, body)
    request_id = response.header("X-Request-Id")
    assert response.status in (200, 201, 409), response
    for log in ("NGINX_ACCESS_LOG", "SERVER_LOG"):
        lines = Path(stack.settings[log])
        line = eventually(lambda: next((json.loads(line) for line in lines.read_text().splitlines()
                                        if request_id in line and '"route"' in line), None))
        assert line["route"] == endpoint.template, log
