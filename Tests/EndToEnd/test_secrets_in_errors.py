"""Health data and passwords stay out of the server's messages about a refusing, failing or unreachable database."""

import json
import subprocess

import pytest

from asking import dashboard, eventually, post, token_headers
from problems import must_be_problem
from stack import ROOT, Server, clean_environment, connect

FAULTS = {
    "a value that is of no such type": "PERFORM NEW.notes::integer",
    "a value out of range": "PERFORM (NEW.notes || '9')::smallint",
    "a text that is no time": "PERFORM NEW.notes::timestamptz",
    "an exception that quotes": "RAISE EXCEPTION 'not %', NEW.notes",
    "a division by zero": "PERFORM 1 / 0",
    "a constraint": "NEW.outcome = NEW.notes",
    "nothing that there is": "PERFORM * FROM nowhere",
}


@pytest.fixture(scope="module")
def broken(stack, directory):
    """A database that a test may break."""
    connection = stack.connect()
    connection.cursor().execute("CREATE DATABASE broken")
    subprocess.run(["sql/migrate"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=clean_environment(DATABASE_URL=stack.database_url("broken")))
    server = Server(stack, directory, DATABASE_URL=stack.database_url("broken"), LOG_LEVEL="trace",
                    FCGI_LISTEN=str(directory / "broken.sock")).start()
    yield server
    server.stop()
    connection.close()


@pytest.mark.parametrize("title", FAULTS)
def test_an_error_of_the_database_is_500_and_quotes_no_patient(stack, broken, fresh_id, title):
    organization, note = fresh_id("org"), fresh_id("secretnote")
    connection = connect(broken.environment["DATABASE_URL"])
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'x'); "
                       "INSERT INTO patients (organization_id, id, name) VALUES (%s, 'patient_123', %s)",
                       (organization, organization, note))
        cursor.execute(
            "CREATE OR REPLACE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            + FAULTS[title]
            + "; RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE OR REPLACE TRIGGER break BEFORE INSERT ON outreach_log FOR EACH ROW EXECUTE FUNCTION break()"
        )
    connection.close()

    def refusals():
        return [json.loads(line) for line in broken.log_lines("the database refused")]

    before = len(refusals())
    problem = must_be_problem(post(broken, stack, organization, notes=note), 500)
    # A separate thread writes the log.
    eventually(lambda: len(refusals()) > before)
    output = broken.log.read_text() + json.dumps(problem) + broken.get("/metrics").body.decode()
    assert note not in output
    assert "refused (" in str(refusals()[-1]), "the log does not name the error"


@pytest.mark.nightly
def test_no_password_of_an_unreachable_database_is_logged(server_with, stack, fresh_id):
    secret = fresh_id("secretpassword")
    for url in (f"postgresql://someone:{secret}@127.0.0.1:1/x", f"host=127.0.0.1 port=1 user=someone password={secret}",
                f"postgresql://someone:{secret}@localhost.invalid/x?sslmode=prefer",
                f"postgresql://someone:{secret}@127.0.0.1:1,127.0.0.1:2/x"):
        server = server_with(DATABASE_URL=url, LOG_LEVEL="trace", DB_ACQUIRE_TIMEOUT_MS="500")
        answers = [server.get(dashboard("o"), token_headers(stack, "o")), server.get("/ready"), server.get("/metrics")]
        assert [a.status for a in answers] == [503, 503, 200]
        server.logged("the database could not answer")
        assert secret not in server.log.read_text() + "".join(a.body.decode() for a in answers)


# Unescaped passwords, in each form that libpq reads as another part of the URL.
MISREAD = ("postgresql://u:a@{}@h/d", "postgresql://u:a@{}:1@h/d", "postgresql://u:a@{}/b@h/d",
           "postgresql://u:a@{}?b@h/d",
           "postgresql://u:1/{}@h/d", "postgresql://u:a/{}@h/d", "postgresql://u:a%{}@h/d", "postgresql://u:a@[{}@h/d",
           "postgresql://u:a@b,{}@h/d", "host=h password=a {}", "host=h password=a {}=b", "host=h password='a {}",
           "host=h password=a sslmode={}", "host=h service={}", "host={}@h password=a", "postgresql://u:p@h/d?{}",
           "postgresql://u:p@h/d?sslkey=/{}", 'postgresql://u:a@"{}"@h/d', "postgresql://u:a@\n{}@h/d")


