"""One stack in its own directory for the whole session. Each test has its own organizations."""

import os
import re
import tempfile
import uuid
from pathlib import Path

import psycopg2
import pytest

import rows
from asking import eventually
from stack import Frozen, Server, Stack, connect, run_sql

EXAMPLE_NOW = rows.instant("2025-06-30T12:00:00Z")


@pytest.fixture(scope="session")
def stack(directory):
    with Stack(directory / "main", LOG_LEVEL="trace", SECURITY_CONTACT="mailto:security@example.com").started() as made:
        yield made


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
    """A stack with its own PostgreSQL, which a test may stop."""
    with Stack(directory / f"fragile-{uuid.uuid4().hex[:6]}").started() as made:
        yield made


@pytest.fixture
def folder(directory):
    """Like pytest's `tmp_path`, but short enough for the path of a socket."""
    return Path(tempfile.mkdtemp(prefix="t.", dir=directory))


@pytest.fixture
def server_with(stack, folder):
    """Starts the binary with other variables. All servers are stopped at the end."""
    started = []

    def start(**environment):
        own = folder / str(len(started))
        own.mkdir()
        started.append(Server(stack, own, **environment))
        return started[-1].start()

    yield start
    running = [server for server in started if server.process]
    # Stop them in parallel. One that waits for an address may take ten seconds.
    for server in running:
        server.process.terminate()
    for server in running:
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
    """A database session for one test, which may change settings."""
    made = stack.connect()
    yield made
    made.close()


@pytest.fixture
def own_database(stack, database, fresh_id):
    """The URL of an empty database, which is dropped after the test."""
    name = fresh_id("own")
    with database.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        yield stack.database_url(name)

        def dropped():
            # PostgreSQL waits 5 s for terminated sessions, which may not be enough.
            try:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
            except psycopg2.errors.ObjectInUse:
                return False
            return True

        eventually(dropped)


@pytest.fixture
def login(database, fresh_id):
    """A login that only becomes the server's role.

    A test names it before `server_with`, so it outlives the server. Without it the stop takes ten seconds.
    """
    name = fresh_id("hostile")
    with database.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN; GRANT reengagement_api TO {name}")
        cursor.execute(f"GRANT CONNECT ON DATABASE reengagement TO {name}")
        yield name
        cursor.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture(scope="module")
def template(request):
    """The URL of a database with nothing but the schema."""
    given = os.environ.get("MARKS_TEMPLATE_URL")
    if given:
        yield given
        return
    stack, database = request.getfixturevalue("stack"), request.getfixturevalue("database")
    with database.cursor() as cursor:
        cursor.execute("CREATE DATABASE marks")
        url = stack.database_url("marks")
        run_sql("migrate", url)
        yield url
        cursor.execute("DROP DATABASE marks")


@pytest.fixture
def url(template, fresh_id):
    """The URL of a test's own database with nothing but the schema."""
    name = fresh_id("marks")
    named = lambda other: re.sub(r"///\w+\?", f"///{other}?", template)
    admin = connect(named("postgres"))
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {re.search(r'///(.+)[?]', template)[1]}")
        yield named(name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def fresh_id():
    return lambda prefix: f"{prefix}_{uuid.uuid4().hex[:10]}"


@pytest.fixture
def clinic(database, fresh_id):
    """The contract's example, moved to today."""
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
