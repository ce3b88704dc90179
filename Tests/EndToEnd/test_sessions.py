"""Sessions that PostgreSQL refuses or that are read-only: requests wait, errors are distinguished, sessions are
replaced."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from asking import dashboard, eventually, post, token_headers
from conftest import load_clinic
from problems import must_be_problem
from stack import Server, connect, run_sql
from test_failed_refresh import metric
from test_hostile_settings import url_of


def end_sessions(database, login, most=None):
    """Ends sessions and waits until they are gone, because a post in an ending session is 503."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid, 60000)) FROM (SELECT pid FROM pg_stat_activity WHERE usename = %s"
            " LIMIT %s) a",
            (login, most),
        )


def ask(server, stack, clinic):
    return server.get(dashboard(clinic), token_headers(stack, clinic))


def backends(database, login):
    with database.cursor() as cursor:
        cursor.execute("SELECT array_agg(pid) FROM pg_stat_activity WHERE usename = %s", (login, ))
        return set(cursor.fetchone()[0] or [])


def must_report(server, stack, clinic, name):
    for answer in (ask(server, stack, clinic), server.get("/ready"), post(server, stack, clinic)):
        assert must_be_problem(answer, 503)["type"] == f"/problems/{name}"


def test_a_limit_of_connections_makes_requests_wait_and_none_fail(stack, folder, database, clinic, login):
    with database.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {login} CONNECTION LIMIT 3")
    with Server(stack, folder, DATABASE_URL=url_of(stack, login), WORKER_THREADS="8", ANSWER_CACHE_BYTES="0",
                DB_ACQUIRE_TIMEOUT_MS="30000") as server, ThreadPoolExecutor(16) as pool:
        for _ in range(4):
            assert {answer.status for answer in pool.map(lambda _: ask(server, stack, clinic), range(200))} == {200}
            # The pool replaces lost connections within the limit.
            end_sessions(database, login, 1)
        assert metric(server, "reengagement_db_open_failures_total", **{"class": "connection_limit"}) >= 1
        server.logged('"class":"connection_limit"')
        assert server.get("/ready").status == 200


def test_a_login_without_connections_is_reported(stack, folder, database, clinic, login):
    with database.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {login} CONNECTION LIMIT 0")
        with Server(stack, folder, DATABASE_URL=url_of(stack, login)) as server:
            must_report(server, stack, clinic, "database-at-limit")
            assert metric(server, "reengagement_db_errors_total", **{"class": "connection_limit"}) >= 1
            assert metric(server, "reengagement_db_errors_total", **{"class": "connection_lost"}) == 0
            cursor.execute(f"ALTER ROLE {login} CONNECTION LIMIT -1")
            eventually(lambda: server.get("/ready").status == 200)
            assert ask(server, stack, clinic).status == 200


def test_a_refused_login_is_reported(stack, folder, database, clinic, login):
    with database.cursor() as cursor, Server(stack, folder, DATABASE_URL=url_of(stack, login)) as server:
        assert ask(server, stack, clinic).status == 200
        cursor.execute(f"ALTER ROLE {login} NOLOGIN")
        end_sessions(database, login)
        eventually(lambda: ask(server, stack, clinic).status == 503)
        must_report(server, stack, clinic, "database-refuses-login")
        assert metric(server, "reengagement_db_open_failures_total", **{"class": "login_refused"}) >= 1
        cursor.execute(f"ALTER ROLE {login} LOGIN")
        eventually(lambda: server.get("/ready").status == 200)
        assert ask(server, stack, clinic).status == 200


@pytest.mark.nightly
def test_a_refusal_by_pg_hba_is_reported(fragile):
    """This is the effect of a wrong edit. Open sessions are ended too."""
    with fragile.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW hba_file")
        file, = cursor.fetchone()
        allowed = open(file).read()
        try:
            with open(file, "w") as opened:
                opened.write("local all all reject\nhost all all all reject\n")
            cursor.execute("SELECT pg_reload_conf()")

            def is_refused():
                """Ends sessions until no new one is accepted, because PostgreSQL reads the file a little later."""
                cursor.execute("SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity "
                               "WHERE datname = current_database() AND pid <> pg_backend_pid()")
                answer = fragile.api.get("org_1", "dashboard")
                return answer.status == 503 and answer.json()["type"] == "/problems/database-refuses-login"

            eventually(is_refused)
            for answer in (fragile.api.get("org_1", "dashboard"), fragile.client.request("GET", "/ready")):
                assert must_be_problem(answer, 503)["type"] == "/problems/database-refuses-login"
        finally:
            with open(file, "w") as opened:
                opened.write(allowed)
            cursor.execute("SELECT pg_reload_conf()")
        eventually(lambda: fragile.client.request("GET", "/ready").status == 200)


