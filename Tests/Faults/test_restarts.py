"""SIGTERM and restarts under load: accepted requests are served, and a rolling restart fails no request."""

import os
import signal
import time

import pytest

import ledger
from processes import AS_ROOT, Wrapped, gone
from stack import LONG_TIMEOUTS, Server, is_running
from wrk import Wrk

ROW = "SIGTERM and restarts"


def test_sigterm_under_load_drops_nothing_that_was_accepted(stack, load, figures):
    """Each entry with a 201 is in the table. A request that was not accepted gets nginx's 502 with Retry-After."""
    stack.look()
    pid, began = stack.server_pid, time.monotonic()
    os.kill(pid, signal.SIGTERM)
    gone(pid, 10 + 5)
    took = time.monotonic() - began
    stack.call("server-start")
    served = load.until_served_again(time.monotonic(), 10)
    load.stop()
    odd = [a for a in load.all() if a.status not in (200, 201, 502, 503)]
    assert not odd, odd[0]
    written = ledger.check(load)
    figures(ROW, exit_after_sigterm_s=round(took, 2), served_again_after_start_s=round(served, 2),
            acknowledged_and_there=written)


@pytest.mark.nightly
def test_restart_under_load(stack, load):
    for _ in range(2):
        stack.restart_server()
        load.until_served_again(time.monotonic(), 10)
    load.stop()
    odd = [a for a in load.all() if a.status not in (200, 201, 502, 503)]
    assert not odd, odd[0]
    ledger.check(load)


def wait_until_taken_over(path, before):
    """Waits until the path belongs to the new server, which renames its own socket file over the old one."""
    deadline = time.monotonic() + 60
    while (now := os.stat(path)).st_ino == before.st_ino and now.st_ctime_ns == before.st_ctime_ns:
        assert time.monotonic() < deadline, "the new server did not take over the path"
        time.sleep(0.005)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("kind", ["GET", "POST"])
def test_a_rolling_restart_fails_no_request(stack, clinic, folder, long, figures, kind):
    """During one run of wrk, the new server takes over the socket's path and the old one gets SIGTERM."""
    rounds, started = 6 if long else 1, []
    group = {"group": "reengagement-socket", "extra_groups": []} if AS_ROOT else {}
    # Long timeouts, so that no request is refused for having waited on a busy machine.
    stack.restart_server(**Wrapped(stack, folder, "exec BINARY", **LONG_TIMEOUTS).environment())
    leaving = stack.server_pid
    path, key = ("log-outreach", "roll") if kind == "POST" else ("risk-metrics", None)
    # Longer than the restarts take on any machine. The test ends wrk after them.
    seconds = 300 + 60 * rounds
    try:
        with Wrk(stack, clinic, folder, path, seconds, key=key, statuses=True) as wrk:
            ended = []
            for number in range(rounds):
                time.sleep(0.7)
                own = folder / str(number)
                own.mkdir()
                before = os.stat(stack.socket)
                started.append(Server(stack, own, FCGI_LISTEN=stack.socket, WORKER_THREADS="4").start(**group))
                wait_until_taken_over(stack.socket, before)
                began = time.monotonic()
                os.kill(leaving, signal.SIGTERM)
                if number == 0:
                    gone(leaving, 10 + 5)
                else:
                    assert started[-2].process.wait(10 + 5) == 0
                ended.append(time.monotonic() - began)
                leaving = started[-1].process.pid
            assert is_running(leaving)
            assert wrk.process.poll() is None, "the load ended before the restarts did"
            time.sleep(1)
            # wrk prints its results so far.
            wrk.process.send_signal(signal.SIGINT)
            done = wrk.result()
        assert done.requests > 100
        assert (done.refused, done.errors) == (0, 0), (done.statuses, done.output)
        figures(ROW, **{f"rolling_{kind.lower()}_requests": done.requests, f"rolling_{kind.lower()}_failed": 0,
                        f"rolling_{kind.lower()}_slowest_exit_s": round(max(ended), 2)})
    finally:
        stack.call("server-start")
        for server in started:
            server.stop()
