"""The list's additions: search, order and notes, each with parameters in the query and in a body."""

import base64
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from asking import eventually, lines_of
from problems import must_be_problem

PEOPLE = [  # id, name, phone, e-mail, notes, days since intake
    ("accent", "Ana Ōtaki", "+61 (400) 000-123", "ana@example.com", "Knee, week 6.", 100),
    ("composed", "Ren\u00e9e Dupont", "0400 111 222", None, None, 20),
    ("decomposed", "Rene\u0301e Durand", None, "RENEE@EXAMPLE.COM", "", 20),
    ("greek", "\u0396\u03a9\u0397 \u03a0\u0391\u03a0\u03a0\u0391\u03a3", None, None, None, 50),
    ("sharp", "Heidi Stra\u00dfer", "+49 30 123456", None, None, 40),
    ("percent", "100% Sam_Lee", None, "sam%lee@example.com", None, 7),
    ("backslash", "Back\\slash 'Quote\"", None, None, None, 5),
    ("twin_b", "Kim Ito", "0400 999 888", None, None, 30),
    ("twin_a", "KIM \u00cdTO", "0400-999-887", None, None, 30),
    ("Twin", "kim ito", None, None, None, 30),
    ("empty", "", None, None, None, 60),
    ("digits", "Agent 007123", None, None, None, 61),
]


@pytest.fixture(scope="module")
def people(database):
    """Patients without any contact: stale, priority 4, with the days since intake."""
    organization = "clinic_list"
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'List')", (organization, ))
        for patient_id, name, phone, email, notes, days in PEOPLE:
            cursor.execute(
                "INSERT INTO patients (organization_id, id, name, phone, email, treatment_notes, created_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, now() - make_interval(days => %s))",
                (organization, patient_id, name, phone, email, notes, days))
    return organization


def both(api, organization, **values):
    """Returns the response to a query, and asserts that a body gets the same response or the same error."""
    got = api.get(organization, f"patients/prioritized?{urlencode(values)}")
    posted = api.search(organization, values)
    assert got.status == posted.status, (got, posted)
    if got.status != 200:
        problem = must_be_problem(posted, got.status)
        assert problem["errors"] == must_be_problem(got, got.status)["errors"]
        return problem
    answers = [response.json() for response in (got, posted)]
    assert answers[0] | {"timestamp": None} == answers[1] | {"timestamp": None}
    return answers[0]


def found(api, organization, **values):
    answer = both(api, organization, **values)
    ids = [patient["id"] for patient in answer["patients"]]
    assert answer["summary"]["total"] == answer["summary"]["total_returned"] == len(ids)
    return ids


@pytest.mark.parametrize("q, ids", [
    ("otaki", ["accent"]), ("OTAKI", ["accent"]), ("\u014ctaki", ["accent"]), ("O\u0304TAKI", ["accent"]),
    ("  ana   ", ["accent"]), ("Ana Otaki", ["accent"]), ("a o", ["accent"]), ("n\u00e9e", ["composed", "decomposed"]),
    ("ne\u0301e", ["composed", "decomposed"]), ("renee d", ["composed", "decomposed"]), ("renee@", ["decomposed"]),
    ("\u03b6\u03c9\u03b7", ["greek"]), ("\u03c0\u03b1\u03c0\u03c0\u03b1\u03c2", ["greek"]),
    ("\u03a0\u03ac\u03c0\u03c0\u03b1\u03c3", ["greek"]), ("strasser", ["sharp"]), ("STRA\u1e9eER", ["sharp"]),
    ("100%", ["percent"]), ("m_l", ["percent"]), ("m%l", ["percent"]), ("%%%", []), ("___", []), ("a_a", []),
    ("k\\s", ["backslash"]), ("'quote\"", ["backslash"]), ("\\\\\\", []), ("kim", ["Twin", "twin_a", "twin_b"]),
    ("example.com", ["accent", "decomposed", "percent"]), ("none of these", []), ("*.*", []), ("' OR 1=1 --", []),
    # The search by phone compares the digits of both.
    ("400000123", ["accent"]), ("(400) 000", ["accent"]), ("+61400", ["accent"]), ("0.0.0.1", ["accent"]),
    ("04 00", ["composed", "twin_a", "twin_b"]), ("999-88", ["twin_a", "twin_b"]), ("999 888", ["twin_b"]),
    ("007123", ["digits"]), ("123", ["accent", "digits", "sharp"]), ("+-(", []), ("1 2 ", []), ("400x", []),
    ("\u0664\u0660\u0660", []),
])
def test_a_search_finds_exactly_the_matching_patients(api, people, q, ids):
    assert sorted(found(api, people, q=q, sort="name")) == sorted(ids)


