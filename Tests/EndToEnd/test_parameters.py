"""Every parameter: its default, each valid value, and a 422 that names it for each invalid one."""

from urllib.parse import unquote

import pytest

from checks import COMBINATIONS
from client import PREFIX
from openapi import QUERY
from oracle import LEVELS, PERIODS, TIMEFRAMES
from problems import must_be_problem

DEFAULTS = {"performance": ("timeframe", "last_30_days"), "trends": ("period", "30d")}
LIST = "patients/prioritized"
ADDITIONS = {
    "engagement_status": ("active", "stale", "dormant"), "action_priority": ("1", "2", "3", "4"),
    "risk_tier": ("high", "medium", "low"), "sort": ("priority", "name", "last_contact"), "include": ("notes", ),
    "q": ("abc", "%20ab%20c%20", "%25_%5C", "123")
}
CHOICES = [("performance", "timeframe", value) for value in TIMEFRAMES] + \
          [("trends", "period", value) for value in PERIODS] + \
          [("patients/prioritized", "risk_level", value) for value in ("all", *LEVELS)] + \
          [("patients/prioritized", "limit", value) for value in ("1", "2", "50", "199", "200")] + \
          [(LIST, name, value) for name, values in ADDITIONS.items() for value in values] + \
          [("trends", "metrics", ",".join(chosen)) for chosen in COMBINATIONS if chosen] + \
          [("trends", "metrics", ",".join(reversed(chosen))) for chosen in COMBINATIONS if len(chosen) > 1]
WRONG = {
    "timeframe": ("", "LAST_7_DAYS", "Last_7_days", "last_8_days", "last_7_days,last_30_days", "last_7_days+",
                  "+last_7_days", "last_7_days%20", "last_7_days%00", "7", "7d", "null", "%ff", "%zz", "%", "%2",
                  "last_7_days%0a", "last_7_days%2C", "last_7_days;x=1", "last_7_day%C5%BF", "x" * 3000),
    "period": ("", "7D", "30D", "1Y", "6M", "31d", "07d", "7", "d", "365d", "182d", "7d,30d", "7d+", "%ff", "7d%00",
               "-7d"),
    "risk_level": ("", "Critical", "CRITICAL", "ALL", "critical,high", "none", "at_risk", "critical+", "%20critical",
                   "%ff"),
    "limit": ("", "0", "201", "-1", "-0", "1.0", "1e1", "1.", ".5", "%2B5", "+5", "5+", "5%20", "0x10", "1_0", "1,0",
              "abc", "null", "NaN", "%D9%A5", "%EF%BC%95", "999999999999999999999999", "4294967297",
              "18446744073709551617", "9223372036854775808", "5%00", "%ff"),
    "metrics": ("", ",", "risk_levels,", ",risk_levels", "risk_levels,,success_rates", "Risk_Levels", "RISK_LEVELS",
                "risk_levels,+success_rates", "risk_levels,risk_levels", "success_rates,risk_levels,success_rates",
                "all", "risk_levels;success_rates", "%ff", "risk_levels%00"),
    "engagement_status": ("", "Active", "STALE", "all", "active,stale", "dormant+", "%ff"),
    "action_priority": ("", "0", "5", "-1", "01", "1.0", "1e0", "%2B1", "1,2", "all", "%D9%A1", "4294967297"),
    "risk_tier": ("", "High", "critical", "all", "high,low", "+high"),
    "q": ("", "a", "ab", "%20ab%20", "+++", "x" * 101, "%F0%9F%90%A8%F0%9F%90%A8", "%20" * 101, "abc%00", "ab%ff", "%zz"),
    "sort": ("", "Name", "NAME", "risk_score", "name,priority", "-name", "name+", "last-contact"),
    "include": ("", "Notes", "all", "notes,notes", "notes,", "treatment_notes"),
    "cursor": ("", "x", "null", "%00", "%ff", "AAAA", "e30", "e30=", "MTox", "x" * 4000, "../../etc", "1",
               "%F0%9F%90%A8", "eyJhIjoxfQ"),
}
PATH_OF = {"timeframe": "performance", "period": "trends", "metrics": "trends"}
PATH_OF |= {name: LIST for name in ("risk_level", "limit", "cursor", *ADDITIONS)}


