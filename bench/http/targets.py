"""The targets, as ratios within the run, and the measured values."""

from cells import COMPARED, COMPUTED, CONSTANT, FASTAPI, GETS, LOOKUP, PHP, POST, SERVERS, SMALL_BODY, STATEMENT, UNCHANGED, Cell

ENOUGH = 1_000_000  # requests before the memory is compared
MOST_MEMORY = 40.0  # MB
MOST_GROWTH = 2.0  # MB from the first round's end to the last
LONGEST_START = 200.0  # ms
LONGEST_TOKEN_CHECK = 3  # µs


def web_cpu(found):
    return found["cpu"]["nginx"] + found["cpu"]["app"]


def at_most(name, measured, limit):
    return {"target": name, "measured": f"{measured:.3g}", "limit": f"≤ {limit:.3g}", "met": measured <= limit}


def at_least(name, measured, limit):
    return {"target": name, "measured": f"{measured:.3g}", "limit": f"≥ {limit:.3g}", "met": measured >= limit}


def cpu_targets(size, found):
    for endpoint in COMPARED:
        if endpoint == POST:
            continue
        ours = web_cpu(found[Cell(endpoint, COMPUTED, "https", size)])
        for who, limit in ((FASTAPI, 1 / 5), (PHP, 1 / 2.5)):
            theirs = web_cpu(found[Cell(endpoint, who, "https", size)])
            yield at_most(f"{endpoint}: CPU of nginx and server to that of nginx and {who}", ours / theirs, limit)


def computed_targets(size, found):
    for endpoint in COMPARED:
        ceiling = found[Cell(endpoint, STATEMENT, "", size)]["rate"]
        yield at_least(f"{endpoint}: rate, computed, to pgbench with the same statement",
                       found[Cell(endpoint, COMPUTED, "https", size)]["rate"] / ceiling, 0.7)


def unchanged_targets(size, found, bodies):
    lookup = found[Cell("one row by its key", LOOKUP, "", size)]["rate"]
    for endpoint in GETS:
        for scheme in ("http",) if bodies[endpoint] < SMALL_BODY else ("https", "http"):
            ours = found.get(Cell(endpoint, UNCHANGED, scheme, size))
            if ours is None:
                # A smoke test has fewer cells.
                continue
            name = f"{endpoint}: rate over {scheme.upper()}, unchanged, to"
            if bodies[endpoint] < SMALL_BODY:
                yield at_least(f"{name} pgbench's key lookup", ours["rate"] / lookup, 0.25)
            else:
                constant = found[Cell(endpoint, CONSTANT, scheme, size)]["rate"]
                yield at_least(f"{name} nginx's constant body", ours["rate"] / constant, 0.5)
    for endpoint in COMPARED:
        if endpoint != POST:
            theirs = found[Cell(endpoint, FASTAPI, "https", size)]["rate"]
            yield at_least(f"{endpoint}: rate, unchanged, to FastAPI",
                           found[Cell(endpoint, UNCHANGED, "https", size)]["rate"] / theirs, 4)


def spread_targets(found):
    for who in (COMPUTED, UNCHANGED):
        spread = {cell: result["p99"] / result["p50"] for cell, result in found.items() if cell.who == who}
        worst = max(spread, key=spread.get)
        yield at_most(f"p99 to p50 of {who}, 64 connections; the worst is {worst.endpoint}, {worst.scheme.upper()}, "
                      f"{worst.size:,} patients", spread[worst], 5)


def memory_targets(memory):
    for who in SERVERS:
        last = memory[-1][who]
        megabytes = max(each[who]["mb"][0] for each in memory)
        yield at_most(f"resident memory of {who} after {last['requests']:,} requests, MB", megabytes, MOST_MEMORY)
        if last["requests"] >= ENOUGH:
            yield at_most(f"its growth since {memory[1][who]['requests']:,} requests, MB",
                          last["mb"][0] - memory[1][who]["mb"][0], MOST_GROWTH)


def targets(size, bodies, result):
    found = result["found"]
    return [*cpu_targets(size, found), *computed_targets(size, found), *unchanged_targets(size, found, bodies),
            *spread_targets(found), *memory_targets(result["memory"]),
            at_most("from the start of the process to the first response, ms", result["cold_start_ms"], LONGEST_START),
            at_most("check of a cached token, median, µs", result["token_check_us"], LONGEST_TOKEN_CHECK)]
