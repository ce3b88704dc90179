"""The notation of directed cases: short sequences about one organization, compared after each important step."""

import rows
from instants import DAY, day_of, instant, literal, midnight
from rows import uuid
from steps import LISTS, PERFORMANCE, SUMMARIES, TRENDS, Check, Everywhere, Write

NOW = instant("2025-06-30T12:00:00.5")
ID = "clinic"
COUNTS = SUMMARIES + PERFORMANCE + (TRENDS[1], LISTS[0])
CASES = []


def case(title):
    def register(write):
        CASES.append((title, write))
        return write
    return register


class Script:
    """Collects the steps of a case about one organization."""

    def __init__(self):
        self.steps, self.zone, self.count = [], "UTC", 0

    def clinic(self, zone="UTC", now=NOW, patients=("p1", "p2")):
        """Inserts the organization, and patients created 100 days before now."""
        self.zone = zone
        self.at(now)
        self.sql(rows.organization(ID, zone), *(rows.patient(ID, id, now - 100 * DAY) for id in patients))

    def sql(self, *statements):
        self.steps.append(Write("writer", statements))

    def transaction(self, *statements):
        self.sql("BEGIN", *statements)

    def second(self, *statements):
        self.steps.append(Write("other", statements))

    def at(self, now):
        self.now = now
        self.steps.append(Everywhere(f"SET reengagement.now = {literal(now)}"))

    def session_zone(self, zone):
        self.steps.append(Everywhere(f"SET TimeZone = '{zone}'"))

    def check(self, questions=COUNTS, way="both"):
        self.steps.append(Check(ID, way, questions))

    def look_at(self, *instants, questions=COUNTS):
        for now in instants:
            self.at(now)
            self.check(questions)

    def midnight(self, days_from_now):
        return midnight(day_of(self.now, self.zone) + days_from_now, self.zone)

    # Rows are numbered in the order in which they are inserted.

    def next(self):
        self.count += 1
        return self.count

    def appointment(self, starts, status, booked=None, patient="p1"):
        self.sql(rows.appointment(ID, f"a{self.next()}", patient, starts, status, starts - DAY if booked is None else booked))

    def booking(self, booked, patient="p1"):
        self.appointment(booked + 30 * DAY, "scheduled", booked, patient)

    def conversation(self, occurred, patient="p1"):
        self.sql(rows.conversation(ID, f"c{self.next()}", patient, occurred))

    def outreach(self, created, outcome="success", method="sms", patient="p1", number=None, opened=False):
        self.sql(rows.outreach(ID, uuid(number or self.next()), patient, method, outcome, created, opened))


def around(at):
    return at - 1, at, at + 1