@pytest.mark.parametrize("q", ["\u0301\u0301\u0301", "  \u0301\u0300\u0302  "])
def test_a_search_term_that_folds_to_nothing_is_422(api, stack, people, q):
    assert [error["field"] for error in both(api, people, q=q)["errors"]] == ["q"]
    assert stack.client.request("GET", "/ready").status == 200


@pytest.mark.parametrize("q, fits", [
    ("ab", False), ("abc", True), (" ab ", False), ("   ", False), ("x" * 100, True),
    (" " * 50 + "x" * 100 + " ", True),
    ("x" * 101, False), ("\U0001f428" * 100, True), ("\U0001f428" * 101, False), ("e\u0301e", True), ("\u00e9e", False),
    ("\ta\t", True), ("\u00a0a\u00a0", True),
])
def test_the_term_has_3_to_100_code_points_without_surrounding_spaces(api, people, q, fits):
    answer = both(api, people, q=q)
    if fits:
        assert answer["summary"]["filters_applied"]["q"] == q.strip(" ")
    else:
        assert [error["field"] for error in answer["errors"]] == ["q"]


def test_names_are_sorted_as_they_are_searched_and_ties_by_id(api, people):
    assert found(api, people, sort="name") == [
        "empty", "percent", "digits", "accent", "backslash", "sharp", "Twin", "twin_a", "twin_b", "composed",
        "decomposed",
        "greek"
    ]


def test_last_contact_sorts_the_oldest_first_and_then_by_priority(api, people):
    days = {patient_id: days for patient_id, *_, days in PEOPLE}
    ids = found(api, people, sort="last_contact")
    assert ids == sorted(days, key=lambda patient_id: (-days[patient_id], patient_id.encode()))
    assert ids[:4] == ["accent", "digits", "empty", "greek"]


@pytest.mark.parametrize("values", [{}, {"sort": "priority"}, {"sort": "name"}, {"sort": "last_contact"}, {"q": "kim"},
                                    {"q": "kim", "sort": "name"}, {"engagement_status": "stale", "sort": "name"},
                                    {"risk_tier": "low"}, {"q": "400", "sort": "last_contact"}])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_contain_each_patient_once_in_any_mix_of_queries_and_bodies(api, people, values, limit):
    """Query and body alternate, with and without notes and with another limit. A cursor depends on filters and order
    only."""
    everyone, paged, cursor = found(api, people, **values), [], None
    for number in range(len(everyone) + 2):
        asked = {**values, "limit": limit + number % 2, **({"include": "notes"} if number % 3 == 1 else {}),
                 **({"cursor": cursor} if cursor else {})}
        page = (api.search(people, asked)
                if number % 2 else api.get(people, f"patients/prioritized?{urlencode(asked)}")).json()
        paged += [patient["id"] for patient in page["patients"]]
        assert page["summary"]["total"] == len(everyone), "the total differs between the pages"
        assert all(("treatment_notes" in patient) == ("include" in asked) for patient in page["patients"])
        cursor = page["summary"]["next_cursor"]
        if cursor is None:
            break
    assert paged == everyone


