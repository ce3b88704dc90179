"""One stack for all tests, restored before each one. Load that runs during a fault. The collected figures."""

import os
import tempfile
import uuid
from pathlib import Path

import pytest

import figures as figures_of
from ledger import Clinic
from load import Deadlines, Load
from processes import ports
from stack import Stack


@pytest.fixture(scope="session")
def long():
    """True if each fault is repeated many times and each outage is as long as possible."""
    return os.environ.get("FAULTS") == "long"


@pytest.fixture(scope="session")
def deadlines(long):
    """The server's default timeouts in a long run. Shorter ones show the same behaviour sooner."""
    return Deadlines(2.0, 5.0) if long else Deadlines(1.0, 2.0)


@pytest.fixture(scope="session")
def shared(directory, deadlines):
    with Stack(directory / "main", WORKER_THREADS="4", **ports(), **deadlines.variables()).started() as made:
        yield made


@pytest.fixture
def stack(shared):
    """The shared stack, running, with its original environment, regardless of the previous test."""
    restore(shared)
    return shared


def restore(stack):
    for step in ("postgres-start", "server-start", "nginx-start", "ready"):
        stack.call(step)
    stack.look()


@pytest.fixture
def clinic(stack):
    return Clinic.make(stack, f"clinic_{uuid.uuid4().hex[:10]}")


@pytest.fixture
def folder(directory):
    made = Path(tempfile.mkdtemp(prefix="t.", dir=directory))
    made.chmod(0o755)
    return made


@pytest.fixture
def load(stack, clinic):
    """Clients that read and write without pause until the test ends."""
    made = Load(stack, clinic)
    with made:
        made.warm_up()
        yield made


@pytest.fixture(scope="session")
def all_figures():
    collected = {}
    yield collected
    if os.environ.get("SAVE") == "1" and collected:
        figures_of.save(collected)


@pytest.fixture
def figures(all_figures):
    """Records a figure under a row of docs/reliability.md."""

    def note(row, **values):
        assert row in figures_of.ROWS, row
        all_figures.setdefault(row, {}).update(values)

    return note
