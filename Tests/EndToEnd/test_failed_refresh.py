"""If the derived data cannot be written, the response comes from the plain query, and a metric and the log report
it."""

import json
import os
import pwd
import re
import subprocess

import pytest

from asking import eventually, token_headers
from client import PREFIX
from conftest import load_clinic
from problems import must_be_problem
from registry import READS
from stack import Server, connect, run_sql

PATHS = [endpoint.path for endpoint in READS if endpoint.has_flat]
DERIVED = ("patient_state", "patient_search", "patient_count", "risk_day", "outreach_day")


@pytest.fixture
def own(own_database):
    """A session on a test's own migrated database with one clinic."""
    run_sql("migrate", own_database)
    connection = connect(own_database)
    load_clinic(connection, "clinic")
    yield connection.cursor()
    connection.close()


def failing(cursor, code):
    cursor.execute(f"""CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'on purpose'; END $$;
        -- After the row: one before it would be a fault of what answers rest on, where the server looks just then.
        CREATE OR REPLACE TRIGGER fails AFTER INSERT OR UPDATE ON re.patient_state
            FOR EACH ROW EXECUTE FUNCTION fail()""")


def metric(server, name, **labels):
    inside = ",".join(f'{label}="{value}"' for label, value in labels.items())
    name += f"{{{inside}}}" if inside else ""
    return int(re.search(rf"^{re.escape(name)} (\d+)$", server.get("/metrics").body.decode(), re.MULTILINE)[1])


def total(server, stack):
    answers = [server.get(f"{PREFIX}/clinic/{path}", token_headers(stack, "clinic")) for path in PATHS]
    assert [answer.status for answer in answers] == [200] * len(PATHS), answers
    return answers[PATHS.index("dashboard")].json()["summary"]["total_patients"]


def add(cursor, name):
    cursor.execute("INSERT INTO patients (organization_id, id, name) VALUES ('clinic', %s, %s)", (name, name))


def settled(cursor, server):
    """Waits until the derived data is current and no organization has a failure."""

    def done():
        cursor.execute("SELECT built AND pending_changes = 0 FROM re.status WHERE organization_id = 'clinic'")
        return cursor.fetchone()[0] and metric(server, "reengagement_refresh_failing") == 0

    eventually(done, seconds=90)


def has_logged(server, kind):
    lines = [json.loads(line) for line in server.log_lines("could not be brought up")]
    return lines and all((line["organization"], line["class"], line["level"]) == ("clinic", kind, "warning")
                         and int(line["retry_after_s"]) >= 1 for line in lines)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("code, kind", [("53100", "disk_full"), ("54000", "refused"), ("22003", "refused"),
                                        ("23514", "refused"), ("55P03", "conflict"), ("XX000", "refused"),
                                        ("P0004", "refused")])
def test_an_error_of_any_class_in_the_refresh(stack, folder, own, own_database, code, kind):
    with Server(stack, folder, DATABASE_URL=own_database) as server:
        before = total(server, stack)
        settled(own, server)
        failing(own, code)
        for number in range(1, 4):
            add(own, f"new_{number}")
            assert total(server, stack) == before + number
        eventually(lambda: has_logged(server, kind))
        assert metric(server, "reengagement_refresh_failures_total", **{"class": kind}) >= 1
        assert metric(server, "reengagement_refresh_failing") == 1
        if kind == "disk_full":
            # The database is full, and every request would meet the error.
            assert must_be_problem(server.get("/ready"), 503)["type"] == "/problems/database-disk-full"
        own.execute("DROP TRIGGER fails ON re.patient_state")
        settled(own, server)
        assert total(server, stack) == before + 3
        assert server.get("/ready").status == 200


def test_a_failing_organization_is_not_retried_for_a_while(stack, folder, own, own_database):
    with Server(stack, folder, DATABASE_URL=own_database) as server:
        before = total(server, stack)
        settled(own, server)
        failing(own, "54000")
        add(own, "new")
        for _ in range(30):
            assert total(server, stack) == before + 1
        # 150 responses caused far fewer attempts.
        assert 1 <= metric(server, "reengagement_refresh_failures_total", **{"class": "refused"}) < 30


def test_a_refresh_does_not_wait_for_a_lock_on_a_derived_table(stack, folder, own, own_database):
    """Building an index takes such a lock."""
    other = connect(own_database)
    with Server(stack, folder, DATABASE_URL=own_database) as server, other.cursor() as lock:
        before = total(server, stack)
        settled(own, server)
        lock.execute("BEGIN; LOCK TABLE re.patient_count IN SHARE MODE")
        add(own, "new")
        assert total(server, stack) == before + 1
        lock.execute("ROLLBACK")
        settled(own, server)
    other.close()


@pytest.fixture
def small_tablespace(database, folder, fresh_id):
    """A tablespace of 8 MB and a way to fill it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    place, name = folder / "small", fresh_id("small")
    place.mkdir()
    folder.chmod(0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", place], stderr=subprocess.PIPE,
                             text=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr}")
    try:
        postgres = pwd.getpwnam("postgres")
        os.chown(place, postgres.pw_uid, postgres.pw_gid)
        with database.cursor() as cursor:
            cursor.execute(f"CREATE TABLESPACE {name} LOCATION '{place}'")
            yield name, place
    finally:
        # The database in the tablespace is dropped by then, or its tables were moved.
        with database.cursor() as cursor:
            cursor.execute(f"DROP TABLESPACE IF EXISTS {name}")
        subprocess.run(["umount", place], check=True)


def fill(place):
    """Fills the file system to the last byte."""
    with open(place / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(b"\0" * 4096):
                pass
        except OSError:
            pass


def move(cursor, tables, tablespace):
    for table in tables:
        cursor.execute(f"ALTER TABLE {table} SET TABLESPACE {tablespace}")
        cursor.execute("SELECT indexrelid::regclass FROM pg_index WHERE indrelid = %s::regclass", (table, ))
        for index, in cursor.fetchall():
            cursor.execute(f"ALTER INDEX {index} SET TABLESPACE {tablespace}")


def test_a_full_tablespace_of_the_derived_tables(stack, folder, small_tablespace, own, own_database):
    tablespace, place = small_tablespace
    tables = [f"re.{table}" for table in DERIVED]
    move(own, tables, tablespace)
    try:
        with Server(stack, folder, DATABASE_URL=own_database) as server:
            before = total(server, stack)
            settled(own, server)
            fill(place)
            # Enough rows to use the free space of every page.
            own.execute("INSERT INTO patients (organization_id, id, name) "
                        "SELECT 'clinic', 'new_' || i, 'New ' || i FROM generate_series(1, 180) i")
            assert total(server, stack) == before + 180
            eventually(lambda: has_logged(server, "disk_full"))
            assert must_be_problem(server.get("/ready"), 503)["type"] == "/problems/database-disk-full"
            assert total(server, stack) == before + 180
            (place / "filler").unlink()
            settled(own, server)
            assert total(server, stack) == before + 180
            assert server.get("/ready").status == 200
    finally:
        (place / "filler").unlink(missing_ok=True)
        move(own, tables, "pg_default")
