"""The command `deliver`: its environment, its start and stop, and a database that is away."""

import subprocess
import time

import pytest

from asking import eventually
from sender import Keys, Receiver, Sender, closed_port
from stack import Stack, clean_environment
from test_webhook import Clinic

VALID = {"DATABASE_URL": "host=/tmp dbname=x", "DATABASE_LOGIN": "any"}


def check(stack, *arguments, **environment):
    done = subprocess.run([stack.binary, *arguments], env=clean_environment(**{**VALID, **environment}),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [("deliver", "--check-config"), ("--check-config", "deliver")])
def test_the_check_names_what_is_not_sent(stack, arguments):
    """The sender needs no keys of Clerk."""
    status, output, errors = check(stack, *arguments)
    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        "The configuration is valid.", "warning: SECRETS_KEY_FILE is not set: no webhook is sent",
        "warning: SMTP_URL is not set: no digest is sent",
        "warning: DATABASE_LOGIN is any: a login that could leave DATABASE_ROLE is accepted"]


def test_a_complete_environment_has_no_warning(stack, folder):
    Keys(folder / "keys")
    (folder / "password").write_text("secret\n")
    status, output, errors = check(
        stack, "deliver", "--check-config", DATABASE_LOGIN="bound", SECRETS_KEY_FILE=str(folder / "keys"),
        SMTP_URL="smtps://relay.example.com:4650", SMTP_FROM="alerts@example.com", SMTP_USERNAME="user",
        SMTP_PASSWORD_FILE=str(folder / "password"), PUBLIC_URL="https://api.example.com")
    assert (status, output, errors) == (0, "The configuration is valid.\n", "")


BAD = [
    ("SMTP_URL", {"SMTP_URL": "http://relay.example.com", "SMTP_FROM": "a@b.example"}),
    ("SMTP_URL", {"SMTP_URL": "smtp://user:very-secret@relay.example.com", "SMTP_FROM": "a@b.example"}),
    ("SMTP_URL", {"SMTP_URL": "outbox:", "SMTP_FROM": "a@b.example"}),
    ("SMTP_FROM", {"SMTP_URL": "smtp://relay.example.com"}),
    ("SMTP_FROM", {"SMTP_URL": "smtp://relay.example.com", "SMTP_FROM": "Name <a@b.example>"}),
    ("SMTP_USERNAME", {"SMTP_USERNAME": "very-secret"}),
    ("SMTP_PASSWORD_FILE", {"SMTP_USERNAME": "user", "SMTP_PASSWORD_FILE": "/nowhere/very-secret"}),
    ("SECRETS_KEY_FILE", {"SECRETS_KEY_FILE": "/nowhere/very-secret"}),
    ("WEBHOOK_ALLOW_PRIVATE", {"WEBHOOK_ALLOW_PRIVATE": "yes"}),
    ("PUBLIC_URL", {"PUBLIC_URL": "http://api.example.com"}),
    ("DATABASE_URL", {"DATABASE_URL": ""}),
]


@pytest.mark.parametrize("variable, environment", BAD)
def test_a_bad_value_stops_the_start_with_the_variables_name(stack, variable, environment):
    for arguments in (("deliver", "--check-config"), ("deliver", )):
        status, output, errors = check(stack, *arguments, **environment)
        assert (status, output) == (78, "")
        line, = errors.splitlines()
        assert line.startswith(f"reengagement-api: {variable} ") and "very-secret" not in line


def test_another_command_is_refused(stack):
    assert check(stack, "send")[0] == 64


def test_a_sender_waits_for_its_database_and_goes_on(fragile, folder):
    keys = Keys(folder / "keys")
    database = fragile.connect()
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES ('waiting', 'Waiting')")
        cursor.execute("INSERT INTO patients (organization_id, id, name) VALUES ('waiting', 'p', 'P')")
    clinic = Clinic(database, "waiting")
    with Receiver() as receiver:
        clinic.set_url(receiver.url)
        database.close()
        fragile.call("postgres-stop")
        sender = Sender(fragile, folder, keys)
        try:
            sender.start()
            eventually(lambda: sender.log_lines("webhooks could not be claimed"))
            fragile.call("postgres-start")
            database = fragile.connect()
            sequence = Clinic(database, "waiting").notice()
            assert receiver.wait_for(1)[0].json["data"]["sequence"] == sequence
            fragile.call("postgres-stop")
            begin = time.monotonic()
            assert sender.stop() == 0 and time.monotonic() - begin < 10.5
        finally:
            sender.stop()


def test_a_sender_without_a_database_runs_until_it_is_stopped(stack, folder):
    sender = Sender(stack, folder, Keys(folder / "keys"), SMTP_URL=f"outbox:{folder}/outbox", SMTP_FROM="a@b.example",
                    DATABASE_URL=f"host=127.0.0.1 port={closed_port()} dbname=x sslmode=disable")
    with sender:
        eventually(lambda: sender.log_lines("digests could not be claimed"))
        assert sender.process.poll() is None
    assert sender.process.returncode == 0


def test_the_stack_starts_a_sender_that_writes_mails_into_a_directory(directory):
    with Stack(directory / "sending", STACK_SENDER="").started() as stack:
        database = stack.connect()
        assert Stack.is_running(int(stack.settings["SENDER_PID"]))
        with database.cursor() as cursor:
            def channels():
                cursor.execute("SELECT figures -> 'channels' FROM re.sender_state")
                return cursor.fetchall() == [(["webhook", "mail"], )]

            eventually(channels)
            cursor.execute("INSERT INTO organizations (id, name) VALUES ('mailed', 'Mailed')")
            cursor.execute("""INSERT INTO re.setting (organization_id, digest, digest_set_at, updated_by, updated_at)
                SELECT 'mailed', jsonb_build_object('to', '["a@b.example"]'::jsonb,
                    'at', to_char(at, 'HH24:MI'), 'days', jsonb_build_array(to_char(at, 'dy'))), '2025-01-01', 'user_1', now()
                FROM (SELECT now() AT TIME ZONE 'UTC' AS at) clock""")
        mail = eventually(lambda: list((directory / "sending/outbox").glob("*.eml")))[0].read_text()
        assert f"http://localhost:{stack.settings['HTTP_PORT']}" in mail and "From: alerts@localhost" in mail
        # A second `up` keeps it, and `down` stops it.
        pid = stack.settings["SENDER_PID"]
        stack.up()
        assert stack.settings["SENDER_PID"] == pid
        database.close()
    assert not Stack.is_running(int(pid))
