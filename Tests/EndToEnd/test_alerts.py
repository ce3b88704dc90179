"""Alerts: the list, acknowledging and reopening, and the notices after a number."""

import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

import rows
from asking import eventually
from checks import comparable, must_equal
from measures import HOUR, SECOND
from oracle import Oracle
from problems import must_be_answer, must_be_problem

NOON = rows.instant("2025-06-30T12:00:00Z")
DAY = 24 * HOUR
# Days since the last contact at NOON. The zone is UTC.
CONTACTS = {"a": 45, "b": 45, "c": 46, "d": 50, "e": 51, "f": 52, "g": 44, "h": 100, "i": 46}


def since(patient, contacts=None):
    """Returns the day since which a patient is critical."""
    return str(date(2025, 6, 30) - timedelta(days=(contacts or CONTACTS)[patient] - 45))


def talk(database, organization, patient, at):
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES (%s, %s, %s, %s)",
            (organization, os.urandom(8).hex(), patient, rows.timestamp(at)))


def fill(database, organization, contacts=None, zone="UTC", now=NOON):
    """One transaction. Otherwise the background refresh may see a part of it and write notices of the rest."""
    contacts = CONTACTS if contacts is None else contacts
    with database.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO organizations (id, name, time_zone) VALUES (%s, 'Clinic', %s)", (organization, zone))
        for patient, days in contacts.items():
            cursor.execute(
                "INSERT INTO patients (organization_id, id, name, created_at) VALUES (%s, %s, %s, '2020-01-01Z')",
                (organization, patient, f"Name of {patient}"))
            talk(database, organization, patient, now - days * DAY)
        cursor.execute("COMMIT")
    return organization


@pytest.fixture
def clinic_at_noon(frozen, fresh_id):
    frozen.at(NOON)
    return fill(frozen.database, fresh_id("alerts"))


def say(api, organization, action, body, subject="user_1", more=None):
    headers = {**api.authorization(organization, sub=subject), "Content-Type": "application/json", **(more or {})}
    body = body if isinstance(body, str) else json.dumps(body)
    return api.client.request("POST", api.target(organization, f"alerts/{action}"), headers, body)


def said(api, organization, action, subject="user_1", **body):
    """Acknowledges or reopens an alert, and returns it."""
    response = must_be_answer(say(api, organization, action, body, subject), 200)
    assert set(response.json()) == {
        "id", "name", "phone", "email", "risk_level", "risk_score", "critical_since", "days_since_last_contact",
        "recommended_action", "action_priority", "acknowledged"
    }
    return response.json()


def listed(api, organization, query="state=all&days=90&limit=200"):
    return {alert["id"]: alert for alert in api.answer(organization, f"alerts?{query}")["alerts"]}


def words(database, organization):
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT patient_id, action, until::text, note, logged_by FROM re.alert_acknowledgement "
            "WHERE organization_id = %s ORDER BY number", (organization, ))
        return cursor.fetchall()


def attempt(api, organization, patient, outcome="no_response", subject="user_2"):
    body = {"patient_id": patient, "method": "phone", "outcome": outcome}
    assert api.post(organization, body, subject=subject).status == 201


def walk(api, organization, days, state, limit):
    """Returns all pages, each compared with the oracle by the caller."""
    cursor = None
    while True:
        query = f"alerts?days={days}&state={state}&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = api.answer(organization, query)
        cursor = page["summary"]["next_cursor"]
        yield page
        if cursor is None:
            return


# The list


