"""The database login cannot leave the server's role, and the server verifies it."""

import re
import subprocess

import psycopg2
import pytest

from asking import dashboard, eventually, post, token_headers
from conftest import load_clinic
from stack import ROOT, Server, clean_environment, connect
from test_readiness import migrate

RUNBOOK = (ROOT / "docs/operating.md").read_text()
# Attributes, besides LOGIN, of logins that could leave the role.
UNBOUND = {
    "superuser": ("SUPERUSER", ""),
    "bypass": ("NOINHERIT BYPASSRLS", "GRANT reengagement_api TO {0}"),
    "replication": ("NOINHERIT REPLICATION", "GRANT reengagement_api TO {0}"),
    "maker of roles": ("NOINHERIT CREATEROLE", "GRANT reengagement_api TO {0}"),
    "inherits": ("INHERIT", "GRANT reengagement_api TO {0}"),
    "of a superuser": ("NOINHERIT", "GRANT reengagement_api, postgres TO {0}"),
    "of who reads all": ("NOINHERIT", "GRANT reengagement_api, pg_read_all_data TO {0}"),
    "of who writes all": ("NOINHERIT", "GRANT reengagement_api, pg_write_all_data TO {0}"),
    "of who reads files": ("NOINHERIT", "GRANT reengagement_api, pg_read_server_files TO {0}"),
    "of the views' owner": ("NOINHERIT", "GRANT reengagement_api, reengagement_definer TO {0}"),
    "of the search's owner": ("NOINHERIT", "GRANT reengagement_api, reengagement_searcher TO {0}"),
    "may unbind": ("NOINHERIT", "GRANT reengagement_api TO {0}; GRANT reengagement_bound TO {0} WITH ADMIN OPTION"),
    "a column": ("NOINHERIT", "GRANT reengagement_api TO {0}; GRANT SELECT (name) ON patients TO {0}"),
    "a view": ("NOINHERIT", "GRANT reengagement_api TO {0}; GRANT SELECT ON patient_reengagement_master TO {0}"),
    "a site's view": ("NOINHERIT",
                      "GRANT reengagement_api TO {0}; CREATE VIEW site AS SELECT * FROM patients; CREATE VIEW"
                      " sites_view AS SELECT * FROM site; GRANT SELECT ON sites_view TO {0}"),
    "a copy, bound": ("INHERIT", "GRANT reengagement_api, reengagement_bound TO {0};"
                      " CREATE MATERIALIZED VIEW copy AS SELECT * FROM patients; GRANT SELECT ON copy TO {0}"),
    "of who sees statements": ("NOINHERIT", "GRANT reengagement_api, pg_monitor TO {0}"),
    "makes functions": ("NOINHERIT", "GRANT reengagement_api TO {0}; GRANT CREATE ON SCHEMA re TO {0}"),
    "owns a table": ("NOINHERIT", "GRANT reengagement_api TO {0}; ALTER TABLE conversations OWNER TO {0}"),
    "owns the database": ("NOINHERIT", "GRANT reengagement_api TO {0}; ALTER DATABASE {1} OWNER TO {0}"),
}
BOUND = {
    "as documented": ("NOINHERIT", "GRANT reengagement_api TO {0}"),
    "a member of the bound": ("INHERIT", "GRANT reengagement_api TO {0}; GRANT reengagement_bound TO {0}"),
    "a view with its reader's rights": (
        "NOINHERIT",
        "GRANT reengagement_api TO {0}; CREATE VIEW site WITH (security_invoker) AS SELECT * FROM patients;"
        " GRANT SELECT ON site TO {0}"),
}


@pytest.fixture
def migrated(own_database):
    migrate(own_database)
    return own_database


@pytest.fixture
def login(migrated, fresh_id):
    """Creates logins in a test's own database. All of them are dropped at the end."""
    database, made = connect(migrated), []
    name = re.search(r"///(\w+)\?", migrated)[1]

    def make(attributes, statements):
        made.append(fresh_id("login"))
        with database.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {made[-1]} LOGIN {attributes}; GRANT CONNECT ON DATABASE {name} TO {made[-1]}")
            if statements:
                cursor.execute(statements.format(made[-1], name))
        return re.sub(r"user=\w+", f"user={made[-1]}", migrated)

    yield make
    with database.cursor() as cursor:
        for role in made:
            cursor.execute(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}")
    database.close()


