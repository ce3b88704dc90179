"""The clients of docs/live.md in Python and in the shell, run as they are written there.

Tests/Browser/test_live_client.py runs those in JavaScript.
"""

import contextlib
import http.server
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from asking import eventually
from documents import code_blocks
from stack import clean_environment

PROGRAMS = {"python": [sys.executable, "-u"], "sh": ["bash"]}


def hello(sequence):
    return {"type": "hello", "sequence": sequence, "critical": 5, "new_today": 1, "open": 2}


def notice(sequence):
    return {"type": "notice", "sequence": sequence, "kind": "critical", "cause": "time", "day": "2025-06-30",
            "number": 1}


def bye(retry_ms=10):
    return {"type": "bye", "reason": "shutting_down", "retry_ms": retry_ms}


class Client:
    """A client of the document, and what it has printed."""

    def __init__(self, language, folder, api, token, change=lambda text: text, **environment):
        text, = code_blocks("live.md", language)
        program, self.token_file = folder / f"client.{language}", folder / "token"
        program.write_text(change(text))
        self.token_file.write_text(token + "\n")
        self.process = subprocess.Popen([*PROGRAMS[language], program],
                                        env=clean_environment(API=api, TOKEN_FILE=str(self.token_file), NO_PROXY="*",
                                                              **environment),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, start_new_session=True)
        self.lines, self.errors = [], []
        for stream, kept in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            threading.Thread(target=self.read, args=(stream, kept), daemon=True).start()

    @staticmethod
    def read(stream, kept):
        for line in stream:
            kept.append(line.strip())

    def printed(self):
        """What it has printed: `list`, or the numbers of notices."""
        return [line if line == "list" else json.loads(line)["sequence"] for line in list(self.lines)]

    def notices(self):
        """The notices that it has printed, each once."""
        return list({line: json.loads(line) for line in list(self.lines) if line != "list"}.values())

    def must_print(self, *expected):
        eventually(lambda: len(self.printed()) >= len(expected), 120)
        assert self.printed()[:len(expected)] == list(expected), self.errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Script:
    """Answers each request for a stream with the next part of a script: a status, or messages and how they end."""

    def __init__(self, *parts):
        self.parts, self.requests = queue.Queue(), []
        for part in parts:
            self.parts.put(part)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):

            def do_GET(self):
                outer.requests.append((time.monotonic(), self.headers))
                try:
                    part = outer.parts.get_nowait()
                except queue.Empty:
                    part = [hello(0), ...]
                if isinstance(part, int):
                    self.send_response(part)
                    self.send_header("Retry-After", "1")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for message in part:
                    if message is ...:
                        outer.ended.wait(60)
                    elif isinstance(message, str):
                        self.wfile.write(message.encode())
                    else:
                        number = f"id: {message['sequence']}\n" if message["type"] == "notice" else ""
                        self.wfile.write(f"{number}data: {json.dumps(message)}\n\n".encode())

            def log_message(self, *_):
                pass

        self.ended = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/api"

    def header(self, name):
        """The header of each request."""
        return [headers.get(name) for _, headers in self.requests]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(params=PROGRAMS)
def language(request):
    return request.param


def test_it_goes_on_after_the_last_number_with_a_new_token(language, tmp_path):
    first = [hello(7), {**hello(7), "type": "heartbeat"}, notice(8), notice(9), bye()]
    # The second is broken off within a message, the third before its first message.
    with Script(first, [hello(10), notice(10), 'id: 11\ndata: {"type":"notice","sequ'], [], [hello(11), notice(11), ...],
                ) as script, Client(language, tmp_path, script.address, "one") as client:
        client.must_print("list", 8, 9)
        client.token_file.write_text("two")
        client.must_print("list", 8, 9, 10, 11)
        assert script.header("Last-Event-ID") == [None, "9", "10", "10"]
        tokens = script.header("Authorization")
        assert tokens[0] == "Bearer one" and tokens[-1] == "Bearer two"


def test_after_a_reset_it_asks_for_the_list_and_goes_on_from_there(language, tmp_path):
    with Script([hello(7), notice(8), bye()], [hello(5000), {"type": "reset", "sequence": 5000}, notice(5001), bye()],
                ) as script, Client(language, tmp_path, script.address, "one") as client:
        client.must_print("list", 8, "list", 5001)
        eventually(lambda: script.header("Last-Event-ID") == [None, "8", "5001"])


def test_it_waits_as_long_as_bye_and_retry_after_say(language, tmp_path):
    with Script([hello(7), bye(7000)], 503, [hello(7), notice(8), ...]) as script, \
            Client(language, tmp_path, script.address, "one") as client:
        client.must_print("list", 8)
        (first, _), (second, _), (third, _) = script.requests
        assert second - first >= 7 and third - second >= 1


