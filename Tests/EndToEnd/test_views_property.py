"""The public views, read with psql by a permitted user, contain exactly the oracle's values at any instant."""

import random

import pytest

import generate
import rows
from checks import must_equal
from measures import SECOND
from oracle import TIMEFRAMES, Oracle

MASTER = """organization_id, patient_id, name, phone, email, treatment_notes, created_at, last_contact_day,
days_since_last_contact,
risk_level, risk_score, risk_tier, engagement_status, action_priority, recommended_action, next_scheduled_appointment,
last_appointment_date, missed_appointments_last_90d, attendance_rate_percent, total_lifetime_appointments,
lifetime_value,
previous_response_rate""".replace("\n", " ").split(", ")
INSTANTS = ("created_at", "next_scheduled_appointment", "last_appointment_date")


def columns_of(connection, view):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM public.{view} LIMIT 0")
        return [column.name for column in cursor.description]


def read_view(connection, view, organization):
    """Returns the rows in the API's format, ordered by patient id."""
    with connection.cursor() as cursor:
        chosen = [
            "to_char(last_contact_day, 'YYYY-MM-DD')"
            if c == "last_contact_day" else f"(extract(epoch FROM {c}) * 1000000)::bigint" if c in INSTANTS else c
            for c in MASTER
        ]
        cursor.execute(
            f"SELECT {', '.join(chosen)} FROM public.{view} WHERE organization_id = %s "
            'ORDER BY patient_id COLLATE "C"', (organization, ))
        return [dict(zip(MASTER, row)) for row in cursor]


def expected_master(oracle):

    def one(p):
        detail = {
            **oracle.patient(p.row.id), "patient_id": p.row.id, "created_at": p.row.created_at,
            "next_scheduled_appointment": p.next_scheduled, "last_appointment_date": p.last_appointment
        }
        return {name: detail[name] for name in MASTER}

    return [one(p) for p in sorted(oracle.patients, key=lambda p: p.row.id.encode())]


def flattened_performance(oracle, timeframe):
    answer, flat = oracle.performance(timeframe), {}
    flat.update(answer["reengagement_metrics"])
    for channel, figures in answer["communication_channels"].items():
        flat.update({f"{channel}_{name}": figure for name, figure in figures.items()})
    flat.update(answer["benchmark_comparison"])
    return flat


def read_performance(connection, organization):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM public.reengagement_performance_view WHERE organization_id = %s",
                       (organization, ))
        names = [column.name for column in cursor.description]
        return {row["timeframe"]: row for row in (dict(zip(names, r)) for r in cursor)}


def check_views(connection, organization, now):
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('reengagement.now', %s, false)", (rows.timestamp(now), ))
    oracle = Oracle(rows.read(connection, organization), organization, now)
    for view in ("patient_reengagement_master_view", "patient_reengagement_master"):
        must_equal(expected_master(oracle), read_view(connection, view, organization),
                   f"{view} of {organization} at {rows.timestamp(now)}")
    performance = read_performance(connection, organization)
    assert sorted(performance) == sorted(TIMEFRAMES)
    for timeframe in TIMEFRAMES:
        got = {
            name: value
            for name, value in performance[timeframe].items() if name not in ("organization_id", "timeframe")
        }
        must_equal(flattened_performance(oracle, timeframe), got,
                   f"{timeframe} of {organization} at {rows.timestamp(now)}")


def test_the_master_views_have_the_columns_of_the_definitions_in_their_order(connection):
    assert columns_of(connection, "patient_reengagement_master_view")[:len(MASTER)] == MASTER
    assert columns_of(connection, "patient_reengagement_master")[:len(MASTER)] == MASTER


@pytest.mark.nightly(after=2)
@pytest.mark.parametrize("seed", range(12))
def test_the_views_equal_the_oracle_for_random_histories_at_random_instants(connection, fresh_id, seed):
    chooser = random.Random(seed)
    now = rows.instant(chooser.choice(list(generate.NOWS.values())))
    zone, organization = generate.ZONES[seed % len(generate.ZONES)], fresh_id("views")
    history = generate.history(seed, organization, zone, now, 40)
    rows.write(connection, history)
    moments = [a.starts_at for a in history.appointments] + [o.created_at for o in history.outreach_log] + \
        [c.occurred_at for c in history.conversations] + [p.created_at for p in history.patients] + \
        [p.archived_at for p in history.patients if p.archived_at]
    near = [m for m in moments if abs(m - now) < 400 * generate.DAY]
    instants = [now] + [chooser.choice(near) + chooser.choice((-1, 0, 1, 30 * generate.DAY, SECOND)) for _ in range(6)]
    try:
        for instant in instants:
            check_views(connection, organization, instant)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET reengagement.now")
            cursor.execute("DELETE FROM organizations WHERE id = %s", (organization, ))