def test_a_database_that_is_read_only_for_a_while_is_reported(stack, folder, database, clinic, login):
    with database.cursor() as cursor, Server(stack, folder, DATABASE_URL=url_of(stack, login), AUDIT="off") as server:
        assert post(server, stack, clinic).status == 201
        cursor.execute(f"ALTER ROLE {login} SET default_transaction_read_only = on")
        end_sessions(database, login)
        assert must_be_problem(post(server, stack, clinic), 503)["type"] == "/problems/database-read-only"
        assert must_be_problem(server.get("/ready"), 503)["type"] == "/problems/database-read-only"
        assert ask(server, stack, clinic).status == 200
        assert metric(server, "reengagement_db_errors_total", **{"class": "read_only"}) >= 2
        cursor.execute(f"ALTER ROLE {login} RESET default_transaction_read_only")
        # The first attempt succeeds, because the read-only session is not reused.
        assert post(server, stack, clinic).status == 201
        eventually(lambda: server.get("/ready").status == 200)


@pytest.mark.nightly
def test_settings_of_the_login_reach_all_connections_within_a_minute(stack, folder, database, clinic, login):
    def updated(server):
        return ask(server, stack, clinic).json()["last_updated"]

    with database.cursor() as cursor, Server(stack, folder, DATABASE_URL=url_of(stack, login)) as server:
        assert not updated(server).startswith("2031")
        assert metric(server, "reengagement_clock_frozen") == 0
        # The server has time for its first check.
        eventually(lambda: len(backends(database, login)) >= 2 or True)
        cursor.execute(f"ALTER ROLE {login} SET reengagement.now = '2031-01-01T00:00:00Z'")
        eventually(lambda: updated(server).startswith("2031"), seconds=60, every=1)
        eventually(lambda: metric(server, "reengagement_clock_frozen") == 1, every=1)
        server.logged("2031-01-01T00:00:00Z")
        cursor.execute(f"ALTER ROLE {login} RESET reengagement.now")
        eventually(lambda: not updated(server).startswith("2031"), seconds=60, every=1)
        eventually(lambda: metric(server, "reengagement_clock_frozen") == 0, every=1)


def test_a_clock_that_was_left_frozen_is_in_the_log_at_the_start(stack, folder, database, login):
    with database.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {login} SET reengagement.now = '2031-01-01T00:00:00Z'")
    with Server(stack, folder, DATABASE_URL=url_of(stack, login)) as server:
        eventually(lambda: re.search(r'"level":"warning","message":"reengagement.now is set[^}]*2031-01-01',
                                     server.log.read_text()))
        assert metric(server, "reengagement_clock_frozen") == 1


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("harm, cure", [
    ("CREATE RULE vanish AS ON INSERT TO re.audit DO INSTEAD NOTHING", "DROP RULE vanish ON re.audit"),
    ("ALTER TABLE re.audit DETACH PARTITION re.audit_rest; ALTER TABLE re.audit DETACH PARTITION re.{month}",
     "ALTER TABLE re.audit ATTACH PARTITION re.audit_rest DEFAULT"),
    ("REVOKE INSERT ON re.audit FROM reengagement_marker", "GRANT INSERT ON re.audit TO reengagement_marker"),
    ("CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$; "
     "CREATE TRIGGER no_room BEFORE INSERT ON re.audit FOR EACH ROW EXECUTE FUNCTION no_room()",
     "DROP TRIGGER no_room ON re.audit"),
])
def test_a_server_whose_audit_accepts_no_entry_is_not_ready(stack, folder, own_database, harm, cure):
    run_sql("migrate", own_database)
    connection = connect(own_database)
    with connection.cursor() as cursor, Server(stack, folder, DATABASE_URL=own_database) as server:
        cursor.execute("SELECT 'audit_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")
        month, = cursor.fetchone()
        assert server.get("/ready").status == 200
        # The probe leaves no entry. The start of the server is one.
        cursor.execute("SELECT count(*) FROM re.audit WHERE method <> 'SERVER'")
        assert cursor.fetchone() == (0, )
        cursor.execute(harm.replace("{month}", month))
        # The server probes the audit every ten seconds.
        answer = eventually(lambda: next(iter([a for a in [server.get("/ready")] if a.status == 503]), None))
        assert must_be_problem(answer, 503)["type"] == \
            ("/problems/database-disk-full" if "disk_full" in harm else "/problems/audit-unavailable")
        cursor.execute(cure)
        eventually(lambda: server.get("/ready").status == 200)
    connection.close()


def test_a_post_to_a_full_database_is_reported(stack, folder, own_database):
    run_sql("migrate", own_database)
    connection = connect(own_database)
    load_clinic(connection, "clinic")
    with connection.cursor() as cursor, Server(stack, folder, DATABASE_URL=own_database) as server:
        cursor.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$; "
            "CREATE TRIGGER no_room BEFORE INSERT ON outreach_log FOR EACH ROW EXECUTE FUNCTION no_room()"
        )
        for answer in (post(server, stack, "clinic"), server.get("/ready")):
            assert must_be_problem(answer, 503)["type"] == "/problems/database-disk-full"
        assert ask(server, stack, "clinic").status == 200
        cursor.execute("DROP TRIGGER no_room ON outreach_log")
        assert post(server, stack, "clinic").status == 201
        assert server.get("/ready").status == 200
    connection.close()
