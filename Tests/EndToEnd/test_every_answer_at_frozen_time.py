"""Over HTTPS every field of every endpoint equals the oracle at instants that are limits of the definitions."""

import random

import pytest

import generate
import rows
from checks import (
    COMBINATIONS,
    check_everything,
    check_lists,
    check_patients,
    check_summaries,
    check_trends,
    must_equal,
)
from measures import rfc3339
from oracle import METRICS, Oracle

SEED, PATIENTS, LARGE = 2025, 45, 1500


@pytest.fixture(scope="module")
def loaded(frozen):
    """Loads one organization for each instant and zone. The others must not show in its responses."""
    known = {}
    for name, text in generate.NOWS.items():
        for zone in generate.ZONES:
            organization = f"{name}/{zone}"
            known[organization] = generate.history(SEED, organization, zone, rows.instant(text), PATIENTS)
    known["large"] = generate.history(SEED, "large", "America/New_York", rows.instant(generate.NOWS["noon"]), LARGE)
    everything = rows.Rows()
    for history in known.values():
        everything.extend(history)
    rows.write(frozen.database, everything)
    return known


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("name", generate.NOWS)
def test_every_endpoint_equals_the_oracle_in_every_zone(frozen, loaded, name):
    now = rows.instant(generate.NOWS[name])
    frozen.at(now)
    chooser = random.Random(name)
    for zone in generate.ZONES:
        organization = f"{name}/{zone}"
        oracle = Oracle(loaded[organization], organization, now)
        chosen = COMBINATIONS if zone == "Australia/Sydney" else (METRICS, chooser.choice(COMBINATIONS))
        check_everything(frozen.api, oracle, chosen, limits=(chooser.choice((1, 2, 3)), 7), every=2)


@pytest.mark.nightly
@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/New_York"])
def test_the_same_rows_seen_a_microsecond_and_months_away(frozen, loaded, zone):
    """The rows surround one instant and are requested at others, so upcoming rows become past and the reverse."""
    noon = rows.instant(generate.NOWS["noon"])
    organization = f"noon/{zone}"
    for now in (noon - 1, noon + 1, noon - 40 * generate.DAY, noon + 100 * generate.DAY):
        frozen.at(now)
        oracle = Oracle(loaded[organization], organization, now)
        check_summaries(frozen.api, oracle)
        check_trends(frozen.api, oracle)
        check_lists(frozen.api, oracle, limits=())
        check_patients(frozen.api, oracle, every=5)


@pytest.mark.nightly
def test_a_larger_organization_page_by_page(frozen, loaded):
    now = rows.instant(generate.NOWS["noon"])
    frozen.at(now)
    oracle = Oracle(loaded["large"], "large", now)
    check_summaries(frozen.api, oracle)
    check_trends(frozen.api, oracle)
    check_lists(frozen.api, oracle, limits=(200, 37))
    check_patients(frozen.api, oracle, every=10)


def test_the_contracts_own_example_is_returned_as_printed(frozen):
    from test_oracle import EXAMPLE, EXAMPLES, ORGANIZATION
    with frozen.database.cursor() as cursor:
        cursor.execute((EXAMPLE / "rows.sql").read_text())
    frozen.at(rows.instant("2025-06-30T12:00:00Z"))
    for path, expected in EXAMPLES.items():
        must_equal(expected, frozen.api.answer(ORGANIZATION, path), path)


def test_a_cursor_continues_although_its_patient_is_deleted(frozen, loaded, fresh_id):
    now, organization = rows.instant(generate.NOWS["noon"]), fresh_id("cursor")
    frozen.at(now)
    history = generate.history(7, organization, "Europe/London", now, 30)
    rows.write(frozen.database, history)
    oracle = Oracle(history, organization, now)
    everyone = [p.row.id for p in oracle.patients]
    first = frozen.api.answer(organization, "patients/prioritized?limit=5")
    with frozen.database.cursor() as cursor:
        cursor.execute("DELETE FROM patients WHERE organization_id = %s AND id = %s", (organization, everyone[4]))
    rest = frozen.api.answer(organization, f"patients/prioritized?limit=200&cursor={first['summary']['next_cursor']}")
    assert [p["id"] for p in rest["patients"]] == everyone[5:]


