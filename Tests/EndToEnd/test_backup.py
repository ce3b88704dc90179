"""The runbook's backup of one database. Plain owners dump and restore it, into a cluster without the product's roles.
Then it is migrated and rebuilt, and every response is compared."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from asking import token_headers
from client import PREFIX
from registry import questions
from stack import ROOT, Server, Stack, clean_environment, connect

RUNBOOK = (ROOT / "docs/operating.md").read_text().partition("## Back up")[2].partition("\n## ")[0]
NOW = "2025-06-30T12:00:00Z"


def documented(beginning):
    """Returns the words of a command in the runbook."""
    block, = re.findall(rf"^({re.escape(beginning)}(?:[^\n]*\\\n)*[^\n]*)", RUNBOOK, re.MULTILINE)
    return shlex.split(block.replace("\\\n", " "), comments=True)


class Cluster:
    """A PostgreSQL of its own, in which the database's owner is no superuser."""

    def __init__(self, directory, owner):
        self.stack, self.owner = Stack(directory), owner
        self.stack.call("postgres-start")
        self.stack.look()
        self.execute("postgres", f"CREATE ROLE {owner} LOGIN CREATEROLE")

    def url(self, name, user=None):
        return re.sub(r"user=\w+", f"user={user or self.owner}", self.stack.database_url(name))

    def create(self, name):
        self.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.execute("postgres", f"CREATE DATABASE {name} OWNER {self.owner} TEMPLATE template0 ENCODING 'UTF8'")
        return self.url(name)

    def execute(self, name, statement):
        rows(self.url(name, "postgres"), statement)

    def stop(self):
        self.stack.call("postgres-stop")
        self.stack.down()
        shutil.rmtree(self.stack.directory)


def run(program, *arguments, succeeds=True, **environment):
    # pg_dump refuses a newer PostgreSQL, so the programs are those of the tested version.
    command = [os.path.join(os.environ["POSTGRES_BIN"], word) if word in ("pg_dump", "pg_restore")
               and "POSTGRES_BIN" in os.environ
               else str(ROOT / word) if word.startswith("sql/") else word for word in (program, *arguments)]
    done = subprocess.run(command, env=clean_environment(**environment), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=180)
    assert succeeds is None or (done.returncode == 0) == succeeds, done.stdout
    return done.stdout


def sql(script, url, *arguments, **how):
    return run(str(ROOT / "sql" / script), *arguments, DATABASE_URL=url, **how)


def rows(url, *statements):
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def dump(url, file, *more, derived=False):
    command = [word.replace("reengagement.dump", str(file)) for word in documented("sql/client pg_dump -Fc -f")]
    assert run(*[word for word in command if not derived or "exclude" not in word], *more, DATABASE_URL=url) == ""
    return file


def restore(url, file, *more, without=(), **how):
    beginning, *command = documented("DATABASE_URL=$NEW_URL sql/client pg_restore")
    assert beginning == "DATABASE_URL=$NEW_URL"
    command = [word.replace("reengagement.dump", str(file)) for word in command]
    return run(*[word for word in command if word not in without], *more, DATABASE_URL=url, **how)


@pytest.fixture(scope="module")
def here(directory):
    made = Cluster(directory / "here", "owner")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def there(directory):
    made = Cluster(directory / "there", "somebody_else")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def original(here):
    url = here.create("clinic")
    sql("migrate", url)
    sql("demo", url, ORGANIZATIONS="3", PATIENTS="40", PGOPTIONS=f"-c reengagement.now={NOW}")
    sql("rebuild", url)
    rows(url, "SET reengagement.organization = 'org_demo_1'",
         "SELECT re.log_outreach('org_demo_1', 'patient_1', 'sms', 'success', false, 'a note', 'user_1', 'key')")
    return url


@pytest.fixture(scope="module")
def answered(stack, here, original, directory):
    """Collects the responses before the dump, because each request adds an entry to the audit."""
    return answers(stack, directory / "here.server", here, original)


@pytest.fixture(scope="module")
def dumped(original, answered, directory):
    return dump(original, directory / "clinic.dump")


TABLES = ("organizations", "patients", "appointments", "conversations", "outreach_log", "re.audit")


def content(url):
    return rows(url, "SELECT md5(concat({}))".format(", ".join(
        f"(SELECT string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\") FROM {table} t)" for table in TABLES)))


def files(url):
    return rows(url, "SELECT file, sha256 FROM re.migration WHERE file <> 'database' ORDER BY file COLLATE \"C\"")


