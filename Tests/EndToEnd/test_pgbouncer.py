"""The server behind Debian's PgBouncer in session mode, set up as in the runbook."""

import os
import pwd
import re
import subprocess

import pytest

from asking import dashboard, eventually, post, token_headers
from conftest import load_clinic
from stack import ROOT, Server

RUNBOOK = (ROOT / "docs/operating.md").read_text()
ROLE_SETTINGS = re.findall(r"^ALTER ROLE reengagement_api SET .*;$", RUNBOOK, re.MULTILINE)
INI, = re.findall(r"```ini\n(.*?)```", RUNBOOK, re.DOTALL)


@pytest.fixture
def bouncer(database, stack, folder):
    """Yields the connection string. The stack's role may log in only during this test."""
    folder.chmod(0o755)
    home = folder / "bouncer"
    home.mkdir()
    url = stack.settings["DATABASE_URL"]
    host = re.search(r"host=([^&]+)", url)[1]
    own = f"unix_socket_dir = {home}\nlisten_port = 6432\nauth_type = any\nlogfile = {home}/log\n"
    ini = INI.replace("host=/run/postgresql", f"host={host} user=reengagement_api")
    (home / "pgbouncer.ini").write_text(ini + own)
    user = {}
    if os.geteuid() == 0:
        # PgBouncer refuses to run as root.
        postgres = pwd.getpwnam("postgres")
        user = {"user": postgres.pw_uid, "group": postgres.pw_gid, "extra_groups": []}
        for path in (home, home / "pgbouncer.ini"):
            os.chown(path, postgres.pw_uid, postgres.pw_gid)
    with database.cursor() as cursor:
        cursor.execute("ALTER ROLE reengagement_api LOGIN")
        for setting in ROLE_SETTINGS:
            cursor.execute(setting)
        process = subprocess.Popen(["/usr/sbin/pgbouncer", "-q", home / "pgbouncer.ini"], cwd="/",
                                   stdin=subprocess.DEVNULL, **user)
        try:
            eventually((home / ".s.PGSQL.6432").exists)
            yield f"host={home} port=6432 dbname=reengagement user=reengagement_api"
        finally:
            process.terminate()
            process.wait(60)
            cursor.execute("ALTER ROLE reengagement_api NOLOGIN")
            cursor.execute("ALTER ROLE reengagement_api RESET ALL")


@pytest.mark.nightly
def test_the_server_works_through_pgbouncer_and_stays_bound(bouncer, stack, folder, database, clinic, fresh_id):
    source = (ROOT / "Sources/PostgreSQL/ConnectionParameters.swift").read_text()
    settings, = re.findall(r"let settings = \[\n(.*?)^ {8}\]", source, re.DOTALL | re.MULTILINE)
    pinned = {name.lower() for name in re.findall(r'^ {12}\("([\w.]+)", ', settings, re.MULTILINE)} - {"role"}
    assert {setting.split()[4].lower() for setting in ROLE_SETTINGS} == pinned and len(pinned) == 18
    other = load_clinic(database, fresh_id("beside"))
    with Server(stack, folder, DATABASE_URL=bouncer, DATABASE_LOGIN="bound", WORKER_THREADS="2") as server:
        assert server.get("/ready").status == 200
        for organization in (clinic, other, clinic):
            answer = server.get(dashboard(organization), token_headers(stack, organization))
            assert answer.status == 200 and answer.json()["summary"]["total_patients"] > 0
        assert post(server, stack, clinic).status == 201
        assert server.get(f"/api/v1/reengagement/{clinic}/patients/patient_123",
                          token_headers(stack, clinic)).json()["outreach"][0]["outcome"] == "failed"
        with database.cursor() as cursor:
            # The server's role has logged in itself, so row-level security applies.
            cursor.execute("SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'reengagement'"
                           " AND usename <> 'postgres'")
            assert cursor.fetchall() == [("reengagement_api", )]
    assert [visible(bouncer, clinic, bound_to) for bound_to in (clinic, other, "")] == [1, 0, 0]


def visible(url, organization, bound_to):
    """Returns how many rows of a patient are visible to the role when it is bound to an organization."""
    statement = (f"SELECT set_config('reengagement.organization', '{bound_to}', false);"
                 f" SELECT count(*) FROM re.patient_detail('{organization}', 'patient_123')")
    done = subprocess.run(["psql", "-X", "-q", "-At", "-d", url, "-c", statement], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    return int(done.stdout.splitlines()[-1])
