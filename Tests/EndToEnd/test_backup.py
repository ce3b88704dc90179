"""The runbook's backup of one database, without what is derived: dumped, restored, rebuilt, compared."""

import re
import subprocess

import pytest

from stack import ROOT, clean_environment, connect

COMMANDS = (ROOT / "docs/operating.md").read_text()


def sql(script, url, **environment):
    return run(str(ROOT / "sql" / script), DATABASE_URL=url, **environment)


def run(*command, **environment):
    done = subprocess.run(command, env=clean_environment(**environment), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120)
    return done.returncode, done.stdout


@pytest.fixture
def databases(database, fresh_id, stack):
    names = [fresh_id("backup"), fresh_id("restored")]
    with database.cursor() as cursor:
        for name in names:
            cursor.execute(f"CREATE DATABASE {name}")
        yield [stack.database_url(name) for name in names]
        for name in names:
            cursor.execute(f"DROP DATABASE {name}")


def rows(url):
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM appointments), (SELECT count(*) FROM outreach_log),"
                       " (SELECT count(*) FROM re.patient_state)")
        found = cursor.fetchone()
    connection.close()
    return found


def test_a_database_is_restored_without_what_is_derived(databases, tmp_path):
    original, restored = databases
    for script in ("migrate", "demo", "rebuild"):
        status, output = sql(script, original, ORGANIZATIONS="1", PATIENTS="40")
        assert status == 0, output
    appointments, attempts, states = rows(original)
    assert appointments > 40 and attempts > 0 and states == 40
    excluded, = re.findall(r"--exclude-table-data='([^']+)'", COMMANDS)
    dump = tmp_path / "reengagement.dump"
    assert run("pg_dump", "-Fc", "-d", original, "-f", dump, f"--exclude-table-data={excluded}") == (0, "")
    assert run("pg_restore", "-d", restored, "--exit-on-error", dump) == (0, "")
    assert rows(restored) == (appointments, attempts, 0)
    assert sql("migrate", restored) == (0, "up to date\n")
    # What a restore that stops here would leave is noticed.
    assert sql("verify", restored)[0] != 0
    for script in ("rebuild", "verify"):
        status, output = sql(script, restored)
        assert status == 0, output
    assert rows(restored) == (appointments, attempts, states)
