"""Closing the terminal of `stack run` leaves no process running."""

import os
import pty

import pytest

from asking import eventually
from stack import ROOT, Stack, clean_environment, is_running


@pytest.mark.nightly
def test_no_process_is_left_after_the_terminal_is_closed(directory):
    made = Stack(directory / "left")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(ROOT / "scripts/stack", ["stack", "run"], clean_environment(**made.environment))
    try:
        seen = b""
        while b"Press Ctrl-C" not in seen:
            seen += os.read(terminal, 65536)
        made.look()
        processes = [int(made.settings[f"{name}_PID"]) for name in ("SERVER", "NGINX", "POSTGRES")]
        assert all(map(is_running, processes))
        os.close(terminal)
        eventually(lambda: not any(map(is_running, processes)), 60)
        eventually(lambda: os.waitpid(child, os.WNOHANG)[0] == child, 60)
        assert not (made.directory / "state").exists()
    finally:
        made.down()
