"""The rounds. Each measures every combination once, in a changing order, and removes the written rows in between."""

import random
import time
from statistics import median

from bodies import PREFIX, Wrong, check_gets
from cells import COMPUTED, CONSTANT, HEALTH, LOOKUP, OTHERS, PATHS, SERVERS, STATEMENT
from load import load
from loading import organization_of
from plan import CONNECTIONS
from processes import memory_of
from stack import say

LONGEST_LOG = 50_000_000


class Bench:
    """The running applications and their addresses."""

    def __init__(self, plan, site, asker, database_load, roots, logs, tokens, ids, settle):
        self.plan, self.site, self.asker, self.database_load = plan, site, asker, database_load
        self.roots, self.logs, self.tokens, self.ids, self.settle = roots, logs, tokens, ids, settle
        self.answered = dict.fromkeys((*SERVERS, *OTHERS), 0)
        self.errors = []

    def url(self, cell):
        who = COMPUTED if cell.who == HEALTH else cell.who
        port = self.site.ports[who][cell.scheme]
        if cell.who == HEALTH:
            path = "/health"
        elif cell.who == CONSTANT:
            path = f"/{cell.endpoint.replace(' ', '-')}.json"
        else:
            path = f"{PREFIX}/{organization_of(cell.size)}/{PATHS[cell.endpoint]}"
        return f"{cell.scheme}://127.0.0.1:{port}{path}"

    def roots_of(self, who):
        if who == CONSTANT:
            return {"nginx": self.site.pid}
        app = self.roots[COMPUTED if who == HEALTH else who]
        return {"nginx": self.site.pid, "app": app, "postgres": self.roots["postgres"]}

    def resident(self, who):
        """Megabytes of the application behind nginx, if there is one."""
        app = self.roots_of(who).get("app")
        return memory_of(app)[0] if app else None

    def measure(self, cell, seconds, connections=CONNECTIONS):
        if cell.who == STATEMENT:
            found = self.database_load.statement(cell.endpoint, cell.size, seconds)
        elif cell.who == LOOKUP:
            found = self.database_load.lookup(cell.size, seconds)
        else:
            found = load(self.url(cell), self.tokens[organization_of(cell.size)], seconds, connections,
                         self.roots_of(cell.who), self.site.status_url, self.ids[cell.size] if cell.is_post else None)
            found["mb"] = self.resident(cell.who)
        self.note(cell, found)
        return found

    def note(self, cell, found):
        server = COMPUTED if cell.who == HEALTH else cell.who
        if server in self.answered:
            self.answered[server] += found["requests"]
        if found["errors"]:
            self.errors.append(f"{cell.endpoint}, {cell.who}, {cell.scheme}, {cell.size:,} patients: "
                               f"{found['errors']} errors {found['kinds'] or ''}")
            say(f"  ERRORS: {self.errors[-1]}")
        for log in self.logs:
            if log.exists() and log.stat().st_size > LONGEST_LOG:
                # Truncating is safe, because the writers append.
                log.open("w").close()

    def memory(self):
        return {who: {"requests": self.answered[who], "mb": memory_of(self.roots[who])} for who in self.answered}


class Progress:
    """Prints a line every few seconds, and at the end of each round."""

    def __init__(self, what, total):
        self.what, self.total, self.done = what, total, 0
        self.began = self.said = time.monotonic()

    def step(self, cell, found):
        self.done += 1
        now = time.monotonic()
        if now - self.said >= 5 or self.done == self.total:
            self.said = now
            say(f"  {self.what}: {self.done} of {self.total}, {now - self.began:.0f} s; {cell.endpoint}, {cell.who}: "
                f"{found['rate']:,.0f}/s")


def warm_up(bench, cells):
    if not bench.plan.warm_up:
        return
    chosen = list({(cell.endpoint, cell.who): cell for cell in cells if not cell.is_post}.values())
    progress = Progress("warming up", len(chosen))
    for cell in chosen:
        progress.step(cell, bench.measure(cell, bench.plan.warm_up))


def rounds(bench, cells):
    """The results of each round by cell, and the servers' memory after each round."""
    found, memory = {cell: [] for cell in cells}, [bench.memory()]
    shuffle = random.Random(1).shuffle
    for number in range(1, bench.plan.rounds + 1):
        order = list(cells)
        shuffle(order)
        # A write makes the next read slower.
        order.sort(key=lambda cell: cell.is_post)
        progress = Progress(f"round {number} of {bench.plan.rounds}", len(order))
        for cell in order:
            found[cell].append(bench.measure(cell, bench.plan.seconds))
            progress.step(cell, found[cell][-1])
        bench.settle()
        check_all(bench)
        memory.append(bench.memory())
    return found, memory


def check_all(bench):
    try:
        for size in bench.plan.sizes:
            check_gets(bench.asker, organization_of(size), everybody=size == bench.plan.first)
    except Wrong as wrong:
        raise Wrong(f"after a round of load: {wrong}")


def medians(results):
    """The median of each figure."""
    def middle(values):
        known = [value for value in values if value is not None]
        return median(known) if known else None
    return {"rate": middle([r["rate"] for r in results]), "p50": middle([r["p50"] for r in results]),
            "p99": middle([r["p99"] for r in results]), "errors": sum(r["errors"] for r in results),
            "cpu": {part: middle([r["cpu"][part] for r in results]) for part in results[0]["cpu"]},
            "mb": middle([r.get("mb") for r in results]), "rates": [r["rate"] for r in results]}