def refused(stack, folder, url):
    server = Server(stack, folder, DATABASE_URL=url, DATABASE_LOGIN=None)
    done = subprocess.run([stack.binary], env=clean_environment(**server.environment), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "DATABASE_LOGIN" in done.stderr, done.stderr
    return done.stderr


def metric(server, name):
    return next(float(line.split()[-1]) for line in server.get("/metrics").body.decode().splitlines()
                if line.startswith(name))


def test_each_unbound_login_is_refused(stack, folder, login):
    for title, (attributes, statements) in UNBOUND.items():
        assert "RELOG" in refused(stack, folder, login(attributes, statements)), title


@pytest.mark.nightly(after=2)
@pytest.mark.parametrize("title", BOUND)
def test_a_bound_login_serves_and_sees_one_clinic_whatever_it_executes(stack, folder, login, migrated, title):
    with connect(migrated) as owner:
        one, other = load_clinic(owner, "one"), load_clinic(owner, "other")
    owner.close()
    url = login(*BOUND[title])
    with Server(stack, folder, DATABASE_URL=url, DATABASE_LOGIN=None) as server:
        eventually(lambda: server.get("/ready").status == 200, seconds=60)
        assert server.get(dashboard(one), token_headers(stack, one)).json()["summary"]["total_patients"] > 0
        assert metric(server, "reengagement_login_faults") == 0
    # Statements that psql or an injection could execute as this login.
    session = connect(url)
    with session.cursor() as cursor:
        for role in ("none", "reengagement_api", "reengagement_bound"):
            cursor.execute("SELECT set_config('role', %s, false)", (role, ))
            for table in ("patients", "patient_reengagement_master", "re.patient_state", "re.audit"):
                try:
                    cursor.execute(f"SELECT count(*) FROM {table} WHERE organization_id = %s", (other, ))
                    assert cursor.fetchone() == (0, ), (role, table)
                except psycopg2.errors.InsufficientPrivilege:
                    pass
    session.close()


def test_the_documented_login_is_a_bound_one():
    assert re.search(r"^runuser -u postgres -- createuser --no-inherit reengagement-api\b", RUNBOOK, re.MULTILINE)
    assert """-c 'GRANT reengagement_api TO "reengagement-api"'""" in RUNBOOK


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize(
    "made, taken",
    [
        ("ALTER ROLE {0} SUPERUSER", "ALTER ROLE {0} NOSUPERUSER"),
        ("ALTER ROLE {0} BYPASSRLS", "ALTER ROLE {0} NOBYPASSRLS"),
        ("GRANT SELECT ON patients TO {0}", "REVOKE SELECT ON patients FROM {0}"),
        ("GRANT pg_read_all_data TO {0}", "REVOKE pg_read_all_data FROM {0}"),
    ],
)
def test_a_login_that_becomes_unbound_makes_the_server_unready_until_it_is_bound_again(
    stack, folder, login, migrated, made, taken
):
    url = login(*BOUND["as documented"])
    name = re.search(r"user=(\w+)", url)[1]
    database = connect(migrated)
    with database.cursor() as cursor, Server(stack, folder, DATABASE_URL=url, DATABASE_LOGIN=None) as server:
        eventually(lambda: server.get("/ready").status == 200, seconds=60)
        cursor.execute(made.format(name))
        eventually(lambda: server.get("/ready").status == 503, seconds=60)
        assert metric(server, "reengagement_login_faults") == 1
        server.logged("could leave DATABASE_ROLE")
        cursor.execute(taken.format(name))
        eventually(lambda: server.get("/ready").status == 200, seconds=60)
    database.close()


def test_the_permitted_unbound_login_is_reported_in_log_and_metrics(stack, folder, login):
    with Server(stack, folder, DATABASE_URL=login(*UNBOUND["superuser"]), DATABASE_LOGIN="any") as server:
        eventually(lambda: server.get("/ready").status == 200, seconds=60)
        server.logged("it is a superuser")
        assert len(server.logged("DATABASE_LOGIN is any")) == 1
        assert metric(server, 'reengagement_protection_off{what="login"}') == 1
        assert metric(server, 'reengagement_protection_off{what="audit"}') == 0
        assert metric(server, "reengagement_login_faults") == 1


def test_a_server_that_could_not_check_its_login_refuses_requests_until_it_has(
    stack, folder, database, fresh_id, clinic
):
    name = fresh_id("later")
    url = stack.database_url(name)
    try:
        with (Server(stack, folder, DATABASE_URL=url, DATABASE_LOGIN=None) as server,
              database.cursor() as cursor):
            assert server.get(dashboard(clinic), token_headers(stack, clinic)).status == 503
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
            migrate(url)
            eventually(lambda: "it is a superuser" in server.log.read_text(), seconds=60)
            answer = server.get(dashboard(clinic), token_headers(stack, clinic))
            assert answer.status == 503 and answer.json()["type"].endswith("database-refuses-login")
            assert server.get("/ready").status == 503
    finally:
        with database.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_session_state_of_a_statement_is_reset_before_the_next(stack, folder, login, migrated):
    """A trigger simulates an injected statement. It runs with the server's role in a session that is reused."""
    database = connect(migrated)
    clinic = load_clinic(database, "clinic")
    with database.cursor() as cursor, Server(stack, folder, DATABASE_URL=login(*BOUND["as documented"]),
                                             DATABASE_LOGIN=None,
                                             WORKER_THREADS="1", DB_POOL_SIZE="1",
                                             ANSWER_CACHE_BYTES="0") as server:
        cursor.execute("CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                       " PERFORM set_config('reengagement.now', '2020-01-01Z', false), pg_advisory_lock(4711);"
                       " PERFORM set_config('role', 'none', false); RETURN NULL; END $$")
        # It runs at the end of the transaction, and nothing after it needs the role's privileges.
        cursor.execute("CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON outreach_log DEFERRABLE INITIALLY DEFERRED"
                       " FOR EACH ROW EXECUTE FUNCTION leave()")
        assert post(server, stack, clinic).status == 201
        for _ in range(2):
            answer = server.get(dashboard(clinic), token_headers(stack, clinic))
            assert answer.status == 200 and not answer.json()["last_updated"].startswith("2020"), answer.body
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711")
        assert cursor.fetchone() == (0, )

        def sessions():
            cursor.execute("SELECT count(*) FROM pg_stat_activity"
                           " WHERE datname = current_database() AND application_name = 'reengagement-api'")
            return cursor.fetchone()[0]

        # One session must have executed everything, or the test would prove nothing. The first one may be about to end.
        eventually(lambda: sessions() == 1)
        assert "could not be opened" not in server.log.read_text()
    database.close()
