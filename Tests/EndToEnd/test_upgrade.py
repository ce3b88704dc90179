"""A schema is upgraded under load: no request fails, and no deadlock with a reader rolls back the migration."""

import json
import shutil
import subprocess
import threading
from collections import Counter

import pytest

import registry
from asking import token_headers
from client import PREFIX
from conftest import load_clinic
from stack import ROOT, Server, clean_environment, connect

# Locks the tables in the opposite order to the readers, with pauses for them in between.
MIGRATION = """
ALTER TABLE re.outreach_day ADD COLUMN test integer;
SELECT pg_sleep(0.1);
ALTER TABLE re.risk_day ADD COLUMN test integer;
SELECT pg_sleep(0.1);
ALTER TABLE re.patient_count ADD COLUMN test integer;
SELECT pg_sleep(0.1);
ALTER TABLE re.patient_state ADD COLUMN test integer;
SELECT pg_sleep(0.1);
ALTER TABLE re.organization_state ADD COLUMN test integer;
"""
READS = tuple(endpoint.path for endpoint in registry.READS if registry.PATIENT not in endpoint.path)


def run(command, url):
    return subprocess.run([command], env=clean_environment(DATABASE_URL=url), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)


def migrate(folder, url):
    done = run(folder / "migrate", url)
    assert done.returncode == 0, done.stdout
    return done.stdout


class Load:
    """Clients that send requests without a pause, and the responses."""

    def __init__(self, server, headers, organization, reads=READS):
        self.server, self.headers, self.organization, self.reads = server, headers, organization, reads
        self.answers, self.over = Counter(), threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(3)]

    def ask(self):
        while not self.over.is_set():
            for endpoint in self.reads:
                answer = self.server.get(f"{PREFIX}/{self.organization}/{endpoint}", self.headers)
                self.answers[answer.status] += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_a_schema_is_upgraded_under_load(own_database, stack, folder):
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    migrate(sql, own_database)
    connection = connect(own_database)
    organization = load_clinic(connection, "busy_clinic")
    (sql / "migrations/9999_test.sql").write_text(MIGRATION)
    # The migration holds its locks as long as the machine needs. A deadlock would end it at once.
    with Server(stack, folder, DATABASE_URL=own_database, WORKER_THREADS="3", DB_ACQUIRE_TIMEOUT_MS="60000") as server:
        with Load(server, token_headers(stack, organization), organization) as load:
            assert "applied migrations/9999_test.sql" in migrate(sql, own_database)
        assert set(load.answers) == {200} and load.answers[200] >= len(READS)
        assert server.get("/ready").status == 200
    connection.close()
    # A second run has nothing to do and waits for nothing.
    assert migrate(sql, own_database) == "up to date\n"


def test_the_former_version_refuses_to_go_back(own_database, folder):
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    (sql / "migrations/9999_test.sql").write_text("ALTER TABLE re.patient_count ADD COLUMN test integer;")
    migrate(sql, own_database)
    (sql / "migrations/9999_test.sql").unlink()
    with pytest.raises(AssertionError, match="migrated by a later version"):
        migrate(sql, own_database)


# The changes are other types of columns that the server reads, and other columns of a view and of a function that flat
# queries use.
CHANGED = (
    ("endpoints/risk_metrics.sql", "    critical bigint,", "    critical integer,"),
    ("endpoints/risk_metrics.sql", "SELECT patients.critical,", "SELECT patients.critical::integer,"),
    ("endpoints/patient_detail.sql", "risk_score integer,", "risk_score bigint,"),
    ("endpoints/log_outreach.sql", "outreach_id uuid", "outreach_id text"),
    ("endpoints/log_outreach.sql", "NULL::uuid", "NULL::text"),
    ("endpoints/log_outreach.sql", "SELECT logged.result, logged.id", "SELECT logged.result, logged.id::text"),
    ("endpoints/log_outreach.sql", "SELECT 'created', logged.id", "SELECT 'created', logged.id::text"),
    ("flat/70_population.sql", "(risk_group integer, days integer, number bigint)",
     "(risk_group integer, more text, days integer, number bigint)"),
    ("flat/70_population.sql", "    SELECT counter.risk_group, counter.days, counter.number\n    FROM (",
     "    SELECT counter.risk_group, '', counter.days, counter.number\n    FROM ("),
    ("views/30_master.sql", "VIEW public.patient_reengagement_master_view AS\nSELECT ", "VIEW public.patient_reengagement_master_view AS\nSELECT 1 AS more, "),
)