def test_each_page_of_each_state_equals_the_oracle(frozen, clinic_at_noon):
    organization = clinic_at_noon
    said(frozen.api, organization, "acknowledge", patient_id="a", critical_since=since("a"), note="x")
    said(frozen.api, organization, "acknowledge", patient_id="d", critical_since=since("d"), until="2025-07-01")
    said(frozen.api, organization, "acknowledge", patient_id="h", critical_since=since("h"))
    attempt(frozen.api, organization, "e")
    attempt(frozen.api, organization, "i", outcome="failed")
    said(frozen.api, organization, "reopen", patient_id="i", critical_since=since("i"))
    oracle = Oracle(rows.read(frozen.database, organization), organization, NOON)
    assert sum(oracle.alerts(days=90)[name] for name in ("open", "acknowledged")) == 8
    for days, state, limit in itertools.product((1, 6, 7, 8, 55, 56, 90), ("open", "acknowledged", "all"), (1, 2, 50)):
        for number, page in enumerate(walk(frozen.api, organization, days, state, limit)):
            expected = oracle.alerts(days, state, limit, skip=number * limit)
            must_equal(comparable(expected), comparable(page), f"{days} {state} {limit} page {number}")


def test_a_cursor_belongs_to_its_organization_days_and_state(frozen, clinic_at_noon, fresh_id):
    other = fill(frozen.database, fresh_id("other"))
    cursor = frozen.api.answer(clinic_at_noon, "alerts?limit=1")["summary"]["next_cursor"]
    assert frozen.api.get(clinic_at_noon, f"alerts?limit=200&cursor={cursor}").status == 200
    for organization, query in ((other, ""), (clinic_at_noon, "&days=8"), (clinic_at_noon, "&state=all")):
        problem = must_be_problem(frozen.api.get(organization, f"alerts?cursor={cursor}{query}"), 422)
        assert [error["field"] for error in problem["errors"]] == ["cursor"]
    listed_cursor = frozen.api.answer(clinic_at_noon, "patients/prioritized?limit=1")["summary"]["next_cursor"]
    must_be_problem(frozen.api.get(clinic_at_noon, f"alerts?cursor={listed_cursor}"), 422)


# Acknowledging


def test_an_acknowledged_alert_is_the_answer_and_shows_in_the_next_read(frozen, clinic_at_noon):
    expected = {"by": "user_1", "at": "2025-06-30T12:00:00Z", "until": "2025-07-07", "note": "Ō \"q\" \n"}
    answer = said(frozen.api, clinic_at_noon, "acknowledge", patient_id="c", critical_since=since("c"),
                  until="2025-07-07", note="Ō \"q\" \n")
    assert answer["acknowledged"] == expected
    assert listed(frozen.api, clinic_at_noon)["c"] == answer
    page = frozen.api.answer(clinic_at_noon, "alerts")
    assert "c" not in [alert["id"] for alert in page["alerts"]] and page["acknowledged"] == 1
    reopened = said(frozen.api, clinic_at_noon, "reopen", patient_id="c", critical_since=since("c"))
    assert reopened == {**answer, "acknowledged": None} == listed(frozen.api, clinic_at_noon, "days=7")["c"]


def test_the_same_values_change_nothing_whoever_sends_them(frozen, clinic_at_noon):
    body = {"patient_id": "a", "critical_since": since("a"), "until": "2025-07-02", "note": "n"}
    first = said(frozen.api, clinic_at_noon, "acknowledge", **body)
    assert said(frozen.api, clinic_at_noon, "acknowledge", subject="user_2", **body) == first
    assert len(words(frozen.database, clinic_at_noon)) == 1
    changed = said(frozen.api, clinic_at_noon, "acknowledge", subject="user_2", **{**body, "note": "m"})
    assert changed["acknowledged"] | {"until": None} == {
        "by": "user_2", "at": "2025-06-30T12:00:00Z", "until": None, "note": "m"}
    said(frozen.api, clinic_at_noon, "acknowledge", **{**body, "until": None, "note": None})
    for _ in range(2):
        said(frozen.api, clinic_at_noon, "reopen", patient_id="a", critical_since=since("a"))
    # The latest word is a reopening, so the values of an earlier word are a new one.
    assert said(frozen.api, clinic_at_noon, "acknowledge", subject="user_3", **body)["acknowledged"]["by"] == "user_3"
    assert words(frozen.database, clinic_at_noon) == [
        ("a", "acknowledge", "2025-07-02", "n", "user_1"), ("a", "acknowledge", "2025-07-02", "m", "user_2"),
        ("a", "acknowledge", None, "", "user_1"), ("a", "reopen", None, "", "user_1"),
        ("a", "acknowledge", "2025-07-02", "n", "user_3")]


