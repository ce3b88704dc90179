"""PostgreSQL's log contains no note and no search term, even with every logging option that an operator may switch on
for an investigation."""

from pathlib import Path

import pytest

from asking import GOOD, eventually
from conftest import load_clinic

TALKATIVE = {
    "log_min_duration_statement": "0", "log_statement": "all", "log_duration": "on", "log_min_messages": "debug1",
    "log_min_error_statement": "debug1",
    "log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "-1",
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0", "auto_explain.log_nested_statements": "on", "auto_explain.log_verbose": "on",
    "auto_explain.log_analyze": "on",
}


@pytest.fixture
def talkative(fragile):
    """Sets the options for the whole cluster. The settings that migrate makes for the database have precedence."""
    connection = fragile.connect()
    with connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for name, value in TALKATIVE.items():
            cursor.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        cursor.execute("SELECT pg_reload_conf()")
    fragile.restart_server()
    yield fragile, connection
    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM RESET ALL")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()


def logged(stack):
    return Path(stack.settings["POSTGRES_LOG"]).read_text(errors="replace")


def use(stack, organization, secret):
    """Logs notes for an existing and a missing patient and searches by query and body, with cached responses and
    cursors."""
    name = f"name{secret}"
    for key in (None, "a-key"):
        assert stack.api.post(organization, {**GOOD, "notes": f"note {secret}"}, key=key).status == 201
    assert stack.api.post(organization, {**GOOD, "notes": f"other {secret}"}, key="a-key").status == 422
    assert stack.api.post(organization, {**GOOD, "patient_id": "nobody", "notes": f"note {secret}"}).status == 404
    for _ in range(2):
        assert stack.api.get(organization, f"patients/prioritized?q={name}").status == 200
        assert stack.api.search(organization, {"q": name, "sort": "name", "limit": 1}).status == 200


def test_the_log_contains_no_note_and_no_search_term(talkative, fresh_id):
    stack, connection = talkative
    organization = load_clinic(connection, fresh_id("clinic"))
    use(stack, organization, "keptout7319")
    eventually(lambda: "execute log_outreach" in logged(stack)
               and "execute prioritized" in logged(stack).replace("flat_", ""))
    assert "keptout7319" not in logged(stack)


@pytest.mark.nightly
def test_without_the_databases_setting_the_log_contains_them(talkative, fresh_id):
    """The check above would find leaked values: without the setting the same requests log all of them."""
    stack, connection = talkative
    organization = load_clinic(connection, fresh_id("clinic"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER DATABASE reengagement RESET log_parameter_max_length")
    try:
        stack.restart_server()
        use(stack, organization, "letout5147")
        for secret in ("note letout5147", "nameletout5147"):
            eventually(lambda: secret in logged(stack))
    finally:
        stack.call("migrate")


def test_the_parameters_of_a_failed_statement_are_not_logged(talkative):
    fresh = talkative[0].connect()
    with fresh.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_settings WHERE name LIKE 'log_parameter_max_length%'")
        assert cursor.fetchall() == [("0", ), ("0", )]
    fresh.close()