@pytest.mark.nightly
def test_types_and_columns_change_under_load(own_database, stack, folder):
    """Prepared statements of open connections become invalid. They are prepared again, and no client gets an error."""
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    for file, old, new in CHANGED:
        text = (sql / file).read_text()
        assert old in text, (file, old)
        (sql / file).write_text(text.replace(old, new))
    migrate(ROOT / "sql", own_database)
    connection = connect(own_database)
    organization = load_clinic(connection, "busy_clinic")
    cursor = connection.cursor()
    cursor.execute("SELECT id FROM re.patient WHERE organization_id = %s ORDER BY id", (organization, ))
    patient, = cursor.fetchone()
    headers = token_headers(stack, organization)
    body = json.dumps({"patient_id": patient, "method": "sms", "outcome": "failed"}).encode()
    with Server(stack, folder, DATABASE_URL=own_database, WORKER_THREADS="3", DB_ACQUIRE_TIMEOUT_MS="60000") as server:
        def post():
            return server.request("POST", f"{PREFIX}/{organization}/log-outreach", {**headers, "content-type": "application/json"}, body).status
        assert post() == 201
        with Load(server, headers, organization, (*READS, f"patients/{patient}")) as load:
            for version in (sql, ROOT / "sql", sql):
                assert "generated re.risk_metrics(text)" in migrate(version, own_database)
                assert post() == 201
        assert set(load.answers) == {200} and load.answers[200] >= len(READS)
    connection.close()


# The dashboard query of 0.3.0, which had no time zone.
FORMER_DASHBOARD = """SELECT total_patients, critical_count, critical_avg_score, high_count, high_avg_score, medium_count,
    medium_avg_score, low_count, low_avg_score, engaged_count, engaged_avg_score, immediate_actions_needed, last_updated,
    id, name, risk_level, risk_score, action, days_since_contact FROM re.dashboard($1)"""


def without_the_zone(sql):
    """Removes the clinic's zone from the dashboard."""
    (sql / "migrations/0300_zone_of_the_dashboard.sql").unlink()
    file = sql / "endpoints/dashboard.sql"
    text = file.read_text()
    assert text.count(" time_zone text,") == 2
    for given in (" (SELECT clock.time_zone FROM re.clock_of(organization) clock),",
                  "\n        (SELECT newest.time_zone FROM re.state_of(organization) newest),"):
        assert text.count(given) == 1
        text = text.replace(given, "")
    file.write_text(text.replace(" time_zone text,", ""))


@pytest.mark.nightly
def test_a_statement_prepared_by_the_former_version_still_works_and_the_dashboard_has_the_zone(own_database, folder):
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    without_the_zone(sql)
    migrate(sql, own_database)
    connection = connect(own_database)
    organization = load_clinic(connection, "zoned_clinic")
    cursor = connection.cursor()
    cursor.execute("UPDATE organizations SET time_zone = 'Australia/Sydney' WHERE id = %s", (organization, ))
    cursor.execute(f"SELECT set_config('reengagement.now', '2025-06-30T12:00:00Z', false); PREPARE dashboard AS {FORMER_DASHBOARD}")
    ask = "SET ROLE reengagement_api; SELECT set_config('reengagement.organization', %s, false); EXECUTE dashboard(%s)"
    cursor.execute(ask, (organization, organization))
    before = cursor.fetchall()
    migrate(ROOT / "sql", own_database)
    cursor.execute(ask, (organization, organization))
    assert cursor.fetchall() == before and before[0][0] == 1
    for function in ("dashboard", "flat_dashboard", "plain_dashboard"):
        cursor.execute(f"SELECT DISTINCT time_zone FROM re.{function}(%s)", (organization, ))
        assert cursor.fetchall() == [("Australia/Sydney", )], function
    cursor.execute("SELECT set_config('reengagement.organization', 'nobody', false); SELECT time_zone FROM re.dashboard('nobody')")
    assert cursor.fetchall() == [("UTC", )]
    connection.close()


