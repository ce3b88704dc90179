"""Live streams through faults: what each client has heard is the table, in order and without a gap."""

import os
import random
import signal
import threading
import time
import uuid

import pytest

from processes import AS_ROOT, gone, kill, kill_nginx_worker, kill_postgres, kill_server, ports
from stack import Server, Stack
from streams import TRANSPORTS, Follower
from test_restarts import wait_until_taken_over

PATIENTS = 400
# Fewer than one notice in 20 of a step, so that each patient is named.
CHANGED = 18


def make_clinic(stack, organization):
    with stack.connect() as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'Clinic')", (organization, ))
        cursor.execute("INSERT INTO patients (organization_id, id, name, created_at) "
                       "SELECT %s, 'p' || n, 'Patient ' || n, now() - interval '100 days' "
                       "FROM generate_series(1, %s) AS n", (organization, PATIENTS))
    connection.close()


def notices(stack, organization, after=0):
    connection = stack.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sequence, kind, cause, day::text, number FROM re.notice "
                           "WHERE organization_id = %s AND sequence > %s ORDER BY sequence", (organization, after))
            return [list(row) for row in cursor.fetchall()]
    finally:
        connection.close()


class Writer(threading.Thread):
    """Lets patients become critical and recover, a few in each step, until enough notices are written."""

    def __init__(self, stack, organization, pause):
        super().__init__(daemon=True)
        self.stack, self.organization, self.pause, self.is_stopped = stack, organization, pause, threading.Event()
        self.chance = random.Random(organization)

    def run(self):
        connection = None
        while not self.is_stopped.is_set():
            try:
                if connection is None:
                    connection = self.stack.connect()
                self.step(connection)
            except Exception:  # PostgreSQL is away for the moment: the next step connects again
                connection = None
            self.is_stopped.wait(self.pause)

    def step(self, connection):
        chosen = [f"p{n}" for n in self.chance.sample(range(1, PATIENTS + 1), CHANGED)]
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH gone AS (DELETE FROM conversations WHERE organization_id = %s AND patient_id = ANY (%s) "
                "RETURNING patient_id) INSERT INTO conversations (organization_id, id, patient_id, occurred_at) "
                "SELECT %s, patient, patient, now() FROM unnest(%s) AS patient "
                "WHERE patient NOT IN (SELECT patient_id FROM gone)",
                (self.organization, chosen, self.organization, chosen))
            cursor.execute("SELECT set_config('reengagement.organization', %s, false)", (self.organization, ))
            cursor.execute("SELECT FROM re.advance(%s, 1000)", (self.organization, ))

    def stop(self):
        self.is_stopped.set()
        self.join(60)


def reload_nginx(stack):
    stack.look()
    os.kill(int(stack.settings["NGINX_PID"]), signal.SIGHUP)


def restart_postgres(stack):
    stack.call("postgres-stop")
    stack.call("postgres-start")


def restart_server(stack):
    stack.restart_server()


def roll_server(stack):
    """Another server takes over both sockets before the first one is stopped, and then the other way round."""
    stack.look()
    leaving = stack.server_pid
    folder = stack.directory / f"rolled-{uuid.uuid4().hex[:6]}"
    folder.mkdir()
    group = {"group": "reengagement-socket", "extra_groups": []} if AS_ROOT else {}
    before = os.stat(stack.socket)
    between = Server(stack, folder, FCGI_LISTEN=stack.socket, LIVE_LISTEN=stack.settings["LIVE_LISTEN"],
                     WORKER_THREADS="4").start(**group)
    try:
        wait_until_taken_over(stack.socket, before)
        os.kill(leaving, signal.SIGTERM)
        gone(leaving)
        stack.call("server-start")
        stack.look()
    finally:
        between.stop()


FAULTS = {
    "nginx reloaded": reload_nginx,
    "nginx's worker killed": kill_nginx_worker,
    "server killed": kill_server,
    "server restarted": restart_server,
    "rolling restart": roll_server,
    "PostgreSQL restarted": restart_postgres,
    "PostgreSQL killed": kill_postgres,
}


