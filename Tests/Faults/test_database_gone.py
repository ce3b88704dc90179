"""The database stops, restarts, loses its sessions or fails over: timely 503s meanwhile, then a quick recovery."""

import os
import signal
import time

import pytest

import ledger
from load import Load, refused_properly
from processes import Copy, backends, gone, ports
from stack import Stack, is_running

ROW = "database gone"


def outage(stack, load, deadlines, down, up, seconds):
    """Returns the slowest response in the outage, the number of refused requests, and the recovery time."""
    pid, began = stack.server_pid, time.monotonic()
    down()
    time.sleep(seconds)
    up()
    back = time.monotonic()
    served = load.until_served_again(back, 10)
    time.sleep(0.3)
    slowest, refused = refused_properly(load.under_way_since(began), deadlines.gap)
    assert served <= deadlines.BACK + deadlines.MARGIN, f"full service after {served:.2f} s"
    load.until(lambda: load.begun_since(back + deadlines.BACK), 2 * deadlines.BACK, "the clients send no requests any more")
    late = [a for a in load.begun_since(back + deadlines.BACK) if a.status not in (200, 201)]
    assert not late, f"refused though the database has been back for {late[0].began - back:.2f} s: {late[0]}"
    assert stack.server_pid == pid and is_running(pid), "the server was restarted"
    return slowest, refused, served


def test_stopped_and_started(stack, load, deadlines, long, figures):
    seconds = 10 if long else 2
    slowest, refused, served = outage(stack, load, deadlines, lambda: stack.call("postgres-stop"),
                                      lambda: stack.call("postgres-start"), seconds)
    assert refused > 0, "no request was refused, so the database was not away"
    load.stop()
    written = ledger.check(load)
    figures(ROW, outage_s=seconds, slowest_answer_in_the_gap_s=round(slowest, 2), refused=refused,
            served_again_after_s=round(served, 2), acknowledged_and_there=written)


@pytest.mark.nightly
def test_restarted_at_once(stack, load, deadlines, figures):
    """A stop that does not wait for sessions, and an immediate start."""
    stack.look()

    def crash():
        postmaster = int(stack.settings["POSTGRES_PID"])
        os.kill(postmaster, signal.SIGQUIT)
        gone(postmaster)

    slowest, refused, served = outage(stack, load, deadlines, crash, lambda: stack.call("postgres-start"), 0)
    load.stop()
    ledger.check(load)
    figures(ROW, immediate_restart_served_again_after_s=round(served, 2), immediate_restart_slowest_s=round(slowest, 2))


@pytest.mark.nightly
def test_all_sessions_ended(stack, load, deadlines, figures):
    """Reads are retried. A write may have been committed, so the client gets a 503 and repeats it under its key."""
    connection = stack.connect()
    rounds, slowest, lost = 10, 0, []
    for _ in range(rounds):
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE application_name = 'reengagement-api'")
        served = load.until_served_again(time.monotonic(), 5)
        assert served <= deadlines.BACK + deadlines.MARGIN
        # A read is retried once, so the next round must not meet the same read.
        load.until(lambda: len(load.begun_since(began + served)) > 20, 10, "the clients send no requests any more")
        slowest = max(slowest, refused_properly(load.under_way_since(began), deadlines.gap)[0])
        lost += [a for a in load.under_way_since(began) if a.kind == "GET" and a.status != 200]
    connection.close()
    # On a busy machine, a terminated session may live long enough to get the retry. Without retries, each round would
    # fail the three or four reads in progress.
    assert len(lost) <= rounds, f"reads were not retried: {lost[0]}"
    load.stop()
    ledger.check(load)
    figures(ROW, sessions_ended_slowest_s=round(slowest, 2))


@pytest.mark.nightly
def test_failover_to_the_second_host(stack, clinic, deadlines, directory, figures):
    """The standby is first in the list and not used as the primary. Once promoted, it is found without a restart."""
    standby = Copy(stack, directory / "standby", standby=True)
    primary_directory = stack.settings["DATABASE_URL"].partition("host=")[2].partition("&")[0]
    url = (f"postgresql:///reengagement?host={standby.directory},{primary_directory}&port=5432,5432&user=postgres")
    other = Stack(directory / "failover", DATABASE_URL=url, WORKER_THREADS="4", **ports(), **deadlines.variables())
    try:
        # The tables are the first stack's. psql has nothing to apply, and would connect to the standby.
        for step in ("server-start", "nginx-start", "ready"):
            other.call(step)
        other.attach()
        with Load(other, clinic) as load:
            load.warm_up()
            began = time.monotonic()
            stack.look()
            postmaster = int(stack.settings["POSTGRES_PID"])
            os.kill(postmaster, signal.SIGQUIT)
            gone(postmaster)
            time.sleep(1)
            standby.promote()
            back = time.monotonic()
            served = load.until_served_again(back, 10)
            slowest, refused = refused_properly(load.under_way_since(began), deadlines.gap)
            assert refused > 0 and served <= deadlines.BACK + deadlines.MARGIN
        # Replication is asynchronous here, so an immediate stop may lose writes that the standby has not received.
        # Only writes that were acknowledged after the promotion must be there.
        found = ledger.rows(standby.url, clinic.organization)
        late = {a.key: a.identifier for a in load.begun_since(back) if a.identifier}
        assert late and all(found.get(key) == [identifier] for key, identifier in late.items())
        figures(ROW, failover_served_again_after_s=round(served, 2), failover_slowest_s=round(slowest, 2))
    finally:
        other.down()
        standby.stop()
        stack.call("postgres-start")


def test_the_pool_is_refilled_up_to_its_limit(stack, load):
    connection = stack.connect()
    stack.call("postgres-stop")
    time.sleep(0.5)
    stack.call("postgres-start")
    connection.close()
    load.until_served_again(time.monotonic(), 5)
    connection = stack.connect()
    load.until(lambda: len(backends(connection)) >= 2, 5, "the pool stays empty")
    time.sleep(1)
    # A connection that was just closed may still be listed.
    load.until(lambda: len(backends(connection)) <= 5, 5, "more than one per worker and one for maintenance")
    connection.close()