def test_an_open_alert_stays_as_it_is_when_it_is_reopened(frozen, clinic_at_noon):
    assert said(frozen.api, clinic_at_noon, "reopen", patient_id="a", critical_since=since("a"))["acknowledged"] is None
    assert words(frozen.database, clinic_at_noon) == []


@pytest.mark.parametrize("outcome", ["no_response", "failed"])
def test_an_attempt_acknowledges_until_it_is_taken_back(frozen, clinic_at_noon, outcome):
    attempt(frozen.api, clinic_at_noon, "d", outcome)
    expected = {"by": "user_2", "at": "2025-06-30T12:00:00Z", "until": None, "note": ""}
    assert listed(frozen.api, clinic_at_noon)["d"]["acknowledged"] == expected
    # An attempt is no word, so an acknowledgement is stored beside it.
    said(frozen.api, clinic_at_noon, "acknowledge", patient_id="d", critical_since=since("d"))
    said(frozen.api, clinic_at_noon, "reopen", patient_id="d", critical_since=since("d"))
    assert listed(frozen.api, clinic_at_noon)["d"]["acknowledged"] is None
    frozen.at(NOON + SECOND)
    attempt(frozen.api, clinic_at_noon, "d", outcome, subject="user_3")
    assert listed(frozen.api, clinic_at_noon)["d"]["acknowledged"]["by"] == "user_3"


def test_a_reopening_takes_back_an_attempt_alone(frozen, clinic_at_noon):
    attempt(frozen.api, clinic_at_noon, "d")
    assert said(frozen.api, clinic_at_noon, "reopen", patient_id="d", critical_since=since("d"))["acknowledged"] is None
    assert listed(frozen.api, clinic_at_noon, "days=7")["d"]["acknowledged"] is None
    assert words(frozen.database, clinic_at_noon) == [("d", "reopen", None, "", "user_1")]


def test_an_attempt_before_the_alert_does_not_acknowledge_it(frozen, fresh_id):
    organization = fill(frozen.database, fresh_id("before"), {"g": 44})
    frozen.at(NOON)
    attempt(frozen.api, organization, "g")
    frozen.at(NOON + DAY)
    assert listed(frozen.api, organization)["g"]["acknowledged"] is None


@pytest.mark.parametrize("zone, midnight", [("Australia/Sydney", "2025-07-02T14:00:00Z"),
                                            ("America/New_York", "2025-07-03T04:00:00Z")])
def test_a_snooze_ends_at_the_midnight_of_the_clinic(frozen, fresh_id, zone, midnight):
    organization = fill(frozen.database, fresh_id("snooze"), {"a": 50}, zone)
    frozen.at(NOON)
    [day] = [alert["critical_since"] for alert in listed(frozen.api, organization).values()]
    said(frozen.api, organization, "acknowledge", patient_id="a", critical_since=day, until="2025-07-03")
    end = rows.instant(midnight)
    for now, is_open in ((end - 1, False), (end, True), (end - 1, False), (NOON - 1, True)):
        frozen.at(now)
        assert (listed(frozen.api, organization)["a"]["acknowledged"] is None) == is_open, rows.timestamp(now)