def test_a_cursor_belongs_to_the_effective_filters_and_order(api, people, clinic):
    asked = {"q": "kim", "sort": "name", "limit": 1}
    cursor = both(api, people, **asked)["summary"]["next_cursor"]
    same = [{"q": " kim  ", "sort": "name", "risk_level": "all"}, {**asked, "limit": 200, "include": "notes"}]
    for values in same:
        assert [p["id"] for p in both(api, people, **values, cursor=cursor)["patients"]][:1] == ["twin_a"]
    other = [{"q": "kim"}, {"q": "kim", "sort": "last_contact"}, {"q": "Kim", "sort": "name"},
             {"q": "kim ito", "sort": "name"},
             {"sort": "name"}, {**asked, "risk_level": "high"}, {**asked, "engagement_status": "stale"},
             {**asked, "action_priority": 4}, {**asked, "risk_tier": "low"}]
    for values in other:
        assert [error["field"] for error in both(api, people, **values, cursor=cursor)["errors"]] == ["cursor"], values
    assert [error["field"] for error in both(api, clinic, **asked, cursor=cursor)["errors"]] == ["cursor"]
    # Default values may be given explicitly.
    cursor = both(api, people, limit=1)["summary"]["next_cursor"]
    assert both(api, people, sort="priority", risk_level="all", cursor=cursor)["summary"]["total"] == len(PEOPLE)


def test_a_cursor_continues_although_its_patient_was_renamed_or_deleted(api, database, people):
    first = both(api, people, sort="name", limit=9)
    cursor, last = first["summary"]["next_cursor"], first["patients"][-1]
    assert last["id"] == "twin_b"
    try:
        with database.cursor() as cursor_of_database:
            cursor_of_database.execute("UPDATE patients SET name = 'Zzz' WHERE organization_id = %s AND id = 'twin_b'",
                                       (people, ))
        rest = both(api, people, sort="name", cursor=cursor)
        assert [patient["id"] for patient in rest["patients"]] == ["composed", "decomposed", "twin_b", "greek"]
    finally:
        with database.cursor() as cursor_of_database:
            cursor_of_database.execute(
                "UPDATE patients SET name = 'Kim Ito' WHERE organization_id = %s AND id = 'twin_b'", (people,)
            )


def test_a_search_term_cannot_be_read_in_a_cursor(api, people):
    cursor = both(api, people, q="kim ito", limit=1)["summary"]["next_cursor"]
    text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert b"kim" not in text.lower() and people.encode() not in text


def test_the_longest_names_ids_and_texts_fit_an_address(api, database, fresh_id):
    """Names have any length, but a cursor stores a bounded part of one. No patient is repeated or skipped."""
    organization = fresh_id("long") + "\U0001f428" * 180
    names = ["\u6771" * 3000 + end for end in ("a", "b", "c")] + ["\x01" * 3000]
    ids = ["\x01" * 198 + f"{number:02}" for number in range(len(names))]
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'Long')", (organization, ))
        for patient_id, name in zip(ids, names):
            cursor.execute(
                "INSERT INTO patients (organization_id, id, name, email, created_at) VALUES (%s, %s, %s, %s, now())",
                (organization, patient_id, name, "\U0001f428" * 100),
            )
    values, seen = {"q": "\U0001f428" * 100, "sort": "name", "limit": 1}, []
    while True:
        page = both(api, organization, **values)
        seen += [patient["id"] for patient in page["patients"]]
        if page["summary"]["next_cursor"] is None:
            break
        values["cursor"] = page["summary"]["next_cursor"]
    assert seen == [ids[3], *ids[:3]]


