"""Requests that need no database get a response even if every statement waits. The order of events proves it."""

import contextlib
import re
import signal
import threading

import pytest

from asking import eventually, token_headers
from client import PREFIX
from conftest import load_clinic
from stack import connect, run_sql
from tokens import Signer, generate_key, jwks

WORKERS = 2
WAITING = 200
# The timeouts are so long that none passes during a test.
FOR_EVER = {"DB_ACQUIRE_TIMEOUT_MS": "300000", "DB_STATEMENT_TIMEOUT_MS": "300000", "WORKER_THREADS": str(WORKERS)}


@pytest.fixture
def clinic(clinic, database):
    """Its derived data are refreshed. A refresh would wait for the lock with the connection that the audit needs."""
    def is_current():
        with database.cursor() as cursor:
            cursor.execute("SELECT re.is_current(%s)", (clinic, ))
            return cursor.fetchone()[0]

    eventually(is_current, 60)
    return clinic


@contextlib.contextmanager
def locked(connection, tables="patients, outreach_log"):
    """Locks the tables against every read and write."""
    with connection.cursor() as cursor:
        cursor.execute(f"BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def held(database):
    """Returns the number of requests' statements that wait for that lock."""
    return statements_waiting(database, "re.patient_detail")


def statements_waiting(database, function):
    """Returns the number of statements with this function that wait for that lock."""
    with database.cursor() as cursor:
        cursor.execute("""SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                          WHERE NOT l.granted AND l.relation IN ('patients'::regclass, 'outreach_log'::regclass)
                            AND strpos(a.query, %s || '(') > 0""", (function, ))
        return cursor.fetchone()[0]


def figure(text, name):
    return int(re.search(rf"^reengagement_{name} (\d+)", text, re.MULTILINE)[1])


class Asking:
    """Requests in flight, each on its own thread and connection."""

    def __init__(self, ask, count):
        self.answers, self.lock = [], threading.Lock()
        self.threads = [threading.Thread(target=self.one, args=(ask, )) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def one(self, ask):
        try:
            answer = ask().status
        except OSError as error:
            answer = repr(error)
        with self.lock:
            self.answers.append(answer)

    def all(self):
        for thread in self.threads:
            thread.join(60)
        return self.answers


def services(ask, stack, clinic):
    """Requests without a database and their expected statuses."""
    target, token = f"{PREFIX}/{clinic}/dashboard", token_headers(stack, clinic)
    bad, json = {"Authorization": "Bearer x.y.z"}, {"Content-Type": "application/json"}
    return [(ask(method, path, headers, body).status, status) for method, path, headers, body, status in (
        ("GET", "/health", {}, b"", 200), ("HEAD", "/health", {}, b"", 200), ("GET", "/metrics", {}, b"", 200),
        ("GET", "/openapi.json", {}, b"", 200), ("GET", "/nothing", {}, b"", 404), ("GET", target, {}, b"", 401),
        ("GET", target, bad, b"", 401), ("DELETE", target, {}, b"", 405), ("OPTIONS", target, {}, b"", 204),
        ("GET", target.replace(clinic, "another"), token, b"", 403), ("GET", f"{target}?", {}, b"", 401),
        ("GET", f"{PREFIX}/{clinic}/performance?timeframe=x", token, b"", 422),
        ("GET", f"{PREFIX}/{clinic}/patients/{'p' * 201}", token, b"", 404),
        ("POST", f"{PREFIX}/{clinic}/log-outreach", token, b"{}", 415),
        ("POST", f"{PREFIX}/{clinic}/log-outreach", {**token, **json}, b"[", 400))]


def test_services_are_answered_while_a_lock_holds_every_worker(server_with, stack, connection, database, clinic):
    server = server_with(**FOR_EVER)
    path, headers = f"{PREFIX}/{clinic}/patients/patient_123", token_headers(stack, clinic)
    with locked(connection):
        asking = Asking(lambda: server.get(path, headers, timeout=120), WAITING)
        eventually(lambda: held(database) == WORKERS, 60)
        eventually(lambda: figure(server.get("/metrics").body.decode(), "requests_waiting") == WAITING - WORKERS, 60)
        answers = services(server.request, stack, clinic)
        assert all(got == expected for got, expected in answers), answers
        text = server.get("/metrics").body.decode()
        assert figure(text, "workers") == figure(text, "workers_busy") == WORKERS
        # A request without a database is counted for a moment after its response was sent.
        eventually(lambda: figure(server.get("/metrics").body.decode(), "http_requests_in_flight") == WAITING + 1)
        # All of these responses arrived under the lock, and no other request had one.
        assert held(database) == WORKERS and not asking.answers
    assert asking.all() == [200] * WAITING
    eventually(lambda: figure(server.get("/metrics").body.decode(), "workers_busy") == 0)
    assert server.stop() == 0


def test_blocked_background_work_takes_no_connection_from_requests(server_with, stack, own_database):
    """The pool has one connection for background work. It refreshes this clinic's derived data and waits. No other
    periodic check may wait for the lock at the same time."""
    run_sql("migrate", own_database)
    with contextlib.closing(connect(own_database)) as database, contextlib.closing(connect(own_database)) as connection:
        clinic = load_clinic(database, "clinic")
        with locked(connection):
            server = server_with(DATABASE_URL=own_database, **FOR_EVER)
            eventually(lambda: statements_waiting(database, "re.advance") == 1, 60)
            asking = Asking(
                lambda: server.get(f"{PREFIX}/{clinic}/patients/patient_123", token_headers(stack, clinic),
                                   timeout=120),
                WORKERS)
            eventually(lambda: held(database) == WORKERS, 60)
            # The server reports the missed check instead of a fault, and repeats it after the lock.
            server.logged("the foundation could not be checked")
            assert figure(server.get("/metrics").body.decode(), "foundation_faults") == 0
        assert asking.all() == [200] * WORKERS
        eventually(lambda: server.get("/ready").status == 200)
        assert server.stop() == 0


def test_a_token_with_an_unknown_key_waits_in_the_queue_and_delays_no_service(server_with, stack, connection, database,
                                                                              clinic, folder):
    key, path = generate_key(), folder / "jwks.json"
    path.write_text(jwks({"known": key}))
    server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_FILE=str(path), **FOR_EVER)
    known, unknown = (token_headers(stack, clinic, Signer(key, stack.settings["ISSUER"], kid))
                      for kid in ("known", "unknown"))
    target = f"{PREFIX}/{clinic}/patients/patient_123"
    with locked(connection):
        asking = Asking(lambda: server.get(target, known, timeout=120), WORKERS)
        eventually(lambda: held(database) == WORKERS, 60)
        doubtful = Asking(lambda: server.get(target, unknown, timeout=120), 5)
        eventually(lambda: figure(server.get("/metrics").body.decode(), "requests_waiting") == 5, 60)
        assert server.get("/health").status == 200 and not doubtful.answers and not asking.answers
    assert asking.all() == [200] * WORKERS and doubtful.all() == [401] * 5


def test_services_are_answered_through_nginx_while_a_lock_holds_every_worker(stack, connection, clinic):
    stack.restart_server(**FOR_EVER)
    try:
        path, headers = f"{PREFIX}/{clinic}/patients/patient_123", stack.api.authorization(clinic)

        def waiting():
            text = stack.plain.request("GET", "/metrics").body.decode()
            return figure(text, "requests_waiting"), figure(text, "workers_busy")

        with locked(connection):
            # nginx waits 20 s for a response, which is enough.
            asking = Asking(lambda: stack.client.request("GET", path, headers, fresh=True), 50)
            eventually(lambda: waiting() == (50 - WORKERS, WORKERS), 15)
            assert stack.plain.request("GET", "/health").status == 200
            assert stack.client.request("GET", "/health").status == 200
            assert waiting() == (50 - WORKERS, WORKERS) and not asking.answers
        assert asking.all() == [200] * 50
    finally:
        stack.restart_server()


def test_a_request_that_waits_too_long_for_a_worker_is_refused_under_the_lock(server_with, stack, connection, database,
                                                                              clinic):
    # The first two requests have the same timeout to open their connections, on a busy machine too.
    server = server_with(**{**FOR_EVER, "DB_ACQUIRE_TIMEOUT_MS": "15000"})
    path, headers = f"{PREFIX}/{clinic}/patients/patient_123", token_headers(stack, clinic)
    with locked(connection):
        asking = Asking(lambda: server.get(path, headers, timeout=120), 20)
        eventually(lambda: held(database) == WORKERS, 60)
        eventually(lambda: len(asking.answers) == 20 - WORKERS, 60)
        assert set(asking.answers) == {503} and server.get("/ready", timeout=60).status == 503
        refused = server.get(path, headers, timeout=60)
        assert refused.status == 503 and refused.header("Retry-After") and held(database) == WORKERS
    assert sorted(asking.all()) == [200] * WORKERS + [503] * (20 - WORKERS)
    assert server.get(path, headers).status == 200


def test_waiting_writes_are_executed_once_or_not_at_all(server_with, stack, connection, database, clinic):
    server = server_with(**{**FOR_EVER, "DB_ACQUIRE_TIMEOUT_MS": "15000"})
    headers = {**token_headers(stack, clinic), "Content-Type": "application/json"}
    body = ('{"patient_id": "patient_123", "method": "sms", "outcome": "failed", "notes": "waited' + "." * 3000 + '"}')
    with locked(connection):
        asking = Asking(
            lambda: server.request("POST", f"{PREFIX}/{clinic}/log-outreach", headers, body.encode(), timeout=120), 12)
        eventually(lambda: len(asking.answers) == 12 - WORKERS, 60)
    assert sorted(asking.all()) == [201] * WORKERS + [503] * (12 - WORKERS)
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outreach_log WHERE organization_id = %s AND notes LIKE 'waited%%'",
                       (clinic, ))
        assert cursor.fetchone()[0] == WORKERS


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_answers_waiting_requests(server_with, stack, connection, database, clinic, sign):
    server = server_with(**FOR_EVER)
    path, headers = f"{PREFIX}/{clinic}/patients/patient_123", token_headers(stack, clinic)
    with locked(connection):
        asking = Asking(lambda: server.get(path, headers, timeout=120), 30)
        eventually(lambda: figure(server.get("/metrics").body.decode(), "requests_waiting") == 30 - WORKERS, 60)
        server.process.send_signal(sign)
        server.logged("stopping")
    assert asking.all() == [200] * 30 and server.stop() == 0


def test_a_stop_refuses_waiting_requests_when_time_is_short(server_with, stack, connection, clinic):
    server = server_with(**FOR_EVER)
    path, headers = f"{PREFIX}/{clinic}/patients/patient_123", token_headers(stack, clinic)
    with locked(connection):
        asking = Asking(lambda: server.get(path, headers, timeout=120), 30)
        eventually(lambda: figure(server.get("/metrics").body.decode(), "requests_waiting") == 30 - WORKERS, 60)
        assert server.stop(within=30) == 0
        answers = asking.all()
    assert answers.count(503) == 30 - WORKERS, answers
