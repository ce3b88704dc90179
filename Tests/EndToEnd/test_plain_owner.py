"""A database whose owner is no superuser, as in a managed PostgreSQL, is migrated and served with the owner's login."""

import re
import shutil
import subprocess

import pytest

from asking import dashboard, eventually, post, token_headers
from conftest import load_clinic
from stack import ROOT, Server, Stack, clean_environment, connect


@pytest.fixture
def cluster(directory):
    """A cluster of its own, in which the roles do not exist yet."""
    folder = directory / "owner"
    made = Stack(folder)
    made.call("postgres-start")
    made.look()
    try:
        yield made
    finally:
        made.call("postgres-stop")
        made.down()
        shutil.rmtree(folder)


def test_a_database_is_migrated_served_and_verified_by_its_owner(stack, cluster, folder):
    superuser = connect(cluster.settings["DATABASE_URL"])
    with superuser.cursor() as cursor:
        cursor.execute("CREATE ROLE owner LOGIN CREATEROLE")
        cursor.execute("CREATE DATABASE clinic OWNER owner TEMPLATE template0 ENCODING 'UTF8'")
    superuser.close()
    url = re.sub(r"user=\w+", "user=owner", cluster.database_url("clinic"))

    def sql(script):
        done = subprocess.run([ROOT / f"sql/{script}"], env=clean_environment(DATABASE_URL=url), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0, done.stdout
        return done.stdout

    assert "created role reengagement_api" in sql("migrate")
    assert sql("migrate") == "up to date\n"
    database = connect(url)
    one, other = load_clinic(database, "one"), load_clinic(database, "other")
    with Server(stack, folder, DATABASE_URL=url) as server:
        assert server.get("/ready").status == 200
        for organization in (one, other):
            answer = server.get(dashboard(organization), token_headers(stack, organization))
            assert answer.json()["summary"]["total_patients"] > 0
        before = server.get(f"/api/v1/reengagement/{one}/performance", token_headers(stack, one)).json()
        assert post(server, stack, one).status == 201
        after = server.get(f"/api/v1/reengagement/{one}/performance", token_headers(stack, one)).json()
        assert after != before
        with database.cursor() as cursor:
            cursor.execute("SELECT DISTINCT usename FROM pg_stat_activity"
                           " WHERE datname = 'clinic' AND application_name = 'reengagement-api'")
            assert cursor.fetchall() == [("owner", )]

        # The owner changes rows, the background work refreshes them, and then verify succeeds.
        def pending_changes():
            with database.cursor() as cursor:
                cursor.execute(
                    "UPDATE patients SET archived_at = NULL WHERE archived_at > now(); SELECT sum(pending_changes) FROM re.status"
                )
                return cursor.fetchone()[0] == 0

        eventually(pending_changes)
        assert "one: equal" in sql("verify")
    database.close()


@pytest.mark.nightly
def test_the_documented_install_has_a_bound_login_and_no_function_of_a_superuser(stack, cluster, folder):
    """The runbook's own lines, executed by the cluster's superuser."""
    block, = re.findall(r"^apt-get install postgresql-15\n(.*?)^```", (ROOT / "docs/operating.md").read_text(),
                        re.DOTALL | re.MULTILINE)
    host = re.search(r"host=([^&]+)", cluster.settings["DATABASE_URL"])[1]
    commands = "set -e; dropdb reengagement\n" + block.replace("runuser -u postgres -- ", "")
    done = subprocess.run(["bash", "-c", commands], cwd=ROOT, env=clean_environment(PGHOST=host, PGUSER="postgres"),
                          text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
    assert done.returncode == 0, done.stdout
    superuser = connect(cluster.database_url("reengagement"))
    with superuser.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner"
                       " WHERE p.pronamespace = 're'::regnamespace AND p.prosecdef AND r.rolsuper")
        assert cursor.fetchone() == (0, )
    clinic = load_clinic(superuser, "clinic")
    superuser.close()
    login = re.sub(r"user=\w+", "user=reengagement-api", cluster.database_url("reengagement"))
    with Server(stack, folder, DATABASE_URL=login, DATABASE_LOGIN=None) as server:
        eventually(lambda: server.get("/ready").status == 200, seconds=60)
        assert server.get(dashboard(clinic), token_headers(stack, clinic)).json()["summary"]["total_patients"] > 0
