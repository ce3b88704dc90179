"""Compares the results of flat queries with those of plain ones."""

import json
import time

from psycopg2.extensions import TRANSACTION_STATUS_INERROR

from asking import Mismatch, ask
from steps import FIRST, Question

ADVANCES = 10_000
# What is kept apart from the derived rows: what has been told of, and what the staff have said.
ANNOUNCED = ("announcement", "told_patient", "notice", "alert_acknowledgement")
# A digest of all data that responses contain, those of a patient's own page too.
GENERATION = """SELECT re.now(), (SELECT generation FROM re.organization_state WHERE organization_id = $1), md5(concat(
    (SELECT string_agg(m::text, E'\\n' ORDER BY patient_id) FROM public.patient_reengagement_master_view m WHERE organization_id = $1),
    (SELECT string_agg(a::text, E'\\n' ORDER BY id) FROM re.attempt a WHERE organization_id = $1),
    (SELECT string_agg(w::text, E'\\n' ORDER BY id) FROM re.missed_appointment w WHERE organization_id = $1)))"""


class Comparer:
    """Compares in the sessions' current state, which no other thread may change during a comparison."""

    def __init__(self, sessions):
        self.sessions, self.comparisons = sessions, 0
        self.reset()

    def reset(self):
        self.recorded, self.seen = {}, {}

    def check(self, check):
        getattr(self, check.way)(check)

    def dispatcher(self, check):
        """Compares the dispatcher's result, which the server would return, with changes pending or not."""
        self.sessions.reader.bind(check.organization)
        self.compare(check, self.sessions.reader, ("",))

    def flat(self, check):
        # For an organization that has never existed, there are no derived rows.
        if self.advance_all(check.organization, 1000):
            self.compare(check, self.sessions.reader, ("flat_",))
            self.check_generation(check.organization)

    def both(self, check):
        """Compares the dispatcher's result, then the flat query's after a refresh, which must be current."""
        self.sessions.reader.bind(check.organization)
        self.compare(check, self.sessions.reader, ("",))
        self.flat(check)

    def operator(self, check):
        """Compares as a superuser, whom the setting does not bind to an organization."""
        self.sessions.writer.run("SET reengagement.organization = 'elsewhere'")
        self.compare(check, self.sessions.writer, ("",))

    def repeatable(self, check):
        self.in_transaction(check, self.sessions.reader, "BEGIN ISOLATION LEVEL REPEATABLE READ")

    def read_only(self, check):
        self.in_transaction(check, self.sessions.reader, "BEGIN READ ONLY")

    def one_transaction(self, check):
        """Compares several results in one transaction, as in the server's pipeline."""
        self.in_transaction(check, self.sessions.reader, "BEGIN")

    def uncommitted(self, check):
        """Compares in a writer's transaction before it commits or rolls back."""
        *statements, end = check.within
        self.sessions.writer.run("BEGIN")
        try:
            if all(self.sessions.writer.try_to(statement) for statement in statements):
                self.compare(check, self.sessions.writer, ("",))
        finally:
            self.sessions.writer.try_to(end)

    def deep(self, check):
        """Compares the derived rows with those that a rebuild makes. A rebuild tells of nobody.

        It may drop old notices, and adds them to the baseline (notices.py compares the sum).
        """
        organization, writer = check.organization, self.sessions.writer
        self.advance_all(organization, 1000)
        grown = self.derived_rows(organization)
        writer.run("BEGIN")
        try:
            writer.run(f"SET LOCAL reengagement.organization = '{organization}'")
            for table in self.sessions.derived:
                if table not in ("organization_state", *ANNOUNCED):
                    writer.run(f"DELETE FROM re.\"{table}\" WHERE organization_id = '{organization}'")
            writer.run(f"INSERT INTO re.pending_change (organization_id) VALUES ('{organization}')")
            for _ in range(ADVANCES):
                if not writer.run(f"SELECT remaining FROM re.advance('{organization}', 1000)")[0][0]:
                    break
            built = self.derived_rows(organization)
        finally:
            writer.run("ROLLBACK")
        self.comparisons += 1
        if grown != built:
            raise Mismatch(organization, "deep", Question("derived rows, refreshed and rebuilt"),
                           "\n".join(sorted(grown - built)), "\n".join(sorted(built - grown)))

    def in_transaction(self, check, session, begin):
        if session is self.sessions.reader:
            session.bind(check.organization)
        session.run(begin)
        try:
            self.compare(check, session, ("",))
        finally:
            failed = session.connection.get_transaction_status() == TRANSACTION_STATUS_INERROR
            session.run("ROLLBACK" if failed else "COMMIT")

    def compare(self, check, session, prefixes):
        for question in check.questions:
            if question.function == "walk":
                self.walk(check, session, prefixes, *question.arguments)
            elif question.function == "from_recorded":
                wanted, limit, which = question.arguments
                places = self.recorded.get((check.organization, wanted.sort == "name"), [FIRST])
                self.compare_one(check, session, prefixes, wanted.page(limit, places[which % len(places)]))
            else:
                self.compare_one(check, session, prefixes, question)

    def walk(self, check, session, prefixes, wanted, limit, most_pages):
        """Compares page after page, and records their ends as positions for later questions."""
        place = FIRST
        for _ in range(most_pages):
            place = self.compare_one(check, session, prefixes, wanted.page(limit, place))
            if place is None or place[-1] is None:
                break
            self.recorded.setdefault((check.organization, wanted.sort == "name"), []).append(tuple(place))

    def compare_one(self, check, session, prefixes, question):
        plain, place = ask(session, "plain_", check.organization, question)
        for prefix in prefixes:
            flat, _ = ask(session, prefix, check.organization, question)
            self.comparisons += 1
            if flat != plain:
                raise Mismatch(check.organization, check.way, question, flat, plain)
        return place

    def advance_all(self, organization, most):
        """Processes all pending changes, and returns whether the derived rows are current.

        They must be, if the organization exists.
        """
        reader = self.sessions.reader
        known = self.sessions.writer.run(f"SELECT FROM public.organizations WHERE id = '{organization}'")
        for _ in range(ADVANCES):
            _, remaining, busy = reader.advance(organization, most)
            if not remaining and not (busy and known):
                break
            time.sleep(0.001 if busy else 0)
        else:
            raise Mismatch(organization, "advance", Question("advance"), "changes remain pending", "no pending change")
        current = reader.execute_prepared("is_current", "SELECT re.is_current($1)", "(text)", (organization,))[0][0]
        if not current and known:
            raise Mismatch(organization, "advance", Question("is_current"), "not current, though nothing remains", "current")
        return current

    def check_generation(self, organization):
        """At the same now, a changed response must have a changed generation."""
        [(now, generation, answers)] = self.sessions.writer.execute_prepared("generation", GENERATION, "(text)", (organization,))
        before = self.seen.setdefault((organization, now, generation), answers)
        self.comparisons += 1
        if before != answers:
            raise Mismatch(organization, "generation", Question("generation"),
                           f"generation {generation} again", "another generation, since a response has changed")

    def derived_rows(self, organization):
        """Returns the derived rows without their validity intervals, which may differ, and without counters of 0."""
        rows = set()
        for table in self.sessions.derived:
            if table in ("pending_change", "organization_state", "notice"):
                continue
            for text, in self.sessions.writer.run(f"""
                SELECT (to_jsonb(t) - '{{valid_from,valid_until,day_from,day_until,baseline}}'::text[])::text
                FROM re."{table}" t WHERE organization_id = '{organization}'"""):
                row = json.loads(text)
                if "patient_id" in row or any(value for name, value in row.items()
                                              if isinstance(value, int) and name not in ("risk_group", "day", "last_contact_day")):
                    rows.add(f"{table} {text}")
        return rows
