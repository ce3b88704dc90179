"""Settings of all tests in Python: signals, a directory per session, and the marker of the nightly tests."""

import collections
import shutil
import signal
import tempfile
from pathlib import Path

import pytest


def pytest_configure():
    """Handles the signals that end pytest like Ctrl-C, so that fixtures still stop the programs that they started."""

    def interrupt(*_):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Removes the marker `nightly(after=N)` from a test's first N cases, so that `-m 'not nightly'` runs these."""
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
    """A directory for stacks. Its path is short enough for sockets, and PostgreSQL's and nginx's users can enter it."""
    made = Path(tempfile.mkdtemp(prefix="stack."))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)
