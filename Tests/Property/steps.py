"""The steps of a sequence. They are plain values, so that a sequence can be replayed, shortened and printed as SQL."""

import sys
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

import registry  # noqa: E402


def quoted(value):
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


class Write(NamedTuple):
    """Statements in one of the two superuser sessions. A statement may fail: then it has no effect."""
    session: str
    statements: tuple

    def __str__(self):
        note = "" if self.session == "writer" else "   -- in a second writer's session"
        return "\n".join(f"{statement};{note}" for statement in self.statements)


class Everywhere(NamedTuple):
    """A setting of the writer's and the reader's session: now, or the time zone."""
    statement: str

    def __str__(self):
        return f"{self.statement};   -- in both sessions"


class Advance(NamedTuple):
    """Background refreshes, `times` at most."""
    organization: str
    most: int
    times: int

    def __str__(self):
        return f"SELECT re.advance({quoted(self.organization)}, {self.most});   -- as the server, at most {self.times} times"


class Check(NamedTuple):
    """A comparison of flat with plain results, in one of the ways of comparison.py.

    The statements in `within` are executed first in the same transaction.
    """
    organization: str
    way: str
    questions: tuple
    within: tuple = ()

    def __str__(self):
        compare = f"-- compare ({self.way}) of {self.organization}: " + ", ".join(map(str, self.questions))
        if not self.within:
            return compare
        *statements, end = self.within
        return "\n".join(["BEGIN;", *(f"{statement};" for statement in statements), compare, f"{end};"])


class Alerts(NamedTuple):
    """A refresh of everything, and a comparison of the notices and the acknowledgements with the contract's rules."""
    organization: str
    most: int = 1_000_000

    def __str__(self):
        return f"-- refresh {self.organization} in portions of {self.most}, and compare its notices and acknowledgements"


class Question(NamedTuple):
    function: str
    arguments: tuple = ()

    def __str__(self):
        return f"{self.function}({', '.join(str(v) if isinstance(v, Wanted) else quoted(v) for v in self.arguments)})"


class Wanted(NamedTuple):
    """The filter and the order of the list."""
    level: str = None
    status: str = None
    priority: int = None
    tier: str = None
    q: str = None
    sort: str = "priority"
    notes: bool = False

    def page(self, limit, place):
        return Question("prioritized_patients", (*self, limit, *place))

    def __str__(self):
        return ", ".join(map(quoted, self))


LEVELS = ("critical", "high", "medium", "low", "engaged")
STATUSES = ("active", "dormant", "stale")
TIERS = ("high", "medium", "low")
SORTS = ("priority", "name", "last_contact")
# Priority, score, days, name and id of the last patient before the page. The order by name uses the name, the others
# use the numbers.
FIRST = (None, None, None, None, None)
PAIRS = [endpoint for endpoint in registry.QUERIES if endpoint.has_flat]


def sampled(endpoints):
    """Returns the registry's questions of these endpoints."""
    return tuple(Question(question.endpoint.function, question.values()) for question in registry.questions(endpoints))


PERFORMANCE = sampled(endpoint for endpoint in PAIRS if endpoint.function == "performance")
TRENDS = sampled(endpoint for endpoint in PAIRS if endpoint.function == "trends")
SUMMARIES = sampled(endpoint for endpoint in PAIRS if endpoint.function not in ("performance", "trends", "prioritized_patients"))
# The list is asked more questions than the registry has, and by pages.
EVERYBODY = Wanted()
LISTS = tuple(Wanted(level).page(200, FIRST) for level in (None, *LEVELS))
OTHER_LISTS = tuple(wanted.page(200, FIRST) for wanted in (
    *(Wanted(status=status, notes=True) for status in STATUSES), *(Wanted(priority=priority) for priority in (1, 2, 3, 4)),
    *(Wanted(tier=tier, sort="last_contact") for tier in TIERS), Wanted("critical", sort="name"), Wanted(q="smith", sort="name"),
    Wanted(q="0199", sort="last_contact"), Wanted(sort="name", notes=True)))


def walk(wanted, limit, most_pages):
    """Returns a question for page after page, each from the cursor of the one before."""
    return Question("walk", (wanted, limit, most_pages))


def from_recorded(wanted, limit, which):
    """Returns a question for one page from a position that an earlier page ended with."""
    return Question("from_recorded", (wanted, limit, which))


# No endpoint: the numbers of a clinic's digest, after one day and until another.
DIGESTS = tuple(Question("digest_numbers", days) for days in (("2025-06-23", "2025-06-30"), ("2000-01-01", "2030-01-01"), ("2025-06-30", "2025-06-30")))
USUAL = SUMMARIES + DIGESTS[:2] + PERFORMANCE + (TRENDS[0], TRENDS[1], TRENDS[4], LISTS[0], walk(EVERYBODY, 1, 20))
ALL = (SUMMARIES + DIGESTS + PERFORMANCE + TRENDS + LISTS + OTHER_LISTS + (walk(EVERYBODY, 1, 50),)
       + tuple(walk(Wanted(level), 2, 50) for level in LEVELS) + tuple(walk(Wanted(sort=sort), 2, 50) for sort in SORTS[1:]))
