"""A clinic with a time zone that PostgreSQL no longer has. Only this clinic has an error, and a correction ends it."""

import subprocess
import time
from pathlib import Path

import pytest

from asking import lines_of
from problems import must_be_problem
from registry import paths
from stack import ROOT, clean_environment, connect

READS = (*paths("patient_123"), "patients/nobody")
LINE = "an organization's derived data could not be brought up to date"


def lose_zone(database, organization, unmarked=True):
    """Simulates a zone removed from the zone database, in the source tables and in the derived data."""
    with database.cursor() as cursor:
        for trigger in ("check_updated_time_zones", *(["mark_updated"] if unmarked else [])):
            cursor.execute(f"ALTER TABLE organizations DISABLE TRIGGER {trigger}")
        cursor.execute("UPDATE organizations SET time_zone = 'Gone/Zone' WHERE id = %s", (organization, ))
        for trigger in ("check_updated_time_zones", "mark_updated"):
            cursor.execute(f"ALTER TABLE organizations ENABLE TRIGGER {trigger}")
        if unmarked:
            cursor.execute("UPDATE re.organization_state SET time_zone = 'Gone/Zone' WHERE organization_id = %s",
                           (organization, ))


def correct(database, organization, zone="America/New_York"):
    with database.cursor() as cursor:
        cursor.execute("UPDATE organizations SET time_zone = %s WHERE id = %s", (zone, organization))


def wait_for(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timeout after {seconds} s: {what}"
        time.sleep(0.1)


def generation(database, organization):
    with database.cursor() as cursor:
        cursor.execute("SELECT generation FROM re.organization_state WHERE organization_id = %s", (organization, ))
        return cursor.fetchone()[0]


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("unmarked", (True, False), ids=("gone", "never there"))
def test_the_clinic_alone_gets_an_error_until_its_setting_is_corrected(stack, api, database, clinic, second_clinic,
                                                                       unmarked):
    for path in READS[:-1]:
        api.answer(clinic, path)
    lose_zone(database, clinic, unmarked)
    for path in READS:
        for method in ("GET", "HEAD"):
            response = api.get(clinic, path, method=method)
            if method == "GET":
                assert "time_zone" in must_be_problem(response, 503)["detail"]
            assert response.status == 503
    post = {"patient_id": "patient_123", "method": "sms", "outcome": "failed"}
    assert "time_zone" in must_be_problem(api.post(clinic, post), 503)["detail"]
    for path in READS[:-1]:
        api.answer(second_clinic, path)
    correct(database, clinic)
    for path in READS[:-1]:
        api.answer(clinic, path)
    assert api.post(clinic, post).status == 201


def test_the_background_work_continues_for_other_clinics_and_recovers(stack, api, database, clinic, second_clinic):
    log = Path(stack.settings["SERVER_LOG"])
    api.answer(clinic, "dashboard")
    api.answer(second_clinic, "dashboard")
    lose_zone(database, clinic)
    failures = lambda: [line for line in lines_of(log) if LINE in line and clinic in line]
    wait_for(lambda: len(failures()) >= 2, "the failure is logged twice")
    before = generation(database, second_clinic)
    with database.cursor() as cursor:
        cursor.execute("UPDATE patients SET name = 'Another' WHERE organization_id = %s AND id = 'patient_123'",
                       (second_clinic, ))
    wait_for(lambda: generation(database, second_clinic) > before, "the other clinic's data are refreshed")
    before = generation(database, clinic)
    correct(database, clinic)
    wait_for(lambda: generation(database, clinic) > before, "the corrected clinic's data are refreshed")


@pytest.mark.nightly
def test_verify_and_rebuild_report_the_clinic_and_continue(database, stack, fresh_id):
    name = fresh_id("zones")
    url = stack.database_url(name)
    run = lambda script, **more: subprocess.run([ROOT / "sql" / script],
                                                env=clean_environment(DATABASE_URL=url, **more), timeout=120,
                                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with database.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection = None
    try:
        for script in ("migrate", "demo", "rebuild"):
            done = run(script, ORGANIZATIONS="3", PATIENTS="20")
            assert done.returncode == 0, done.stdout
        connection = connect(url)
        lose_zone(connection, "org_demo_1")
        for script in ("verify", "rebuild"):
            done = run(script)
            assert done.returncode != 0
            assert 'no longer knows the time_zone "Gone/Zone" of organization "org_demo_1"' in done.stdout, done.stdout
            assert "org_demo_2: " + ("equal" if script == "verify" else "built") in done.stdout, done.stdout
        correct(connection, "org_demo_1")
        done = run("verify")
        assert done.returncode == 0, done.stdout
    finally:
        if connection:
            connection.close()
        with database.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
