"""A database of a plain owner, as a managed PostgreSQL has it: migrated and served by a login that is no superuser."""

import re
import shutil
import subprocess

import pytest

from asking import dashboard, eventually, post, token_headers
from conftest import load_clinic
from stack import ROOT, Server, Stack, clean_environment, connect


@pytest.fixture
def cluster(directory):
    """One of its own, where nobody has made the roles."""
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


def test_migrated_served_and_verified_by_its_owner(stack, cluster, folder):
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

        # What the owner has changed, and the background work has caught up with, is what verify agrees to.
        def marks():
            with database.cursor() as cursor:
                cursor.execute("UPDATE patients SET archived_at = NULL WHERE archived_at > now(); SELECT sum(marks) FROM re.status")
                return cursor.fetchone()[0] == 0

        eventually(marks, seconds=30)
        assert "one: equal" in sql("verify")
    database.close()
