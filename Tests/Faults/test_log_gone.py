"""The log's disk is full, its reader is gone, or there is no standard output at all: service goes on."""

import os
import time

import pytest

from processes import Wrapped
from stack import PATIENCE
from wrk import Wrk

ROW = "log"

OUTPUTS = {
    "the disk is full": "exec BINARY >/dev/full 2>/dev/full", "standard output is closed": "exec BINARY >&- 2>&-",
    "the reader has gone": "exec BINARY >FIFO"
}


def serves(stack, clinic, folder, figures, title, how, closed):
    """Answers under load as if nothing were; then what reads the log has its end."""
    folder = folder / title.replace(" ", "-")
    folder.mkdir(mode=0o755)
    fifo = folder / "log"
    os.mkfifo(fifo)
    # Held open, so that the server can open it for writing.
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        # What the machine is busy with is not to be taken for the log's doing.
        stack.restart_server(**Wrapped(stack, folder, how.replace("FIFO", str(fifo)), **PATIENCE).environment())
        if closed:
            os.close(reader)
        # Many times the lines that a pipe holds.
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
    # Who waits for the log waits for ever.
    assert slowest < 15, f"an answer took {slowest:.2f} s"
    assert stack.is_running(stack.server_pid)
    figures(ROW, **{title.replace(" ", "_") + "_slowest_answer_s": slowest})


def test_service_goes_on_without_a_log(stack, clinic, folder, figures):
    for title, how in OUTPUTS.items():
        serves(stack, clinic, folder, figures, title, how, closed="reader" in title)


@pytest.mark.nightly
def test_service_goes_on_while_nobody_reads_the_log(stack, clinic, folder, figures):
    serves(stack, clinic, folder, figures, "the reader sleeps", "exec BINARY >FIFO", closed=False)
