"""A schema is upgraded under load: no request fails, and the migration is not undone by a deadlock with a reader."""

import shutil
import subprocess
import threading
from collections import Counter

import pytest

from asking import token_headers
from client import PREFIX
from conftest import load_clinic
from stack import ROOT, Server, clean_environment, connect

# In the order opposite to the readers', and with time for them to come in between.
MIGRATION = """
ALTER TABLE re.outreach_day ADD COLUMN test integer;
SELECT pg_sleep(0.1);
ALTER TABLE re.risk_day ADD COLUMN test integer;
SELECT pg_sleep(0.1);
ALTER TABLE re.cell ADD COLUMN test integer;
SELECT pg_sleep(0.1);
ALTER TABLE re.organization_state ADD COLUMN test integer;
"""
READS = ("risk-metrics", "dashboard", "performance", "trends", "patients/prioritized")


@pytest.fixture
def own_database(database, stack, fresh_id):
    name = fresh_id("upgraded")
    with database.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield stack.database_url(name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def migrate(folder, url):
    done = subprocess.run([folder / "migrate"], env=clean_environment(DATABASE_URL=url), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=90)
    assert done.returncode == 0, done.stdout
    return done.stdout


class Load:
    """Clients that ask without a pause, and what they were answered."""

    def __init__(self, server, headers, organization):
        self.server, self.headers, self.organization = server, headers, organization
        self.answers, self.over = Counter(), threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(3)]

    def ask(self):
        while not self.over.is_set():
            for endpoint in READS:
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
    # The migration holds its locks for as long as the machine needs; a deadlock would end at once.
    patience = {"DB_STATEMENT_TIMEOUT_MS": "60000", "DB_ACQUIRE_TIMEOUT_MS": "60000"}
    with Server(stack, folder, DATABASE_URL=own_database, WORKER_THREADS="3", **patience) as server:
        with Load(server, token_headers(stack, organization), organization) as load:
            assert "applied migrations/9999_test.sql" in migrate(sql, own_database)
        assert set(load.answers) == {200} and load.answers[200] >= len(READS)
        assert server.get("/ready").status == 200
    connection.close()
    # A second time there is nothing to do, and nothing to wait for.
    assert migrate(sql, own_database) == "up to date\n"


def test_the_former_version_says_that_it_does_not_go_back(own_database, folder):
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    (sql / "migrations/9999_test.sql").write_text("ALTER TABLE re.cell ADD COLUMN test integer;")
    migrate(sql, own_database)
    (sql / "migrations/9999_test.sql").unlink()
    with pytest.raises(AssertionError, match="migrated by a later version"):
        migrate(sql, own_database)
