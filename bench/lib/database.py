"""Connections with the server's settings, and an operator's connection that sees all organizations."""

import time
from contextlib import contextmanager

import psycopg2
import psycopg2.errors
import psycopg2.extras

SERVER_ROLE = "reengagement_api"
# The settings of Sources/PostgreSQL/ConnectionParameters.swift.
SERVER_SETTINGS = {"role": SERVER_ROLE, "plan_cache_mode": "force_generic_plan", "jit": "off",
                   "search_path": "pg_catalog", "TimeZone": "UTC", "DateStyle": "ISO"}
SERVER_OPTIONS = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())


class Database:

    def __init__(self, url, options=""):
        self.connection = psycopg2.connect(url, options=options)
        self.connection.autocommit = True
        self.prepared = set()

    def rows(self, sql, arguments=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql, arguments=None):
        return self.rows(sql, arguments)[0][0]

    def execute(self, sql, arguments=None):
        """The number of affected rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.rowcount

    def bind(self, organization):
        self.rows("SELECT set_config('reengagement.organization', %s, false)", (organization,))

    def call(self, function, types, arguments):
        """All rows, as named tuples, of a function of schema re by a prepared statement, and the milliseconds."""
        if function not in self.prepared:
            placeholders = ", ".join(f"${i + 1}" for i in range(len(types)))
            self.execute(f"PREPARE {function} ({', '.join(types)}) AS SELECT * FROM re.{function}({placeholders})")
            self.prepared.add(function)
        with self.connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
            began = time.perf_counter()
            cursor.execute(f"EXECUTE {function} ({', '.join(['%s'] * len(types))})", tuple(arguments))
            found = cursor.fetchall()
        return found, (time.perf_counter() - began) * 1000

    @contextmanager
    def one_snapshot(self):
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self.execute("ROLLBACK")

    @contextmanager
    def transaction(self):
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    @contextmanager
    def at_most(self, seconds):
        """Yields a list. It is not empty afterwards if a statement timed out."""
        given_up = []
        self.execute(f"SET statement_timeout = {int(seconds * 1000)}")
        try:
            yield given_up
        except psycopg2.errors.QueryCanceled:
            given_up.append(True)
        finally:
            self.execute("SET statement_timeout = 0")