@pytest.fixture
def second(stack, directory):
    """Another server and nginx on the same database."""
    made = Stack(directory / f"second-{uuid.uuid4().hex[:6]}", DATABASE_URL=stack.settings["DATABASE_URL"],
                 WORKER_THREADS="4", **ports())
    with made.started() as started:
        yield started


def test_every_client_hears_every_notice_through_faults(stack, second, folder, long):
    organization = f"streams_{uuid.uuid4().hex[:8]}"
    make_clinic(stack, organization)
    # The first build makes the baseline.
    assert stack.api.get(organization, "risk-metrics").status == 200
    stacks, chance = (stack, second), random.Random(organization)
    rounds, wanted = (5, 10_000) if long else (1, 500)
    followers = [Follower(one, organization, transport, folder / f"{number}-{transport.replace(' ', '-')}")
                 for number, one in enumerate(stacks) for transport in TRANSPORTS]
    writer, caused = Writer(stack, organization, 0.05), []
    for follower in followers:
        follower.start()
    try:
        for follower in followers:
            assert follower.is_listening.wait(60), (follower.name, follower.endings, follower.fault)
        writer.start()
        for _ in range(rounds):
            for name in chance.sample(sorted(FAULTS), len(FAULTS)):
                # The database is that of the first stack.
                for one in (stack, ) if "PostgreSQL" in name else stacks:
                    FAULTS[name](one)
                    caused.append(name)
                    time.sleep(chance.uniform(0.5, 2))
        deadline = time.monotonic() + 600
        while len(notices(stack, organization)) < wanted:
            assert time.monotonic() < deadline, "too few notices were written"
            time.sleep(0.5)
        writer.stop()
        last = notices(stack, organization)[-1][0]
        for follower in followers:
            while follower.last is None or follower.last < last:
                assert follower.fault is None, follower.fault
                assert time.monotonic() < deadline, (follower.name, follower.last, last, follower.endings[-5:])
                time.sleep(0.2)
    finally:
        writer.is_stopped.set()
        for follower in followers:
            follower.is_stopped.set()
    table = notices(stack, organization)
    assert [row[0] for row in table] == list(range(1, len(table) + 1))
    assert len(table) >= wanted and len(caused) >= (50 if long else 10)
    for follower in followers:
        follower.stop()
        assert follower.fault is None, follower.fault
        assert follower.heard() == table, follower.name
        assert follower.opened > 1, f"no fault has ended a stream of {follower.name}"


@pytest.mark.nightly
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_clients_reopen_within_40_seconds_when_the_server_stands_still(stack, second, folder, transport):
    """The stopped server's clients hear nothing. They reopen, and hear what they missed when it runs again."""
    organization = f"still_{uuid.uuid4().hex[:8]}"
    make_clinic(stack, organization)
    assert stack.api.get(organization, "risk-metrics").status == 200
    follower = Follower(second, organization, transport, folder / "heard", token_lifetime=3600)
    writer = Writer(stack, organization, 0.2)
    follower.start()
    try:
        assert follower.is_listening.wait(60), follower.fault
        second.look()
        os.kill(second.server_pid, signal.SIGSTOP)
        writer.start()
        # The last heartbeat was at most 15 s ago.
        deadline = time.monotonic() + 40 + 30
        while follower.is_listening.is_set():
            assert time.monotonic() < deadline, "the client still waits for the server"
            time.sleep(0.1)
        os.kill(second.server_pid, signal.SIGCONT)
        writer.stop()
        last = notices(stack, organization)[-1][0]
        deadline = time.monotonic() + 120
        while follower.last < last:
            assert follower.fault is None and time.monotonic() < deadline, (follower.last, last, follower.endings)
            time.sleep(0.2)
    finally:
        kill(second.server_pid, signal.SIGCONT)
        writer.is_stopped.set()
        follower.is_stopped.set()
    follower.stop()
    assert follower.heard() == notices(stack, organization)
