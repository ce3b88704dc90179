"""make load prints what the server itself has counted, renews its tokens, and writes only where it is allowed to."""

import re
import subprocess
import time
from collections import Counter

import pytest

from asking import eventually
from registry import ENDPOINTS
from stack import ROOT, Stack, clean_environment

ROUTES = {endpoint.path for endpoint in ENDPOINTS}
ROW = re.compile(r"^(\S+|without an id) +(\d+) +(\d+) +([\d.]+) +([\d.]+|-) +([\d.]+|-) +([\d.]+|-) +([\d.]+|-)   (.*)$", re.M)


def load(**environment):
    names = ("BASE_URL", "TOKEN", "TOKEN_COMMAND", "DURATION", "CONNECTIONS", "WRITES", "SUBJECTS", "CA_FILE")
    kept = {name: value for name, value in clean_environment().items() if name not in names}
    return subprocess.run([ROOT / "bench/load/run"], env={**kept, **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True,
                          text=True, timeout=150)


def table_of(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        name: {"sent": int(sent), "answered": int(answered),
               "statuses": {int(s): int(n) for s, n in re.findall(r"(\d+): (\d+)", statuses)}}
        for name, sent, answered, *_, statuses in ROW.findall(done.stdout)
    }


def counted(api):
    """Returns the counts by route and status. The sum over all methods includes a HEAD of another test."""
    text = api.client.request("GET", "/metrics").body.decode()
    found = re.findall(
        r'^reengagement_http_requests_total\{route="/api/v1/reengagement/\{org_id\}/([^"]*)",method="\w+",'
        r'status="(\d+)"\} (\d+)',
        text,
        re.M,
    )
    counts = Counter()
    for route, status, count in found:
        counts[route, int(status)] += int(count)
    return counts


@pytest.fixture
def there(stack, clinic, folder):
    """The stack in the role of a user's own deployment. Its tokens are read from the file at each call."""
    tokens = folder / "tokens"

    def renew(**claims):
        new = tokens.with_suffix(".new")
        new.write_text("".join(stack.signer.token(clinic, sub=f"user_{n}", **claims) + "\n" for n in range(8)))
        new.replace(tokens)

    renew()
    return {
        "BASE_URL": f"https://localhost:{stack.settings['HTTPS_PORT']}/", "CA_FILE": stack.settings["CA_FILE"],
        "TOKEN_COMMAND": f"cat {tokens}", "DURATION": "2s", "CONNECTIONS": "6", "renew": renew
    }


def asked(there, **changes):
    return {name: value for name, value in {**there, **changes}.items() if isinstance(value, str)}


def test_its_table_agrees_with_the_servers_counters(api, clinic, database, there):
    before = counted(api)
    table = table_of(load(**asked(there, WRITES="1")))
    assert set(table) - {"all"} <= ROUTES and {"risk-metrics", "patients/prioritized", "all"} <= set(table)
    whole = table.pop("all")
    assert whole["sent"] == sum(row["sent"] for row in table.values())
    assert whole["answered"] == sum(row["answered"] for row in table.values()) == sum(whole["statuses"].values())
    assert 0 <= whole["sent"] - whole["answered"] <= 6
    assert all(row["answered"] == sum(row["statuses"].values()) for row in table.values())
    assert set(whole["statuses"]) <= {200, 201}

    def served(route):
        now = counted(api)
        own = 2 if route == "patients/prioritized" else 0  # earlier requests for the list of patients
        return sum(now[each] - before.get(each, 0) for each in now if each[0] == route) - own

    # A response is counted after it was sent. A request in flight at the end may be counted or not.
    for route, row in table.items():
        eventually(lambda: served(route) >= row["answered"])
        assert served(route) <= row["sent"], (route, row)
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outreach_log WHERE organization_id = %s AND notes = 'load test'",
                       (clinic, ))
        logged = cursor.fetchone()[0]
    posts = table.get("log-outreach", {"statuses": {}, "sent": 0})
    assert posts["statuses"].get(201, 0) <= logged <= posts["sent"]


