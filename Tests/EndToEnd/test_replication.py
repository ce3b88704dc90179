"""A real subscription replicates changes to the source tables, and the responses follow."""

import subprocess
import time

import pytest

from stack import ROOT, Stack, clean_environment, connect, run_sql

TABLES = ("organizations", "patients", "appointments", "conversations", "outreach_log")
NOW = "2025-06-30T12:00:00Z"
FIRST = """
    INSERT INTO organizations (id, name) VALUES ('one', 'One'), ('two', 'Two');
    INSERT INTO patients (organization_id, id, name, created_at)
        SELECT o.id, 'p' || i, 'Patient ' || i, '2025-01-01Z' FROM organizations o, generate_series(1, 9) i;
    INSERT INTO appointments (organization_id, id, patient_id, starts_at, status)
        SELECT organization_id, id, id, '2025-05-01Z', 'completed' FROM patients"""
# Each changes a response of the organization "one".
CHANGES = {
    "an insert": "INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('one', 'c1', 'p1', "
                 "'2025-06-29T20:00Z')",
    "an insert of many": """INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by,
        created_at)
        SELECT 'one', 'p' || i, 'sms', 'success', 'u', '2025-06-20Z' FROM generate_series(2, 4) i""",
    "a new patient": "INSERT INTO patients (organization_id, id, name, created_at) VALUES ('one', 'new', 'N', "
                     "'2025-06-01Z')",
    "an update": "UPDATE appointments SET status = 'no_show', starts_at = '2025-06-25Z' WHERE organization_id = 'one' "
                 "AND id = 'p5'",
    "a row that moves to another patient": "UPDATE conversations SET patient_id = 'p6' WHERE organization_id = 'one'",
    "a changed key": "UPDATE appointments SET id = 'other' WHERE organization_id = 'one' AND id = 'p9'",
    "an archived patient": "UPDATE patients SET archived_at = '2025-06-15Z' WHERE organization_id = 'one' "
                           "AND id = 'p7'",
    "a changed name": "UPDATE patients SET name = 'Another' WHERE organization_id = 'one' AND id = 'p8'",
    "a delete": "DELETE FROM appointments WHERE organization_id = 'one' AND id = 'p8'",
    "a patient that goes with its rows": "DELETE FROM patients WHERE organization_id = 'one' AND id = 'p4'",
    "another value of an appointment": "UPDATE organizations SET appointment_value = 99 WHERE id = 'one'",
    "another zone": "UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'one'",
    "a truncated table": "TRUNCATE conversations",
    "a patient with another id": """BEGIN; INSERT INTO patients (organization_id, id, name, created_at)
        VALUES ('one', 'renamed', 'R', '2025-03-01Z'); UPDATE appointments SET patient_id = 'renamed'
        WHERE organization_id = 'one' AND id = 'p2'; DELETE FROM patients WHERE organization_id = 'one' AND id = 'p2';
            COMMIT""",
    "a full refresh, but for one patient": """BEGIN; CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT *
        FROM patients
        WHERE organization_id = 'one' AND id <> 'p3'; DELETE FROM patients WHERE organization_id = 'one';
        INSERT INTO patients SELECT * FROM kept; COMMIT""",
    "an organization that goes": "DELETE FROM organizations WHERE id = 'two'",
    "an organization that comes": """INSERT INTO organizations (id, name, time_zone) VALUES ('two', 'T',
        'Europe/Paris');
        INSERT INTO patients (organization_id, id, name, created_at) VALUES ('two', 'p', 'P', '2025-06-29T23:00Z')""",
    "everything truncated": "TRUNCATE organizations CASCADE",
}


