"""Operators see and change the logging of a running server."""

import json
import signal
import threading
import time

from asking import eventually


def lines(server):
    return [json.loads(line) for line in server.log_lines()]


def changes(server):
    return [(line["from"], line["to"]) for line in lines(server) if line["message"] == "the log level has changed"]


def requests(server, request_id):
    return [line for line in lines(server) if line["message"] == "request" and line["request_id"] == request_id]


def ask(server, request_id):
    """Sends a request and waits for the end of its work, including its log line."""
    assert server.get("/health", {"X-Request-Id": request_id}).status == 200
    eventually(lambda: b"\nreengagement_http_requests_in_flight 1\n" in server.get("/metrics").body)


def send(server, sign):
    before = len(changes(server))
    server.process.send_signal(sign)
    eventually(lambda: len(changes(server)) == before + 1)


def test_signals_change_the_log_level_and_the_access_log_follows(server_with):
    server = server_with(LOG_LEVEL="notice")
    ask(server, "too-quiet")
    send(server, signal.SIGUSR1)
    ask(server, "loud-enough")
    eventually(lambda: requests(server, "loud-enough"))
    send(server, signal.SIGUSR2)
    send(server, signal.SIGUSR2)
    ask(server, "quiet-again")
    # A change of the level is logged at any level.
    for _ in range(4):
        send(server, signal.SIGUSR2)
    for _ in range(7):
        send(server, signal.SIGUSR1)
    eventually(lambda: changes(server)[-1][1] == "trace")
    assert changes(server)[:7] == [("notice", "info"), ("info", "notice"), ("notice", "warning"), ("warning", "error"),
                                   ("error", "critical"), ("critical", "critical"), ("critical", "critical")]
    assert len(requests(server, "loud-enough")) == 1
    assert not requests(server, "too-quiet") and not requests(server, "quiet-again")
    assert server.stop() == 0


def test_a_slow_request_is_logged_with_its_statement(server_with, api, connection, database, clinic):
    server = server_with(LOG_SLOW_MS="700", LOG_LEVEL="warning", DB_STATEMENT_TIMEOUT_MS="60000")
    target, headers = api.target(clinic, "patients/patient_123"), api.authorization(clinic)
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(server.get(target, {**headers, "X-Request-Id": "slow-one"})))
    with connection.cursor() as cursor:
        # Readers of the table wait for the lock.
        cursor.execute("BEGIN; LOCK TABLE patients IN ACCESS EXCLUSIVE MODE")
        asking.start()

        def is_waiting():
            # A new connection, because within a transaction pg_stat_activity does not change.
            with database.cursor() as looking:
                looking.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                " AND query LIKE '%patient_detail(%' AND pid <> pg_backend_pid()")
                return looking.fetchone()[0] > 0

        eventually(is_waiting)
        time.sleep(1)
        cursor.execute("ROLLBACK")
    asking.join()
    assert answers[0].status == 200
    # On a busy machine other requests may be slow too.
    line, = eventually(lambda: [line for line in lines(server) if line["message"] == "a slow request"
                                and line["request_id"] == "slow-one"])
    assert line["level"] == "warning" and line["statement"] == "patient_detail" and line["organization"] == clinic
    assert line["duration_us"] >= 700_000 and line["status"] == 200 and "patient_123" not in json.dumps(line)
