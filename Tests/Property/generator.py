"""Random steps on several organizations. They depend on the seed alone, not on results of the database."""

from random import Random

import rows
from instants import HOUR, NOWS, ZONES, instant, literal
from rows import METHODS, OUTCOMES
from steps import (
    ALL,
    LEVELS,
    SORTS,
    STATUSES,
    TIERS,
    USUAL,
    Advance,
    Alerts,
    Check,
    Everywhere,
    Wanted,
    Write,
    from_recorded,
    quoted,
    walk,
)
from writes import NAMES, PATIENTS, SEARCHES, TABLES, Clinic, Writes

DERIVED = ("patient_state", "patient_search", "patient_count", "risk_day", "outreach_day")
SESSION_ZONES = ("UTC", "UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe")


class Generator(Writes):
    def __init__(self, seed):
        self.random = r = Random(seed)
        now = instant(r.choice(NOWS)) if r.random() < 0.7 else instant("2023-01-01T00:00:00") + r.randrange(1000 * 24) * HOUR + r.randrange(HOUR)
        zones = r.sample(ZONES, r.choice((1, 2, 2, 3)))
        self.clinics = [Clinic(r, f"o{i + 1}", zone, now) for i, zone in enumerate(zones)]
        self.is_other_busy = False

    def beginning(self):
        r = self.random
        yield self.to(self.clinics[0].edges.now)
        yield Everywhere(f"SET TimeZone = '{r.choice(SESSION_ZONES)}'")
        for clinic in self.clinics:
            yield Write("writer", (rows.organization(clinic.id, clinic.zone),))
            yield from self.contents(clinic)

    def contents(self, clinic):
        """The rows that a clinic begins with."""
        for write in [self.insert_patient] * 6 + [self.insert_appointment] * 12 + [self.insert_conversation] * 5 + [self.insert_outreach] * 8:
            yield Write("writer", (write(clinic),))

    def steps(self, number):
        """Yields this number of random steps that write or move now, with comparisons in between."""
        yield from self.beginning()
        kinds = (self.write, self.write, self.write, self.write, self.write, self.jump, self.jump, self.transaction, self.second_session,
                 self.background, self.post, self.rare, self.refresh_of_all, self.derived)
        for _ in range(number):
            yield from self.random.choice(kinds)(self.random.choice(self.clinics))
            if self.random.random() < 0.3:
                yield from self.alerts()
            if self.random.random() < 0.6:
                yield self.look(self.random.choice(self.clinics))
        if self.is_other_busy:
            yield Write("other", ("COMMIT",))
        for clinic in self.clinics:
            yield Alerts(clinic.id)
            yield Check(clinic.id, "both", ALL)
            yield Check(clinic.id, "deep", ())

    def write(self, clinic):
        yield Write("writer", (self.one_write(clinic),))

    def jump(self, clinic):
        yield self.to(clinic.edges.jump())

    def to(self, now):
        for clinic in self.clinics:
            clinic.edges.now = now
        return Everywhere(f"SET reengagement.now = {literal(now)}")

    def transaction(self, clinic):
        yield Write("writer", ("BEGIN", *self.some_writes(clinic), self.end()))

    def some_writes(self, clinic):
        r, writes = self.random, []
        for _ in range(r.randint(1, 4)):
            writes.append(self.one_write(clinic))
        if r.random() < 0.5:
            writes += ["SAVEPOINT s", self.one_write(clinic), r.choice(("ROLLBACK TO s", "ROLLBACK TO s", "RELEASE s"))]
        if r.random() < 0.3:
            writes.append(self.one_write(clinic))
        return writes

    def end(self):
        return self.random.choice(("COMMIT", "COMMIT", "ROLLBACK"))

    def second_session(self, clinic):
        """Opens a transaction that stays open during other steps, or ends it."""
        if self.is_other_busy:
            self.is_other_busy = False
            yield Write("other", (self.end(),))
        else:
            self.is_other_busy = True
            yield Write("other", ("BEGIN", self.one_write(clinic)))

    def background(self, clinic):
        yield Advance(clinic.id, self.random.choice((1, 2, 3, 7, 1000)), self.random.choice((1, 1, 2, 50)))

    def post(self, clinic):
        r = self.random
        clinic.edges.keep(clinic.edges.now)
        outcome = r.choice(OUTCOMES)
        if outcome == "success":
            clinic.edges.successes.append(clinic.edges.now)
        key = quoted(r.choice((None, None, "k1", "k2")))
        yield Write("writer", (
            "BEGIN", "SET LOCAL ROLE reengagement_api", f"SET LOCAL reengagement.organization = {quoted(clinic.id)}",
            f"SELECT re.log_outreach({quoted(clinic.id)}, {quoted(clinic.some_patient())}, {quoted(r.choice(METHODS))}, {quoted(outcome)}, "
            f"{quoted(r.random() < 0.4)}, {quoted(r.choice(NAMES))}, 'user_1', {key})", "COMMIT"))

    def look(self, clinic):
        r = self.random
        way = r.choices(("both", "dispatcher", "flat", "operator", "repeatable", "read_only", "one_transaction", "uncommitted", "deep"),
                        (6, 6, 4, 1, 1, 1, 1, 1, 0.6))[0]
        if way == "deep":
            return Check(clinic.id, way, ())
        questions = tuple(r.sample(USUAL + ALL, 4)) + (self.random_page(clinic), from_recorded(self.wanted(), r.choice((1, 3, 200)), r.randrange(1000)),
                                                       walk(self.wanted(), r.choice((1, 2, 3, 5)), 6))
        within = (*self.some_writes(clinic), self.end()) if way == "uncommitted" else ()
        return Check(clinic.id, way, tuple(r.sample(questions, 5)), within)

    def wanted(self):
        r = self.random
        one = r.choice((("level", LEVELS), ("status", STATUSES), ("priority", (1, 2, 3, 4)), ("tier", TIERS), (None, ())))
        two = r.choice((("status", STATUSES), ("tier", TIERS), (None, ()), (None, ())))
        return Wanted(**{name: r.choice(values) for name, values in (one, two) if name}, q=r.choice((None, None, r.choice(SEARCHES))),
                      sort=r.choice(SORTS), notes=r.random() < 0.3)

    def random_page(self, clinic):
        """Returns a page after a position at which there may be no patient, or cannot be one."""
        r = self.random
        wanted, id = self.wanted(), r.choice(PATIENTS + ("", "zz"))
        place = (None, None, None, r.choice(SEARCHES + ("", "john", "l")), id) if wanted.sort == "name" else (
            r.choice((0, 1, 2, 3, 4, 5)), r.choice((r.randint(0, 100), 75, 60, 40, -1, 101)),
            r.choice((r.randint(0, 100), 0, 30, 45, 90, 300, 800_000, 2**31 - 1)), None, id)
        return wanted.page(r.choice((1, 2, 10, 200)), place)

    def alerts(self):
        r = self.random
        return [Alerts(clinic.id, r.choice((1_000_000, 1_000_000, 1_000_000, 1, 2, 7))) for clinic in r.sample(self.clinics, len(self.clinics))]

    def refresh_of_all(self, clinic):
        """Yields a transaction that deletes all patients and inserts them again, as a nightly import does."""
        here = f"WHERE organization_id = {quoted(clinic.id)}"
        yield Write("writer", ("BEGIN", f"CREATE TEMPORARY TABLE stored ON COMMIT DROP AS SELECT * FROM public.patients {here}",
                               f"DELETE FROM public.patients {here}", "INSERT INTO public.patients SELECT * FROM stored", self.end()))

    def derived(self, clinic):
        """Yields writes to the derived rows and to the notices, as an operator, a migration or time makes them."""
        r, here = self.random, f"WHERE organization_id = {quoted(clinic.id)}"
        kind = r.choice(("rebuild", "rebuild", "empty", "old", "skip"))
        # The end of the first build must have been seen, and every notice that is dropped.
        yield from self.alerts()
        if kind == "rebuild":
            yield Write("writer", (f"INSERT INTO re.pending_change (organization_id) VALUES ({quoted(clinic.id)})",))
        elif kind == "empty":
            yield Write("writer", ("BEGIN", f"SELECT FROM re.organization_state {here} FOR UPDATE", *(f"DELETE FROM re.{table} {here}" for table in DERIVED),
                                   f"UPDATE re.organization_state SET building_after = '', built_at = NULL, generation = generation + 1 {here}",
                                   "COMMIT"))
        else:
            yield Write("writer", ("SELECT re.skip_notices()" if kind == "skip" else
                                   f"UPDATE re.notice SET written_at = written_at - interval '31 days' {here} AND sequence <= "
                                   f"(SELECT sequence - {r.choice((0, 1, 3, 20))} FROM re.announcement {here})",))

    def rare(self, clinic):
        """Yields writes to a whole table or organization."""
        r, id = self.random, quoted(clinic.id)
        bulk = (self.bulk_appointments, self.bulk_patients, self.copy)
        kind = r.choice((*bulk, None, None))
        if kind:
            yield Write("writer", (kind(clinic),))
            return
        # A TRUNCATE waits for every reader and writer, so the other session's transaction must end first.
        yield Write("other", ("COMMIT",) if self.is_other_busy else ())
        self.is_other_busy = False
        yield Write("writer", (r.choice((
            f"DELETE FROM public.organizations WHERE id = {id}",
            rows.organization(clinic.id, clinic.zone, appointment_value="10.00"),
            "TRUNCATE public." + r.choice(TABLES[1:]),
            "TRUNCATE public.patients CASCADE", "TRUNCATE public.organizations CASCADE",
            f"UPDATE public.organizations SET id = {id} WHERE id = {id}",
            "ANALYZE",
            f"DELETE FROM public.patients WHERE organization_id = {id} AND id < 'p4'")),))
        if r.random() < 0.7:
            yield Write("writer", (rows.organization(clinic.id, clinic.zone),))
            for write in [self.insert_patient] * 4 + [self.insert_outreach, self.insert_appointment] * 3:
                yield Write("writer", (write(clinic),))
