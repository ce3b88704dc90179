"""An import deletes patients while staff log attempts, in concurrent sessions (sql/flat/23_forgotten_attempts.sql)."""

import subprocess
import threading
import time

import psycopg2
import pytest

from stack import ROOT, clean_environment
from test_marks import Session, transaction

# The timeout is a bound for a hang, not a demand for speed.
TIMEOUT = 60


@pytest.fixture
def session(url):
    made = Session(url)
    made.run("INSERT INTO organizations (id, name, time_zone) VALUES ('one', 'One', 'Europe/Paris')")
    made.run(
        "INSERT INTO patients (organization_id, id, name) SELECT 'one', 'p' || i, 'P' FROM generate_series(1, 9) i"
    )
    made.run("INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by)"
             " SELECT 'one', id, 'sms', 'failed', 'u' FROM patients")
    yield made
    made.connection.close()


def post(session, patient, timeout=TIMEOUT):
    """Logs an attempt in the way of the server."""
    session.run(f"SET statement_timeout = '{timeout}s'")
    session.run("SET ROLE reengagement_api")
    try:
        return session.value("SELECT result FROM re.log_outreach('one', %s, 'phone', 'success', false, '', 'u', NULL)",
                             patient)
    finally:
        if session.connection.get_transaction_status() != psycopg2.extensions.TRANSACTION_STATUS_INERROR:
            session.run("RESET ROLE")


def attempts(session, patient):
    return session.value("SELECT count(*) FROM outreach_log WHERE patient_id = %s", patient)


class Beside(threading.Thread):
    """Runs in its own thread and first waits for a lock."""

    def __init__(self, session, work):
        super().__init__(daemon=True)
        self.result, self.pid, self.work = None, session.connection.get_backend_pid(), work

    def run(self):
        try:
            self.result = self.work()
        except psycopg2.Error as error:
            self.result = error

    def wait_for_lock(self, observer):
        deadline = time.monotonic() + TIMEOUT
        while not observer.value(
            "SELECT count(*) FROM pg_locks WHERE pid = %s AND locktype = 'advisory' AND NOT granted", self.pid
        ):
            assert self.is_alive(), f"it did not wait: {self.result}"
            assert time.monotonic() < deadline, "it never waited"
            time.sleep(0.02)

    def end(self):
        self.join(TIMEOUT)
        assert not self.is_alive(), "it still waits"
        return self.result


REFRESH = ("CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT * FROM patients WHERE id <> 'p3'",
           "DELETE FROM patients", "INSERT INTO patients SELECT * FROM incoming")


def test_staff_log_while_an_import_is_in_progress(session, url):
    with transaction(url) as sync, transaction(url) as staff:
        for statement in REFRESH[:2]:
            sync.run(statement)
        # The deletion is not committed, so no session waits.
        for patient in ("p1", "p3"):
            assert post(staff, patient) == "created"
        staff.connection.commit()
        sync.run(REFRESH[2])
        sync.connection.commit()
    assert attempts(session, "p1") == 2
    assert attempts(session, "p3") == 0, "the deletion of a patient includes attempts logged during the import"
    assert session.value("SELECT count(*) FROM outreach_log") == 9


def test_a_deletion_waits_for_an_attempt_in_progress(session, url):
    with transaction(url) as sync, transaction(url) as staff:
        assert post(staff, "p1") == "created"
        sync.run("DELETE FROM patients WHERE id = 'p1'")
        commit = Beside(sync, sync.connection.commit)
        commit.start()
        commit.wait_for_lock(session)
        staff.connection.commit()
        assert commit.end() is None
    assert attempts(session, "p1") == 0


def test_an_attempt_waits_for_the_end_of_a_deletion(session, url):
    with transaction(url) as sync, transaction(url) as staff:
        sync.run("DELETE FROM patients WHERE id = 'p1'")
        sync.run("SET CONSTRAINTS ALL IMMEDIATE")
        logging = Beside(staff, lambda: post(staff, "p1"))
        logging.start()
        logging.wait_for_lock(session)
        sync.connection.commit()
        assert logging.end() == "no_patient"
        staff.connection.commit()
    assert attempts(session, "p1") == 0


def test_an_attempt_does_not_wait_for_an_import_that_keeps_every_patient(session, url):
    with transaction(url) as sync, transaction(url) as staff:
        sync.run("CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS TABLE patients")
        sync.run("DELETE FROM patients")
        sync.run("INSERT INTO patients SELECT * FROM incoming")
        sync.run("SET CONSTRAINTS ALL IMMEDIATE")
        assert post(staff, "p1") == "created"
        staff.connection.commit()
        sync.connection.commit()
    assert attempts(session, "p1") == 2


@pytest.mark.nightly
def test_a_replay_of_rows_has_the_same_result(session, url):
    with transaction(url) as sync:
        sync.run("SET LOCAL session_replication_role = replica")
        for statement in REFRESH:
            sync.run(statement)
        sync.connection.commit()
    assert (
        session.value("SELECT string_agg(patient_id, ' ' ORDER BY patient_id) FROM outreach_log")
        == "p1 p2 p4 p5 p6 p7 p8 p9"
    )


@pytest.mark.nightly
def test_patients_that_only_the_log_names_are_verified_and_rebuilt(session, url):
    call = lambda script: subprocess.run([ROOT / "sql" / script], env=clean_environment(DATABASE_URL=url), timeout=300,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    attempts_counted = "SELECT outreach_attempts FROM re.flat_performance('one', 'last_7_days')"
    session.run("TRUNCATE patients CASCADE")
    verified = call("verify")
    assert verified.returncode == 0, verified.stdout
    assert session.value(attempts_counted) == 9
    rebuilt = call("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout
    assert session.value(attempts_counted) == 9
    verified = call("verify")
    assert verified.returncode == 0, verified.stdout
