"""Rates and times by the number of connections and by the number of workers."""

from cells import SERVERS, Cell
from measure import Progress, medians
from plan import CONNECTIONS

ENDPOINTS = ("risk-metrics", "list of 50")
CONNECTION_COUNTS = (1, 8, 64, 256)
WORKER_COUNTS = (1, 2, 4, 8, 16)


def cells(plan):
    return [Cell(endpoint, who, "https", plan.first) for endpoint in ENDPOINTS for who in SERVERS]


def series(results):
    """Numeric keys become lists, because JSON keys are strings."""
    return [{"count": count, "endpoint": cell.endpoint, "who": cell.who, **medians(found)}
            for (count, cell), found in results.items()]


def by_connections(bench):
    chosen = cells(bench.plan)
    results = {(count, cell): [] for count in CONNECTION_COUNTS for cell in chosen}
    progress = Progress("connections", len(results) * bench.plan.rounds)
    for _ in range(bench.plan.rounds):
        for (count, cell), found in results.items():
            found.append(bench.measure(cell, bench.plan.seconds, count))
            progress.step(cell, found[-1])
    return series(results)


def by_workers(bench, restart):
    """`restart` sets the workers of both servers, or their default if the number is missing."""
    chosen = cells(bench.plan)
    results = {(count, cell): [] for count in WORKER_COUNTS for cell in chosen}
    progress = Progress("workers", len(results) * bench.plan.rounds)
    for _ in range(bench.plan.rounds):
        for count in WORKER_COUNTS:
            restart(count)
            for cell in chosen[:len(SERVERS)]:
                # Each worker has its connection to the database then.
                bench.measure(cell, 1)
            for cell in chosen:
                results[count, cell].append(bench.measure(cell, bench.plan.seconds, CONNECTIONS))
                progress.step(cell, results[count, cell][-1])
    restart(None)
    return series(results)
