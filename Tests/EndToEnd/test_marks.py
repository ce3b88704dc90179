"""The search for pending changes starts at the floor (sql/flat/15_floor.sql): after the deleted ones and before every
current or future one.

Concurrent sessions use a separate database, a copy of the one in MARKS_TEMPLATE_URL if that is set.
"""

import json
from contextlib import contextmanager

import pytest

from stack import connect

# More than the lag in transactions from which a running transaction is noted.
MANY = 150
# A search descends an index once or twice. Without the floor it reads a page for every few deleted changes.
FEW_BUFFERS = 16


class Session:

    def __init__(self, url, autocommit=True):
        self.connection = connect(url)
        self.connection.autocommit = autocommit
        self.run(
            "SELECT set_config('reengagement.organization', 'one', false), set_config('enable_seqscan', 'off', false)"
        )

    def run(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def value(self, statement, *parameters):
        return self.run(statement, *parameters)[0][0]

    def log(self, patient, times=1):
        for _ in range(times):
            self.run("INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by)"
                     " VALUES ('one', %s, 'sms', 'success', 'u')", patient)

    def log_all(self):
        self.run("INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by)"
                 " SELECT 'one', id, 'sms', 'success', 'u' FROM patients")

    def advance(self, most=1000):
        return self.run("SELECT refreshed, remaining, busy FROM re.advance('one', %s)", most)[0]

    def is_current(self):
        probed = self.value("SELECT count(*) FROM re.probe('one')") == 1
        due = self.value("SELECT count(*) FROM re.organizations_due(1000) o WHERE o = 'one'") == 1
        current = self.value("SELECT re.is_current('one')")
        assert probed == current and due != current
        return current

    def buffers(self, look="SELECT true FROM re.pending_changes('one', 1) LIMIT 1"):
        """Returns the pages read by a search for pending changes and for the organization's row with the floor."""
        # With the server's role, because row-level security affects the plan.
        self.run("SET ROLE reengagement_api")
        plan = self.value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {look}")
        self.run("RESET ROLE")
        whole = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
        return whole["Shared Hit Blocks"] + whole["Shared Read Blocks"]

    def is_floor_valid(self):
        return self.value("SELECT floor_written_by = xmin FROM re.organization_state WHERE organization_id = 'one'")


@pytest.fixture
def session(url):
    made = Session(url)
    # Deleted pending changes stay in the table.
    made.run("ALTER TABLE re.pending_change SET (autovacuum_enabled = off)")
    made.run("INSERT INTO organizations (id, name) VALUES ('one', 'One')")
    made.run(
        "INSERT INTO patients (organization_id, id, name) SELECT 'one', 'p' || i, 'P' FROM generate_series(1, 50) i"
    )
    assert made.advance() == (50, False, False)
    assert made.is_current()
    yield made
    made.connection.close()


@contextmanager
def transaction(url):
    other = Session(url, autocommit=False)
    yield other
    other.connection.rollback()
    other.connection.close()


@contextmanager
def old_snapshot(url):
    """Holds a snapshot like a dump. Vacuum removes nothing deleted after it."""
    with transaction(url) as dump:
        dump.connection.rollback()
        dump.connection.set_session(isolation_level="REPEATABLE READ")
        dump.run("SELECT count(*) FROM re.pending_change")
        yield


@pytest.mark.parametrize("older_by", (0, MANY), ids=("just begun", "open for long"))
def test_a_pending_change_that_commits_after_the_floor_moved_is_found(session, url, older_by):
    with transaction(url) as writer:
        writer.log("p1")
        session.log("p2", 1 + older_by)
        session.advance()
        noted = session.value(
            "SELECT cardinality(floor_running) FROM re.organization_state WHERE organization_id = 'one'"
        )
        assert noted == (1 if older_by else 0)
        assert session.is_current() and session.is_floor_valid()
        writer.connection.commit()
        assert not session.is_current()
        assert session.advance() == (1, False, False)
        assert session.is_current()


def test_an_open_writer_does_not_hold_the_floor(session, url):
    with transaction(url) as writer:
        writer.log("p1")
        for _ in range(6):
            session.log("p2", 100)
            session.advance()
        assert session.buffers() <= FEW_BUFFERS


def test_a_change_that_the_refreshing_transaction_makes_later_is_found(session, url):
    with transaction(url) as own:
        own.log("p1")
        # Another transaction ends in between, so the own transaction's number is below an ended one.
        session.log("p9")
        own.run("SAVEPOINT here")
        own.advance()
        assert own.is_current() and own.is_floor_valid()
        own.log("p2")
        assert not own.is_current()
        own.run("RELEASE SAVEPOINT here")
        own.advance()
        own.log("p3")
        own.connection.commit()
    assert not session.is_current()
    # The two patients are p3 and p9, whose attempt is later than the transaction's `now`.
    assert session.advance() == (2, False, False)
    assert session.is_current()


def test_changes_that_a_refresh_leaves_are_found(session):
    session.log_all()
    session.log("p3")
    for worked_off in range(10, 50, 10):
        assert session.advance(10) == (10, True, False)
        assert not session.is_current()
    assert session.advance(10) == (10, False, False)
    assert session.is_current()


def test_the_floor_of_another_cluster_is_ignored(session):
    """A restored dump has such a row: its transaction has not written it, and its numbers are in this cluster's
    future."""
    session.run("UPDATE re.organization_state SET floor_xid = '999999999999'")
    session.log("p1")
    assert not session.is_current()
    session.advance()
    assert session.is_current() and session.is_floor_valid()
    session.log("p1")
    assert not session.is_current()


def test_a_pending_change_of_another_cluster_is_found(session):
    session.run("INSERT INTO re.pending_change (organization_id, patient_id, xid) VALUES ('one', 'p1', '3')")
    session.run("UPDATE re.organization_state SET generation = generation")
    assert not session.is_current()
    assert session.advance() == (1, False, False)
    assert session.is_current()


@pytest.mark.nightly
def test_a_search_does_not_read_deleted_changes(session, url):
    with old_snapshot(url):
        before = session.buffers()
        for _ in range(60):
            session.log_all()
            session.advance()
        assert session.buffers() <= max(before, FEW_BUFFERS)
        # A search from the beginning shows that they still exist.
        session.run("UPDATE re.organization_state SET floor_xid = '0', floor_running = '{}'")
        assert session.buffers() > FEW_BUFFERS


@pytest.mark.nightly
def test_a_search_does_not_read_old_versions_of_the_organizations_row(session, url):
    with old_snapshot(url):
        # Several clinics with statistics, which autovacuum may collect at any time.
        session.run("INSERT INTO organizations (id, name) SELECT 'other' || i, 'O' FROM generate_series(1, 2) i")
        session.run("ANALYZE re.organization_state")
        looks = ("SELECT * FROM re.probe('one')", "SELECT true FROM re.pending_changes('one', 1) LIMIT 1")
        session.log("p1")
        session.advance()
        before = [session.buffers(look) for look in looks]
        for i in range(600):
            session.log(f"p{i % 50 + 1}")
            session.advance()
        session.run("ANALYZE re.organization_state")
        assert [session.buffers(look) <= read + 4 for look, read in zip(looks, before)] == [True, True]
        # All versions of the row still exist.
        assert (
            session.buffers("SELECT max(generation) FROM re.organization_state WHERE organization_id || '' = 'one'")
            > 10
        )


def test_one_row_exists_for_an_organization(session, url):
    count = "SELECT count(*) FROM re.organization_state WHERE organization_id = 'one'"
    session.run("DELETE FROM organizations")
    session.advance()
    session.run("INSERT INTO organizations (id, name) VALUES ('one', 'One')")
    session.run("UPDATE organizations SET time_zone = 'Asia/Tokyo'")
    session.run("SET session_replication_role = replica")
    session.run("DELETE FROM organizations")
    session.run("INSERT INTO organizations (id, name) VALUES ('one', 'One')")
    assert session.value(count) == 1


@pytest.mark.nightly
def test_a_search_does_not_read_a_processed_backlog(session, url):
    session.run(
        "INSERT INTO patients (organization_id, id, name) SELECT 'one', 'q' || i, 'Q' FROM generate_series(1, 4000) i"
    )
    with old_snapshot(url):
        for _ in range(7):
            assert session.advance(500) == (500, True, False)
            assert session.buffers() <= FEW_BUFFERS
