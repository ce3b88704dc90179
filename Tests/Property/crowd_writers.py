"""Writers that run at the same time. Each records by how much it changes the three figures that readers check."""

import time
from contextlib import ExitStack

import psycopg2

import rows
from instants import DAY, HOUR, instant, literal
from rows import METHODS, OUTCOMES, uuid
from steps import quoted

BUSY, QUIET = "busy", "quiet"
NOW = instant("2025-06-30T12:00:00.5")
PATIENTS = tuple(f"p{number}" for number in range(12))
# Errors that are expected: violated constraints, and conflicts with other writers.
REFUSED = ("23", "40", "55P03")


def writing(shared, number, random):
    writer = Writer(shared, number, random)
    while not shared.over.is_set():
        with shared.gate.passing():
            writer.act()
        time.sleep(random.choice((0, 0.001, 0.005, 0.02)))


class Writer:
    def __init__(self, shared, number, random):
        self.shared, self.number, self.random = shared, number, random
        self.session = shared.session(lock_timeout="2s")
        self.made, self.attempts, self.patients, self.archived = 0, [], [], []

    def act(self):
        self.random.choice((
            self.attempt, self.attempt, self.post, self.bulk, self.remove, self.move, self.missed, self.missed, self.patient, self.patient,
            self.gone, self.archive, self.restore, self.rolled_back, self.savepoint, self.slowly, self.organization, self.quiet, self.quiet))()
        self.shared.count("writes")

    def commit(self, *statements, **changes):
        """Runs the statements in one transaction, and returns whether it committed."""
        isolation = self.random.choice(("READ COMMITTED",) * 6 + ("REPEATABLE READ", "SERIALIZABLE"))
        begin = [f"BEGIN ISOLATION LEVEL {isolation}"] if len(statements) > 1 else []
        try:
            with ExitStack() as stack:
                for figure, by in changes.items():
                    stack.enter_context(self.shared.tallies[figure].change(by))
                for statement in (*begin, *statements, *(["COMMIT"] if begin else [])):
                    self.session.run(statement)
            return True
        except psycopg2.Error as error:
            if not self.session.is_idle():
                self.session.run("ROLLBACK")
            if (error.pgcode or "").startswith(REFUSED):
                return False
            raise

    def id(self):
        self.made += 1
        return self.number * 1_000_000 + self.made

    def some(self):
        return self.random.choice(PATIENTS)

    def past(self):
        return NOW - self.random.randrange(80 * DAY)

    def an_attempt(self, id):
        r = self.random
        return rows.outreach(BUSY, uuid(id), self.some(), r.choice(METHODS), r.choice(OUTCOMES), self.past(), r.random() < 0.5)

    def attempt(self):
        id = self.id()
        if self.commit(self.an_attempt(id), attempts=1):
            self.attempts.append(id)

    def post(self):
        self.commit(f"SET LOCAL ROLE {self.shared.role}", f"SET LOCAL reengagement.organization = '{BUSY}'",
                    f"SELECT re.log_outreach('{BUSY}', '{self.some()}', 'sms', 'success', false, '', 'user_1', NULL)", attempts=1)

    def bulk(self):
        number, at = self.random.choice((10, 40)), literal(self.past())
        self.commit("INSERT INTO public.outreach_log (organization_id, patient_id, method, outcome, logged_by, created_at) "
                    f"SELECT '{BUSY}', 'p' || i % {len(PATIENTS)}, 'email', 'failed', 'bulk', {at}::timestamptz "
                    f"FROM generate_series(1, {number}) i", attempts=number)

    def remove(self):
        if self.attempts:
            id = self.attempts.pop()
            if not self.commit(f"DELETE FROM public.outreach_log WHERE organization_id = '{BUSY}' AND id = '{uuid(id)}'", attempts=-1):
                self.attempts.append(id)

    def move(self):
        if self.attempts:
            id = uuid(self.random.choice(self.attempts))
            self.commit(f"UPDATE public.outreach_log SET patient_id = '{self.some()}' WHERE organization_id = '{BUSY}' AND id = '{id}'")

    def missed(self):
        id, at = f"a{self.id()}", NOW - self.random.randrange(10 * DAY)
        if self.random.random() < 0.5:
            self.commit(rows.appointment(BUSY, id, self.some(), at, "no_show", at - HOUR), missed=1)
        elif self.commit(rows.appointment(BUSY, id, self.some(), at, "scheduled", self.past())):
            self.commit(f"UPDATE public.appointments SET status = 'late_cancelled' WHERE organization_id = '{BUSY}' AND id = '{id}'", missed=1)

    def patient(self):
        id = f"x{self.id()}"
        if len(self.patients) < 10 and self.commit(rows.patient(BUSY, id, self.past()), patients=1):
            self.patients.append(id)

    def gone(self):
        if self.patients:
            id = self.patients.pop(0)
            if not self.commit(f"DELETE FROM public.patients WHERE organization_id = '{BUSY}' AND id = '{id}'", patients=-1):
                self.patients.append(id)

    def archive(self):
        self.exchange(self.patients, self.archived, literal(NOW), -1)

    def restore(self):
        self.exchange(self.archived, self.patients, "NULL", 1)

    def exchange(self, source, target, archived_at, by):
        if source:
            id = source.pop()
            change = f"UPDATE public.patients SET archived_at = {archived_at} WHERE organization_id = '{BUSY}' AND id = '{id}'"
            done = self.commit(change, patients=by)
            (target if done else source).append(id)

    def rolled_back(self):
        self.session.run("BEGIN")
        self.session.run(self.an_attempt(self.id()))
        time.sleep(self.random.choice((0, 0.003)))
        self.session.run("ROLLBACK")

    def savepoint(self):
        id = self.id()
        if self.commit("SAVEPOINT s", self.an_attempt(self.id()), "ROLLBACK TO s", self.an_attempt(id), attempts=1):
            self.attempts.append(id)

    def slowly(self):
        """Keeps a transaction open long enough for other sessions to read and refresh."""
        at = NOW - DAY
        self.commit(self.an_attempt(self.id()), f"SELECT pg_sleep({self.random.choice((0.002, 0.01, 0.05))})",
                    rows.appointment(BUSY, f"a{self.id()}", self.some(), at, "no_show", at - HOUR), attempts=1, missed=1)

    def organization(self):
        change = f"appointment_value = {self.random.randrange(100)}, name = {quoted(str(self.id()))}"
        self.commit(f"UPDATE public.organizations SET {change} WHERE id = '{BUSY}'")

    def quiet(self):
        """Writes to the organization without watched figures, where any change is allowed."""
        r, here = self.random, f"WHERE organization_id = '{QUIET}'"
        self.commit(r.choice((
            f"UPDATE public.organizations SET time_zone = '{r.choice(('UTC', 'Europe/London', 'Australia/Lord_Howe'))}' WHERE id = '{QUIET}'",
            f"UPDATE public.conversations SET patient_id = '{self.some()}' {here} AND patient_id = '{self.some()}'",
            f"UPDATE public.conversations SET occurred_at = occurred_at - interval '1 hour' {here}",
            f"DELETE FROM public.conversations {here} AND patient_id = '{self.some()}'",
            rows.conversation(QUIET, f"c{self.id()}", self.some(), self.past()),
            rows.conversation(QUIET, f"c{self.id()}", self.some(), self.past()),
            f"UPDATE public.conversations SET occurred_at = occurred_at {r.choice('+-')} interval '40 days' {here} AND patient_id = '{self.some()}'",
            f"UPDATE public.patients SET archived_at = {r.choice(('NULL', literal(NOW)))} {here} AND id = '{self.some()}'",
            "INSERT INTO public.patients (organization_id, id, name, created_at) "
            f"SELECT '{QUIET}', 'due' || i, 'Due', {literal(NOW - r.choice((44, 45, 60)) * DAY)} "
            f"FROM generate_series(1, {r.choice((20, 21))}) i ON CONFLICT DO NOTHING",
            f"DELETE FROM public.patients {here} AND id LIKE 'due%'",
            "INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, action, logged_by, created_at) "
            f"SELECT organization_id, patient_id, critical_since, 'acknowledge', 'user_1', {literal(NOW)} "
            f"FROM public.patient_reengagement_master_view {here} AND critical_since IS NOT NULL LIMIT 1",
            rows.appointment(QUIET, f"a{self.id()}", self.some(), self.past(), "no_show", self.past()),
            rows.outreach(QUIET, uuid(self.id()), self.some(), "phone", "success", self.past()),
            f"DELETE FROM public.patients {here} AND id = 'p11'",
            rows.patient(QUIET, "p11", self.past()))))