@pytest.mark.nightly
def test_it_logs_contacts_only_on_request(database, clinic, there):
    done = load(**asked(there))
    assert "no contacts are logged" in done.stdout and "log-outreach" not in table_of(done)
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outreach_log WHERE organization_id = %s AND notes = 'load test'",
                       (clinic, ))
        assert cursor.fetchone()[0] == 0


@pytest.mark.nightly
def test_tokens_are_renewed_before_they_expire(there, stack, clinic, folder):
    """Each token is valid for ten seconds and the five of leeway. The load runs for 32 s, so two would not suffice."""
    script = folder / "command"
    script.write_text(
        f"#!/bin/sh\necho asked >>{folder}/asked\nexec /usr/bin/python3 - <<'END'\nimport sys, time\n"
        f"sys.path.insert(0, {str(ROOT / 'Tests/EndToEnd')!r})\nfrom tokens import Signer\n"
        f"signer = Signer.from_file({stack.settings['PRIVATE_KEY']!r}, {stack.settings['ISSUER']!r}, {stack.settings['KEY_ID']!r})\n"
        f"print(signer.token({clinic!r}, exp=int(time.time()) + 10))\nEND\n"
    )
    script.chmod(0o755)
    table = table_of(load(**asked(there, TOKEN_COMMAND=str(script), DURATION="32s", CONNECTIONS="2")))
    assert set(table["all"]["statuses"]) == {200}
    assert len((folder / "asked").read_text().split()) > 2


@pytest.mark.nightly
def test_errors_are_listed_with_their_type_and_an_id(there):
    """The tokens are never renewed, so all responses are 401 from some moment on, even after a slow start."""
    there["renew"](exp=int(time.time()) + 20)
    done = load(**asked(there, DURATION="30s", CONNECTIONS="2"))
    table = table_of(done)
    assert set(table["all"]["statuses"]) == {200, 401}
    assert re.search(r"^  risk-metrics 401: \d+ times, \S+ \(.+\), such as load-[\w.-]+$", done.stdout,
                     re.M), done.stdout


@pytest.mark.nightly
@pytest.mark.parametrize("changes, message", [
    ({"TOKEN_COMMAND": ""}, "TOKEN is a session token, or TOKEN_COMMAND"),
    ({"TOKEN_COMMAND": "exit 3"}, "ended with 3"),
    ({"TOKEN_COMMAND": "echo nonsense"}, "no session token"),
    ({"DURATION": "soon"}, "DURATION"), ({"CONNECTIONS": "0"}, "CONNECTIONS"), ({"BASE_URL": "localhost"}, "BASE_URL"),
    ({"WRITES": "yes"}, "WRITES"), ({"CA_FILE": ""}, "certificate verify failed"), ({"CA_FILE": "/nowhere"}, "CA_FILE")
], ids=str)  # yapf: disable
def test_impossible_settings_are_explained(there, changes, message):
    done = load(**asked(there, **changes))
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.nightly
def test_a_token_that_expires_before_the_end_is_refused(there, stack, clinic):
    token = stack.signer.token(clinic, exp=int(time.time()) + 40)
    done = load(**asked(there, TOKEN_COMMAND="", TOKEN=token, DURATION="1m"))
    assert done.returncode == 1 and "TOKEN expires in" in done.stderr


@pytest.mark.nightly
def test_without_an_address_it_uses_the_running_stack_and_logs_contacts_in_its_demo_alone(stack, directory):
    assert "no stack is up" in load(STACK_DIR=str(directory / "no-stack")).stderr
    demo = Stack(directory / "loaded", STACK_DEMO="1", PATIENTS="30")
    try:
        demo.up()
        own = {"STACK_DIR": str(demo.directory), "DURATION": "2s", "CONNECTIONS": "3", "SUBJECTS": "2"}
        done = load(**own)
        table = table_of(done)
        assert "contacts are logged" in done.stdout and set(table["all"]["statuses"]) <= {200, 201}
        assert "log-outreach" not in table or "`make demo` loads the demo anew" in done.stdout
        # The same stack with another database.
        demo.restart_server(DATABASE_URL=demo.database_url("reengagement") + "&application_name=own")
        assert "no contacts are logged" in load(**own).stdout
    finally:
        demo.down()
