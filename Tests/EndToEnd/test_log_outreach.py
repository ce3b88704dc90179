"""A logged attempt stores the request's values, and every later read includes it."""

import time

import pytest

import rows
from checks import check_patients, comparable, must_equal
from oracle import Oracle
from outreach import accepted, logged
from registry import PATIENT, READS

PATHS = [endpoint.path for endpoint in READS if PATIENT not in endpoint.path and endpoint.path != "alerts/events"]
PATHS.append("trends?metrics=risk_levels,success_rates,channel_performance")


def seen_everywhere(api, database, organization):
    """Asserts that all endpoints equal the oracle. If the second of `now` changes, it tries again."""
    for _ in range(5):
        answers = {path: api.answer(organization, path) for path in PATHS}
        with database.cursor() as cursor:
            cursor.execute("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
            oracle = Oracle(rows.read(database, organization), organization, cursor.fetchone()[0])
        expected = {path: oracle.answer_to(path) for path in PATHS}
        for answer in (*answers.values(), *expected.values()):
            comparable(answer)
            for stamp in ("last_updated", "timestamp"):
                answer.pop(stamp, None)
        if answers == expected:
            check_patients(api, oracle)
            return
        time.sleep(0.2)
    for path in expected:
        must_equal(expected[path], answers[path], path)


def test_the_very_next_read_shows_the_attempt_on_every_endpoint(api, database, clinic):
    seen_everywhere(api, database, clinic)
    for number, (patient, method, outcome) in enumerate([("patient_456", "phone", "success"),
                                                         ("patient_502", "email", "success"),
                                                         ("patient_123", "sms", "failed")]):
        answer = accepted(
            api.post(clinic, {"patient_id": patient, "method": method, "outcome": outcome, "opened": number == 1}))
        detail = api.answer(clinic, f"patients/{patient}")
        assert detail["outreach"][0] == {
            "outreach_id": answer["outreach_id"], "method": method, "outcome": outcome, "opened": number == 1,
            "notes": "", "logged_by": "user_test", "logged_at": answer["logged_at"]
        }
        if outcome == "success":
            assert detail["days_since_last_contact"] == 0 and detail["risk_level"] == "engaged"
        seen_everywhere(api, database, clinic)


def test_the_row_has_the_values_of_the_request_and_its_user(api, database, clinic):
    body = {
        "patient_id": "patient_500", "method": "email", "outcome": "no_response", "opened": True,
        "notes": "Ō \"q\" \\ \n\t\r \x01 \u2028 🐨 '; --"
    }
    answer = accepted(api.post(clinic, body, subject="user_ünï"))
    [row] = logged(database, clinic, "id = %s", answer["outreach_id"])
    assert row[1:8] == ("patient_500", "email", "no_response", True, body["notes"], "user_ünï", None)
    assert answer["logged_at"] == row[8].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert api.answer(clinic, "patients/patient_500")["outreach"][0]["notes"] == body["notes"]


@pytest.mark.parametrize("body, opened, notes", [
    ({}, False, ""),
    ({"notes": None, "opened": None}, False, ""),
    ({"notes": ""}, False, ""),
    ({"opened": True}, True, ""),
    ({"opened": False, "notes": "x"}, False, "x"),
    ({
        "unknown": {"deep": [1, None, "x"]}, "outreach_id": 5, "logged_by": "someone", "organization_id": "other",
        "created_at": "2000-01-01"
    }, False, ""),
    ({"Notes": 5, "OPENED": "x"}, False, ""),
    ({"big": 10**400}, False, ""),
])
def test_defaults_null_and_unknown_fields(api, database, clinic, body, opened, notes):
    answer = accepted(api.post(clinic, {"patient_id": "patient_123", "method": "phone", "outcome": "failed", **body}))
    [row] = logged(database, clinic, "id = %s", answer["outreach_id"])
    assert (row[4], row[5], row[6]) == (opened, notes, "user_test")


@pytest.mark.parametrize("method", ["sms", "email", "phone"])
@pytest.mark.parametrize("outcome", ["success", "no_response", "failed"])
def test_every_method_is_accepted_with_every_outcome(api, clinic, method, outcome):
    accepted(api.post(clinic, {"patient_id": "patient_123", "method": method, "outcome": outcome}))
