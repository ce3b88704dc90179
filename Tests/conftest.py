"""Shared by all tests in Python: the end by a signal, a directory, and the marker of what only the nightly run has."""

import collections
import shutil
import signal
import tempfile
from pathlib import Path

import pytest


def pytest_configure():
    """Ended from outside, it must still stop what it started, as after Ctrl-C."""

    def interrupt(*_):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Takes the marker from the first cases of a test that is marked `nightly(after=...)`, before -m looks at it."""
    seen = collections.Counter()
    for item in items:
        mark = next((each for each in item.own_markers if each.name == "nightly"), None)
        if mark is None:
            continue
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        if seen[test] <= mark.kwargs.get("after", 0):
            item.own_markers.remove(mark)


@pytest.fixture(scope="session")
def directory():
    """Short, so that sockets' paths fit, and open to the users that PostgreSQL and nginx run as."""
    made = Path(tempfile.mkdtemp(prefix="stack."))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)
