"""The database stops, restarts, loses its sessions or moves: a 503 in time meanwhile, and soon all is well again."""

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
    """Returns the slowest answer in the gap, how many were refused, and when all was served again."""
    pid, began = stack.server_pid, time.monotonic()
    down()
    time.sleep(seconds)
    up()
    back = time.monotonic()
    served = load.until_served_again(back, 10)
    time.sleep(0.3)
    slowest, refused = refused_properly(load.under_way_since(began), deadlines.gap)
    assert served <= deadlines.BACK + deadlines.MARGIN, f"full service after {served:.2f} s"
    load.until(lambda: load.begun_since(back + deadlines.BACK), 2 * deadlines.BACK, "nothing is asked any more")
    late = [a for a in load.begun_since(back + deadlines.BACK) if a.status not in (200, 201)]
    assert not late, f"refused though the database has been back for {late[0].began - back:.2f} s: {late[0]}"
    assert stack.server_pid == pid and is_running(pid), "the server was restarted"
    return slowest, refused, served


def test_stopped_and_started(stack, load, deadlines, long, figures):
    seconds = 10 if long else 2
    slowest, refused, served = outage(stack, load, deadlines, lambda: stack.call("postgres-stop"),
                                      lambda: stack.call("postgres-start"), seconds)
    assert refused > 0, "nothing was refused: the database was not away"
    load.stop()
    written = ledger.check(load)
    figures(ROW, outage_s=seconds, slowest_answer_in_the_gap_s=round(slowest, 2), refused=refused,
            served_again_after_s=round(served, 2), acknowledged_and_there=written)


@pytest.mark.nightly
def test_restarted_at_once(stack, load, deadlines, figures):
    """A stop that does not wait for sessions, and at once a start."""
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
    """Reads are repeated; a write may have been carried out, and is told so by a 503 and its key."""
    connection = stack.connect()
    blows, slowest, lost = 10, 0, []
    for _ in range(blows):
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE application_name = 'reengagement-api'")
        served = load.until_served_again(time.monotonic(), 5)
        assert served <= deadlines.BACK + deadlines.MARGIN
        # A read is repeated once: the next blow must not meet the same one.
        load.until(lambda: len(load.begun_since(began + served)) > 20, 10, "nothing is asked any more")
        slowest = max(slowest, refused_properly(load.under_way_since(began), deadlines.gap)[0])
        lost += [a for a in load.under_way_since(began) if a.kind == "GET" and a.status != 200]
    connection.close()
    # On a busy machine a session that was told to end may live long enough to be given the repetition. Without one,
    # each blow costs the reads that are under way, three or four.
    assert len(lost) <= blows, f"reads were not repeated: {lost[0]}"
    load.stop()
    ledger.check(load)
    figures(ROW, sessions_ended_slowest_s=round(slowest, 2))


@pytest.mark.nightly
def test_failover_to_the_second_host(stack, clinic, deadlines, directory, figures):
    """The standby comes first in the list and is not mistaken; once promoted it is found without a restart."""
    standby = Copy(stack, directory / "standby", standby=True)
    primary_directory = stack.settings["DATABASE_URL"].partition("host=")[2].partition("&")[0]
    url = (f"postgresql:///reengagement?host={standby.directory},{primary_directory}&port=5432,5432&user=postgres")
    other = Stack(directory / "failover", DATABASE_URL=url, WORKER_THREADS="4", **ports(), **deadlines.variables())
    try:
        # The tables are the first stack's: there is nothing for psql to apply, which would meet the standby.
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
        # An immediate stop may take what the standby had not received yet: replication is asynchronous here,
        # so only what was acknowledged after the promotion has to be there.
        found = ledger.rows(standby.url, clinic.organization)
        late = {a.key: a.identifier for a in load.begun_since(back) if a.identifier}
        assert late and all(found.get(key) == [identifier] for key, identifier in late.items())
        figures(ROW, failover_served_again_after_s=round(served, 2), failover_slowest_s=round(slowest, 2))
    finally:
        other.down()
        standby.stop()
        stack.call("postgres-start")


def test_the_pool_is_filled_again_and_no_more_than_that(stack, load):
    connection = stack.connect()
    stack.call("postgres-stop")
    time.sleep(0.5)
    stack.call("postgres-start")
    connection.close()
    load.until_served_again(time.monotonic(), 5)
    connection = stack.connect()
    load.until(lambda: len(backends(connection)) >= 2, 5, "the pool stays empty")
    time.sleep(1)
    # One that has just been closed may be there still.
    load.until(lambda: len(backends(connection)) <= 5, 5, "more than one for each worker and one for the background")
    connection.close()
