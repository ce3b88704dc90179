"""Requests every endpoint of an organization and compares the responses with the oracle."""

from itertools import combinations
from random import Random
from urllib.parse import urlencode

from client import difference
from oracle import LEVELS, METRICS, PERIODS
from registry import READS, questions

COMBINATIONS = [c for n in range(len(METRICS) + 1) for c in combinations(METRICS, n)]


def must_equal(expected, got, what):
    found = difference(expected, got)
    assert found is None, f"{what}: {found}"


# Every endpoint without a check of its own below. The notices depend on earlier requests too (test_alerts.py).
SUMMARIES = [endpoint for endpoint in READS
             if endpoint.path not in ("trends", "alerts/events") and not endpoint.path.startswith("patients/")]


def comparable(answer):
    """Returns a response without what depends on more than the rows: the cursor's text, and the number of notices."""
    summary = answer.get("summary", {})
    if "next_cursor" in summary:
        summary["next_cursor"] = summary["next_cursor"] and "more"
    answer.pop("sequence", None)
    return answer


def check_summaries(api, oracle):
    paths = [endpoint.path for endpoint in SUMMARIES] + [question.path() for question in questions(SUMMARIES)]
    for path in dict.fromkeys(paths):
        must_equal(comparable(oracle.answer_to(path)), comparable(api.answer(oracle.organization, path)),
                   f"{oracle.organization} {path}")


def check_trends(api, oracle, periods=PERIODS, metrics=(METRICS, )):
    for period in periods:
        for chosen in metrics:
            path = f"trends?period={period}" + (f"&metrics={','.join(chosen)}" if chosen else "")
            must_equal(oracle.trends(period, chosen), api.answer(oracle.organization, path),
                       f"{oracle.organization} {path}")


def asked_for(api, organization, values, by_post=False):
    """Requests a page of the list, with the parameters in the query or in a body."""
    if not by_post:
        return api.answer(organization, f"patients/prioritized?{urlencode(values)}")
    response = api.search(organization, values)
    assert response.status == 200, response
    return response.json()


def page(api, oracle, risk_level, limit, skip=0, cursor=None, by_post=False, **additions):
    """Checks one page and returns the cursor of the next."""
    values = {"risk_level": risk_level, "limit": limit, **additions, **({"cursor": cursor} if cursor else {})}
    got = asked_for(api, oracle.organization, values, by_post)
    expected = oracle.prioritized(risk_level, limit, skip, **additions)
    cursor = got["summary"]["next_cursor"]
    assert cursor is None or isinstance(cursor, str) and cursor
    got["summary"]["next_cursor"] = None if cursor is None else "more"
    must_equal(expected, got, f"{oracle.organization} {values} (after {skip})")
    return cursor


def walk(api, oracle, risk_level, limit, by_post=False, **additions):
    """Follows the cursor to the end and compares each page with the oracle."""
    skip, cursor = 0, None
    while True:
        cursor = page(api, oracle, risk_level, limit, skip, cursor, by_post, **additions)
        skip += limit
        if cursor is None:
            return


# Each filter, order and addition. The search terms match many names, a few and none.
ADDITIONS = ({"sort": "name"}, {"sort": "last_contact"}, {"sort": "priority", "include": "notes"},
             {"engagement_status": "active"}, {"engagement_status": "stale", "sort": "name"},
             {"engagement_status": "dormant", "sort": "last_contact"}, {"action_priority": 1}, {"action_priority": 2},
             {"action_priority": 3, "risk_tier": "medium"}, {"action_priority": 4, "sort": "last_contact"},
             {"risk_tier": "high"}, {"risk_tier": "low", "sort": "name"}, {"q": " OTAKI "},
             {"q": "SMITH", "sort": "name"},
             {"q": "\u0391\u0301\u0395\u0301"}, {"q": "xxx", "sort": "last_contact"}, {"q": "%00"},
             {"q": "no such name"},
             {"q": "0400 00", "include": "notes"}, {"q": "example.com", "risk_tier": "high", "sort": "name"})


def check_lists(api, oracle, limits=(7, )):
    must_equal({**oracle.prioritized(), "summary": ...},
               {**api.answer(oracle.organization, "patients/prioritized"), "summary": ...}, "the default page")
    for risk_level in ("all", *LEVELS):
        page(api, oracle, risk_level, 200)
        for limit in limits:
            walk(api, oracle, risk_level, limit)
    # Checks one page for each addition and all pages for three of them, which differ between organizations.
    chosen = Random(oracle.organization).sample(range(len(ADDITIONS)), 3)
    for number, additions in enumerate(ADDITIONS):
        page(api, oracle, "all", 200, by_post=bool(number % 2), **additions)
        if number in chosen and limits:
            walk(api, oracle, "all", limits[-1], by_post=not number % 2, **additions)
    page(api, oracle, LEVELS[len(oracle.patients) % 5], 200, sort="name", q="o'b")


def check_patients(api, oracle, every=1):
    """Checks each patient's page, and expects 404 for patients that are archived or do not exist yet."""
    for row in oracle.rows.of(oracle.organization).patients[::every]:
        expected = oracle.patient(row.id)
        response = api.get(oracle.organization, api.patient_path(row.id))
        if expected is None:
            assert response.status == 404, f"{row.id!r}: {response}"
        else:
            assert response.status == 200, f"{row.id!r}: {response}"
            must_equal(expected, response.json(), f"{oracle.organization} {row.id!r}")


def check_everything(api, oracle, metrics=(METRICS, ), limits=(7, ), every=1):
    check_summaries(api, oracle)
    check_trends(api, oracle, metrics=metrics)
    check_lists(api, oracle, limits)
    check_patients(api, oracle, every)
