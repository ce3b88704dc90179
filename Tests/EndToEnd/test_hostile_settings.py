"""Settings of a login, a database or the connection string do not change the responses."""

import json
import re
import threading
import uuid

import pytest

from asking import GOOD, eventually, token_headers
from client import PREFIX
from problems import must_be_problem
from stack import Server

SETTINGS = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_deferrable": "on",
    "lock_timeout": "1ms",
    "idle_session_timeout": "50ms",
    "idle_in_transaction_session_timeout": "1ms",
    "row_security": "off",
    "standard_conforming_strings": "off",
    "quote_all_identifiers": "on",
    "array_nulls": "off",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "search_path": "public",
    "plan_cache_mode": "force_custom_plan",
    "statement_timeout": "1ms",
    "client_encoding": "LATIN1",
    "gin_fuzzy_search_limit": "1",
    "exit_on_error": "on",
    "plpgsql.extra_errors": "all",
    "client_min_messages": "debug5",
    # PostgreSQL has these from 15.8 and 17 on.
    "restrict_nonsystem_relation_kind": "view",
    "transaction_timeout": "1s",
}
CLOCKS = ("last_updated", "timestamp", "generated_at")
READS = ("risk-metrics", "performance", "patients/prioritized?limit=3", "patients/patient_123", "trends?period=7d",
         "dashboard")


def is_known(cursor, name):
    cursor.execute("LOAD 'plpgsql'; SELECT count(*) FROM pg_settings WHERE lower(name) = lower(%s)", (name, ))
    return cursor.fetchone() == (1, )


def url_of(stack, login, options=""):
    return re.sub(r"user=\w+", f"user={login}", stack.settings["DATABASE_URL"]) + options


def answers(server, stack, clinic):
    headers = token_headers(stack, clinic)
    found = {}
    for path in READS:
        answer = server.get(f"{PREFIX}/{clinic}/{path}", headers)
        assert answer.status == 200, (path, answer.body)
        found[path] = {name: value for name, value in answer.json().items() if name not in CLOCKS}
    return found


def posts_with_one_key(server, stack, clinic, number=8):
    headers = {**token_headers(stack, clinic), "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    results, start = [], threading.Barrier(number)

    def send():
        start.wait()
        results.append(server.request("POST", f"{PREFIX}/{clinic}/log-outreach", headers, json.dumps(GOOD).encode()))

    threads = [threading.Thread(target=send) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in results) == [200] * (number - 1) + [201], [a.body for a in results]
    assert len({answer.json()["outreach_id"] for answer in results}) == 1


def must_serve_normally(server, plain, stack, database, clinic):

    def answers_are_equal():
        # A day of the clinic may end between the two responses, so the comparison has two attempts.
        return any(answers(server, stack, clinic) == answers(plain, stack, clinic) for _ in range(2))

    assert server.get("/ready").status == 200
    assert answers_are_equal()
    for _ in range(5):
        posts_with_one_key(server, stack, clinic)
    assert answers_are_equal()

    def recorded():
        with database.cursor() as cursor:
            cursor.execute("SELECT DISTINCT actor FROM re.audit WHERE organization_id = %s AND method = 'GET'",
                           (clinic, ))
            return cursor.fetchall()

    assert eventually(recorded) == [(None, )]


@pytest.mark.nightly(after=4)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_login(login, server_with, stack, database, clinic, name):
    with database.cursor() as cursor:
        if not is_known(cursor, name):
            pytest.skip(f"this PostgreSQL has no setting {name}")
        cursor.execute(f"ALTER ROLE {login} SET {name} = '{SETTINGS[name]}'")
    server = server_with(DATABASE_URL=url_of(stack, login), WORKER_THREADS="8")
    must_serve_normally(server, server_with(), stack, database, clinic)


def test_settings_of_the_database(login, server_with, stack, database, clinic):
    with database.cursor() as cursor:
        try:
            for name, value in SETTINGS.items():
                # The tests' own connections depend on these two.
                if name not in ("client_encoding", "statement_timeout") and is_known(cursor, name):
                    cursor.execute(f"ALTER DATABASE reengagement SET {name} = '{value}'")
            server = server_with(DATABASE_URL=url_of(stack, login), WORKER_THREADS="8")
            must_serve_normally(server, server_with(), stack, database, clinic)
        finally:
            cursor.execute("ALTER DATABASE reengagement RESET ALL")


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("isolation", ["repeatable%5C%20read", "serializable"])
def test_a_setting_in_the_connection_string(login, server_with, stack, database, clinic, isolation):
    options = f"&options=-c%20default_transaction_isolation%3D{isolation}%20-c%20row_security%3Doff"
    server = server_with(DATABASE_URL=url_of(stack, login, options), WORKER_THREADS="8")
    must_serve_normally(server, server_with(), stack, database, clinic)


def test_a_read_only_database_can_be_read(stack, folder, database, clinic, login):
    """The operator has chosen this setting, so it stays. Reads succeed, and writes get 503."""
    with database.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {login} SET default_transaction_read_only = on")
    with Server(stack, folder, DATABASE_URL=url_of(stack, login), AUDIT="off") as server:
        must_be_problem(server.get("/ready"), 503)
        answers(server, stack, clinic)
        headers = {**token_headers(stack, clinic), "Content-Type": "application/json"}
        must_be_problem(
            server.request("POST", f"{PREFIX}/{clinic}/log-outreach", headers, json.dumps(GOOD).encode()), 503)
