"""The SQL of docs/migrating.md loads the tables of the predecessor, and the responses are right."""

import re

import pytest

from stack import ROOT, connect

OLD = """
CREATE SCHEMA old;
CREATE TABLE old.patients (id uuid PRIMARY KEY, organization_id text, first_name text, last_name text, phone text,
                           email text, notes text, is_active boolean DEFAULT true,
                           created_at timestamp, updated_at timestamp);
CREATE TABLE old.appointments (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id text, patient_id uuid,
                               appointment_date timestamptz, status text DEFAULT 'scheduled', created_at timestamp);
CREATE TABLE old.conversations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id text, patient_id uuid,
                                sentiment text, created_at timestamp);
INSERT INTO old.patients VALUES
    ('00000000-0000-4000-8000-000000000001', 'org_2abc123', 'Ana', 'Lee', '+61 1', 'a@example.com', 'Knee', true,
        now() - interval '400 days', now()),
    ('00000000-0000-4000-8000-000000000002', 'org_2abc123', NULL, ' ', '', NULL, NULL, true, now(), now()),
    ('00000000-0000-4000-8000-000000000003', 'org_2abc123', 'Bo', NULL, NULL, NULL, NULL, false,
        now() - interval '400 days', now() - interval '1 day'),
    ('00000000-0000-4000-8000-000000000004', 'org_2abc123', 'Cy', 'Oh', NULL, NULL, NULL, true,
        now() - interval '400 days', now()),
    ('00000000-0000-4000-8000-000000000005', 'org_other', 'Not', 'Ours', NULL, NULL, NULL, true, now(), now());
INSERT INTO old.appointments (organization_id, patient_id, appointment_date, status, created_at) VALUES
    ('org_2abc123', '00000000-0000-4000-8000-000000000001', now() - interval '10 days', DEFAULT, now()),
    ('org_2abc123', '00000000-0000-4000-8000-000000000001', now() + interval '10 days', NULL, now()),
    ('org_2abc123', '00000000-0000-4000-8000-000000000002', now() - interval '60 days', 'Completed', now()),
    ('org_2abc123', '00000000-0000-4000-8000-000000000004', now() - interval '20 days', 'no-show', now()),
    ('org_2abc123', '00000000-0000-4000-8000-000000000004', now() - interval '21 days', 'canceled', now());
INSERT INTO old.conversations (organization_id, patient_id, sentiment, created_at) VALUES
    ('org_2abc123', '00000000-0000-4000-8000-000000000004', 'Positive', now() - interval '35 days'),
    ('org_2abc123', '00000000-0000-4000-8000-000000000004', 'mixed', now() - interval '36 days');
"""


@pytest.fixture
def loaded(stack, database, fresh_id):
    """Executes the documented SQL for a new organization at each call."""
    text = (ROOT / "docs/migrating.md").read_text()
    sql, = re.findall(r"^```sql\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    organization = fresh_id("old")
    connection = connect(stack.settings["DATABASE_URL"])
    cursor = connection.cursor()
    cursor.execute("DROP SCHEMA IF EXISTS old CASCADE")
    cursor.execute(OLD.replace("org_2abc123", organization))

    def load():
        cursor.execute(sql.replace("org_2abc123", organization))
        return organization

    load.cursor = cursor
    yield load
    cursor.execute("ROLLBACK")
    cursor.execute("DROP SCHEMA old CASCADE")
    connection.close()


def patients(api, organization):
    return {p["id"][-1]: p for p in api.answer(organization, "patients/prioritized")["patients"]}


def test_the_documented_sql_loads_the_tables(api, loaded):
    for _ in range(2):
        found = patients(api, loaded())
        assert set(found) == {"1", "2", "4"}
        # A past visit with the status "scheduled" is a contact. The future one is upcoming.
        assert (found["1"]["name"], found["1"]["risk_level"],
                found["1"]["total_lifetime_appointments"]) == ("Ana Lee", "low", 1)
        assert found["1"]["next_scheduled_appointment"] and found["1"]["phone"] == "+61 1"
        assert (found["2"]["name"], found["2"]["phone"], found["2"]["risk_level"]) == ("No name", None, "critical")
        assert (found["4"]["risk_level"], found["4"]["missed_appointments_last_90d"]) == ("high", 1)
        assert api.get(loaded(), "patients/00000000-0000-4000-8000-000000000003").status == 404


def test_an_unknown_status_stops_the_load_without_a_row(loaded):
    loaded.cursor.execute("UPDATE old.appointments SET status = 'moved' WHERE status = 'canceled'")
    with pytest.raises(Exception, match="null value in column \"status\""):
        loaded()
    loaded.cursor.execute("ROLLBACK")
    loaded.cursor.execute("SELECT count(*) FROM organizations AS o JOIN old.patients AS p ON p.organization_id = o.id")
    assert loaded.cursor.fetchone() == (0, )
