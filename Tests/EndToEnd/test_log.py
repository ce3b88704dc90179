"""The log shows where each request's time was spent, and a slow reader of the log delays no request."""

import json
import os
import re
import subprocess
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

import fastcgi
from asking import dashboard, eventually, post
from stack import clean_environment

TIMING = re.compile(r"auth;dur=(\d+\.\d{3}), pool;dur=(\d+\.\d{3}), db;dur=(\d+\.\d{3}), enc;dur=(\d+\.\d{3})")
PARTS = ("auth", "pool", "db", "enc")


def timings(response):
    return dict(zip(PARTS, (float(part) for part in TIMING.fullmatch(response.header("Server-Timing")).groups())))


def test_every_response_logs_where_its_time_was_spent(api, clinic):
    began = time.monotonic()
    spent = timings(api.get(clinic, "patients/prioritized"))
    assert sum(spent.values()) <= (time.monotonic() - began) * 1000
    assert spent["auth"] > 0 and spent["db"] > 0 and spent["enc"] > 0
    for target in ("/health", "/metrics", "/openapi.json", "/nowhere"):
        assert set(timings(api.client.request("GET", target)).values()) == {0}
    for response, parts in ((api.client.request("GET", "/ready"), {"db"}),
                            (api.get(clinic, "trends?period=x"), {"auth"}),
                            (api.get("org_other", "trends", headers=api.authorization(clinic)), {"auth"}),
                            (api.client.request("OPTIONS", api.target(clinic, "trends")), set())):
        assert {name for name, value in timings(response).items() if value} - {"pool"} <= parts, response


def test_waiting_for_a_connection_is_distinguished_from_the_database(stack, server_with, connection, clinic):
    """A lock holds the only connection for the duration of a request. The next request waits for the connection, not
    for the lock."""
    server = server_with(WORKER_THREADS="3", DB_POOL_SIZE="1", DB_ACQUIRE_TIMEOUT_MS="60000",
                         DB_STATEMENT_TIMEOUT_MS="60000")
    assert post(server, stack, clinic).status == 201
    held = 4.0

    def waiting():
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outreach_log'::regclass")
        return cursor.fetchone()[0]

    def busy():
        # Both posts are counted. The request for the metrics needs no worker.
        return re.search(r"^reengagement_workers_busy 2$", server.get("/metrics").body.decode(), re.M)

    with connection.cursor() as cursor, ThreadPoolExecutor(2) as threads:
        # SHARE lets the background work read. A waiting background task would occupy the only connection.
        cursor.execute("BEGIN; LOCK TABLE outreach_log IN SHARE MODE")
        first = threads.submit(post, server, stack, clinic)
        eventually(waiting)
        second = threads.submit(post, server, stack, clinic)
        eventually(busy)
        # The extra time lets the second post begin to wait on a busy machine.
        time.sleep(held + 6)
        cursor.execute("COMMIT")
        spent = [timings(one.result()) for one in (first, second)]
    # Each request has its wait in one figure and less than that in the other.
    assert spent[0]["pool"] < held * 1000 <= spent[0]["db"] and spent[1]["db"] < held * 1000 <= spent[1]["pool"], spent


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_line_contains_control_characters_from_a_caller(server_with, stack, clinic, form):
    """Control characters (C1 included), direction characters, line separators and invisible characters."""
    name = "user\x9b2J\x9d0;title\x9c\u202ekcab\u2066\u2069\u2028\u2029\u200b\ufeff\U000e0041\x7f\x1b[31m\x85Ō😀"
    server = server_with(LOG_FORMAT=form)
    assert server.get(dashboard(clinic), stack.api.authorization(clinic, sub=name)).status == 200
    line, = eventually(lambda: [line for line in server.log.read_bytes().split(b"\n")[:-1] if b"2J" in line])
    shown = line.decode()
    assert not [letter for letter in shown
                if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn")], ascii(shown)
    assert "Ō😀" in shown
    if form == "json":
        assert json.loads(shown)["subject"] == name
    else:
        assert "\\u{9B}2J" in shown and "\\u{202E}kcab" in shown


def test_the_access_log_has_the_same_figures(server_with, api, clinic):
    server = server_with()
    response = server.get(api.target(clinic, "dashboard"), {**api.authorization(clinic), "X-Request-Id": "timed"})

    def lines():
        # On a busy machine the request may also have a line as a slow request.
        return [json.loads(line) for line in server.log_lines('"timed"') if '"a slow request"' not in line]

    eventually(lines)
    line, = lines()
    assert {name: line[f"{name}_us"] / 1000 for name in PARTS} == timings(response)
    assert line["duration_us"] >= sum(line[f"{name}_us"] for name in PARTS)


class Redirected:
    """Starts the server with another standard output."""

    def __init__(self, server, redirection, **how):
        environment = clean_environment(**server.environment)
        self.process = subprocess.Popen(["bash", "-c", f'exec "$0" {redirection}', server.binary], env=environment,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)
        self.server, server.process = server, self.process

    def ask(self, times):
        for _ in range(times):
            assert self.server.get("/health").status == 200

    def lost(self):
        text = self.server.get("/metrics").body.decode()
        return int(re.search(r"^reengagement_log_lines_lost_total (\d+)$", text, re.MULTILINE)[1])


@pytest.fixture
def redirected(server_with):
    server = server_with()
    server.stop()

    def start(redirection, **how):
        made = Redirected(server, redirection, **how)
        server.wait()
        return made

    return start


def test_a_full_disk_stops_nothing_and_is_reported_once(redirected):
    full = redirected(">/dev/full")
    full.ask(50)
    eventually(lambda: full.lost() >= 50)
    assert full.server.stop() == 0
    assert full.process.stderr.read().count(b"the log cannot be written") == 1


@pytest.mark.parametrize("redirection", [">&-", "<&- >&-"])
def test_a_closed_standard_output_stops_nothing(redirected, redirection):
    closed = redirected(redirection)
    closed.ask(50)
    # No connection has inherited the descriptor's number and received the log.
    with fastcgi.Connection(closed.server.socket) as connection:
        connection.socket.settimeout(0.3)
        with pytest.raises(OSError):
            connection.socket.recv(1)
    assert closed.server.stop() == 0


def test_a_closed_reader_stops_nothing(redirected):
    reading, writing = os.pipe()
    gone = redirected("", stdout=writing)
    os.close(writing)
    os.close(reading)
    gone.ask(50)
    eventually(lambda: gone.lost() >= 50)
    assert gone.server.stop() == 0


def test_a_blocked_reader_stops_nothing_and_loses_log_lines_only(redirected):
    reading, writing = os.pipe()
    stuck = redirected("", stdout=writing)
    os.close(writing)
    began = time.monotonic()
    stuck.ask(4000)
    eventually(lambda: stuck.lost() > 0 or stuck.ask(1000))
    assert time.monotonic() - began < 120
    assert stuck.server.stop() == 0
    assert stuck.process.stderr.read().count(b"no process reads it") == 1
    os.close(reading)
