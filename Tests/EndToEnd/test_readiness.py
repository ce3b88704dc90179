"""/ready is 200 only while the database can serve the endpoints, including in a new session."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asking import dashboard, eventually, token_headers
from problems import must_be_problem
from stack import Server, Stack, connect, run_sql


def migrate(url):
    run_sql("migrate", url)


def status(server):
    return server.get("/ready").status


def test_a_database_that_is_not_migrated_is_not_ready(stack, folder, own_database):
    with Server(stack, folder, DATABASE_URL=own_database) as server:
        must_be_problem(server.get("/ready"), 503)
        # The schema does not exist.
        eventually(lambda: "3F000" in server.log.read_text())
        assert server.get("/health").status == 200
        migrate(own_database)
        eventually(lambda: status(server) == 200)
        assert server.get(dashboard("o"), token_headers(stack, "o")).status == 200


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("way, function", [(way, function) for way in ("REVOKE", "DROP")
                                           for function in ("trends(text, integer)", "log_outreach",
                                                            "dashboard(text)")] +
                         [("REVOKE", "is_bound()")])
def test_a_missing_or_forbidden_function_makes_the_server_unready(stack, folder, own_database, function, way):
    migrate(own_database)
    connection = connect(own_database)
    with Server(stack, folder, DATABASE_URL=own_database) as server, connection.cursor() as cursor:
        assert status(server) == 200
        if way == "DROP":
            cursor.execute(f"DROP FUNCTION re.{function} CASCADE")
            eventually(lambda: status(server) == 503)
        else:
            cursor.execute(f"REVOKE EXECUTE ON FUNCTION re.{function} FROM PUBLIC, reengagement_api")
            eventually(lambda: status(server) == 503)
            must_be_problem(server.get("/ready"), 503)
            migrate(own_database)
            eventually(lambda: status(server) == 200)
    connection.close()


@pytest.fixture
def postgresql(directory):
    """A copy of PostgreSQL's programs that a test may break."""
    if "POSTGRES_BIN" in os.environ:
        # POSTGRES_BIN is a copy already.
        yield Path(os.environ["POSTGRES_BIN"])
        return
    copy = directory / "postgresql"
    shutil.copytree("/usr/lib/postgresql/15", copy / "usr/lib/postgresql/15", ignore=shutil.ignore_patterns("bitcode"))
    (copy / "usr/share").mkdir()
    (copy / "usr/share/postgresql").symlink_to("/usr/share/postgresql")
    yield copy / "usr/lib/postgresql/15/bin"
    shutil.rmtree(copy)


@pytest.mark.nightly
def test_a_language_that_only_open_sessions_have_loaded_makes_the_server_unready(directory, postgresql):
    """This happens if PostgreSQL's package is upgraded while a cluster keeps running."""
    library = postgresql.parent / "lib/plpgsql.so"
    # With more connections than workers and background threads, one more is always available.
    upgraded = Stack(directory / "upgraded", POSTGRES_BIN=str(postgresql), WORKER_THREADS="2", DB_POOL_SIZE="10",
                     DB_ACQUIRE_TIMEOUT_MS="60000", DB_STATEMENT_TIMEOUT_MS="60000")
    with upgraded.started() as stack:
        def ready():
            return stack.client.request("GET", "/ready").status

        def answered():
            return stack.api.get("org_1", "dashboard").status

        # As many sessions as are ever busy at once load the language before it is removed.
        with ThreadPoolExecutor(16) as pool:
            for _ in range(20):
                assert set(pool.map(lambda _: answered(), range(16))) == {200}
        assert ready() == 200
        library.rename(library.with_suffix(".away"))
        try:
            eventually(lambda: ready() == 503)
            # Open sessions still serve requests, and the readiness checks do not use them up.
            for _ in range(20):
                assert (ready(), answered()) == (503, 200)
            stack.look()
            eventually(lambda: "58P01" in Path(stack.settings["SERVER_LOG"]).read_text())
        finally:
            library.with_suffix(".away").rename(library)
        eventually(lambda: ready() == 200)


STRANGER = {"X-Forwarded-For": "192.0.2.1"}


@pytest.mark.nightly
def test_external_readiness_checks_share_a_result_for_one_second_and_run_no_statement(stack, folder, own_database):
    migrate(own_database)
    connection = connect(own_database)
    with Server(stack, folder, DATABASE_URL=own_database) as server, connection.cursor() as cursor:

        def transactions():
            time.sleep(15)  # an idle session reports its statistics within about ten seconds
            cursor.execute(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            )
            return cursor.fetchone()[0]

        def asked_by(headers, times):
            before, started = transactions(), time.monotonic()
            with ThreadPoolExecutor(4) as pool:
                assert set(pool.map(lambda _: server.get("/ready", headers).status, range(times))) == {200}
            return transactions() - before, time.monotonic() - started

        own = asked_by({}, 1200)[0]
        assert own >= 1200
        count, seconds = asked_by(STRANGER, 1200)
        # Allows two checks a second with two transactions each, and the server's own background work.
        assert count < own / 2 + 8 * seconds
        cursor.execute("REVOKE EXECUTE ON FUNCTION re.is_bound() FROM PUBLIC, reengagement_api")
        eventually(lambda: server.get("/ready", STRANGER).status == 503)
        must_be_problem(server.get("/ready", STRANGER), 503)
        migrate(own_database)
        eventually(lambda: server.get("/ready", STRANGER).status == 200)
    connection.close()
