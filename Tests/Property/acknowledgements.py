"""Compares who has acknowledged each alert with a second implementation of the contract's rules (alerts.md, section 1)."""

from collections import Counter
from datetime import date
from typing import NamedTuple

from asking import Mismatch
from instants import day_of
from steps import Question, quoted

ZONE_AND_NOW = """SELECT coalesce((SELECT stored.time_zone FROM public.organizations stored WHERE stored.id = $1), 'UTC'),
    (extract(epoch FROM re.now()) * 1000000)::bigint"""
WORDS = """SELECT patient_id, critical_since, (extract(epoch FROM created_at) * 1000000)::bigint, number, action, until, note, logged_by
    FROM re.alert_acknowledgement WHERE organization_id = $1"""
ATTEMPTS = """SELECT patient_id, (extract(epoch FROM created_at) * 1000000)::bigint, id::text, logged_by
    FROM public.outreach_log WHERE organization_id = $1"""
PATIENTS = "SELECT patient_id, last_contact_day FROM public.patient_reengagement_master_view WHERE organization_id = $1"
FOUND = """SELECT key.patient, key.since, found.by, (extract(epoch FROM found.at) * 1000000)::bigint, found.until, found.note
    FROM unnest({patients}::text[], {days}::date[]) key(patient, since)
    LEFT JOIN LATERAL re.acknowledgement({organization}, key.patient, key.since) found ON true"""
STORED = """SELECT patient_id, last_contact_day + 45, acknowledged_by, (extract(epoch FROM acknowledged_at) * 1000000)::bigint,
        acknowledged_until, acknowledgement_note
    FROM re.patient_state WHERE organization_id = $1 AND risk_group IS NOT NULL"""
COUNTED = """SELECT last_contact_day, sum(acknowledged)::int FROM re.patient_count
    WHERE organization_id = $1 AND last_contact_day > '-infinity' GROUP BY last_contact_day HAVING sum(acknowledged) <> 0"""
OPEN = (None, None, None, None)


class Word(NamedTuple):
    patient: str
    since: date
    at: int
    number: int
    action: str
    until: date
    note: str
    by: str


class Attempt(NamedTuple):
    patient: str
    at: int
    id: str
    by: str
    day: date


def acknowledgement(words, attempts, now, today):
    """Returns by, at, until and note of an alert, from the words on it and the attempts since it began."""
    said = [word for word in words if word.at <= now]
    last = max(said, key=lambda word: (word.at, word.number)) if said else None
    if last and last.action == "acknowledge" and (last.until is None or today < last.until):
        return last.by, last.at, last.until, last.note
    made = [attempt for attempt in attempts if attempt.at <= now and (
        last is None or (attempt.at > last.at if last.action == "reopen" else attempt.day >= last.until))]
    if not made:
        return OPEN
    first = min(made, key=lambda attempt: (attempt.at, attempt.id))
    return first.by, first.at, None, ""


class Acknowledgements:
    def __init__(self, sessions):
        self.sessions, self.comparisons = sessions, 0

    def ask(self, name, statement, organization):
        return self.sessions.writer.execute_prepared(name, statement, "(text)", (organization,))

    def check(self, organization, is_current):
        """Compares the function's result for each alert, and the stored ones if the derived rows are current."""
        [(zone, now)] = self.ask("alerts_zone", ZONE_AND_NOW, organization)
        words = [Word(*row) for row in self.ask("alerts_words", WORDS, organization)]
        attempts = [Attempt(*row, date.fromordinal(day_of(row[1], zone))) for row in self.ask("alerts_attempts", ATTEMPTS, organization)]
        today = date.fromordinal(day_of(now, zone))
        alerts = {patient: date.fromordinal(day.toordinal() + 45) for patient, day in self.ask("alerts_days", PATIENTS, organization)}

        def expected(patient, since):
            return acknowledgement([word for word in words if (word.patient, word.since) == (patient, since)],
                                   [attempt for attempt in attempts if attempt.patient == patient and attempt.day >= since], now, today)

        keys = sorted({*alerts.items(), *((word.patient, word.since) for word in words)})
        wanted = {key: expected(*key) for key in keys}
        self.compare(organization, "re.acknowledgement", self.found(organization, keys), wanted)
        if is_current:
            stored = {(row[0], row[1]): tuple(row[2:]) for row in self.ask("alerts_stored", STORED, organization)}
            self.compare(organization, "stored acknowledgements", stored, {key: wanted[key] for key in alerts.items()})
            counted = dict(self.ask("alerts_counted", COUNTED, organization))
            number = Counter(date.fromordinal(since.toordinal() - 45) for patient, since in alerts.items()
                             if wanted[patient, since] != OPEN)
            self.compare(organization, "counted acknowledgements", counted, dict(number))

    def found(self, organization, keys):
        statement = FOUND.format(
            organization=quoted(organization), patients=f"ARRAY[{', '.join(quoted(patient) for patient, _ in keys)}]",
            days=f"ARRAY[{', '.join(quoted(since) for _, since in keys)}]")
        return {(row[0], row[1]): tuple(row[2:]) for row in self.sessions.writer.run(statement)}

    def compare(self, organization, what, found, wanted):
        self.comparisons += 1
        if found != wanted:
            raise Mismatch(organization, "alerts", Question(what), text(found, wanted), text(wanted, found))


def text(values, others):
    return "\n".join(f"{key}: {value}" for key, value in values.items() if others.get(key) != value)
