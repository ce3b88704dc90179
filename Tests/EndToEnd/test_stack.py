"""scripts/stack as a user calls it, with their own database."""

import re
import subprocess

import pytest

from client import Client
from stack import ROOT, Server, Stack, clean_environment, connect
from tokens import generate_key, public_pem


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("command", ["verify", "rebuild", "migrate", "demo"])
def test_a_command_fails_once_on_a_missing_database_and_creates_no_other(stack, folder, command):
    url = stack.database_url("not_there")
    done = subprocess.run([ROOT / "scripts/stack", command],
                          env=clean_environment(STACK_DIR=str(folder), DATABASE_URL=url),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    assert done.returncode != 0
    assert done.stdout.count("does not exist") == 1
    assert "creating a PostgreSQL cluster" not in done.stdout and not list(folder.rglob("PG_VERSION"))


def run_stack(folder, stack, *arguments, **environment):
    done = subprocess.run([ROOT / "scripts/stack", *arguments],
                          env=clean_environment(STACK_DIR=str(folder), SERVER_BINARY=stack.binary, **environment),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    return done.returncode, done.stdout


@pytest.fixture
def key():
    return {"CLERK_JWT_KEY": public_pem(generate_key()), "CLERK_ISSUER": "https://clerk.example.com"}


@pytest.mark.nightly(after=2)
@pytest.mark.parametrize("missing", [("CLERK_JWT_KEY", "CLERK_ISSUER"), ("CLERK_JWT_KEY", ), ("CLERK_ISSUER", )])
@pytest.mark.parametrize("command", ["up", "run"])
def test_a_given_database_is_not_changed_without_keys_and_an_issuer(stack, folder, own_database, key, command, missing):
    environment = {name: value for name, value in key.items() if name not in missing}
    status, output = run_stack(folder, stack, command, DATABASE_URL=own_database, ORG="org_real", **environment)
    assert status == 1 and "CLERK_ISSUER" in output, output
    assert not list(folder.rglob("private.pem")) and "applying" not in output
    with connect(own_database) as database, database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 're'")
        assert cursor.fetchone() == (0, )
    database.close()


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("value", ["yes", "true", "2"])
def test_only_one_value_enables_the_development_sign_in(stack, folder, own_database, value):
    status, output = run_stack(folder, stack, "up", DATABASE_URL=own_database, DEV_SIGN_IN=value)
    assert status == 1 and "DEV_SIGN_IN" in output, output


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("step", ["server-start", "nginx-start"])
@pytest.mark.parametrize("environment", [{"STACK_NGINX": "production"}, {"DATABASE_URL": "dbname=x"}])
def test_no_step_serves_with_the_development_key_unasked(stack, folder, step, environment):
    status, output = run_stack(folder, stack, step, **environment)
    assert status == 1 and "DEV_SIGN_IN=1" in output and not list(folder.rglob("private.pem")), output


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("signs_in", [True, False])
def test_the_database_is_named_before_its_migration_and_the_page_signs_in_on_request_only(
    stack, folder, own_database, key, signs_in, fresh_id
):
    secret = fresh_id("secret")
    environment = {"DEV_SIGN_IN": "1"} if signs_in else key
    status, output = run_stack(folder, stack, "up", DATABASE_URL=f"{own_database}&password={secret}", **environment)
    try:
        assert status == 0, output
        place = re.match(r"postgresql:///(\w+)\?host=([^&]+)&port=(\d+)", own_database)
        named = f"{place[1]} on {place[2]}, port {place[3]}"
        assert 0 < output.index(named) < output.index("applied migrations/0001") and secret not in output, output
        made = Stack(folder)
        made.look()
        answer = Client(int(made.settings["HTTP_PORT"])).request("GET", "/dev/tokens")
        assert answer.status == (200 if signs_in else 404)
        assert ("signed in by itself" in output) == signs_in
    finally:
        run_stack(folder, stack, "down")


def test_a_development_key_is_not_called_valid_for_production(stack, folder, key):
    def verdict(**environment):
        server = Server(stack, folder, **key, DATABASE_LOGIN=None)
        done = subprocess.run([stack.binary, "--check-config"],
                              env=clean_environment(**{**server.environment, **environment}),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout

    assert verdict(RATE_LIMIT="50") == "The configuration is valid.\n"
    assert "not for production" in verdict(CLERK_ISSUER=stack.settings["ISSUER"])
    assert "not for production" in verdict(CLERK_ISSUER="https://able-cat-1.clerk.accounts.dev")