@pytest.mark.nightly(after=3)
@pytest.mark.parametrize("url", MISREAD)
def test_a_misread_password_is_printed_by_no_program(stack, fresh_id, folder, url):
    secret = fresh_id("SECRET").replace("_", "")
    server = Server(stack, folder, DATABASE_URL=url.format(secret), LOG_LEVEL="trace")
    for command in ([stack.binary], [stack.binary, "--check-config"], ["sql/migrate"], ["sql/verify"], ["sql/rebuild"],
                    ["sql/demo"], ["scripts/stack", "up"]):
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT,
                              text=True, timeout=60,
                              env=clean_environment(**server.environment, STACK_DIR=str(folder / "stack"),
                                                    SERVER_BINARY=stack.binary))
        assert done.returncode != 0 and "DATABASE_URL" in done.stdout, (command, done.stdout)
        assert secret not in done.stdout, (command, done.stdout)


def test_the_log_explains_why_the_database_is_unreachable_and_quotes_no_name(server_with, stack, fresh_id, folder):
    secret = fresh_id("SECRET").replace("_", "")
    services = folder / "services"
    services.write_text(f"[mine]\nhost={secret}.invalid\npassword={secret}\n")
    there = stack.settings["DATABASE_URL"]
    for url, words, environment in (
        (f"postgresql://{secret}:{secret}@{secret}.invalid/{secret}?sslmode=prefer", "cannot be resolved", {}),
        (f"postgresql://u:{secret}@127.0.0.1:1,{secret}.invalid/x?sslmode=prefer",
         "host 1: Connection refused; host 2: the host's name", {}),
        (f"host=/{secret} user=u", "No such file or directory", {}),
        (there.replace("///reengagement?", f"///{secret}?"), "3D000: no such database", {}),
        (there.replace("user=postgres", f"user={secret}"), "28000: ", {}),
        (there + f"&options=-c%20{secret}%3D1", "42704: a setting is unknown", {}),
        ("host=127.0.0.1 port=1 user=u", "Connection refused", {"PGPASSWORD": secret}),
        ("service=mine user=u sslmode=prefer", "cannot be resolved", {"PGSERVICEFILE": str(services)}),
    ):
        server = server_with(DATABASE_URL=url, LOG_LEVEL="trace", DB_ACQUIRE_TIMEOUT_MS="2000", **environment)
        answers = [server.get(dashboard("o"), token_headers(stack, "o")), server.get("/ready"), server.get("/metrics")]
        assert [a.status for a in answers] == [503, 503, 200], (url, server.log.read_text())
        server.logged("the database could not answer")
        assert server.logged(words), url
        assert secret not in server.log.read_text() + "".join(a.body.decode() for a in answers)


@pytest.mark.parametrize("variable, value", [
    ("DATABASE_URL", "postgresql://someone:{}@[::1/x"), ("DATABASE_URL", "postgresql://someone:{}@h:port/x"),
    ("DATABASE_URL", "host=h password='{}"), ("CLERK_JWT_KEY", "{}"),
    ("CLERK_JWT_KEY", "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----"),
    ("CLERK_JWT_KEY", "-----BEGIN PUBLIC KEY-----\\n{}"), ("CLERK_JWT_KEY", "sk_live_{}"),
    ("CLERK_ISSUER", "https://u:{}@h"), ("CLERK_AUTHORIZED_PARTIES", "https://u:{}@h"),
    ("CORS_ALLOWED_ORIGINS", "https://a.example,https://{}@h/"),
    ("CLERK_JWKS_URL", "https://someone:{}@h/jwks"), ("CLERK_JWKS_URL", "http://h/{}")])
def test_an_invalid_value_is_refused_by_its_variable_and_never_quoted(stack, fresh_id, folder, variable, value):
    secret = fresh_id("secret")
    environment = Server(stack, folder).environment | {variable: value.format(secret)}
    if variable == "CLERK_JWKS_URL":
        del environment["CLERK_JWT_KEY"]
    done = subprocess.run([stack.binary, "--check-config"], env=clean_environment(**environment),
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode != 0 and variable in done.stdout and secret not in done.stdout, done.stdout


def test_a_refused_token_or_key_is_not_quoted(server_with, stack, fresh_id):
    server, secret, refused = server_with(LOG_LEVEL="trace"), fresh_id("secret"), []
    refused.append(secret)
    for value in (f"Bearer {secret}", f"Bearer {secret}.{secret}.{secret}", f"Basic {secret}", secret,
                  f"Bearer {stack.signer.token('o', iss=secret)}"):
        answer = server.get(dashboard("o"), {"Authorization": value})
        assert answer.status == 401 and secret not in answer.body.decode() + str(answer.headers)
        refused.append(value.split(".")[-1])
    # After the stop the log is complete.
    assert server.stop() == 0 and server.log_lines("request")
    assert not [value for value in refused if server.log_lines(value)]
