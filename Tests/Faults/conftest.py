"""A stack for all, which each test leaves as it found it; load that runs while a fault is caused; what was measured."""

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
    """Whether the repeats are many and the outages as long as they can be."""
    return os.environ.get("FAULTS") == "long"


@pytest.fixture(scope="session")
def deadlines(long):
    """The server's own where there is time; shorter ones show the same sooner."""
    return Deadlines(2.0, 5.0) if long else Deadlines(1.0, 2.0)


@pytest.fixture(scope="session")
def shared(directory, deadlines):
    with Stack(directory / "main", WORKER_THREADS="4", **ports(), **deadlines.variables()).started() as made:
        yield made


@pytest.fixture
def stack(shared):
    """Up, with the environment it was started with, whatever the test before did to it."""
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
    """Clients that read and write without pause until the test is over."""
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
    """Notes a figure under the row of docs/reliability.md that it belongs to."""

    def note(row, **values):
        assert row in figures_of.ROWS, row
        all_figures.setdefault(row, {}).update(values)

    return note
