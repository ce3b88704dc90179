"""Compares the notices of an organization with those that the contract defines (alerts.md, section 1).

The expected notices are computed from the master view and the clock alone. A refresh is observed: the notices of its
transaction are compared with the rules for one step. If nothing has run since the last comparison, they are all known.
"""

from collections import Counter
from datetime import date
from typing import NamedTuple

from asking import Mismatch
from instants import day_of
from steps import Question

CRITICAL = 45
MOST_SINGLE = 20
SKIPPED = 1_000_000
PORTIONS = 10_000
# The state before and after a refresh. `built` is false during the first build and during a rebuild.
STATE = """SELECT announcement.announced_day, announcement.sequence, announcement.baseline, state.generation,
        state.building_after IS NULL AS built, (extract(epoch FROM re.now()) * 1000000)::bigint AS now,
        coalesce((SELECT stored.time_zone FROM public.organizations stored WHERE stored.id = $1), 'UTC') AS time_zone
    FROM re.organization_state state
    LEFT JOIN re.announcement announcement USING (organization_id)
    WHERE state.organization_id = $1"""
NOTICES = """SELECT sequence, kind, cause, day, patient_id, number, (extract(epoch FROM at) * 1000000)::bigint
    FROM re.notice WHERE organization_id = $1 ORDER BY sequence"""
PATIENTS = """SELECT patient_id, last_contact_day, risk_level, critical_since
    FROM public.patient_reengagement_master_view WHERE organization_id = $1"""


class State(NamedTuple):
    announced: int
    sequence: int
    baseline: int
    generation: int
    built: bool
    now: int
    today: int


class Notice(NamedTuple):
    sequence: int
    kind: str
    cause: str
    day: int
    patient: str
    number: int
    at: int

    def __str__(self):
        return f"{self.sequence} {self.kind} {self.cause} {date.fromordinal(self.day)} {self.patient} {self.number}"


class Known:
    """What a client knows of an organization."""

    def __init__(self):
        # The number of the last notice seen, and whether the first build has ended.
        self.sequence, self.is_first_build = 0, True
        # The patients told of; None after a notice without names.
        self.told = None
        # The state and the last contact days at the last comparison.
        self.state, self.days = None, {}