def test_a_patient_must_match_every_filter(api, clinic):
    """The contract's example has John 123, Jane 456 and Liam 501 dormant, Mei 502 stale, Ana 500 and Noah 503
    active."""
    assert found(api, clinic, engagement_status="dormant") == ["patient_123", "patient_456", "patient_501"]
    assert found(api, clinic, engagement_status="stale") == ["patient_502"]
    assert found(api, clinic, engagement_status="active") == ["patient_500", "patient_503"]
    assert found(api, clinic, action_priority=1) == ["patient_123", "patient_456"]
    assert found(api, clinic, action_priority=2) == ["patient_501"]
    assert found(api, clinic, action_priority=3) == []
    assert found(api, clinic, action_priority=4) == ["patient_502", "patient_500", "patient_503"]
    assert found(api, clinic, risk_tier="high") == ["patient_123", "patient_456", "patient_502"]
    assert found(api, clinic, risk_tier="medium") == ["patient_501"]
    assert found(api, clinic, risk_tier="low") == ["patient_500", "patient_503"]
    assert found(api, clinic, risk_tier="high", engagement_status="stale") == ["patient_502"]
    assert found(api, clinic, risk_tier="high", action_priority=4, risk_level="critical", q="chen") == ["patient_502"]
    assert found(api, clinic, risk_level="low", risk_tier="high") == []
    assert found(api, clinic, q="gone") == [], "an archived patient is found"
    assert found(api, clinic, q="example.com", sort="name") == ["patient_500", "patient_456", "patient_123",
                                                                "patient_502",
                                                                "patient_503"]
    assert found(api, clinic, sort="last_contact") == ["patient_456", "patient_502", "patient_123", "patient_501",
                                                       "patient_500", "patient_503"]


def test_notes_are_included_on_request_only(api, clinic):
    answer = both(api, clinic, include="notes")
    notes = {patient["id"]: patient["treatment_notes"] for patient in answer["patients"]}
    assert notes == {"patient_123": "Lower back; improving.", "patient_456": None, "patient_501": None,
                     "patient_502": None, "patient_500": "Knee, week 6.", "patient_503": "Shoulder."}
    assert answer["summary"]["filters_applied"] == {"risk_level": "all", "limit": 50, "include": "notes"}
    assert all("treatment_notes" not in patient for patient in both(api, clinic)["patients"])


def test_the_applied_filters_are_the_given_ones_with_effective_values(api, clinic):
    given = {"risk_level": "critical", "engagement_status": "stale", "action_priority": 4, "risk_tier": "high",
             "q": "  Mei ", "sort": "name", "include": "notes", "limit": 7}
    applied = both(api, clinic, **given)["summary"]["filters_applied"]
    assert applied == {**given, "q": "Mei"}
    cursor = both(api, clinic, limit=1)["summary"]["next_cursor"]
    assert both(api, clinic, cursor=cursor)["summary"]["filters_applied"] == {"risk_level": "all", "limit": 50}
    # The key of a cached response includes the filters.
    for _ in range(2):
        assert both(api, clinic, sort="priority")["summary"]["filters_applied"] == {"risk_level": "all", "limit": 50,
                                                                                    "sort": "priority"}
        assert both(api, clinic)["summary"]["filters_applied"] == {"risk_level": "all", "limit": 50}


@pytest.mark.parametrize("values", [{}, {"q": "abc"}, {"sort": "name"}, {"action_priority": 1, "include": "notes"}])
def test_a_clinic_without_rows_has_an_empty_list(api, values):
    answer = both(api, "org_without_rows", **values)
    assert answer["patients"] == [] and answer["summary"]["next_cursor"] is None
    assert (answer["summary"]["total"], answer["summary"]["total_returned"]) == (0, 0)


def test_more_than_a_thousand_found_are_not_counted(api, database, fresh_id):
    organization = fresh_id("many")
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'Many')", (organization, ))
        cursor.execute(
            "INSERT INTO patients (organization_id, id, name, created_at) SELECT %s, n::text, CASE WHEN n <= 1000 THEN 'Anna' "
            "ELSE 'Annabel' END || n, now() - make_interval(days => n %% 50) FROM generate_series(1, 1001) n",
            (organization,),
        )

    def total(**values):
        return both(api, organization, limit=1, **values)["summary"]["total"]

    assert total() == 1001 and total(sort="name") == 1001
    assert total(q="ann") is None and total(q="ann",
                                            sort="name") is None and total(q="ann", sort="last_contact") is None
    assert total(q="annabel") == 1
    in_all = sum(total(q="ann", risk_level=level) for level in ("critical", "high", "medium", "low", "engaged"))
    assert in_all == 1001, "the bound applies to patients that match all filters"
    page = both(api, organization, q="ann", sort="name", limit=200)
    assert len(page["patients"]) == 200 and page["summary"]["next_cursor"]
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM patients WHERE organization_id = %s AND id = '7'", (organization, ))
    assert total(q="ann") == 1000, "the total changes at once"


