"""Readers and background refreshes that run at the same time as the writers."""

import json
import time

from asking import ask, ask_both, difference
from crowd_writers import BUSY, NOW, QUIET
from steps import EVERYBODY, FIRST, LISTS, PERFORMANCE, SUMMARIES, TRENDS, Wanted

QUESTIONS = SUMMARIES + PERFORMANCE + TRENDS[:2] + LISTS[:1] + (
    EVERYBODY.page(3, FIRST), Wanted(sort="name", notes=True).page(5, FIRST), Wanted(status="active", q="pat", sort="last_contact").page(200, FIRST))
# Each figure has two queries, which read different derived rows.
FIGURES = (("attempts", "SELECT outreach_attempts FROM re.performance($1, 'last_90_days')"),
           ("attempts", "SELECT sum(outreach_attempts)::bigint FROM re.trends($1, 90)"),
           ("patients", "SELECT max(total_patients) FROM re.dashboard($1)"),
           ("patients", "SELECT count(id) FROM re.prioritized_patients($1, NULL, NULL, NULL, NULL, NULL, "
            "'priority', false, 200, NULL, NULL, NULL, NULL, NULL)"),
           ("missed", "SELECT missed_appointments_14d FROM re.risk_metrics($1)"))


SUM = """SELECT re.is_current($1), announcement.baseline + coalesce((
        SELECT sum(CASE notice.kind WHEN 'critical' THEN notice.number ELSE -notice.number END)
        FROM re.notice WHERE notice.organization_id = $1), 0),
    (SELECT count(*) FROM public.patient_reengagement_master_view WHERE organization_id = $1 AND critical_since IS NOT NULL)
    FROM re.announcement WHERE announcement.organization_id = $1"""
# The notices after a number, and the number of the last, in one snapshot.
AFTER = """SELECT announcement.sequence, ARRAY(
        SELECT json_build_array(notice.sequence, notice.kind, notice.patient_id)::text FROM re.notice
        WHERE notice.organization_id = $1 AND notice.sequence > $2 ORDER BY notice.sequence)
    FROM re.announcement WHERE announcement.organization_id = $1"""


class Reading:
    def __init__(self, shared, clock, random):
        self.shared, self.random, self.reader = shared, random, shared.reader(clock)

    @classmethod
    def loop(cls, shared, clock, random):
        reading = cls(shared, clock, random)
        ways = [reading.in_one_statement, reading.in_one_snapshot, reading.one_piece, reading.alerts, reading.alerts]
        ways += [reading.acknowledged] * 3 * (clock == NOW)
        while not shared.over.is_set():
            random.choice(ways)()
            time.sleep(random.choice((0, 0, 0.002)))

    def acknowledged(self):
        """A read must include each write acknowledged before it began, and no write that began after it ended."""
        self.reader.bind(BUSY)
        number = self.random.randrange(len(FIGURES))
        figure, body = FIGURES[number]
        tally = self.shared.tallies[figure]
        before = tally.before()
        value = self.reader.execute_prepared(f"figure{number}", body, "(text)", (BUSY,))[0][0]
        least, most = tally.range_since(before)
        self.shared.count("comparisons")
        if not least <= value <= most:
            self.shared.fail(f"{body} returns {value}, but the acknowledged and begun writes allow {least} to {most}")

    def one_piece(self):
        """All parts of a result must be from one moment, during writes too."""
        self.reader.bind(BUSY)
        total, levels, listed = self.reader.execute_prepared("piece", """
            SELECT max(total_patients), max(critical_count + high_count + medium_count + low_count + engaged_count), count(id)
            FROM re.dashboard($1)""", "(text)", (BUSY,))[0]
        self.shared.count("comparisons")
        if levels != total or listed != min(total, 10):
            self.shared.fail(f"the dashboard has {total} patients, {levels} at the five levels, and lists {listed} of at most 10")

    def in_one_statement(self):
        organization, question = self.random.choice((BUSY, QUIET)), self.random.choice(QUESTIONS)
        self.reader.advance(organization, 1000)
        current, flat, plain = ask_both(self.reader, organization, question)
        if current:
            self.same("one statement", organization, question, flat, plain)
            self.shared.count("current")

    def alerts(self):
        """In each snapshot in which the derived rows are current, the notices add up to the critical patients."""
        organization = self.random.choice((BUSY, QUIET))
        self.reader.advance(organization, 1000)
        # There is no row before the first build.
        for current, total, critical in self.reader.execute_prepared("alerts_sum", SUM, "(text)", (organization,)):
            self.shared.count("comparisons")
            if current and total != critical:
                self.shared.fail(f"the notices of {organization} add up to {total}, but {critical} patients are critical")

    def in_one_snapshot(self):
        """Compares in a transaction with one snapshot, from which the dispatcher must read too."""
        organization = self.random.choice((BUSY, QUIET))
        self.reader.advance(organization, self.random.choice((1, 1000)))
        self.reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        current = self.reader.execute_prepared("is_current", "SELECT re.is_current($1)", "(text)", (organization,))[0][0]
        for question in self.random.sample(QUESTIONS, 3):
            plain, _ = ask(self.reader, "plain_", organization, question)
            for prefix in ("", "flat_") if current else ("",):
                self.same("one snapshot", organization, question, ask(self.reader, prefix, organization, question)[0], plain)
        self.reader.run("COMMIT")
        if current:
            self.shared.count("current")

    def same(self, way, organization, question, flat, plain):
        self.shared.count("comparisons")
        if flat != plain:
            self.shared.fail(f"{question} of {organization} in {way}\n{difference(flat, plain)}")


def following(shared, organization, random):
    """Asks for the notices after the last one seen, as a client does, and misses none. Nobody is told of twice in a row."""
    reader, last, told = shared.reader(), 0, {}
    reader.bind(organization)
    while not shared.over.is_set():
        for sequence, notices in reader.execute_prepared("after", AFTER, "(text, bigint)", (organization, last)):
            notices = [json.loads(notice) for notice in notices]
            shared.count("comparisons")
            if [notice[0] for notice in notices] != list(range(last + 1, sequence + 1)):
                shared.fail(f"after notice {last} of {organization}, {notices} are new, but the last number is {sequence}")
            last = sequence
            for number, kind, patient in notices:
                if patient is None:
                    told.clear()
                elif told.get(patient) == kind:
                    shared.fail(f"notice {number} of {organization} tells again that {patient} is {kind}")
                else:
                    told[patient] = kind
        time.sleep(random.choice((0, 0.002, 0.02)))
    shared.count_notices(last)


def advancing(shared, number, random):
    """Refreshes like a server's background thread, but in chunks of odd sizes."""
    reader = shared.reader()
    while not shared.over.is_set():
        for organization, in reader.execute_prepared("due", "SELECT d FROM re.organizations_due($1) d", "(integer)", (10,)):
            most = random.choice((1, 3, 1000))
            while not shared.over.is_set():
                _, remaining, busy = reader.advance(organization, most)
                if busy or not remaining:
                    break
        time.sleep(random.choice((0.001, 0.01, 0.03)))
