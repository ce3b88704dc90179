"""The database is stopped, killed, blocked or not started yet, and returns."""

import json
import os
import signal
import threading
import uuid

from asking import GOOD, dashboard, eventually, token_headers
from client import PREFIX
from problems import must_be_problem
from stack import Server, is_running


def test_a_stopped_database_is_503_and_recovers_without_a_restart(fragile):
    api, pid, organization = fragile.api, fragile.server_pid, "org_demo_1"
    assert api.get(organization, "dashboard").status == 200
    fragile.call("postgres-stop")
    try:
        for _ in range(3):
            must_be_problem(api.get(organization, "dashboard"), 503)
            must_be_problem(api.post(organization, GOOD), 503)
            ready = api.client.request("GET", "/ready")
            assert ready.status == 503 and int(ready.header("Retry-After")) >= 1
            assert api.client.request("GET", "/health").status == 200
            must_be_problem(api.get(organization, "dashboard", headers={}), 401)
            must_be_problem(api.get(organization, "trends?period=x"), 422)
    finally:
        fragile.call("postgres-start")
    eventually(lambda: api.client.request("GET", "/ready").status == 200)
    for _ in range(20):
        assert api.get(organization, "dashboard").status == 200
    fragile.look()
    assert fragile.server_pid == pid and is_running(pid)


def test_killed_connections_are_replaced_and_reads_retried(fragile):
    # A read is retried until its timeout for a connection.
    fragile.restart_server()
    with fragile.connect() as connection, connection.cursor() as cursor:
        for _ in range(10):
            assert fragile.api.get("org_a", "dashboard").status == 200
            cursor.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND pid <> pg_backend_pid()")
            assert cursor.fetchone()[0] >= 1
            for _ in range(8):
                assert fragile.api.get("org_a", "dashboard").status == 200


def test_a_post_with_a_response_is_durable(fragile):
    """PostgreSQL is killed right after the response. The row exists after its restart."""
    organization = "org_durable"
    with fragile.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO organizations (id, name) VALUES (%s, 'x'); "
            "INSERT INTO patients (organization_id, id, name) VALUES (%s, 'patient_123', 'x')",
            (organization, organization))
        cursor.execute("ALTER DATABASE reengagement SET synchronous_commit = off")
    fragile.restart_server()
    for number in range(3):
        response = fragile.api.post(organization, {**GOOD, "notes": f"durable {number}"})
        assert response.status == 201
        fragile.look()
        pid = int(fragile.settings["POSTGRES_PID"])
        os.kill(pid, signal.SIGQUIT)
        eventually(lambda: not is_running(pid))
        fragile.call("postgres-start")
        with fragile.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT notes FROM outreach_log WHERE id = %s", (response.json()["outreach_id"], ))
            assert cursor.fetchall() == [(f"durable {number}", )]
        eventually(lambda: fragile.client.request("GET", "/ready").status == 200)


def test_a_server_started_before_its_database_serves_once_the_database_is_up(stack, folder):
    with Server(stack, folder, DATABASE_URL=f"postgresql:///x?host={folder}&port=5999&user=postgres") as server:
        response = server.get(dashboard("o"), token_headers(stack, "o"))
        must_be_problem(response, 503)
        assert server.get("/ready").status == 503


def test_a_statement_past_its_deadline_is_503_and_the_next_is_served(server_with, stack, connection, clinic):
    # The timeouts are so long that all statements wait before the first one ends, even on a busy machine.
    server = server_with(WORKER_THREADS="4", DB_POOL_SIZE="1", DB_STATEMENT_TIMEOUT_MS="15000",
                         DB_ACQUIRE_TIMEOUT_MS="14000")
    headers = token_headers(stack, clinic)
    assert server.get(dashboard(clinic), headers).status == 200
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE re.organization_state IN ACCESS EXCLUSIVE MODE")
        try:
            results = []

            def ask():
                results.append(server.get(dashboard(clinic), headers))

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            eventually(lambda: "\nreengagement_workers_busy 3\n" in server.get("/metrics").body.decode())
            # The health check does not queue behind the statements, which are still running.
            assert server.get("/health").status == 200 and not results
            for thread in threads:
                thread.join(60)
            assert len(results) == 3
            for response in results:
                must_be_problem(response, 503)
        finally:
            cursor.execute("ROLLBACK")
    eventually(lambda: server.get(dashboard(clinic), headers).status == 200)


def test_a_locked_log_accepts_no_post_twice(server_with, stack, connection, database, clinic):
    """After a 503 the client may retry the post with its key. The result is one row."""
    # One deadline both for the post that exceeds it and for those that do not.
    server, key = server_with(DB_STATEMENT_TIMEOUT_MS="10000"), str(uuid.uuid4())
    headers = {**token_headers(stack, clinic), "Content-Type": "application/json", "Idempotency-Key": key}

    def send():
        return server.request("POST", f"{PREFIX}/{clinic}/log-outreach", headers, json.dumps(GOOD).encode())

    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE outreach_log IN ACCESS EXCLUSIVE MODE")
        must_be_problem(send(), 503)
        cursor.execute("ROLLBACK")
    assert [send().status, send().status] == [201, 200]
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outreach_log WHERE organization_id = %s AND idempotency_key = %s",
                       (clinic, key))
        assert cursor.fetchone() == (1, )