def rights(url, owner):
    """Returns owners, grants and policies as in a dump, independent of the owner's name."""
    lines = run("pg_dump", "--schema-only", "-d", url).splitlines()
    found = [re.sub(rf"\b{owner}\b", "OWNER", line) for line in lines
             if re.match(r"ALTER .* OWNER TO|GRANT|REVOKE|CREATE POLICY|ALTER TABLE .*(TRIGGER|ROW LEVEL)", line)]
    assert len(found) > 200
    return sorted(found)


def answers(stack, folder, cluster, url):
    """Returns every response of the API for the three clinics at one instant, from a separate server."""
    name = re.search(r"///(\w+)", url)[1]
    cluster.execute("postgres", f"ALTER DATABASE {name} SET reengagement.now = '{NOW}'")
    folder.mkdir()
    found = {}
    with Server(stack, folder, DATABASE_URL=url) as server:
        assert server.get("/ready").status == 200
        for number in (1, 2, 3):
            base = f"{PREFIX}/org_demo_{number}/"
            for path in (*(question.path("patient_1") for question in questions()),
                         "patients/prioritized?limit=200&include=notes", "patients/prioritized?q=an&sort=name"):
                answer = server.get(base + path, token_headers(stack, f"org_demo_{number}"))
                found[base + path] = answer.status, answer.json()
            foreign = server.get(base + "dashboard", token_headers(stack, f"org_demo_{number % 3 + 1}"))
            assert foreign.status == 403
    cluster.execute("postgres", f"ALTER DATABASE {name} RESET reengagement.now")
    return found


def sees(url, organization, relation):
    """Returns the organizations whose rows the server's role sees when it is bound to one organization."""
    column = "id" if relation == "organizations" else "organization_id"
    return {row[0]
            for row in rows(url, "SET ROLE reengagement_api", f"SET reengagement.organization = '{organization}'",
                                   f"SELECT DISTINCT {column} FROM {relation}")}


def check(there, restored, original):
    assert "equal" in sql("verify", restored)
    assert sql("migrate", restored) == "up to date\n"
    assert content(restored) == content(original) and files(restored) == files(original)
    assert rights(restored, there.owner) == rights(original, "owner")
    for relation in ("patient_reengagement_master_view", "reengagement_performance_view", "re.patient_state",
                     "re.patient_count"):
        assert sees(restored, "org_demo_1", relation) == {"org_demo_1"}
        assert sees(restored, "", relation) == set()


@pytest.mark.nightly
def test_a_database_is_restored_in_another_cluster_by_its_owner(stack, there, original, dumped, answered, folder):
    assert rows(there.url("postgres"), "SELECT 1 FROM pg_roles WHERE rolname LIKE 'reengagement%'") == []
    restored = there.create("reengagement")
    first, = re.findall(r"sql/client psql -c '(REVOKE [^']+)'", RUNBOOK)
    rows(restored, first)
    there.execute("postgres", "CREATE ROLE visitor LOGIN")
    assert "CONNECT" in run("psql", "-d", there.url("reengagement", "visitor"), "-c", "", succeeds=False)
    assert "created role reengagement_definer" in sql("migrate", restored, "--roles")
    assert restore(restored, dumped) == ""
    output = sql("migrate", restored)
    assert "applied views/30_master.sql" in output and "applied migrations" not in output
    sql("rebuild", restored)
    check(there, restored, original)
    assert answers(stack, folder / "there", there, restored) == answered
    # Writes continue as before. A used key is recognized, and a new key adds a row and an entry.
    assert [
        rows(
            restored,
            "SET ROLE reengagement_api",
            "SET reengagement.organization = 'org_demo_1'",
            f"SELECT result FROM re.log_outreach('org_demo_1', 'patient_1', 'sms', 'success', false, 'a note', 'user_1', '{key}')",
        )
        for key in ("key", "another")
    ] == [[("replayed",)], [("created",)]]


def test_a_backup_with_the_derived_data(there, original, directory):
    restored = there.create("whole")
    sql("migrate", restored, "--roles")
    restore(restored, dump(original, directory / "whole.dump", derived=True))
    sql("migrate", restored)
    sql("rebuild", restored)
    check(there, restored, original)


