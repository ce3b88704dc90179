"""Asks for everything about an organization and holds it against the oracle."""

from itertools import combinations

from client import difference
from oracle import LEVELS, METRICS, PERIODS, TIMEFRAMES

COMBINATIONS = [c for n in range(len(METRICS) + 1) for c in combinations(METRICS, n)]


def must_equal(expected, got, what):
    found = difference(expected, got)
    assert found is None, f"{what}: {found}"


def check_summaries(api, oracle):
    organization = oracle.organization
    must_equal(oracle.risk_metrics(), api.answer(organization, "risk-metrics"), f"{organization} risk-metrics")
    must_equal(oracle.dashboard(), api.answer(organization, "dashboard"), f"{organization} dashboard")
    for timeframe in TIMEFRAMES:
        path = f"performance?timeframe={timeframe}"
        must_equal(oracle.performance(timeframe), api.answer(organization, path), f"{organization} {path}")
    must_equal(oracle.performance(), api.answer(organization, "performance"), f"{organization} performance")


def check_trends(api, oracle, periods=PERIODS, metrics=(METRICS, )):
    for period in periods:
        for chosen in metrics:
            path = f"trends?period={period}" + (f"&metrics={','.join(chosen)}" if chosen else "")
            must_equal(oracle.trends(period, chosen), api.answer(oracle.organization, path),
                       f"{oracle.organization} {path}")


def page(api, oracle, risk_level, limit, skip=0, cursor=None):
    """Checks one page and returns the cursor to the next."""
    path = f"patients/prioritized?risk_level={risk_level}&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
    got, expected = api.answer(oracle.organization, path), oracle.prioritized(risk_level, limit, skip)
    cursor = got["summary"]["next_cursor"]
    assert cursor is None or isinstance(cursor, str) and cursor
    got["summary"]["next_cursor"] = None if cursor is None else "more"
    must_equal(expected, got, f"{oracle.organization} {path} (after {skip})")
    return cursor


def walk(api, oracle, risk_level, limit):
    """Follows the cursor to the end; the oracle says what each page holds."""
    skip, cursor = 0, None
    while True:
        cursor = page(api, oracle, risk_level, limit, skip, cursor)
        skip += limit
        if cursor is None:
            return


def check_lists(api, oracle, limits=(7, )):
    must_equal({**oracle.prioritized(), "summary": ...},
               {**api.answer(oracle.organization, "patients/prioritized"), "summary": ...}, "the default page")
    for risk_level in ("all", *LEVELS):
        page(api, oracle, risk_level, 200)
        for limit in limits:
            walk(api, oracle, risk_level, limit)


def check_patients(api, oracle, every=1):
    """Each patient's own page, and 404 for those who are archived or do not exist yet."""
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