def test_every_documented_parameter_is_tested():
    documented = {(parameter["name"], path.removeprefix(f"{PREFIX}/{{org_id}}/")) for path, parameter in QUERY}
    # test_alerts.py and test_live.py test those of alerts.
    documented = {(name, path) for name, path in documented if not path.startswith("alerts")}
    assert documented == set(PATH_OF.items()) and set(WRONG) == set(PATH_OF)


@pytest.mark.parametrize("path, name, value", CHOICES)
def test_each_valid_value_is_accepted_and_returned(api, clinic, path, name, value):
    answer = api.answer(clinic, f"{path}?{name}={value}")
    if name in ("timeframe", "period"):
        assert answer[name] == value
    elif path == LIST:
        applied = answer["summary"]["filters_applied"]
        expected = int(value) if name in ("limit", "action_priority") else unquote(value).strip(" ")
        assert applied == {"risk_level": "all", "limit": 50, name: expected}
    else:
        extra = {
            "risk_levels": {"risk_levels"}, "success_rates": {"contact_success_rate", "conversion_rate"},
            "channel_performance": {"channels"}
        }
        wanted = set().union(*(extra[m] for m in value.split(",")))
        for day in answer["daily_trends"]:
            assert set(day) == wanted | {
                "date", "new_at_risk", "reengaged_successfully", "outreach_attempts", "appointments_scheduled"
            }


@pytest.mark.parametrize("path", DEFAULTS)
def test_the_defaults_are_those_of_the_definitions(api, clinic, path):
    name, value = DEFAULTS[path]
    assert api.answer(clinic, path) == api.answer(clinic, f"{path}?{name}={value}")
    assert api.answer(clinic,
                      "patients/prioritized")["summary"]["filters_applied"] == {"risk_level": "all", "limit": 50}


@pytest.mark.parametrize("name, value", [(n, v) for n, values in WRONG.items() for v in values])
def test_each_invalid_value_is_422_and_names_its_parameter(api, clinic, name, value):
    response = api.get(clinic, f"{PATH_OF[name]}?{name}={value}")
    problem = must_be_problem(response, 422)
    assert [error["field"] for error in problem["errors"]] == [name]


@pytest.mark.parametrize("name, value", [("timeframe", "last_7_days"), ("period", "7d"), ("metrics", "risk_levels"),
                                         ("risk_level", "all"), ("limit", "5"), ("engagement_status", "stale"),
                                         ("action_priority", "4"), ("risk_tier", "low"), ("q", "abc"),
                                         ("sort", "name"), ("include", "notes")])
