"""The server checks the objects that responses and isolation depend on, at its start and every minute. It is not ready
without them."""

import pytest

from asking import dashboard, eventually, token_headers
from client import PREFIX
from problems import must_be_problem
from stack import Server, connect
from test_readiness import migrate, status


def faults(server):
    line, = [line for line in server.get("/metrics").body.decode().splitlines()
             if line.startswith("reengagement_foundation_faults ")]
    return int(line.split()[1])


def test_the_server_is_unready_while_its_views_belong_to_the_owner_of_the_tables(stack, folder, own_database):
    """A restore without owners has this effect until it is migrated. A bound server would see the rows of every
    clinic."""
    migrate(own_database)
    connection = connect(own_database)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'v' AND relnamespace = 're'::regnamespace"
        )
        for view, in cursor.fetchall():
            cursor.execute(f"ALTER VIEW {view} OWNER TO CURRENT_USER")
    connection.close()
    with Server(stack, folder, DATABASE_URL=own_database) as server:
        must_be_problem(server.get("/ready"), 503)
        eventually(lambda: "owner of view re.patient has been changed" in server.log.read_text())
        migrate(own_database)
        eventually(lambda: status(server) == 200)


@pytest.mark.nightly
def test_a_trigger_that_is_disabled_at_run_time_makes_the_server_unready(stack, folder, own_database):
    migrate(own_database)
    connection = connect(own_database)
    with Server(stack, folder, DATABASE_URL=own_database) as server, connection.cursor() as cursor:
        assert (status(server), faults(server)) == (200, 0)
        # In this zone it is about noon, so an hour ago is still today.
        cursor.execute("INSERT INTO organizations (id, name, time_zone) VALUES ('o', 'O', 'Etc/GMT'"
                       " || to_char(extract(hour FROM now() AT TIME ZONE 'UTC') - 12, 'FMSG99'))")
        cursor.execute("INSERT INTO patients (organization_id, id, name, created_at)"
                       " VALUES ('o', 'p', 'P', now() - interval '9 days')")
        cursor.execute("ALTER TABLE appointments DISABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO appointments (organization_id, id, patient_id, starts_at, status)"
            " SELECT 'o', 'a' || i, 'p', now() - interval '1 hour' * i, 'completed' FROM generate_series(1, 100) i"
        )
        eventually(lambda: status(server) == 503, seconds=150, every=1)
        assert faults(server) > 0
        server.logged("run migrate")
        # An unready server still answers requests.
        assert server.get(dashboard("o"), token_headers(stack, "o")).status == 200
        migrate(own_database)
        eventually(lambda: status(server) == 200)
        assert faults(server) == 0
        eventually(lambda: "complete again" in server.log.read_text())
        answer = server.get(f"{PREFIX}/o/patients/p", token_headers(stack, "o"))
        assert (answer.status, answer.json()["days_since_last_contact"]) == (200, 0)
    connection.close()
