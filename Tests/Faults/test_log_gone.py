"""The log's disk is full, its reader has ended, or standard output is closed: the service continues."""

import os
import time

import pytest

from processes import Wrapped
from stack import LONG_TIMEOUTS
from wrk import Wrk

ROW = "log"

OUTPUTS = {
    "the disk is full": "exec BINARY >/dev/full 2>/dev/full", "standard output is closed": "exec BINARY >&- 2>&-",
    "the reader has gone": "exec BINARY >FIFO"
}


def serves(stack, clinic, folder, figures, title, how, closed):
    """All requests under load succeed, before and after the log's output breaks."""
    folder = folder / title.replace(" ", "-")
    folder.mkdir(mode=0o755)
    fifo = folder / "log"
    os.mkfifo(fifo)
    # Open, so that the server can open the FIFO for writing.
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        # Long timeouts, so that a busy machine is not mistaken for an effect of the log.
        stack.restart_server(**Wrapped(stack, folder, how.replace("FIFO", str(fifo)), **LONG_TIMEOUTS).environment())
        if closed:
            os.close(reader)
        # Many times the number of lines that fit into a pipe.
        requests, slowest, began = 0, 0, time.monotonic()
        while requests <= 500:
            assert time.monotonic() - began < 120, f"{requests} requests"
            with Wrk(stack, clinic, folder, seconds=4, connections=8) as wrk:
                done = wrk.result()
            assert (done.refused, done.errors) == (0, 0), done.output
            requests, slowest = requests + done.requests, max(slowest, done.slowest)
    finally:
        if not closed:
            os.close(reader)
    # A request that waits for the log would wait forever.
    assert slowest < 15, f"a response took {slowest:.2f} s"
    assert stack.is_running(stack.server_pid)
    figures(ROW, **{title.replace(" ", "_") + "_slowest_answer_s": slowest})


def test_the_service_continues_without_a_log(stack, clinic, folder, figures):
    for title, how in OUTPUTS.items():
        serves(stack, clinic, folder, figures, title, how, closed="reader" in title)


@pytest.mark.nightly
def test_the_service_continues_while_the_log_is_not_read(stack, clinic, folder, figures):
    serves(stack, clinic, folder, figures, "the reader sleeps", "exec BINARY >FIFO", closed=False)
