"""Runs a sequence of steps. If it fails, searches for its shortest part that still fails."""

import time

import psycopg2

from acknowledgements import Acknowledgements
from asking import Mismatch, difference
from comparison import Comparer
from notices import Notices
from sessions import Unexpected
from steps import Advance, Alerts, Check, Everywhere, Question, Write


class Player:
    """Runs steps on a database that is emptied before each sequence."""

    def __init__(self, sessions):
        self.sessions, self.comparer, self.steps = sessions, Comparer(sessions), 0
        self.notices, self.acknowledgements = Notices(sessions), Acknowledgements(sessions)

    @property
    def comparisons(self):
        return self.comparer.comparisons + self.notices.comparisons + self.acknowledgements.comparisons

    def begin(self):
        self.sessions.reset()
        self.comparer.reset()
        self.notices.reset()

    def run(self, step):
        self.steps += 1
        if isinstance(step, Write):
            session = getattr(self.sessions, step.session)
            for statement in step.statements:
                session.try_to(statement)
        elif isinstance(step, Everywhere):
            for session in (self.sessions.writer, self.sessions.reader):
                session.run(step.statement)
        elif isinstance(step, Advance):
            for _ in range(step.times):
                if not self.advance(step):
                    break
        elif isinstance(step, Alerts):
            self.alerts(step)
        elif isinstance(step, Check):
            self.comparer.check(step)

    def advance(self, step):
        """Refreshes once, and returns whether more remains."""
        return self.notices.advance(step.organization, step.most)

    def alerts(self, step):
        self.acknowledgements.check(step.organization, self.notices.check(step.organization, step.most))

    def failure(self, step):
        """Returns the step's error, or None."""
        try:
            self.run(step)
        except (Mismatch, Unexpected, psycopg2.Error) as error:
            return error

    def first_failure(self, steps, until=None):
        """Returns the steps up to the first that fails, and its error."""
        self.begin()
        for number, step in enumerate(steps):
            if until and time.monotonic() > until:
                return None
            error = self.failure(step)
            if error:
                return steps[:number + 1], error
        return None


def shorten(player, steps, error, seconds):
    """Leaves out halves, quarters, … of the steps and then single statements, as long as the sequence still fails."""
    until = time.monotonic() + seconds
    shortest = (steps, error)

    def try_out(candidate):
        nonlocal shortest
        found = player.first_failure(candidate, until)
        if found and kind_of(found[1]) == kind_of(error):
            shortest = found
            return True

    try_out([*steps[:-1], only_what_failed(steps[-1], error)])
    size = max(1, len(shortest[0]) // 2)
    while time.monotonic() < until:
        before, at = len(shortest[0]), 0
        while at < len(shortest[0]) - 1 and time.monotonic() < until:
            kept = shortest[0]
            if not try_out(kept[:at] + kept[min(at + size, len(kept) - 1):]):
                at += size
        if size == 1 and len(shortest[0]) == before:
            break
        size = max(1, size // 2)
    for at, step in enumerate(list(shortest[0][:-1])):
        shorten_statements(shortest, at, try_out, until)
    return shortest


def kind_of(error):
    """Returns the kind of an error: a shorter sequence must fail by the same kind."""
    if isinstance(error, Mismatch):
        return error.question.function, error.way.startswith("re.")
    return type(error), getattr(error, "pgcode", None)


def only_what_failed(step, error):
    """Returns a check of only the question that failed, without the pages before it."""
    if isinstance(step, Check) and isinstance(error, Mismatch) and isinstance(error.question, Question) and step.questions:
        return step._replace(questions=(error.question,))
    return step


def shorten_statements(shortest, at, try_out, until):
    steps = shortest[0]
    if at >= len(steps) or not isinstance(steps[at], Write) or len(steps[at].statements) < 2:
        return
    statements, number = steps[at].statements, 0
    while number < len(statements) and time.monotonic() < until:
        fewer = statements[:number] + statements[number + 1:]
        if try_out([*steps[:at], steps[at]._replace(statements=fewer), *steps[at + 1:]]):
            statements = fewer
        else:
            number += 1


def report(steps, error):
    lines = ["-- the sequence, on an empty database:"]
    lines += [str(step) for step in steps]
    if isinstance(error, Mismatch):
        lines += ["", f"MISMATCH: {error}", difference(error.flat, error.plain)]
    else:
        lines += ["", f"FAILED: {type(error).__name__}: {error}", f"in: {getattr(error, 'statement', '')}"]
    return "\n".join(lines)
