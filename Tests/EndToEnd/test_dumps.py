"""The server's memory is private: it leaves no core dump, and no other program of its user can read it."""

import os
import pwd
import re
import resource
import signal
import subprocess

import pytest

from asking import eventually
from stack import Server


@pytest.fixture
def unprivileged(stack, folder):
    """The server under its own user, who may create dumps of any size."""
    if os.geteuid() != 0:
        pytest.skip("only root can start it as another user and allow dumps to it")
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    server = Server(stack, folder)

    def allow_dumps():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    # Only the private cluster's own users can connect to it. Without a database the test works as well.
    server.environment["DATABASE_URL"] = "host=/nonexistent dbname=secret_of_the_test password=secret_of_the_test"
    # With the audit, a stop would try for ten seconds to record itself.
    server.environment["AUDIT"] = "off"
    with server.start(user="nobody", group="nogroup", extra_groups=[], cwd=folder, preexec_fn=allow_dumps):
        yield server


def test_its_own_metrics_are_available_all_the_same(unprivileged):
    text = unprivileged.get("/metrics").body.decode()
    figures = dict(re.findall(r"^(process_\w+) (\S+)$", text, re.MULTILINE))
    assert set(figures) == {f"process_{name}" for name in ("cpu_seconds_total", "resident_memory_bytes",
                                                           "virtual_memory_bytes", "open_fds", "max_fds",
                                                           "start_time_seconds")}
    assert float(figures["process_open_fds"]) >= 5 and float(figures["process_resident_memory_bytes"]) > 1 << 20


def test_its_environment_and_memory_are_closed_to_other_programs_of_its_user(unprivileged):
    pid = unprivileged.process.pid
    for file in ("environ", "maps", "mem", "auxv", "fd/0"):
        command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", "head", "-c", "1",
                   f"/proc/{pid}/{file}"]
        done = subprocess.run(command, capture_output=True)
        assert done.returncode != 0 and not done.stdout, file


def test_a_crash_leaves_no_core(unprivileged, folder):
    before = set(os.listdir(folder))
    unprivileged.process.send_signal(signal.SIGABRT)
    status = unprivileged.process.wait(60)
    assert status == -signal.SIGABRT and set(os.listdir(folder)) == before


@pytest.mark.nightly
def test_another_program_does_leave_a_core(folder):
    """The check above works only on machines that write cores to the folder."""
    if os.geteuid() != 0 or open("/proc/sys/kernel/core_pattern").read().strip() not in ("core", "core.%p"):
        pytest.skip("the machine sends cores elsewhere")
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    sleeper = subprocess.Popen(["sleep", "600"], cwd=folder, user="nobody", group="nogroup", extra_groups=[],
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, limit))
    sleeper.send_signal(signal.SIGABRT)
    sleeper.wait(60)
    eventually(lambda: any(name.startswith("core") for name in os.listdir(folder)))
