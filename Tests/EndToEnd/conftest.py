"""One stack for the whole session, in a directory of its own; each test has organizations of its own."""

import shutil
import signal
import tempfile
import uuid
from pathlib import Path

import psycopg2
import pytest

import rows
from asking import eventually
from stack import Frozen, Server, Stack

EXAMPLE_NOW = rows.instant("2025-06-30T12:00:00Z")


def pytest_configure():
    """Ended from outside, it must still stop what it started, as after Ctrl-C."""

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


@pytest.fixture(scope="session")
def directory():
    """Short, so that sockets' paths fit, and open to the users that PostgreSQL and nginx run as."""
    made = Path(tempfile.mkdtemp(prefix="e2e."))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def stack_of(directory, **environment):
    made = Stack(directory, **environment)
    try:
        yield made.up()
    finally:
        made.down()


@pytest.fixture(scope="session")
def stack(directory):
    yield from stack_of(directory / "main", LOG_LEVEL="trace", SECURITY_CONTACT="mailto:security@example.com")


@pytest.fixture(scope="session")
def frozen(stack, directory):
    made = Frozen(stack, directory / "frozen")
    try:
        yield made
    finally:
        made.database.close()
        made.stack.down()


@pytest.fixture(scope="module")
def fragile(directory):
    """A stack with a PostgreSQL of its own, which a test may stop."""
    yield from stack_of(directory / f"fragile-{uuid.uuid4().hex[:6]}")


@pytest.fixture
def folder(directory):
    """Like pytest's own, but with a path that leaves room for a socket's name."""
    return Path(tempfile.mkdtemp(prefix="t.", dir=directory))


@pytest.fixture
def server_with(stack, folder):
    """Starts the binary alone with other variables; all are stopped at the end."""
    started = []

    def start(**environment):
        own = folder / str(len(started))
        own.mkdir()
        started.append(Server(stack, own, **environment))
        return started[-1].start()

    yield start
    for server in started:
        if server.process:
            server.stop()


@pytest.fixture(scope="session")
def api(stack):
    return stack.api


@pytest.fixture(scope="session")
def plain_client(stack):
    return stack.plain


@pytest.fixture(scope="session")
def database(stack):
    connection = stack.connect()
    yield connection
    connection.close()


@pytest.fixture
def connection(stack):
    """A session of the test's own, for settings."""
    made = stack.connect()
    yield made
    made.close()


@pytest.fixture
def own_database(stack, database, fresh_id):
    """The address of an empty database, which is gone after the test."""
    name = fresh_id("own")
    with database.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        yield stack.database_url(name)

        def dropped():
            # PostgreSQL waits 5 s for the sessions that it has ended, which may not be enough.
            try:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
            except psycopg2.errors.ObjectInUse:
                return False
            return True

        eventually(dropped)


@pytest.fixture
def fresh_id():
    return lambda prefix: f"{prefix}_{uuid.uuid4().hex[:10]}"


@pytest.fixture
def clinic(database, fresh_id):
    """The contract's example as it would stand today."""
    return load_clinic(database, fresh_id("clinic"))


@pytest.fixture
def second_clinic(database, fresh_id):
    organization = load_clinic(database, fresh_id("second"))
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO patients (organization_id, id, name) VALUES (%s, 'only_here', 'Only Here')",
                       (organization, ))
    return organization


def load_clinic(database, organization):
    with database.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
        shift = cursor.fetchone()[0] - EXAMPLE_NOW
    made = rows.parse_inserts((Path(__file__).parent / "example/rows.sql").read_text())
    for table in rows.TABLES:
        setattr(made, table, [moved(row, organization, shift) for row in getattr(made, table)])
    rows.write(database, made)
    return organization


def moved(row, organization, shift):
    values = row._asdict()
    for name, value in values.items():
        if name in rows.INSTANTS and value is not None:
            values[name] = value + shift
    values["organization_id" if "organization_id" in values else "id"] = organization
    return type(row)(**values)