def test_rows_of_the_api_have_the_frozen_now(frozen, fresh_id):
    """All rows have one instant. The greater id is the newer one, and no booking follows an attempt of its own
    instant."""
    now, organization = rows.instant(generate.NOWS["noon"]), fresh_id("stamped")
    frozen.at(now)
    made = generate.history(8, organization, "Asia/Kolkata", now, 30)
    rows.write(frozen.database, made)
    patient = Oracle(made, organization, now).patients[0].row.id
    for number in range(25):
        body = {
            "patient_id": patient, "method": ("sms", "email", "phone")[number % 3],
            "outcome": ("success", "failed")[number % 2]
        }
        response = frozen.api.post(organization, body, key=f"k{number}")
        assert response.status == 201 and response.json()["logged_at"] == rfc3339(now)
    with frozen.database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, created_at) "
            "SELECT %s, 'booked' || n, %s, %s, 'scheduled', %s FROM generate_series(1, 2) n",
            (organization, patient, rows.timestamp(now + generate.DAY), rows.timestamp(now)))
    written = rows.read(frozen.database, organization)
    assert sum(o.created_at == now and o.patient_id == patient for o in written.outreach_log) >= 25
    check_everything(frozen.api, Oracle(written, organization, now))
    later = now + 3 * generate.DAY
    frozen.at(later)
    assert frozen.api.post(organization, {"patient_id": patient, "method": "sms", "outcome": "success"},
                           key="k0").json()["logged_at"] == rfc3339(now)
    check_everything(frozen.api, Oracle(written, organization, later))


def at_two_days(organization, before, after, now):
    """Creates patients: `before` of them are critical on the first of seven days, `after` today."""
    made = rows.Rows()
    made.organizations.append(rows.Organization(organization, organization, "UTC", 140))
    for number in range(max(before, after)):
        intake = 47 if number >= before else 60
        made.patients.append(
            rows.PatientRow(organization, f"p{number}", "x", None, None, None, now - intake * generate.DAY, None))
        if number >= after:
            made.conversations.append(
                rows.Conversation(organization, f"c{number}", f"p{number}", now - generate.DAY, None))
    return made


@pytest.mark.parametrize("before, after, trend", [(20, 21, "stable"), (20, 22, "increasing"), (20, 19, "stable"),
                                                  (20, 18, "decreasing"), (0, 1, "increasing"), (0, 0, "stable"),
                                                  (1, 0, "decreasing"), (40, 42, "stable"), (40, 43, "increasing"),
                                                  (19, 20, "increasing"), (21, 20, "stable"), (3, 3, "stable")])
def test_exactly_five_percent_is_stable(frozen, fresh_id, before, after, trend):
    now, organization = rows.instant("2025-06-30T12:00:00Z"), fresh_id("five")
    frozen.at(now)
    made = at_two_days(organization, before, after, now)
    rows.write(frozen.database, made)
    oracle = Oracle(made, organization, now)
    answer = frozen.api.answer(organization, "trends?period=7d&metrics=risk_levels")
    must_equal(oracle.trends("7d", ("risk_levels", )), answer, "trends")
    days = [d["risk_levels"]["critical"] for d in answer["daily_trends"]]
    assert (days[0], days[-1], answer["risk_distribution_changes"]["critical_trend"]) == (before, after, trend)


@pytest.mark.parametrize("old, new, change, trend", [((1, 20), (1, 19), "5.3", "improving"),
                                                     ((20, 40), (21, 40), "5.0", "stable"),
                                                     ((20, 40), (19, 40), "-5.0", "stable"),
                                                     ((0, 5), (1, 5), "100.0", "improving"),
                                                     ((1, 3), (0, 4), "-100.0", "declining"),
                                                     ((0, 3), (0, 4), "0.0", "stable"),
                                                     ((0, 0), (2, 2), "100.0", "improving"),
                                                     ((2, 2), (0, 0), "-100.0", "declining"),
                                                     ((1, 1), (1, 3), "-66.7", "declining"),
                                                     ((400, 800), (421, 801), "5.1", "improving"),
                                                     ((1, 3), (1, 3), "0.0", "stable"),
                                                     ((1, 8), (1, 3), "166.7", "improving")])
def test_the_change_of_a_channel_is_judged_after_rounding(frozen, fresh_id, old, new, change, trend):
    now, organization = rows.instant("2025-06-30T12:00:00Z"), fresh_id("change")
    frozen.at(now)
    made = rows.Rows()
    made.organizations.append(rows.Organization(organization, organization, "UTC", 140))
    made.patients.append(rows.PatientRow(organization, "p", "x", None, None, None, now - 900 * generate.DAY, None))
    for (good, total), at in ((old, now - 7 * generate.DAY), (new, now - generate.DAY)):
        for number in range(total):
            made.outreach_log.append(
                rows.Outreach(organization, f"{len(made.outreach_log):08x}-0000-4000-8000-000000000000", "p", "email",
                              "success" if number < good else "failed", False, "", "u", at))
    rows.write(frozen.database, made)
    answer = frozen.api.answer(organization, "trends?period=7d")
    must_equal(Oracle(made, organization, now).trends("7d"), answer, "trends")
    assert answer["channel_performance_trends"]["email"]["success_rate_trend"] == trend
    assert str(answer["channel_performance_trends"]["email"]["change_pct"]) == change