class Database:

    def __init__(self, url):
        self.url, self.connection = url, connect(url)
        self.connection.autocommit = True

    def run(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def answers(self, organization, kind):
        """Returns the figures and the list, of the endpoints ("") or of their plain queries ("plain_")."""
        self.run("SELECT set_config('reengagement.organization', %s, false), set_config('reengagement.now', %s, false)",
                 organization, NOW)
        return [
            self.run(f"SELECT * FROM re.{kind}{call}", organization)
            for call in (
                "risk_metrics(%s)",
                "performance(%s, 'last_30_days')",
                "trends(%s, 30)",
                "prioritized_patients(%s, NULL, NULL, NULL, NULL, NULL, 'priority', true, NULL, NULL, NULL, NULL, NULL, NULL)",
            )
        ]

    def rows(self):
        return [self.run(f"SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {table} t")
                for table in TABLES]

    def verify(self):
        return subprocess.run([ROOT / "sql/verify"],
                              env=clean_environment(DATABASE_URL=self.url, PGOPTIONS=f"-c reengagement.now={NOW}"),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)


def arrive(publisher, subscriber):
    deadline = time.monotonic() + 120
    while publisher.rows() != subscriber.rows():
        assert time.monotonic() < deadline, "the change was not replicated in 120 s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster(directory):
    stack = Stack(directory / "replication")
    try:
        stack.call("postgres-start")
        stack.look()
        admin = connect(stack.database_url("postgres"))
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET wal_level = logical")
        admin.close()
        stack.call("postgres-stop")
        stack.call("postgres-start")
        yield stack
    finally:
        stack.call("postgres-stop")
        stack.down()


@pytest.fixture(scope="module")
def databases(cluster):
    admin = connect(cluster.database_url("postgres"))
    admin.autocommit = True
    made = []
    for name in ("publisher", "subscriber"):
        with admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        url = cluster.database_url(name)
        run_sql("migrate", url)
        made.append(Database(url))
    publisher, subscriber = made
    publisher.run(FIRST)
    # The cascaded deletes of a foreign key are replicated as ordinary deletes. The initial copy contains existing rows.
    publisher.run(f"CREATE PUBLICATION source FOR TABLE {', '.join(TABLES)}")
    publisher.run("SELECT pg_create_logical_replication_slot('source', 'pgoutput')")
    # In one cluster the slot cannot be created by the statement that waits for it.
    subscriber.run(
        f"CREATE SUBSCRIPTION source CONNECTION 'host={cluster.settings['STACK_DIR']}/postgres port=5432 user=postgres"
        " dbname=publisher' PUBLICATION source WITH (create_slot = false, slot_name = source)"
    )
    yield publisher, subscriber
    subscriber.run("ALTER SUBSCRIPTION source DISABLE")
    subscriber.run("ALTER SUBSCRIPTION source SET (slot_name = NONE)")
    subscriber.run("DROP SUBSCRIPTION source")
    for database in made:
        database.connection.close()
    admin.close()


def test_the_initial_copy_shows_in_the_responses(databases):
    publisher, subscriber = databases
    arrive(publisher, subscriber)
    for organization in ("one", "two"):
        assert subscriber.answers(organization, "") == publisher.answers(organization, "plain_")
    assert subscriber.run("SELECT count(*) FROM re.organization_state") == [(2,)]


@pytest.mark.nightly(after=3)
@pytest.mark.parametrize("change", CHANGES)
def test_a_replicated_change_shows_in_the_response(databases, change):
    publisher, subscriber = databases
    before = [subscriber.answers(organization, "") for organization in ("one", "two")]
    # Otherwise the response would be right even without a pending change.
    assert subscriber.run("SELECT bool_and(re.is_current(id)) FROM organizations") == [(True,)]
    publisher.run(CHANGES[change])
    arrive(publisher, subscriber)
    after = [subscriber.answers(organization, "") for organization in ("one", "two")]
    assert after == [publisher.answers(organization, "plain_") for organization in ("one", "two")]
    # Otherwise the test would prove nothing.
    assert after != before or change in ("a changed key", "an organization that goes")
    verified = subscriber.verify()
    assert verified.returncode == 0, verified.stdout


@pytest.mark.nightly
def test_rows_replayed_by_hand_leave_pending_changes_too(databases):
    _, subscriber = databases
    subscriber.run("SET session_replication_role = replica")
    try:
        subscriber.run("INSERT INTO organizations (id, name, time_zone) VALUES ('mine', 'M', 'Europe/Paris')")
        subscriber.run(
            "INSERT INTO patients (organization_id, id, name, created_at) SELECT 'mine', 'p' || i, 'P', '2025-01-01Z'"
            " FROM generate_series(1, 5) i"
        )
    finally:
        subscriber.run("SET session_replication_role = origin")
    assert subscriber.answers("mine", "") == subscriber.answers("mine", "plain_")
    assert subscriber.run("SELECT re.is_current('mine')") == [(True,)]


@pytest.mark.nightly
def test_an_unknown_zone_stops_the_subscription_as_any_constraint_does(databases):
    _, subscriber = databases
    subscriber.run("SET session_replication_role = replica")
    try:
        for statement in ("INSERT INTO organizations (id, name, time_zone) VALUES ('odd', 'O', 'foo+3')",
                          "UPDATE organizations SET time_zone = 'CET'"):
            with pytest.raises(Exception, match="is not one that PostgreSQL knows with its summer time"):
                subscriber.run(statement)
    finally:
        subscriber.run("SET session_replication_role = origin")
