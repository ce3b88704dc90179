"""Overload: the excess is refused early, accepted requests are served in time, and memory is bounded."""

import json
import time

import pytest

from load import percentile
from processes import resident_kilobytes
from wrk import Wrk

ROW = "overload"
CONNECTIONS = 1000
# Four workers then serve at most 160 requests a second on any machine: each of a thousand clients would wait for 6 s.
STATEMENT = 0.025


@pytest.fixture
def slow_statement(stack):
    """Makes risk-metrics take the same time in the database on every machine."""
    connection = stack.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_function_result('re.risk_metrics(text)'::regprocedure)")
        result = cursor.fetchone()[0]
        cursor.execute("ALTER FUNCTION re.risk_metrics(text) RENAME TO risk_metrics_at_once")
        cursor.execute(f"""
            CREATE FUNCTION re.risk_metrics(organization text) RETURNS {result} LANGUAGE sql AS
            $$ SELECT r.* FROM pg_sleep({STATEMENT}), re.risk_metrics_at_once($1) r $$""")
        cursor.execute("GRANT EXECUTE ON FUNCTION re.risk_metrics(text) TO reengagement_api")
    # A cached response would not run the statement.
    stack.restart_server(ANSWER_CACHE_BYTES="0")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION re.risk_metrics(text)")
        cursor.execute("ALTER FUNCTION re.risk_metrics_at_once(text) RENAME TO risk_metrics")
    connection.close()
    stack.restart_server()


def since(log, offset):
    with open(log, "rb") as file:
        file.seek(offset)
        return [json.loads(line) for line in file.read().decode().splitlines()]


def test_the_excess_is_refused_early_and_the_rest_is_in_time(stack, clinic, deadlines, folder, slow_statement, figures):
    log = stack.settings["NGINX_ACCESS_LOG"]
    with open(log, "rb") as file:
        offset = file.seek(0, 2)
    before = resident_kilobytes(stack.server_pid)
    highest = before
    with Wrk(stack, clinic, folder, seconds=6, connections=CONNECTIONS, statuses=True) as wrk:
        while wrk.process.poll() is None:
            highest = max(highest, resident_kilobytes(stack.server_pid))
            # Requests for the service's own state are never refused.
            assert stack.plain.request("GET", "/health").status == 200
            time.sleep(0.5)
        done = wrk.result()
    lines = [line for line in since(log, offset) if line["route"].endswith("risk-metrics")]
    accepted = [line["seconds"] for line in lines if line["status"] == 200]
    refused = [line["seconds"] for line in lines if line["status"] in (429, 503)]
    odd = {line["status"] for line in lines} - {200, 429, 503, 499}
    assert not odd and done.errors == 0, (odd, done.output)
    assert accepted and refused, (len(accepted), len(refused))
    assert not any(status < 0 for status in done.statuses), f"no Retry-After: {done.statuses}"
    p99 = percentile(accepted, 0.99)
    assert p99 < deadlines.longest, f"{p99:.2f} s"
    assert percentile(refused, 0.99) < deadlines.acquire + deadlines.MARGIN, "refused late"
    # A waiting request costs its descriptor and a few bytes only.
    assert highest - before < 64 * 1024, f"from {before} to {highest} kB"
    figures(ROW, connections=CONNECTIONS, accepted=len(accepted), refused=len(refused),
            p99_of_accepted_s=round(p99, 2), p99_of_refused_s=round(percentile(refused, 0.99), 2),
            memory_before_kb=before, memory_at_most_kb=highest)
    began = time.monotonic()
    while stack.api.get(clinic.organization, "dashboard").status != 200:
        assert time.monotonic() - began < 60, "the server does not recover from the overload"
