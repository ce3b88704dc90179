"""No tenant sees another: not through the API, not under load, and not in a statement without a filter."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from registry import paths

SOURCES = ("organizations", "patients", "appointments", "conversations", "outreach_log")
VIEWS = ("patient_reengagement_master_view", "patient_reengagement_master", "reengagement_performance_view")


@pytest.fixture
def role(connection):
    """A session with the server's role."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE reengagement_api")
        yield cursor


def organizations_seen(role, view):
    role.execute(f"SELECT DISTINCT organization_id FROM public.{view}")
    return {row[0] for row in role.fetchall()}


@pytest.mark.parametrize("view", VIEWS)
def test_a_statement_without_a_filter_sees_its_own_organization_alone(role, clinic, second_clinic, view):
    for organization in (clinic, second_clinic):
        role.execute("SELECT set_config('reengagement.organization', %s, false)", (organization, ))
        assert organizations_seen(role, view) == {organization}


@pytest.mark.parametrize("view", VIEWS)
def test_without_an_organization_no_row_is_visible(role, clinic, view):
    assert organizations_seen(role, view) == set()
    for value in ("", "%", "*", "clinic_%", "' OR true --", "no_such"):
        role.execute("SELECT set_config('reengagement.organization', %s, false)", (value, ))
        assert organizations_seen(role, view) == set()


@pytest.mark.parametrize("table", SOURCES)
def test_the_role_reads_and_changes_no_source_table_of_another_organization(role, clinic, second_clinic, table):
    key = "id" if table == "organizations" else "organization_id"
    role.execute("SELECT set_config('reengagement.organization', %s, false)", (clinic, ))
    for statement in (f"SELECT * FROM public.{table}", f"UPDATE public.{table} SET {key} = {key}",
                      f"DELETE FROM public.{table}", f"TRUNCATE public.{table} CASCADE"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            role.execute(statement)
    try:
        role.execute(f"SELECT DISTINCT {key} FROM public.{table}")
        assert {row[0] for row in role.fetchall()} <= {clinic}
    except psycopg2.errors.InsufficientPrivilege:
        pass


def test_the_role_logs_nothing_for_another_organization(role, database, clinic, second_clinic):
    role.execute("SELECT set_config('reengagement.organization', %s, false)", (clinic, ))
    row = (
        "INSERT INTO outreach_log (organization_id, patient_id, method, outcome, opened, notes, logged_by, created_at) "
        "VALUES (%s, 'patient_123', 'sms', 'failed', false, 'planted', 'u', now())")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        role.execute(row, (second_clinic, ))
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outreach_log WHERE notes = 'planted'")
        assert cursor.fetchone() == (0, )


def test_the_role_creates_no_objects_and_takes_no_other_role(role):
    for statement in ("CREATE TABLE public.x (a int)", "CREATE SCHEMA x",
                      "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                      "ALTER TABLE patients DISABLE ROW LEVEL SECURITY", "ALTER ROLE reengagement_api BYPASSRLS",
                      "COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('/etc/passwd')"):
        with pytest.raises(psycopg2.Error):
            role.execute(statement)


def test_under_load_each_response_belongs_to_the_callers_organization(api, database, fresh_id):
    """Requests share connections and cached tokens, but never their settings."""
    organizations = [fresh_id(f"tenant{n}") for n in range(12)]
    with database.cursor() as cursor:
        for number, organization in enumerate(organizations):
            cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, %s)", (organization, organization))
            cursor.execute(
                "INSERT INTO patients (organization_id, id, name) SELECT %s, 'p' || n, %s FROM generate_series(1, %s) n",
                (organization, organization, number + 1),
            )
    gate = threading.Barrier(12)

    def ask(number):
        organization = organizations[number]
        gate.wait()
        for _ in range(25):
            page = api.answer(organization, "patients/prioritized")["patients"]
            assert len(page) == number + 1 and {p["name"] for p in page} == {organization}
            assert api.answer(organization, "dashboard")["summary"]["total_patients"] == number + 1
            detail = api.answer(organization, "patients/p1")
            assert (detail["organization_id"], detail["name"]) == (organization, organization)
            assert api.post(
                organization,
                {"patient_id": "p1", "method": "sms", "outcome": "failed", "notes": organization}).status == 201
        stranger = organizations[(number + 1) % 12]
        for path in paths("p1"):
            assert api.get(organization, path).status == 200
            assert api.get(stranger, path, headers=api.authorization(organization)).status == 403

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(12)))
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT organization_id, notes, count(*) FROM outreach_log WHERE organization_id = ANY(%s) GROUP BY 1, 2",
            (organizations, ))
        assert sorted(cursor.fetchall()) == sorted((o, o, 25) for o in organizations)


def test_the_same_patient_id_in_two_organizations_is_two_patients(api, database, clinic, second_clinic):
    with database.cursor() as cursor:
        cursor.execute("UPDATE patients SET name = 'Other Name' WHERE organization_id = %s AND id = 'patient_123'",
                       (second_clinic, ))
    api.post(second_clinic, {"patient_id": "patient_123", "method": "sms", "outcome": "success", "notes": "theirs"})
    ours, theirs = api.answer(clinic, "patients/patient_123"), api.answer(second_clinic, "patients/patient_123")
    assert (ours["name"], theirs["name"]) == ("John Smith", "Other Name")
    assert "theirs" not in [o["notes"] for o in ours["outreach"]] and theirs["outreach"][0]["notes"] == "theirs"