def test_a_response_follows_changes_of_searched_fields(api, database, clinic):
    assert found(api, clinic, q="smith") == ["patient_123"]
    for column, value, q in (("name", "John Sm\u00efthers", "smithers"), ("email", "js@other.example", "other.ex"),
                             ("phone", "(03) 7777", "037777")):
        with database.cursor() as cursor:
            cursor.execute(f"UPDATE patients SET {column} = %s WHERE organization_id = %s AND id = 'patient_123'",
                           (value, clinic))
        assert found(api, clinic, q=q) == ["patient_123"]
    assert found(api, clinic, q="john.smith") == []
    with database.cursor() as cursor:
        cursor.execute("UPDATE patients SET treatment_notes = 'New' WHERE organization_id = %s AND id = 'patient_123'",
                       (clinic, ))
    assert both(api, clinic, include="notes", q="037777")["patients"][0]["treatment_notes"] == "New"


# The tests below need a body.

@pytest.mark.parametrize("body", [{}, {"risk_level": None, "engagement_status": None, "action_priority": None,
                                       "risk_tier": None,
                                       "q": None, "sort": None, "include": None, "limit": None, "cursor": None},
                                  {"unknown": [1], "Q": "abc", "offset": "x"}, "{}", b" \n{ } "])
def test_null_and_missing_fields_are_the_defaults_and_unknown_fields_are_ignored(api, clinic, body):
    response = api.search(clinic, body)
    assert response.status == 200
    assert response.json() | {"timestamp": None} == api.answer(clinic, "patients/prioritized") | {"timestamp": None}


@pytest.mark.parametrize("literal", ["2", "2.0", "2.000", "2e0", "0.2E1", "20e-1"])
def test_an_integer_may_have_any_spelling_of_json(api, clinic, literal):
    answer = api.search(clinic, f'{{"limit": {literal}}}').json()
    assert answer["summary"]["filters_applied"]["limit"] == 2 and len(answer["patients"]) == 2


@pytest.mark.parametrize(
    "members, fields",
    [
        ('"limit": "5"', ["limit"]),
        ('"limit": 0', ["limit"]),
        ('"limit": 201', ["limit"]),
        ('"limit": 1.5', ["limit"]),
        ('"limit": -1', ["limit"]),
        ('"limit": 1e999', ["limit"]),
        ('"limit": true', ["limit"]),
        ('"limit": []', ["limit"]),
        ('"limit": 5, "limit": 5', ["limit"]),
        ('"limit": 5, "limit": null', ["limit"]),
        ('"action_priority": "1"', ["action_priority"]),
        ('"action_priority": 0', ["action_priority"]),
        ('"action_priority": 5', ["action_priority"]),
        ('"risk_level": "HIGH"', ["risk_level"]),
        ('"risk_level": ""', ["risk_level"]),
        ('"risk_level": ["high"]', ["risk_level"]),
        ('"engagement_status": "all"', ["engagement_status"]),
        ('"risk_tier": 1', ["risk_tier"]),
        ('"q": 400000123', ["q"]),
        ('"q": ""', ["q"]),
        ('"q": "abc\\u0000"', ["q"]),
        ('"q": "\\ud800bc"', ["q"]),
        ('"q": "abc", "q": "abc"', ["q"]),
        ('"sort": "id"', ["sort"]),
        ('"sort": {}', ["sort"]),
        ('"include": ["notes"]', ["include"]),
        ('"include": "all"', ["include"]),
        ('"cursor": "x"', ["cursor"]),
        ('"cursor": ""', ["cursor"]),
        ('"cursor": 1', ["cursor"]),
        (
            '"q": "x", "limit": "x", "sort": "x", "include": "x", "risk_level": "x", "risk_tier": "x", "action_priority": "x", '
            '"engagement_status": "x", "cursor": "x"',
            [
                "risk_level",
                "engagement_status",
                "action_priority",
                "risk_tier",
                "q",
                "sort",
                "include",
                "limit",
                "cursor",
            ],
        ),
    ],
)
def test_a_field_of_a_wrong_kind_is_422_and_named(api, clinic, members, fields):
    problem = must_be_problem(api.search(clinic, "{" + members + "}"), 422)
    assert [error["field"] for error in problem["errors"]] == fields


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\"q\"", b"{", b"{\"q\":\"\xff\xff\xff\"}", b"q=abc",
                                  b"\xef\xbb\xbf{}"])