@pytest.mark.nightly(after=1)
def test_it_reopens_a_stream_that_is_silent(language, tmp_path):
    """With 3 s in the place of 40."""
    shorter = {"python": ("timeout=40", "timeout=3"), "sh": ("--speed-time 40", "--speed-time 3")}[language]
    text, = code_blocks("live.md", language)
    assert shorter[0] in text
    with Script([hello(7), notice(8), ...], [hello(9), notice(9), ...]) as script, \
            Client(language, tmp_path, script.address, "one", lambda text: text.replace(*shorter)) as client:
        client.must_print("list", 8, 9)
        assert script.requests[1][0] - script.requests[0][0] >= 3


class Clinic:
    """An organization whose patients become critical one by one."""

    def __init__(self, stack, database, organization):
        self.stack, self.database, self.id = stack, database, organization
        # Who is critical at the first build is told to nobody. In a transaction of its own, the organization could be
        # built without the patient.
        self.execute("BEGIN")
        self.execute("INSERT INTO organizations (id, name) VALUES (%s, 'A clinic')", organization)
        self.add("before")
        self.execute("COMMIT")
        assert stack.api.get(organization, "dashboard").status == 200

    def execute(self, statement, *values):
        with self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def add(self, patient):
        """Adds a patient whose only visit was 50 days ago."""
        self.execute("INSERT INTO patients (organization_id, id, name, created_at) "
                     "VALUES (%s, %s, 'Somebody', now() - interval '400 days')", self.id, patient)
        self.execute("INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, created_at) "
                     "VALUES (%s, %s, %s, now() - interval '50 days', 'completed', now() - interval '399 days')",
                     self.id, f"visit_{patient}", patient)

    def notices(self):
        rows = self.execute("SELECT sequence, kind, cause, day::text, number FROM re.notice WHERE organization_id = %s "
                            "ORDER BY sequence", self.id)
        return [dict(zip(("type", "sequence", "kind", "cause", "day", "number"), ("notice", *row))) for row in rows]

    def heard_by(self, client, count):
        """Waits until the client has printed so many notices, which must be those of the table."""
        eventually(lambda: len(client.notices()) >= count, 120)
        assert client.notices() == self.notices()

    def listen(self, language, folder, lifetime=600):
        authority = self.stack.settings["CA_FILE"]
        api = f"https://localhost:{self.stack.settings['HTTPS_PORT']}{self.stack.api.target(self.id, '')}".rstrip("/")
        return Client(language, folder, api, self.token(lifetime), SSL_CERT_FILE=authority, CURL_CA_BUNDLE=authority)

    def token(self, lifetime):
        return self.stack.signer.token(self.id, exp=int(time.time()) + lifetime)

    def ended_streams(self):
        lines = Path(self.stack.settings["NGINX_ACCESS_LOG"]).read_text().rpartition("\n")[0].splitlines()
        return [line for line in map(json.loads, lines) if line["route"].endswith("/alerts/live")]


@pytest.fixture
def alerts(fragile, fresh_id):
    connection = fragile.connect()
    yield Clinic(fragile, connection, fresh_id("clinic"))
    connection.close()


def test_it_prints_the_notices_of_the_table_through_restarts_and_reloads(language, tmp_path, fragile, alerts):
    with alerts.listen(language, tmp_path) as client:
        client.must_print("list")
        alerts.add("first")
        alerts.heard_by(client, 1)
        fragile.call("server-stop")
        # Nobody advances the clinic meanwhile.
        alerts.add("while the server was away")
        fragile.call("server-start")
        alerts.heard_by(client, 2)
        os.kill(int(fragile.settings["NGINX_PID"]), signal.SIGHUP)
        alerts.add("after a reload of nginx")
        alerts.heard_by(client, 3)
        assert client.printed().count("list") == 1


def test_it_goes_on_with_another_token_when_one_has_expired(language, tmp_path, alerts):
    before = len(alerts.ended_streams())
    with alerts.listen(language, tmp_path, lifetime=2) as client:
        client.must_print("list")
        client.token_file.write_text(alerts.token(600))
        eventually(lambda: len(alerts.ended_streams()) > before)
        alerts.add("later")
        alerts.heard_by(client, 1)
        assert client.printed().count("list") == 1


def test_it_asks_for_the_list_again_after_a_restored_backup(language, tmp_path, fragile, alerts):
    with alerts.listen(language, tmp_path) as client:
        client.must_print("list")
        alerts.add("first")
        alerts.heard_by(client, 1)
        alerts.execute("SELECT re.skip_notices()")
        fragile.restart_server()
        eventually(lambda: client.printed().count("list") == 2)
        alerts.add("second")
        eventually(lambda: len(client.notices()) == 2)
        assert client.notices()[1:] == alerts.notices() and alerts.notices()[0]["sequence"] > 1000000
