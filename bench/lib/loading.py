"""Loads organizations of each size in sets, with triggers, and builds their derived data."""

import json
import time
from pathlib import Path

from stack import say

CHUNK = 25_000  # patients a transaction
BUILD_CHUNK = 1000  # patients in one advance, as in the server's background work
# The insert order of each table: a patient's rows are as scattered as after years of writes.
ARRIVAL = {"patients": "created_at", "appointments": "created_at", "conversations": "occurred_at", "outreach": "created_at"}
COLUMNS = {
    "patients": "organization_id, id, name, phone, email, treatment_notes, created_at, archived_at",
    "appointments": "organization_id, id, patient_id, starts_at, status, value, created_at",
    "conversations": "organization_id, id, patient_id, occurred_at, sentiment",
    "outreach": "organization_id, id, patient_id, method, outcome, opened, notes, logged_by, created_at",
}


def organization_of(size):
    return f"org_scale_{size}"


class Progress:
    """Prints a line every few seconds, and one at the end."""

    def __init__(self, what, total, unit):
        self.what, self.total, self.unit = what, total, unit
        self.began = self.said = time.monotonic()
        self.over = False

    def seconds(self):
        return max(time.monotonic() - self.began, 1e-6)

    def line(self, done, counted):
        now = time.monotonic()
        if self.over or now - self.said < 5 and done < self.total:
            return
        self.said, self.over = now, done >= self.total
        say(f"  {self.what}: {done:,} of {self.total:,} patients, {counted / self.seconds():,.0f} {self.unit}/s, "
            f"{self.seconds():.0f} s")


def prepare(database):
    if not database.value("SELECT to_regnamespace('bench') IS NOT NULL"):
        database.execute((Path(__file__).parent / "generate.sql").read_text())


def enable_triggers(operator, table):
    """Restores each trigger's mode. USER would make the triggers for replicated rows fire for every writer."""
    operator.execute(f"ALTER TABLE public.{table} ENABLE TRIGGER USER, ENABLE REPLICA TRIGGER mark_replicated,"
                     " ENABLE ALWAYS TRIGGER mark_truncated")


def tidy(operator, server_role, size):
    """Deletes the rows of an interrupted run in a reused directory, with triggers."""
    organization = organization_of(size)
    for table in ("appointments", "outreach_log"):
        enable_triggers(operator, table)
    operator.execute("DELETE FROM public.appointments WHERE organization_id = %s AND id LIKE 'import\\_%%'",
                     (organization,))
    operator.execute("DELETE FROM public.outreach_log WHERE organization_id = %s AND logged_by = 'user_bench'",
                     (organization,))
    build(server_role, size)


def is_loaded(database, size):
    return database.value("SELECT count(*) FROM public.patients WHERE organization_id = %s",
                          (organization_of(size),)) == size


def load(database, size):
    """Rows and seconds."""
    organization, rows = organization_of(size), 0
    database.execute("INSERT INTO public.organizations (id, name, time_zone) SELECT %s, %s, time_zone FROM bench.clock",
                     (organization, f"Clinic of {size:,}"))
    progress = Progress(f"loading {organization}", size, "rows")
    for first in range(1, size + 1, CHUNK):
        last = min(first + CHUNK - 1, size)
        with database.transaction():
            for source, columns in COLUMNS.items():
                table = "outreach_log" if source == "outreach" else source
                rows += database.execute(
                    f"INSERT INTO public.{table} ({columns}) SELECT {columns} FROM bench.{source}(%s, %s, %s) ORDER BY {ARRIVAL[source]}",
                    (organization, first, last),
                )
        progress.line(last, rows)
    seconds = progress.seconds()
    # Replaces autovacuum, which would come a minute later: a build reuses its first plans.
    for table in ("patients", "appointments", "conversations", "outreach_log"):
        database.execute(f"ANALYZE public.{table}")
    return {"rows": rows, "seconds": seconds}


def build(database, size):
    """Builds derived data by repeated advances, like the server's background work. Returns patients and seconds."""
    organization, refreshed, worked = organization_of(size), 0, time.monotonic()
    database.bind(organization)
    progress = Progress(f"building {organization}", size, "patients")
    while True:
        number, remaining = database.rows("SELECT refreshed, remaining FROM re.advance(%s, %s)",
                                          (organization, BUILD_CHUNK))[0]
        refreshed += number
        worked = time.monotonic() if number else worked
        progress.line(min(refreshed, size), refreshed)
        if not remaining and database.value("SELECT re.is_current(%s)", (organization,)):
            return {"patients": refreshed, "seconds": progress.seconds()}
        if time.monotonic() - worked > 60:
            raise SystemExit(f"error: {organization} has nothing to do and is not current")


def load_all(operator, server_role, sizes):
    """The duration of loading each size. A reused directory has the durations of its first run."""
    prepare(operator)
    for size in sizes:
        if is_loaded(operator, size):
            say(f"  {organization_of(size)} is already loaded")
            tidy(operator, server_role, size)
            continue
        took = {"load": load(operator, size), "build": build(server_role, size)}
        operator.execute("INSERT INTO bench.loading VALUES (%s, %s)", (size, json.dumps(took)))
    settle(operator)
    return dict(operator.rows("SELECT patients, took FROM bench.loading WHERE patients = ANY (%s) ORDER BY 1",
                              (list(sizes),)))


def settle(operator):
    """Updates statistics and visibility like autovacuum, and leaves no dirty pages."""
    for table in operator.rows("""
            SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
            WHERE schemaname = 're' OR (schemaname = 'public' AND tablename IN
                ('organizations', 'patients', 'appointments', 'conversations', 'outreach_log'))"""):
        operator.execute(f"VACUUM (ANALYZE) {table[0]}")
    operator.execute("CHECKPOINT")
