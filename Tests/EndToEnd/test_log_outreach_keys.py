"""An idempotency key logs one attempt, for any number of repeated or concurrent requests."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import fastcgi
from outreach import GOOD, accepted, logged
from problems import must_be_problem
from stack import response_of


def test_a_replay_returns_the_same_id_with_200_and_logs_nothing(api, database, clinic):
    first = accepted(api.post(clinic, GOOD, key="key-1"))
    again = accepted(api.post(clinic, GOOD, key="key-1"), 200)
    assert (again["outreach_id"], again["logged_at"]) == (first["outreach_id"], first["logged_at"])
    same = {**GOOD, "opened": None, "unknown": 5}
    assert accepted(api.post(clinic, same, key="key-1", subject="user_other"),
                    200)["outreach_id"] == first["outreach_id"]
    assert len(logged(database, clinic, "idempotency_key = %s", "key-1")) == 1


@pytest.mark.parametrize("change",
                         [{"patient_id": "patient_456"}, {"method": "email"}, {"outcome": "failed"}, {"notes": "other"},
                          {"notes": ""}, {"opened": True}, {"notes": "called back "}, {"notes": "Called back"}])
def test_the_same_key_with_other_values_is_422_and_logs_nothing(api, database, clinic, change):
    key = str(uuid.uuid4())
    accepted(api.post(clinic, GOOD, key=key))
    must_be_problem(api.post(clinic, {**GOOD, **change}, key=key), 422)
    assert len(logged(database, clinic, "idempotency_key = %s", key)) == 1
    accepted(api.post(clinic, GOOD, key=key), 200)


def test_composed_and_decomposed_notes_are_other_values(api, clinic):
    key = str(uuid.uuid4())
    accepted(api.post(clinic, {**GOOD, "notes": "\u00e9"}, key=key))
    must_be_problem(api.post(clinic, {**GOOD, "notes": "e\u0301"}, key=key), 422)


def test_a_refused_request_uses_no_key(api, clinic, second_clinic):
    key = str(uuid.uuid4())
    must_be_problem(api.post(clinic, {**GOOD, "method": "fax"}, key=key), 422)
    must_be_problem(api.post(clinic, "{", key=key), 400)
    must_be_problem(api.post(clinic, {**GOOD, "patient_id": "nobody"}, key=key), 404)
    must_be_problem(api.post(clinic, GOOD, key=key, headers={"Content-Type": "application/json"}), 401)
    must_be_problem(
        api.post(clinic,
                 GOOD,
                 key=key,
                 headers={**api.authorization(second_clinic), "Content-Type": "application/json"}), 403)
    must_be_problem(api.post(clinic, GOOD, key=key, headers=api.authorization(clinic)), 415)
    must_be_problem(api.post(clinic, json.dumps({**GOOD, "x": "x" * 65536}), key=key), 413)
    accepted(api.post(clinic, {**GOOD, "notes": "at last"}, key=key))


def test_a_key_belongs_to_its_organization(api, database, clinic, second_clinic):
    key = str(uuid.uuid4())
    first = accepted(api.post(clinic, GOOD, key=key))
    other = accepted(api.post(second_clinic, {**GOOD, "patient_id": "only_here"}, key=key))
    assert first["outreach_id"] != other["outreach_id"]
    assert len(logged(database, clinic, "idempotency_key = %s", key)) == len(
        logged(database, second_clinic, "idempotency_key = %s", key)) == 1


def test_a_key_replays_even_after_its_patient_was_archived(api, database, clinic):
    first = accepted(api.post(clinic, GOOD, key="before"))
    with database.cursor() as cursor:
        cursor.execute("UPDATE patients SET archived_at = now() WHERE organization_id = %s AND id = 'patient_123'",
                       (clinic, ))
    assert accepted(api.post(clinic, GOOD, key="before"), 200)["outreach_id"] == first["outreach_id"]
    must_be_problem(api.post(clinic, GOOD, key="after"), 404)


@pytest.mark.parametrize(
    "key", ["k", "x" * 255, "with space", "~!@#$%^&*()_+{}|:\"<>?", "'; --", "a  b", "%00", "0", "\\u0041"])
def test_a_key_of_printable_ascii_is_accepted(api, database, clinic, key):
    first = accepted(api.post(clinic, GOOD, key=key))
    assert accepted(api.post(clinic, GOOD, key=key), 200)["outreach_id"] == first["outreach_id"]
    assert [row[7] for row in logged(database, clinic, "id = %s", first["outreach_id"])] == [key]


@pytest.mark.parametrize(
    "key", ["x" * 256, "x" * 3000, "é", "é".encode(), "a\tb", "🐨".encode(), b"\xff", b"a\x7fb", b"a\x01b", b"\x80"])
def test_any_other_key_is_422_and_logs_nothing(api, database, clinic, key):
    before = logged(database, clinic)
    response = api.post(clinic, GOOD, key=key, fresh=True)
    if response.status == 400 and isinstance(key, bytes):  # nginx itself may refuse control characters
        must_be_problem(response, 400)
    else:
        assert "Idempotency-Key" in [e["field"] for e in must_be_problem(response, 422)["errors"]]
    assert logged(database, clinic) == before


def test_keys_are_compared_by_byte(api, clinic):
    first = accepted(api.post(clinic, GOOD, key="Case"))
    second = accepted(api.post(clinic, GOOD, key="case"))
    assert first["outreach_id"] != second["outreach_id"]


def together(count, task):
    """Runs the task `count` times, all started at the same moment."""
    gate = threading.Barrier(count)

    def one(number):
        gate.wait()
        return task(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_fifty_concurrent_requests_with_one_key_make_one_row(api, database, clinic):
    responses = together(50, lambda _: api.post(clinic, GOOD, key="one", fresh=True))
    assert sorted(r.status for r in responses) == [200] * 49 + [201]
    assert len({r.json()["outreach_id"] for r in responses}) == 1
    assert len(logged(database, clinic, "idempotency_key = 'one'")) == 1


def test_of_concurrent_requests_with_one_key_and_two_bodies_the_first_wins(api, database, clinic):
    responses = together(40, lambda n: api.post(clinic, {**GOOD, "notes": str(n % 2)}, key="two", fresh=True))
    [row] = logged(database, clinic, "idempotency_key = 'two'")
    assert sorted(r.status for r in responses) == [200] * 19 + [201] + [422] * 20
    assert {r.json()["outreach_id"] for r in responses if r.status < 300} == {row[0]}
    assert all(r.status == 422 for n, r in enumerate(responses) if str(n % 2) != row[5])


def test_two_hundred_concurrent_attempts_are_all_stored_and_counted(api, database, clinic):
    before = api.answer(clinic, "performance?timeframe=last_7_days")["reengagement_metrics"]["outreach_attempts"]
    responses = together(200,
                         lambda n: api.post(clinic, {**GOOD, "notes": f"post {n}"}, subject=f"user_{n}", fresh=True))
    assert [r.status for r in responses] == [201] * 200
    after = api.answer(clinic, "performance?timeframe=last_7_days")["reengagement_metrics"]["outreach_attempts"]
    assert after - before == 200
    kept = {row[0]: (row[5], row[6]) for row in logged(database, clinic)}
    assert all(kept[r.json()["outreach_id"]] == (f"post {n}", f"user_{n}") for n, r in enumerate(responses))


def test_each_read_after_a_post_sees_that_post_under_load(api, clinic):

    def post_and_look(number):
        patient = ("patient_123", "patient_456", "patient_500", "patient_501")[number % 4]
        answer = accepted(api.post(clinic, {**GOOD, "patient_id": patient}))
        ids = [o["outreach_id"] for o in api.answer(clinic, f"patients/{patient}")["outreach"]]
        return answer["outreach_id"] in ids or len(ids) == 20

    assert all(together(16, lambda n: all(post_and_look(n) for _ in range(5))))


def test_the_body_may_carry_the_key(api, database, clinic):
    key, body = str(uuid.uuid4()), {**GOOD, "notes": "by the body"}
    first = accepted(api.post(clinic, {**body, "idempotency_key": key}))
    # The key is the same in the header, in both places, and next to null in the body.
    for fields, header in (({"idempotency_key": key}, None), ({}, key), ({"idempotency_key": key}, key),
                           ({"idempotency_key": None}, key)):
        assert accepted(api.post(clinic, {**body, **fields}, key=header), 200)["outreach_id"] == first["outreach_id"]
    assert len(logged(database, clinic, "idempotency_key = %s", key)) == 1
    used = must_be_problem(api.post(clinic, {**body, "idempotency_key": key, "notes": "other"}), 422)
    assert [each["field"] for each in used["errors"]] == ["idempotency_key"]


def test_two_different_keys_are_422(api, database, clinic):
    problem = must_be_problem(api.post(clinic, {**GOOD, "idempotency_key": "a"}, key="b"), 422)
    assert [each["field"] for each in problem["errors"]] == ["idempotency_key"]
    assert logged(database, clinic, "idempotency_key IN ('a', 'b')") == []


@pytest.mark.parametrize("value", ["", "x" * 256, "é", "a\tb", "\u0000", 5, ["x"], {"x": 1}, False])
def test_a_key_in_the_body_has_the_rules_of_the_header(api, clinic, value):
    problem = must_be_problem(api.post(clinic, {**GOOD, "idempotency_key": value}), 422)
    assert [each["field"] for each in problem["errors"]] == ["idempotency_key"]


def test_null_in_the_body_is_no_key(api, database, clinic):
    for _ in range(2):
        accepted(api.post(clinic, {**GOOD, "idempotency_key": None}))
    assert len(logged(database, clinic, "idempotency_key IS NULL AND notes = %s", GOOD["notes"])) >= 2


@pytest.mark.parametrize("second", ["one", "other"])
def test_a_repeated_key_header_is_422(api, database, clinic, second):
    headers = [*api.authorization(clinic).items(), ("Content-Type", "application/json"), ("Idempotency-Key", "one"),
               ("Idempotency-Key", second)]
    response = api.client.request("POST", api.target(clinic, "log-outreach"), headers, json.dumps(GOOD))
    problem = must_be_problem(response, 422)
    assert [each["field"] for each in problem["errors"]] == ["Idempotency-Key"]
    assert logged(database, clinic, "idempotency_key LIKE %s", "one%") == []


def test_a_key_may_contain_commas(api, database, clinic):
    for key in ("a,b", "a, b", ",,"):
        accepted(api.post(clinic, GOOD, key=key))
        assert len(logged(database, clinic, "idempotency_key = %s", key)) == 1


def direct(stack, clinic, software, *keys):
    """Sends a request in the form of that nginx version."""
    body = json.dumps(GOOD).encode()
    values = list(fastcgi.environment("POST", stack.api.target(clinic, "log-outreach"), CONTENT_LENGTH=str(len(body)),
                                      CONTENT_TYPE="application/json", SERVER_SOFTWARE=software,
                                      HTTP_AUTHORIZATION=f"Bearer {stack.signer.token(clinic)}").items())
    values += [("HTTP_IDEMPOTENCY_KEY", key) for key in keys]
    with fastcgi.Connection(stack.socket) as connection:
        connection.send(fastcgi.request(values, body))
        return response_of(connection.answer())


def test_a_header_that_a_newer_nginx_has_joined_counts_as_two(stack, clinic):
    """From 1.23 on nginx joins two lines to one value. A comma and a space within one key look the same."""
    for software in ("nginx/1.23.0", "nginx/1.26.3", "nginx/2.0.1"):
        assert direct(stack, clinic, software, "k1, k2").status == 422
        assert direct(stack, clinic, software, str(uuid.uuid4()) + ",b").status == 201
    for software in ("nginx/1.22.1", "nginx/1.9.15", "", "other", "nginx/x.y"):
        assert direct(stack, clinic, software, str(uuid.uuid4()) + ", b").status == 201
        assert direct(stack, clinic, software, "k1", "k1").status == 422