class Notices:
    def __init__(self, sessions):
        self.sessions, self.comparisons = sessions, 0
        self.reset()

    def reset(self):
        self.known = {}

    # What the database says.

    def ask(self, name, statement, organization):
        return self.sessions.writer.execute_prepared(name, statement, "(text)", (organization,))

    def state(self, organization):
        """Returns the state, or None for an organization that has never existed."""
        rows = self.ask("alerts_state", STATE, organization)
        if not rows:
            return None
        announced, sequence, baseline, generation, built, now, zone = rows[0]
        return State(announced and announced.toordinal(), sequence or 0, baseline or 0, generation, built, now, day_of(now, zone))

    def notices(self, organization):
        return [Notice(sequence, kind, cause, day.toordinal(), patient, number, at)
                for sequence, kind, cause, day, patient, number, at in self.ask("alerts_notices", NOTICES, organization)]

    def fail(self, organization, what, found, expected):
        raise Mismatch(organization, "alerts", Question(what), text(found), text(expected))

    def require(self, organization, what, found, expected):
        self.comparisons += 1
        if found != expected:
            self.fail(organization, what, found, expected)

    # The comparisons.

    def advance(self, organization, most):
        """Refreshes once, compares the notices of this step, and returns whether more remains."""
        before = self.state(organization)
        if before:
            self.absorb(organization, before)
        refreshed, remaining, busy = self.sessions.reader.advance(organization, most)
        if before:
            self.step(organization, before)
        return remaining

    def absorb(self, organization, state):
        """Takes in the notices that refreshes of readers have written since the last look."""
        known = self.known.setdefault(organization, Known())
        new = self.new_notices(organization, known, state)
        for notice in new:
            self.tell(organization, known, notice)
        if state.built:
            known.is_first_build = False
        return new

    def new_notices(self, organization, known, state):
        """Returns the notices after the last one seen. Their numbers have no gap."""
        kept = self.notices(organization)
        # After re.skip_notices, a client begins at the number that it gets with `reset`.
        known.sequence += (state.sequence - known.sequence) // SKIPPED * SKIPPED
        new = [notice for notice in kept if notice.sequence > known.sequence]
        self.require(organization, "numbers", [notice.sequence for notice in kept],
                     list(range(state.sequence - len(kept) + 1, state.sequence + 1)))
        self.require(organization, "number of new notices", len(new), state.sequence - known.sequence)
        known.sequence = state.sequence
        return new

    def tell(self, organization, known, notice):
        """No patient is told of twice in a row. A notice tells of one patient by name, or of more than 20 without names."""
        is_single = notice.patient is not None
        if is_single != (notice.number == 1) or not is_single and notice.number <= MOST_SINGLE:
            self.fail(organization, "number of a notice", notice, "one patient with its id, or more than 20 without")
        if not is_single:
            known.told = None
        elif known.told is not None:
            if (notice.patient in known.told) == (notice.kind == "critical"):
                self.fail(organization, "told twice in a row", notice, sorted(known.told))
            (known.told.add if notice.kind == "critical" else known.told.remove)(notice.patient)

    def step(self, organization, before):
        """Compares the notices of one transaction with the rules for a step."""
        known, after = self.known[organization], self.state(organization)
        was_first_build = known.is_first_build
        new = self.absorb(organization, after)
        if was_first_build:
            self.require(organization, "notices of the first build", new, [])
        elif before.announced is None:
            self.fail(organization, "announced day", "none", "a day since the first build")
        earlier = not was_first_build and after.today < before.announced
        line = min(after.today, before.announced or after.today)
        for notice in new:
            fits = {"clock": earlier and notice.kind == "resolved" and notice.day == after.today,
                    "change": notice.day == line,
                    "time": (notice.kind == "critical" and before.announced < notice.day <= after.today
                             and after.announced == after.today)}[notice.cause]
            if not fits or notice.at != after.now:
                self.fail(organization, "cause and day", notice, f"announced {before.announced}, today {after.today}, now {after.now}")
        order = [("clock", "change", "time").index(notice.cause) for notice in new]
        self.require(organization, "order of causes", order, sorted(order))
        days = [notice.day for notice in new if notice.cause == "time"]
        self.require(organization, "order of days", days, sorted(days))
        for key, number in Counter((notice.kind, notice.cause, notice.day) for notice in new).items():
            of_many = [notice for notice in new if (notice.kind, notice.cause, notice.day) == key and notice.patient is None]
            if number > (1 if of_many else MOST_SINGLE):
                self.fail(organization, "notices of a step", f"{number} of {key}", "at most 20, or one of many")
        return new

    def check(self, organization, most):
        """Refreshes everything, and compares the notices with the patients who are critical now.

        Returns whether the derived rows are current. They are not if the organization has never existed.
        """
        before = self.state(organization)
        if before is None:
            return False
        unobserved = self.absorb(organization, before)
        known = self.known[organization]
        is_known = (known.state is not None and not unobserved
                    and (known.state.generation, known.state.announced) == (before.generation, before.announced))
        first, steps = known.sequence, 1
        while self.advance(organization, most) and steps < PORTIONS:
            steps += 1
        after = self.state(organization)
        if not self.sessions.reader.execute_prepared("is_current", "SELECT re.is_current($1)", "(text)", (organization,))[0][0]:
            return False
        days = self.patients(organization, after)
        new = [notice for notice in self.notices(organization) if notice.sequence > first]
        # In several portions, each has its own limit.
        if is_known and (steps == 1 or all(notice.patient for notice in new)):
            wanted = expected(known.state, known.days, after.today, days, MOST_SINGLE if steps == 1 else PORTIONS)
            self.require(organization, "notices", told_by(new), wanted)
        self.sum(organization, known, after, days)
        known.state, known.days = after, days
        return True

    def patients(self, organization, state):
        """Returns the last contact days of the counted patients, and compares who is critical, and since when."""
        days = {}
        for patient, last, level, since in self.ask("alerts_patients", PATIENTS, organization):
            days[patient] = last.toordinal()
            critical = days[patient] + CRITICAL if days[patient] <= state.today - CRITICAL else None
            self.require(organization, "critical_since", (patient, level == "critical", since and since.toordinal()),
                         (patient, critical is not None, critical))
        return days

    def sum(self, organization, known, state, days):
        """Compares the baseline and the notices with the critical patients: their number, and their ids where they are known."""
        critical = {patient for patient, day in days.items() if day <= state.today - CRITICAL}
        self.require(organization, "announced day", state.announced, state.today)
        total = state.baseline + sum(notice.number if notice.kind == "critical" else -notice.number
                                     for notice in self.notices(organization))
        self.require(organization, "sum of the notices", total, len(critical))
        if known.told is not None:
            self.require(organization, "told patients", sorted(known.told), sorted(critical))
        known.told = critical


def expected(before, days_before, today, days, most_single):
    """Returns the notices that one refresh of everybody writes: from a state that was current, to the one with these last contact days on `today`."""
    line = before.announced
    told = {patient for patient, day in days_before.items() if day <= line - CRITICAL}
    notices = Counter()
    if today < line:
        line = today
        gone = {patient for patient in told if days_before[patient] > line - CRITICAL}
        told -= gone
        notices += told_of(most_single, "resolved", "clock", line, gone)
    due = {patient for patient, day in days.items() if day <= line - CRITICAL}
    notices += told_of(most_single, "critical", "change", line, due - told)
    notices += told_of(most_single, "resolved", "change", line, told - due)
    for day in range(line + 1, today + 1):
        notices += told_of(most_single, "critical", "time", day, {patient for patient, last in days.items() if last == day - CRITICAL})
    return dict(notices)


def told_of(most_single, kind, cause, day, patients):
    if len(patients) > most_single:
        return Counter({(kind, cause, day, None, len(patients)): 1})
    return Counter({(kind, cause, day, patient, 1): 1 for patient in patients})


def told_by(notices):
    return dict(Counter((notice.kind, notice.cause, notice.day, notice.patient, notice.number) for notice in notices))


def text(value):
    if isinstance(value, dict):
        return "\n".join(sorted(f"{kind} {cause} {date.fromordinal(day)} {patient} {number}"
                                for kind, cause, day, patient, number in value))
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value)