def test_a_body_that_is_no_json_object_is_400(api, clinic, body):
    must_be_problem(api.search(clinic, body), 400)


def test_parameters_in_the_query_of_a_search_are_ignored(api, clinic):
    answer = api.search(clinic, {"q": "chen"}, query="?q=smith&limit=x&sort=&cursor=x&risk_level=low")
    assert [patient["id"] for patient in answer.json()["patients"]] == ["patient_502"]


def test_other_methods_of_the_path_address_a_patient_with_that_id(api, database, clinic):
    must_be_problem(api.get(clinic, "patients/search"), 404)
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO patients (organization_id, id, name) VALUES (%s, 'search', 'Sea Arch')", (clinic, ))
    assert api.answer(clinic, "patients/search")["name"] == "Sea Arch"
    assert api.get(clinic, "patients/search?q=abc", method="HEAD").status == 200
    assert [p["id"] for p in api.search(clinic, {"q": "sea arch"}).json()["patients"]] == ["search"]
    for method in ("PUT", "DELETE", "PATCH", "BREW"):
        response = api.get(clinic, "patients/search", method=method, headers={}, fresh=True)
        must_be_problem(response, 405)
        assert set(response.header("Allow").split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    allowed = api.get(clinic, "patients/search", method="OPTIONS", headers={}).header("Allow")
    assert set(allowed.split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    response = api.client.request("POST", api.target(clinic, "patients/prioritized"), api.authorization(clinic), "{}",
                                  fresh=True)
    must_be_problem(response, 405)


def test_the_logs_distinguish_a_search_from_a_patient_with_that_id(api, stack, clinic, fresh_id):
    ids = [fresh_id("log") for _ in range(2)]
    headers = {**api.authorization(clinic), "Content-Type": "application/json"}
    api.search(clinic, {}, headers={**headers, "X-Request-Id": ids[0]})
    api.get(clinic, "patients/search", headers={**headers, "X-Request-Id": ids[1]})
    for log in ("NGINX_ACCESS_LOG", "SERVER_LOG"):
        def routes():
            lines = [json.loads(line) for line in lines_of(Path(stack.settings[log])) if "log_" in line]
            found = {line["request_id"]: line["route"] for line in lines if "status" in line}
            return [found.get(request_id) for request_id in ids]
        eventually(lambda: None not in routes())
        assert [route.rpartition("/")[2] for route in routes()] == ["search", "{patient_id}"], log


def test_a_search_ignores_idempotency_keys(api, clinic):
    headers = {**api.authorization(clinic), "Content-Type": "application/json", "Idempotency-Key": "x" * 300}
    for q, ids in (("chen", ["patient_502"]), ("smith", ["patient_123"])):
        assert [p["id"] for p in api.search(clinic, {"q": q}, headers=headers).json()["patients"]] == ids


def test_one_clinic_finds_no_patient_of_another(api, clinic, second_clinic):
    assert found(api, second_clinic, q="only here") == ["only_here"]
    assert found(api, clinic, q="only here") == []
    response = api.search(second_clinic, {"q": "only here"},
                          headers={**api.authorization(clinic), "Content-Type": "application/json"})
    must_be_problem(response, 403)