def test_a_later_episode_is_an_alert_of_its_own(frozen, clinic_at_noon):
    said(frozen.api, clinic_at_noon, "acknowledge", patient_id="a", critical_since=since("a"))
    talk(frozen.database, clinic_at_noon, "a", NOON)
    assert "a" not in listed(frozen.api, clinic_at_noon)
    over = must_be_problem(say(frozen.api, clinic_at_noon, "acknowledge",
                               {"patient_id": "a", "critical_since": since("a")}), 409)
    assert over["type"] == "/problems/alert-over" and "not critical" in over["detail"]
    frozen.at(NOON + 45 * DAY)
    later = listed(frozen.api, clinic_at_noon)["a"]
    assert later["acknowledged"] is None and later["critical_since"] == "2025-08-14"
    for action in ("acknowledge", "reopen"):
        over = must_be_problem(say(frozen.api, clinic_at_noon, action,
                                   {"patient_id": "a", "critical_since": since("a")}), 409)
        assert "2025-08-14" in over["detail"]
    assert len(words(frozen.database, clinic_at_noon)) == 1


# Refusals


def fields(response):
    return [error["field"] for error in must_be_problem(response, 422)["errors"]]


@pytest.mark.parametrize("until, is_taken", [("2025-06-29", False), ("2025-06-30", False), ("2025-07-01", True),
                                             ("2026-06-30", True), ("2026-07-01", False), ("9999-12-31", False),
                                             ("2025-06-31", False), ("20250701", False), (1, False), ("", False)])
def test_until_is_1_to_365_days_after_today(frozen, clinic_at_noon, until, is_taken):
    response = say(frozen.api, clinic_at_noon, "acknowledge",
                   {"patient_id": "a", "critical_since": since("a"), "until": until})
    if is_taken:
        assert response.status == 200, response
    else:
        assert fields(response) == ["until"]
    assert len(words(frozen.database, clinic_at_noon)) == is_taken


def test_today_is_the_clinics(frozen, fresh_id):
    organization = fill(frozen.database, fresh_id("ahead"), {"a": 50}, "Pacific/Kiritimati")
    frozen.at(NOON)
    [day] = [alert["critical_since"] for alert in listed(frozen.api, organization).values()]
    body = {"patient_id": "a", "critical_since": day}
    assert fields(say(frozen.api, organization, "acknowledge", {**body, "until": "2025-07-01"})) == ["until"]
    assert say(frozen.api, organization, "acknowledge", {**body, "until": "2025-07-02"}).status == 200


@pytest.mark.parametrize("action", ["acknowledge", "reopen"])
@pytest.mark.parametrize("change, refused", [
    ({"patient_id": None}, ["patient_id"]), ({"patient_id": "a/.."}, ["patient_id"]), ({"patient_id": "x" * 201}, ["patient_id"]),
    ({"critical_since": None}, ["critical_since"]), ({"critical_since": "2025-02-29"}, ["critical_since"]),
    ({"critical_since": "30.6.2025"}, ["critical_since"]), ({"patient_id": 1, "critical_since": 1}, ["patient_id", "critical_since"]),
])
def test_a_field_that_cannot_be_is_422(frozen, clinic_at_noon, action, change, refused):
    body = {"patient_id": "a", "critical_since": since("a"), "unknown": {"ignored": [1]}}
    assert fields(say(frozen.api, clinic_at_noon, action, {**body, **change})) == refused
    assert say(frozen.api, clinic_at_noon, action, body).status == 200


@pytest.mark.parametrize("note", ["x" * 1001, "😀" * 1001, "\0", "\ud800", 7])
def test_a_note_that_cannot_be_is_422(frozen, clinic_at_noon, note):
    body = {"patient_id": "a", "critical_since": since("a"), "note": note}
    assert fields(say(frozen.api, clinic_at_noon, "acknowledge", body)) == ["note"]


def test_a_note_of_1000_code_points_is_stored(frozen, clinic_at_noon):
    answer = said(frozen.api, clinic_at_noon, "acknowledge", patient_id="a", critical_since=since("a"), note="😀" * 1000)
    assert answer["acknowledged"]["note"] == "😀" * 1000


