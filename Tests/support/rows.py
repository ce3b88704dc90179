"""The source tables as plain rows: read from a database, parsed from the contract's example, or generated."""

import io
import re
from collections import namedtuple
from datetime import datetime, timedelta
from decimal import Decimal

from measures import rfc3339

Organization = namedtuple("Organization", "id name time_zone appointment_value")
PatientRow = namedtuple("PatientRow", "organization_id id name phone email treatment_notes created_at archived_at")
Appointment = namedtuple("Appointment", "organization_id id patient_id starts_at status value created_at")
Conversation = namedtuple("Conversation", "organization_id id patient_id occurred_at sentiment")
Outreach = namedtuple("Outreach", "organization_id id patient_id method outcome opened notes logged_by created_at")

# What the staff have said about an alert. Only the API writes it.
Word = namedtuple("Word", "organization_id patient_id critical_since number action until note logged_by created_at")

TABLES = {
    "organizations": Organization, "patients": PatientRow, "appointments": Appointment, "conversations": Conversation,
    "outreach_log": Outreach
}
INSTANTS = {"created_at", "archived_at", "starts_at", "occurred_at"}


class Rows:
    """All five tables. Instants are microseconds since 1970 UTC."""

    def __init__(self):
        self.organizations, self.patients, self.appointments = [], [], []
        self.conversations, self.outreach_log, self.words = [], [], []

    def organization(self, organization_id):
        return next((o for o in self.organizations if o.id == organization_id), None)

    def of(self, organization_id):
        ours = Rows()
        ours.organizations = [o for o in self.organizations if o.id == organization_id]
        for table in list(TABLES)[1:]:
            setattr(ours, table, [r for r in getattr(self, table) if r.organization_id == organization_id])
        ours.words = [w for w in self.words if w.organization_id == organization_id]
        return ours

    def extend(self, other):
        for table in TABLES:
            getattr(self, table).extend(getattr(other, table))


def read(connection, organization_id):
    """One organization's rows in one snapshot."""
    rows = Rows()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for table, kind in TABLES.items():
            columns = [
                f"(extract(epoch FROM {c}) * 1000000)::bigint" if c in INSTANTS else f"{c}::text" if
                (table, c) == ("outreach_log", "id") else c for c in kind._fields
            ]
            key = "id" if table == "organizations" else "organization_id"
            cursor.execute(f"SELECT {', '.join(columns)} FROM public.{table} WHERE {key} = %s", (organization_id, ))
            getattr(rows, table).extend(kind(*row) for row in cursor)
        # Days are ordinals, as in `measures`.
        columns = [
            f"(extract(epoch FROM {c}) * 1000000)::bigint" if c in INSTANTS else
            f"{c} - date '0001-01-01' + 1" if c in ("critical_since", "until") else c for c in Word._fields
        ]
        cursor.execute(f"SELECT {', '.join(columns)} FROM re.alert_acknowledgement WHERE organization_id = %s",
                       (organization_id, ))
        rows.words.extend(Word(*row) for row in cursor)
        cursor.execute("COMMIT")
    return rows


def write(connection, rows):
    """Loads generated rows by COPY, in one transaction. The connection must be in autocommit."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; SET LOCAL TIME ZONE 'UTC'")
        for table, kind in TABLES.items():
            lines = ("\t".join(copy_field(name, value) for name, value in zip(kind._fields, row)) + "\n"
                     for row in getattr(rows, table))
            cursor.copy_expert(f"COPY public.{table} ({', '.join(kind._fields)}) FROM STDIN",
                               io.BytesIO("".join(lines).encode()))
        cursor.execute("COMMIT")


def copy_field(name, value):
    if value is None:
        return r"\N"
    if name in INSTANTS:
        return timestamp(value)
    if isinstance(value, bool):
        return "t" if value else "f"
    text = str(value).replace("\\", "\\\\")
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def timestamp(instant):
    """A literal that PostgreSQL reads as exactly this instant."""
    return f"{rfc3339(instant)[:-1]}.{instant % 1_000_000:06d}+00"


def instant(text):
    """Microseconds of an RFC 3339 time in UTC, with at most six decimals."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = (datetime.fromisoformat(whole) - datetime(1970, 1, 1)) // timedelta(seconds=1)
    return seconds * 1_000_000 + int(fraction.ljust(6, "0") or 0)


TOKEN = re.compile(r"\s+|--[^\n]*|'(?P<text>(?:[^']|'')*)'|(?P<word>[\w.]+)|(?P<sign>[(),;])")
WORDS = {"NULL": None, "true": True, "false": False}


def parse_inserts(sql):
    """Reads the plain INSERT statements of the example."""
    rows, before, table, names, current = Rows(), None, None, None, []
    for token in TOKEN.finditer(sql):
        if token["text"] is not None:
            current.append(token["text"].replace("''", "'"))
        elif token["word"] == "VALUES":
            table, names = before, current
        elif token["word"]:
            current.append(WORDS.get(token["word"], token["word"]))
        elif token["sign"] == "(":
            before, current = current[-1:], []
        elif token["sign"] == ")" and names:
            getattr(rows, table[0]).append(row_of(table[0], dict(zip(names, current))))
        elif token["sign"] == ";":
            names, current = None, []
    return rows


def row_of(table, values):
    for name in values:
        if name in INSTANTS and values[name] is not None:
            values[name] = instant(values[name])
        if name in ("value", "appointment_value") and values[name] is not None:
            values[name] = Decimal(values[name])
    kind = TABLES[table]
    return kind(*(values.get(name) for name in kind._fields))
