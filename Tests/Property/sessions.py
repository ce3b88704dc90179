"""The sessions in which a sequence runs, and a way to empty their database."""

import io

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from steps import quoted

# Errors that a write may have: a violated constraint, a failed transaction or its savepoint, another writer's lock.
EXPECTED = ("23", "25", "3B001", "40", "55P03")
# Short, because one thread drives both writers and would wait for itself.
WRITERS_LOCK_TIMEOUT = "100ms"
SOURCES = ("organizations", "patients", "appointments", "conversations", "outreach_log")


class Unexpected(Exception):
    """A statement failed with an error that is not expected."""


class Session:
    def __init__(self, url, **settings):
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.prepared = set()
        for name, value in {"jit": "off", "client_min_messages": "error", "statement_timeout": "30s", **settings}.items():
            self.run(f"SET {name} = {quoted(value)}")

    def run(self, statement):
        """Returns the rows, or None for a statement without rows."""
        try:
            if statement.startswith("COPY"):
                head, _, data = statement.partition("\n")
                return self.cursor.copy_expert(head, io.StringIO(data))
            self.cursor.execute(statement)
            return self.cursor.fetchall() if self.cursor.description else None
        except psycopg2.Error as error:
            error.statement = statement
            raise

    def is_idle(self):
        return self.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE

    def try_to(self, statement):
        """Runs a write that may be refused, and returns whether it was accepted."""
        try:
            self.run(statement)
            return True
        except psycopg2.Error as error:
            # TRUNCATE in a transaction with an old snapshot may be refused with this code.
            expected = EXPECTED + (("0A000",) if statement.startswith("TRUNCATE") else ())
            if not (error.pgcode or "").startswith(expected):
                raise Unexpected(f"{error.pgcode} {error}in: {statement}") from error
            return False

    def execute_prepared(self, name, body, types, arguments):
        """Prepares the statement once and reuses its plan, as the server does."""
        if name not in self.prepared:
            self.run(f"PREPARE {name}{types} AS {body}")
            self.prepared.add(name)
        return self.run(f"EXECUTE {name}({', '.join(map(quoted, arguments))})" if arguments else f"EXECUTE {name}")

    def close(self):
        self.connection.close()


class Reader(Session):
    """A session with the server's role, bound to one organization at a time."""

    def __init__(self, url, role):
        # The planner uses indexes, as in the functions that the server calls.
        super().__init__(url, lock_timeout="5s", plan_cache_mode="force_generic_plan", enable_seqscan="off")
        self.run(f'SET ROLE "{role}"')
        self.bound_to = None

    def bind(self, organization):
        if organization != self.bound_to:
            self.run(f"SET reengagement.organization = {quoted(organization)}")
            self.bound_to = organization

    def advance(self, organization, most):
        """Returns refreshed, remaining and busy."""
        self.bind(organization)
        return self.execute_prepared("advance", "SELECT a.* FROM re.advance($1, $2) a", "(text, integer)", (organization, most))[0]


class Sessions:
    def __init__(self, url, role="reengagement_api"):
        self.url, self.role = url, role
        self.writer = Session(url, lock_timeout=WRITERS_LOCK_TIMEOUT, plan_cache_mode="force_generic_plan")
        self.other = Session(url, lock_timeout=WRITERS_LOCK_TIMEOUT)
        self.reader = Reader(url, role)
        self.all = (self.writer, self.other, self.reader)
        # The audit is not included: it is append-only, and no query of the API reads it.
        self.derived = [name for name, in self.writer.run("""
            SELECT DISTINCT table_name::text FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 're' AND column_name = 'organization_id' AND table_type = 'BASE TABLE'
                AND table_name NOT LIKE 'audit%' ORDER BY 1""")]

    def reset(self):
        """Deletes a sequence's rows and resets the sessions' settings."""
        for session in self.all:
            if not session.is_idle():
                session.run("ROLLBACK")
            # With a moving now, results would differ for that reason alone.
            session.run("SET reengagement.now = '2025-06-30 12:00:00Z'; RESET TimeZone")
        # Autovacuum may hold a lock on a table, and releases it only after a second.
        self.writer.run("SET lock_timeout = '20s'")
        self.writer.run("TRUNCATE " + ", ".join(f"public.{table}" for table in SOURCES))
        self.writer.run("TRUNCATE " + ", ".join(f're."{table}"' for table in self.derived))
        self.writer.run(f"SET lock_timeout = '{WRITERS_LOCK_TIMEOUT}'")

    def close(self):
        for session in self.all:
            session.close()