@pytest.mark.parametrize("action", ["acknowledge", "reopen"])
def test_errors_have_the_order_of_the_definitions(frozen, clinic_at_noon, fresh_id, action):
    with frozen.database.cursor() as cursor:
        cursor.execute("UPDATE patients SET archived_at = '2025-06-30Z' WHERE organization_id = %s AND id = 'c'",
                       (clinic_at_noon, ))
    other = fill(frozen.database, fresh_id("other"), {"theirs": 50})
    for patient in ("nobody", "c", "theirs", "A"):
        body = {"patient_id": patient, "critical_since": since("c")}
        must_be_problem(say(frozen.api, clinic_at_noon, action, body), 404)
        if action == "acknowledge":
            assert fields(say(frozen.api, clinic_at_noon, action, {**body, "until": "2025-06-30"})) == ["until"]
            body |= {"patient_id": "a", "until": "2025-06-30"}
            assert fields(say(frozen.api, clinic_at_noon, action, body)) == ["until"]
    for patient, day in (("g", "2025-07-01"), ("a", "2025-06-29"), ("a", "0001-01-01"), ("a", "9999-12-31")):
        must_be_problem(say(frozen.api, clinic_at_noon, action, {"patient_id": patient, "critical_since": day}), 409)
    must_be_problem(say(frozen.api, clinic_at_noon, action, "[]"), 400)
    must_be_problem(say(frozen.api, clinic_at_noon, action, "{}", more={"Content-Type": "text/plain"}), 415)
    must_be_problem(frozen.api.get(clinic_at_noon, f"alerts/{action}"), 405)
    must_be_problem(say(frozen.api, clinic_at_noon, action, {}, more=frozen.api.authorization(other)), 403)
    assert words(frozen.database, clinic_at_noon) == []


# The running clock


@pytest.fixture
def clinic_today(database, fresh_id):
    with database.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
        return fill(database, fresh_id("today"), {"a": 50, "b": 48}, now=cursor.fetchone()[0])


def test_of_many_requests_at_once_one_writes(api, database, clinic_today):
    day = listed(api, clinic_today)["a"]["critical_since"]
    body = {"patient_id": "a", "critical_since": day, "note": "together"}
    with ThreadPoolExecutor(12) as pool:
        for number, action in enumerate(("acknowledge", "reopen", "acknowledge", "reopen"), 1):
            answers = list(pool.map(lambda n: said(api, clinic_today, action, f"user_{n}", **body), range(12)))
            assert all(answer == answers[0] for answer in answers)
            assert (answers[0]["acknowledged"] is None) == (action == "reopen")
            assert len(words(database, clinic_today)) == number
            assert listed(api, clinic_today)["a"] == answers[0]


def test_an_alert_of_another_organization_stays_open(api, database, clinic_today, fresh_id):
    with database.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
        other = fill(database, fresh_id("other"), {"a": 50}, now=cursor.fetchone()[0])
    day = listed(api, clinic_today)["a"]["critical_since"]
    said(api, clinic_today, "acknowledge", patient_id="a", critical_since=day)
    assert listed(api, other)["a"]["acknowledged"] is None
    assert listed(api, clinic_today)["b"]["acknowledged"] is None


def entries(database, organization):
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT request_id, method, route, status, subject, filter, patient_ids, patient_sought, problem, address "
            "FROM re.audit WHERE organization_id = %s AND method = 'POST'", (organization, ))
        return {row[0]: row[1:] for row in cursor}