BOUNDS = "migrations/0240_bounds_of_ids_and_notes.sql"
BEYOND = """
INSERT INTO organizations (id, name) VALUES ('fine', 'Fine'), ('', 'Empty'), (repeat('o', 201), 'Long'),
    (repeat('🐨', 200), 'Fine too');
INSERT INTO patients (organization_id, id, name, treatment_notes) VALUES
    ('fine', '../../x', 'Up', 'kept'), ('fine', 'a/./b', 'Here', NULL), ('fine', 'x/..', 'End', NULL),
    ('fine', '..x/.../.y', 'Fine', repeat('é', 100000)), ('fine', 'long', 'Notes', repeat('é', 100000) || 'rest'),
    (repeat('o', 201), 'p', 'Moved', NULL);
INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES
    ('fine', '../a', '../../x', now() - interval '40 days', 'completed'),
    (repeat('o', 201), 'a', 'p', now() - interval '1 day', 'completed');
INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES
    ('fine', 'c', 'a/./b', now() - interval '2 days');
INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by) VALUES
    ('fine', '../../x', 'sms', 'failed', 'u'), ('fine', 'x/..', 'sms', 'success', 'u');
"""


def mending(output):
    """Returns the statements that the migration prints, as blocks."""
    return [block[block.index("BEGIN;"):block.index("COMMIT;") + 7]
            for block in output.split("\n-- ") if "BEGIN;" in block]


@pytest.mark.nightly
def test_rows_beyond_the_limits_are_listed_and_nothing_changes_until_they_are_corrected(own_database, folder):
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    (sql / BOUNDS).unlink()
    migrate(sql, own_database)
    connection = connect(own_database)
    cursor = connection.cursor()
    cursor.execute(BEYOND)
    cursor.execute("SELECT count(*), max(applied_at) FROM re.migration")
    before = cursor.fetchone()
    shutil.copy(ROOT / "sql" / BOUNDS, sql / BOUNDS)
    refused = run(sql / "migrate", own_database)
    output = refused.stdout
    assert refused.returncode != 0 and "rows are beyond the bounds" in output
    for named in ("../../x", "a/./b", "x/..", "long", "o" * 201):
        assert named in output
    assert "..x/.../.y" not in output and "🐨" not in output and "rest" not in output.replace("AS rest", "")
    cursor.execute("SELECT count(*), max(applied_at) FROM re.migration")
    assert cursor.fetchone() == before
    blocks = mending(output)
    assert len(blocks) == 3
    for block in blocks:
        cursor.execute(block)
    assert f"applied {BOUNDS}" in migrate(sql, own_database)
    cursor.execute("SELECT id FROM patients WHERE organization_id = 'fine' ORDER BY id")
    assert [row[0] for row in cursor] == ["..x/.../.y", "_../_../x", "a/_./b", "long", "x/_.."]
    cursor.execute("""SELECT 'appointment', patient_id FROM appointments UNION ALL SELECT 'conversation', patient_id FROM
        conversations UNION ALL SELECT 'attempt', patient_id FROM outreach_log ORDER BY 1, 2""")
    assert cursor.fetchall() == [("appointment", "_../_../x"), ("appointment", "p"), ("attempt", "_../_../x"),
                                 ("attempt", "x/_.."), ("conversation", "a/_./b")]
    cursor.execute("SELECT p.treatment_notes || b.rest FROM patients p JOIN notes_beyond b USING (organization_id, id)")
    assert cursor.fetchone()[0] == "é" * 100000 + "rest"
    cursor.execute("SELECT organization_id FROM patients WHERE id = 'p'")
    assert cursor.fetchone()[0].startswith("beyond_")
    done = run(sql / "verify", own_database)
    assert done.returncode == 0, done.stdout
    connection.close()
