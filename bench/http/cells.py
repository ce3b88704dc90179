"""The measured combinations of endpoint, clinic, application and scheme."""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "Tests/support"))

import registry  # noqa: E402

# Of the registry's titled questions, by the names that the report has; a list for one level is as one for all.
NAMES = {"performance 30 d": "performance", "trends 1 y, all metrics": "trends 1 y"}
LEFT_OUT = {"performance 7 d", "performance 90 d"}
GETS = {
    NAMES.get(question.title, question.title): question.path("patient_2")
    for question in registry.questions()
    if question.title and not question.title.startswith("list of 50, ") and question.title not in LEFT_OUT
}
POST = "log-outreach"
PATHS = {**GETS, POST: POST}
COMPARED = ("risk-metrics", "list of 50", "list of 200", POST)
# A larger body costs more than the rest of the request.
SMALL_BODY = 4000

COMPUTED, UNCHANGED = "server, computed", "server, unchanged"
FASTAPI, PHP = "FastAPI", "php-fpm"
CONSTANT, HEALTH = "nginx, constant body", "server, no database"
STATEMENT, LOOKUP = "pgbench, same statement", "pgbench, key lookup"
SERVERS = (COMPUTED, UNCHANGED)
OTHERS = (FASTAPI, PHP)


@dataclass(frozen=True)
class Cell:
    endpoint: str
    who: str
    scheme: str  # empty without nginx
    size: int

    @property
    def is_post(self):
        return self.endpoint == POST and self.who != CONSTANT


def of_server(plan):
    for size in plan.sizes:
        for scheme in ("https", "http"):
            for endpoint in PATHS:
                for who in SERVERS if endpoint in GETS else (COMPUTED,):
                    yield Cell(endpoint, who, scheme, size)


def beside(plan, bodies):
    """`bodies` has the length of each GET's body at the smaller clinic."""
    size = plan.first
    for endpoint in COMPARED:
        for who in (*OTHERS, CONSTANT):
            yield Cell(endpoint, who, "https", size)
        yield Cell(endpoint, STATEMENT, "", size)
    for endpoint, length in bodies.items():
        if length >= SMALL_BODY:
            yield from (Cell(endpoint, CONSTANT, scheme, size) for scheme in ("https", "http"))
    for scheme in ("https", "http"):
        yield Cell("/health", HEALTH, scheme, size)
    yield Cell("one row by its key", LOOKUP, "", size)


def is_smoked(cell, plan, bodies):
    """A smoke test only checks that the second clinic works, and HTTP with large bodies."""
    if cell.size != plan.first:
        return cell.scheme == "https" and cell.endpoint in ("list of 50", POST)
    if cell.scheme == "http" and cell.endpoint in PATHS:
        return cell.endpoint == "risk-metrics" or cell.who == UNCHANGED and bodies[cell.endpoint] < SMALL_BODY
    return True


def cells(plan, bodies):
    """Each combination once, with the writing ones last."""
    found = dict.fromkeys([*of_server(plan), *beside(plan, bodies)])
    if plan.small:
        found = [cell for cell in found if is_smoked(cell, plan, bodies)]
    return sorted(found, key=lambda cell: cell.is_post)