def test_each_word_is_in_the_audit_and_its_note_nowhere_but_in_its_row(stack, api, database, clinic_today):
    day, until = listed(api, clinic_today)["a"]["critical_since"], str(date.today() + timedelta(days=30))
    note, routes = f"note{os.urandom(8).hex()}", "/api/v1/reengagement/{org_id}/alerts/"
    body = {"patient_id": "a", "critical_since": day, "until": until, "note": note}
    asked = [("written", "acknowledge", body, 200), ("same", "acknowledge", body, 200),
             ("reopened", "reopen", body, 200), ("again", "reopen", body, 200),
             ("over", "acknowledge", {**body, "critical_since": "2025-01-01"}, 409),
             ("nobody", "acknowledge", {**body, "patient_id": "nobody"}, 404),
             ("bad", "acknowledge", {**body, "until": "2025-01-01"}, 422)]
    ids = {}
    for name, action, sent, status in asked:
        ids[name] = os.urandom(8).hex()
        response = say(api, clinic_today, action, sent, more={"X-Request-Id": ids[name]})
        assert response.status == status, response
    # The first two were recorded in their own transactions, the others soon after the answer.
    assert {ids["written"], ids["reopened"]} <= set(entries(database, clinic_today))
    found = eventually(lambda: len(known := entries(database, clinic_today)) == len(asked) and known)
    days = {"critical_since": day, "until": until}
    for name in ("written", "same"):
        assert found[ids[name]][:8] == ("POST", routes + "acknowledge", 200, "user_1",
                                        days if name == "written" else {"patient_id": "a", **days}, ["a"], None, None)
    for name in ("reopened", "again"):
        assert found[ids[name]][:6] == ("POST", routes + "reopen", 200, "user_1",
                                        {"critical_since": day} if name == "reopened" else
                                        {"patient_id": "a", "critical_since": day}, ["a"])
    assert found[ids["over"]][2::5] == (409, "alert-over") and found[ids["over"]][6] == "a"
    assert found[ids["nobody"]][2::5] == (404, "no-such-patient") and found[ids["nobody"]][6] == "nobody"
    assert found[ids["bad"]][2::5] == (422, "bad-field")
    assert found[ids["written"]][8] == found[ids["same"]][8] != ""
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM re.audit entry WHERE entry::text LIKE %s", (f"%{note}%", ))
        assert cursor.fetchone() == (0, )
        cursor.execute("SELECT count(*) FROM re.alert_acknowledgement word WHERE word.note = %s", (note, ))
        assert cursor.fetchone() == (1, )
    logs = [Path(stack.settings[name]) for name in ("SERVER_LOG", "NGINX_ACCESS_LOG", "NGINX_ERROR_LOG", "POSTGRES_LOG")]
    texts = [path.read_text(errors="replace") for log in logs if log.exists()
             for path in ([log] if log.is_file() else log.iterdir()) if path.is_file()]
    assert any(ids["written"] in text for text in texts) and not any(note in text for text in texts)


# Notices


def events(api, organization, query=""):
    answer = api.answer(organization, f"alerts/events?{query}")
    assert set(answer) == {"events", "sequence", "oldest", "reset"}
    assert answer["sequence"] == api.answer(organization, "alerts")["sequence"]
    return answer


def test_the_first_request_after_a_midnight_or_a_change_has_its_notices(frozen, clinic_at_noon):
    api = frozen.api
    assert events(api, clinic_at_noon) == {"events": [], "sequence": 0, "oldest": 1, "reset": False}
    frozen.at(NOON + DAY)
    answer = api.answer(clinic_at_noon, "alerts/events")
    assert answer == {
        "events": [{"sequence": 1, "kind": "critical", "cause": "time", "day": "2025-07-01", "patient_id": "g",
                    "number": 1, "at": "2025-07-01T12:00:00Z"}], "sequence": 1, "oldest": 1, "reset": False}
    for patient in "abc":
        talk(frozen.database, clinic_at_noon, patient, NOON + DAY)
    resolved = api.answer(clinic_at_noon, "alerts/events?after=1")["events"]
    assert [(e["sequence"], e["kind"], e["cause"], e["patient_id"]) for e in resolved] == [
        (2, "resolved", "change", "a"), (3, "resolved", "change", "b"), (4, "resolved", "change", "c")]
    assert [e["sequence"] for e in events(api, clinic_at_noon, "after=1&limit=2")["events"]] == [2, 3]
    assert events(api, clinic_at_noon, "after=4") == {"events": [], "sequence": 4, "oldest": 1, "reset": False}
    for after in (5, 2**63 - 1):
        assert events(api, clinic_at_noon, f"after={after}") == {
            "events": [], "sequence": 4, "oldest": 1, "reset": True}