@pytest.mark.parametrize("form", ["{n}={v}&{n}={v}", "{n}={v}&x=1&{n}=", "{n}&{n}={v}", "{n}={v}&%{c:02x}{rest}={v}"])
def test_a_repeated_parameter_is_422_even_with_the_same_value(api, clinic, name, value, form):
    query = form.format(n=name, v=value, c=ord(name[0]), rest=name[1:])
    problem = must_be_problem(api.get(clinic, f"{PATH_OF[name]}?{query}"), 422)
    assert name in [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize("query", ["timeframe", "x=1&timeframe", "timeframe&"])
def test_a_parameter_without_an_equals_sign_is_empty(api, clinic, query):
    must_be_problem(api.get(clinic, f"performance?{query}"), 422)


@pytest.mark.parametrize("query", [
    "", "&", "&&", "x", "x=1", "x=1&x=2", "=1", "=", "Timeframe=last_7_days", "TIMEFRAME=x", "timeframe%20=x", "x=%ff",
    "x=%zz", "%ff=1", "%zz=1", "timeframe[]=last_7_days", "limit=5", "%F0%9F%90%A8=%F0%9F%90%A8", "x=" + "y" * 4000,
    "a=1;timeframe=x", "__proto__=1", "time%00frame=1", "&".join(f"p{n}={n}" for n in range(500))
])
def test_an_unknown_parameter_is_ignored(api, clinic, query):
    assert api.answer(clinic, f"performance?{query}") == api.answer(clinic, "performance")


@pytest.mark.parametrize("query, same", [
    ("performance?timeframe=last%5F7%5fdays", "performance?timeframe=last_7_days"),
    ("performance?%74ime%66rame=last_7_days", "performance?timeframe=last_7_days"),
    ("performance?timeframe=%6C%61%73%74_7_days", "performance?timeframe=last_7_days"),
    ("performance?x=1&timeframe=last_7_days&y", "performance?timeframe=last_7_days"),
    ("trends?metrics=risk_levels%2Csuccess_rates", "trends?metrics=risk_levels,success_rates"),
    ("trends?metrics=success_rates,risk_levels&period=%37d", "trends?period=7d&metrics=risk_levels,success_rates"),
])
def test_names_and_values_are_percent_decoded(api, clinic, query, same):
    assert api.answer(clinic, query) == api.answer(clinic, same)


def test_all_invalid_parameters_are_listed_at_once(api, clinic):
    problem = must_be_problem(api.get(clinic, "patients/prioritized?limit=0&risk_level=no"), 422)
    assert sorted(error["field"] for error in problem["errors"]) == ["limit", "risk_level"]
    problem = must_be_problem(api.get(clinic, f"{LIST}?{'&'.join(f'{name}=x' for name in ADDITIONS)}"), 422)
    assert [error["field"] for error in problem["errors"]] == [
        "engagement_status", "action_priority", "risk_tier", "q", "sort", "include"
    ]
    problem = must_be_problem(api.get(clinic, "trends?period=x&metrics=y"), 422)
    assert sorted(error["field"] for error in problem["errors"]) == ["metrics", "period"]


def first_cursor(api, organization, query="limit=1"):
    cursor = api.answer(organization, f"patients/prioritized?{query}")["summary"]["next_cursor"]
    assert cursor
    return cursor


def test_a_cursor_needs_no_escaping_in_a_query(api, clinic):
    assert set(first_cursor(api, clinic)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def test_a_cursor_continues_with_another_limit_but_not_with_another_filter(api, clinic):
    cursor = first_cursor(api, clinic)
    everyone = [p["id"] for p in api.answer(clinic, "patients/prioritized?limit=200")["patients"]]
    rest = api.answer(clinic, f"patients/prioritized?limit=200&cursor={cursor}")
    assert [p["id"] for p in rest["patients"]] == everyone[1:]
    assert rest["summary"]["next_cursor"] is None
    problem = must_be_problem(api.get(clinic, f"patients/prioritized?risk_level=critical&cursor={cursor}"), 422)
    assert [e["field"] for e in problem["errors"]] == ["cursor"]


def test_a_cursor_of_a_filter_is_invalid_for_the_whole_list(api, clinic):
    cursor = first_cursor(api, clinic, "limit=1&risk_level=critical")
    must_be_problem(api.get(clinic, f"patients/prioritized?cursor={cursor}"), 422)
    must_be_problem(api.get(clinic, f"patients/prioritized?risk_level=all&cursor={cursor}"), 422)
    assert api.get(clinic, f"patients/prioritized?risk_level=critical&cursor={cursor}").status == 200


def test_a_cursor_of_another_organization_is_422(api, clinic, second_clinic):
    must_be_problem(api.get(second_clinic, f"patients/prioritized?cursor={first_cursor(api, clinic)}"), 422)


def test_a_truncated_or_extended_cursor_is_422(api, clinic):
    cursor = first_cursor(api, clinic)
    for wrong in (cursor[:-1], cursor[1:], cursor[:len(cursor) // 2], cursor + "A", cursor + "=", cursor * 2,
                  cursor + "%00", cursor.swapcase()):
        response = api.get(clinic, f"patients/prioritized?cursor={wrong}")
        assert response.status == 422, f"{cursor} -> {wrong}: {response}"


def test_a_repeated_cursor_is_422(api, clinic):
    cursor = first_cursor(api, clinic)
    must_be_problem(api.get(clinic, f"patients/prioritized?cursor={cursor}&cursor={cursor}"), 422)
