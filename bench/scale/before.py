"""make bench-scale with BEFORE: compares each read with those of an earlier commit, in pairs on equal rows."""

import os
import sys
from pathlib import Path
from statistics import median, quantiles

import loading
import questions
import reading
from client import Connection
from database import Database
from exactness import Wrong
from markdown import number, paragraph, table
from processes import cpu_seconds
from stack import ROOT, Stack, say
from variables import whole_number

REQUESTS = 10  # of one question in a row
PARTS = {"server": "SERVER_PID", "PostgreSQL": "POSTGRES_PID"}


class Side:
    """One commit's server on one database."""

    def __init__(self, directory, root, binary):
        self.stack = Stack(directory, root, ANSWER_CACHE_BYTES="0", SERVER_BINARY=str(binary))
        self.stack.start_database()
        self.operator = Database(self.stack.where()["DATABASE_URL"])

    def load(self, size, loaded_at):
        loading.prepare(self.operator)
        if not loading.is_loaded(self.operator, size):
            if loaded_at:
                self.operator.execute("UPDATE bench.clock SET loaded_at = %s", (loaded_at,))
            loading.load(self.operator, size)
            self.stack.call("rebuild")
        loading.settle(self.operator)
        return self.operator.value("SELECT loaded_at FROM bench.clock")

    def start(self, size):
        self.stack.call("up")
        where = self.stack.where()
        self.roots = {part: int(where[pid]) for part, pid in PARTS.items()}
        self.connection = Connection(where, self.stack, loading.organization_of(size))

    def get(self, path):
        answer = self.connection.get(path)
        if answer.status != 200:
            raise Wrong(f"{path}: status {answer.status}")
        return answer

    def measure(self, path):
        """The milliseconds of each request, and the microseconds of processor time of one."""
        began = {part: cpu_seconds(pid) for part, pid in self.roots.items()}
        times = [self.get(path).milliseconds for _ in range(REQUESTS)]
        used = {part: (cpu_seconds(pid) - began[part]) / REQUESTS * 1e6 for part, pid in self.roots.items()}
        return times, used


def check_equal(before, after, question):
    """Time passes between two responses, so one more pair decides."""
    for _ in range(2):
        one, other = (questions.figures(side.get(question.path).json()) for side in (before, after))
        if one == other:
            return
    raise Wrong(f"{question.name}: {one} before, {other} now")


def compare(before, after, asked, pairs):
    found = {question.name: [] for question in asked}
    for side in (before, after):
        for question in asked:
            for _ in range(reading.WARM_UP):
                side.get(question.path)
    for pair in range(pairs):
        for question in asked:
            # Each side is first as often as second.
            order = (before, after) if pair % 2 else (after, before)
            measured = {side: side.measure(question.path) for side in order}
            found[question.name].append((measured[before], measured[after]))
    return found


def row(name, pairs):
    """Medians, and the quartiles of the pairs' ratios: below 1 the new one is faster."""
    times = [[median(one[0]) for one in side] for side in zip(*pairs)]
    parts = [[one[1] for one in side] for side in zip(*pairs)]
    cells = [name, *(number(median(side)) for side in times)]
    ratios = [[after / before for before, after in zip(*times)]]
    for part in PARTS:
        ratios.append([after[part] / before[part] for before, after in zip(*parts)])
    total = [sum(after.values()) / sum(before.values()) for before, after in zip(*parts)]
    for each in (*ratios, total):
        low, middle, high = quantiles(each, n=4, method="inclusive")
        cells.append(f"{middle:.2f} ({low:.2f}–{high:.2f})")
    return cells


def main(directory):
    size, pairs = whole_number("PATIENTS", 100_000, 1000, 10_000_000), whole_number("PAIRS", 25, 2, 1000)
    directory = Path(directory)
    after = Side(directory / "stack", ROOT, os.environ["SERVER_BINARY"])
    before = Side(directory / "before", Path(os.environ["BEFORE_ROOT"]), os.environ["BEFORE_BINARY"])
    loaded_at = after.load(size, None)
    before.load(size, loaded_at)
    for side in (before, after):
        side.start(size)
    try:
        asked = questions.questions(loading.organization_of(size), reading.walk(after.connection, size))
        for question in asked:
            check_equal(before, after, question)
        say("  the responses are equal: measuring in pairs")
        found = compare(before, after, asked, pairs)
    except Wrong as wrong:
        raise SystemExit(f"error: WRONG: {wrong}")
    print(paragraph(
        f"{size:,} patients, {pairs} pairs of {REQUESTS} requests in turns, no cached responses. Milliseconds through "
        f"nginx, and ratios of {os.environ['BEFORE']} (1.00) to now, with quartiles: of the time, and of the processor "
        "time of the server, of PostgreSQL, and of both."))
    heads = ["", "ms before", "ms now", "time", *PARTS, "both"]
    print("\n" + table(heads, [row(name, pairs_of) for name, pairs_of in found.items()]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