def test_numbers_that_are_no_longer_kept_are_a_reset(frozen, clinic_at_noon):
    events(frozen.api, clinic_at_noon)
    for patient in "abcd":
        talk(frozen.database, clinic_at_noon, patient, NOON)
    assert events(frozen.api, clinic_at_noon)["sequence"] == 4
    with frozen.database.cursor() as cursor:
        cursor.execute("DELETE FROM re.notice WHERE organization_id = %s AND sequence <= 2", (clinic_at_noon, ))
    # A change of the data ends the use of cached responses.
    talk(frozen.database, clinic_at_noon, "g", NOON)
    assert events(frozen.api, clinic_at_noon, "after=1") == {"events": [], "sequence": 4, "oldest": 3, "reset": True}
    assert [e["sequence"] for e in events(frozen.api, clinic_at_noon, "after=2")["events"]] == [3, 4]
    with frozen.database.cursor() as cursor:
        cursor.execute("DELETE FROM re.notice WHERE organization_id = %s", (clinic_at_noon, ))
    talk(frozen.database, clinic_at_noon, "g", NOON - SECOND)
    assert events(frozen.api, clinic_at_noon, "after=3") == {"events": [], "sequence": 4, "oldest": 5, "reset": True}
    assert events(frozen.api, clinic_at_noon, "after=4") == {"events": [], "sequence": 4, "oldest": 5, "reset": False}


def test_skipped_notices_are_a_reset_at_once(frozen, clinic_at_noon):
    events(frozen.api, clinic_at_noon)
    talk(frozen.database, clinic_at_noon, "a", NOON)
    assert events(frozen.api, clinic_at_noon)["sequence"] == 1
    with frozen.database.cursor() as cursor:
        cursor.execute("SELECT re.skip_notices()")
    sequence = frozen.api.answer(clinic_at_noon, "alerts")["sequence"]
    assert sequence == 1_000_001
    assert events(frozen.api, clinic_at_noon, "after=1") == {
        "events": [], "sequence": sequence, "oldest": sequence + 1, "reset": True}
    talk(frozen.database, clinic_at_noon, "b", NOON)
    assert [e["sequence"] for e in events(frozen.api, clinic_at_noon, f"after={sequence}")["events"]] == [sequence + 1]


@pytest.mark.parametrize("query, refused", [("after=-1", ["after"]), ("after=9223372036854775808", ["after"]),
                                            ("after=01", ["after"]), ("after=", ["after"]), ("limit=0", ["limit"]),
                                            ("limit=201&after=x", ["after", "limit"])])
def test_a_number_that_cannot_be_is_422(api, clinic_today, query, refused):
    assert fields(api.get(clinic_today, f"alerts/events?{query}")) == refused


def test_the_events_patients_are_in_the_audit(frozen, clinic_at_noon):
    events(frozen.api, clinic_at_noon)
    talk(frozen.database, clinic_at_noon, "a", NOON)
    request_id = os.urandom(8).hex()
    headers = {**frozen.api.authorization(clinic_at_noon), "X-Request-Id": request_id}
    frozen.api.get(clinic_at_noon, "alerts/events?limit=7", headers=headers)

    def entry():
        with frozen.database.cursor() as cursor:
            cursor.execute("SELECT patient_ids, filter FROM re.audit WHERE request_id = %s", (request_id, ))
            return cursor.fetchone()

    assert eventually(entry) == (["a"], {"after": "0", "limit": "7"})