@pytest.mark.nightly
def test_migrate_repairs_a_restore_without_the_roles(there, original, dumped):
    """pg_restore continues after errors by default, so owners and grants are those of the restoring user."""
    restored = there.create("bare")
    for role in ("definer", "marker", "scheduler", "searcher", "bound", "api"):
        for name in ("reengagement", "whole"):
            there.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        there.execute("postgres", f"DROP ROLE IF EXISTS reengagement_{role}")
    output = run("pg_restore", "-d", restored, "-j", "4", str(dumped), succeeds=False)
    assert 'role "reengagement_searcher" does not exist' in output
    assert rows(restored, "SELECT count(*) FROM pg_policy WHERE polname = 'every_piece'") == [(0, )]
    sql("migrate", restored)
    sql("rebuild", restored)
    check(there, restored, original)


@pytest.mark.nightly
@pytest.mark.parametrize("left_out", [
    lambda line: "SCHEMA" not in line and "TYPE re " not in line,
    lambda line: "TABLE DATA" in line,
    lambda line: "TABLE DATA re migration" in line,
    lambda line: "TABLE re migration" in line or "re migration" in line,
])
def test_an_incomplete_restore_is_refused(there, dumped, folder, left_out):
    """Without the list of applied migrations, migrate reports the existing objects and changes nothing."""
    restored = there.create("half")
    lines = run("pg_restore", "-l", str(dumped)).splitlines()
    chosen = folder / "list"
    chosen.write_text("\n".join(line for line in lines if not line.startswith(";") and not left_out(line)))
    run("pg_restore", "-d", restored, "--no-owner", "--no-acl", "-L", str(chosen), str(dumped), succeeds=None)
    before = schema(restored)
    answer = sql("migrate", restored, succeeds=False)
    assert "no record of what was migrated: half a restore?" in answer and "docs/operating.md" in answer
    assert "already exists" not in answer
    assert schema(restored) == before


def schema(url):
    return re.sub(r"^\\(un)?restrict .*", "", run("pg_dump", "--schema-only", "-d", url), flags=re.MULTILINE)


@pytest.mark.nightly
def test_missing_views_and_functions_are_created_again(there, original, dumped, folder):
    """The other PostgreSQL may lack a collation or have the extension in another schema."""
    restored = there.create("elsewhere")
    rows(restored, "CREATE SCHEMA extensions", "CREATE EXTENSION unaccent SCHEMA extensions")
    sql("migrate", restored, "--roles")
    assert "public.unaccent(text) does not exist" in restore(restored, dumped, without="--exit-on-error",
                                                             succeeds=False)
    assert rows(restored, "SELECT to_regprocedure('re.folded(text)')") == [(None, )]
    sql("migrate", restored)
    sql("rebuild", restored)
    assert "equal" in sql("verify", restored)
    assert content(restored) == content(original)


@pytest.mark.nightly
def test_after_a_restore_by_a_superuser_migrate_names_the_owner_of_the_tables(there, dumped):
    restored, superuser = there.create("given"), there.url("given", "postgres")
    sql("migrate", restored, "--roles")
    restore(superuser, dumped)
    assert 'migrated by postgres' in sql("migrate", restored, succeeds=False)
    there.create("given")
    restore(superuser, dumped, f"--role={there.owner}")
    sql("migrate", restored)


@pytest.mark.nightly
def test_a_login_for_backups(here, there, original, dumped, directory):
    """Row-level security causes an error instead of hiding rows from this login, and its dump is complete."""
    here.execute("clinic", "CREATE ROLE backup LOGIN BYPASSRLS IN ROLE pg_read_all_data")
    here.execute("clinic", "CREATE ROLE weaker LOGIN IN ROLE pg_read_all_data")
    here.execute("clinic", "GRANT CONNECT ON DATABASE clinic TO backup, weaker")
    whole = script(dumped)
    assert script(dump(here.url("clinic", "backup"), directory / "backup.dump")) == whole
    refused = run("pg_dump", "-d", here.url("clinic", "weaker"), succeeds=False)
    assert "affected by row-level security" in refused
    assert script(dump(here.url("clinic", "weaker"), directory / "weaker.dump", "--enable-row-security")) == whole


def script(file):
    return [line for line in run("pg_restore", "-f", "-", str(file)).splitlines()
            if not re.match(r"\\(un)?restrict |SET row_security", line)]


@pytest.mark.nightly
def test_a_restore_of_data_into_a_migrated_database(there, original, dumped):
    restored, superuser = there.create("data"), there.url("data", "postgres")
    sql("migrate", restored)
    run("pg_restore", "-d", superuser, "--data-only", "--disable-triggers", "--exclude-schema=re", str(dumped))
    assert "trigger" in sql("migrate", restored)
    sql("rebuild", restored)
    assert "equal" in sql("verify", restored)
    assert rows(restored, "SELECT count(*) FROM patients") == rows(original, "SELECT count(*) FROM patients")
