"""The tables, as Markdown and as JSON."""

from cells import COMPARED, COMPUTED, OTHERS, PATHS, SERVERS
from machine import occasion
from markdown import number, paragraph, rounded, short, table
from plan import CONNECTIONS
from targets import web_cpu

HEADS = ["endpoint", "clinic", "who", "", "requests/s", "p50 ms", "p99 ms", "errors", "nginx", "app", "PostgreSQL",
         "MB"]


def in_order(cells, sizes):
    """By endpoint, then clinic, with the cells without nginx last."""
    endpoints = {name: i for i, name in enumerate(PATHS)}
    schemes = {"https": 0, "http": 1, "": 2}
    whos = list(dict.fromkeys([*SERVERS, *(cell.who for cell in cells)]))
    return sorted(cells, key=lambda cell: (endpoints.get(cell.endpoint, len(endpoints)), cell.endpoint,
                                           sizes.index(cell.size), schemes[cell.scheme], whos.index(cell.who)))


def row(cell, found):
    cpu = found["cpu"]
    what = [cell.endpoint, short(cell.size), cell.who, cell.scheme.upper()]
    times = [f"{found['rate']:,.0f}", number(found["p50"]), number(found["p99"]), found["errors"]]
    return what + times + [number(cpu.get(part)) for part in ("nginx", "app", "postgres")] + [number(found["mb"])]


def main_table(plan, found):
    return table(HEADS, [row(cell, found[cell]) for cell in in_order(found, plan.sizes)])


def targets_table(rows):
    verdicts = {True: "met", False: "**MISSED**"}
    return table(["target", "limit", "measured", ""],
                 [[each["target"], each["limit"], each["measured"], verdicts[each["met"]]] for each in rows])


def memory_table(memory):
    lines = [[f"{each[who]['requests']:,}", who, f"{each[who]['mb'][0]:.1f}", f"{each[who]['mb'][1]:.1f}"]
             for each in memory for who in each]
    return table(["requests", "", "resident MB", "proportional MB"], lines)


def facts(plan, result):
    machine, versions = result["machine"], result["versions"]
    settings = ", ".join(f"{name} {value}" for name, value in machine["settings"].items())
    others = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (f"{machine['cores']} cores and {machine['memory_gb']} GB for wrk, nginx, the applications and PostgreSQL "
            f"together; nginx {machine['nginx']} (one worker for each core), Swift {machine['swift']}, PostgreSQL {machine['postgresql']} "
            f"({settings}; the rest default), {others}. {plan.rounds} round{'s' * (plan.rounds > 1)} of "
            f"{plan.seconds} s each in a changing order, {CONNECTIONS} connections, medians.")


def reading_aid(result):
    bodies = ", ".join(f"{endpoint} {length / 1000:.1f}" for endpoint, length in result["bodies"].items())
    return paragraph(
        "nginx, app and PostgreSQL are microseconds of CPU for a request: of nginx, of the application behind it, and of the "
        "database. The database's share includes the background work that follows an outreach attempt. MB is the resident "
        "memory of all processes of the application. *Computed*: the server with `ANSWER_CACHE_BYTES=0`. *Unchanged*: another "
        "process of the same server with the default cache, and an organization without writes. pgbench sends the server's "
        f"statements, on {result['clients']} connections like the server, without nginx, so it has no scheme. "
        f"FastAPI has {result['uvicorn_workers']} workers, php-fpm {result['php_children']}. Their responses were "
        f"compared with the server's. Bodies at {short(result['sizes'][0])} patients, kB: {bodies}.")


def ratios(plan, found):
    """The summary: CPU and rate as multiples of the others'."""
    rows = []
    for endpoint in COMPARED:
        one = {cell.who: found[cell] for cell in found
               if (cell.endpoint, cell.scheme, cell.size) == (endpoint, "https", plan.first)}
        row = [endpoint]
        for who in OTHERS:
            row += [multiple(one.get(server), one[who]) for server in SERVERS]
            row.append(f"{web_cpu(one[who]) / web_cpu(one[COMPUTED]):.1f}")
        rows.append(row)
    heads = [f"{what} {who}" if what.endswith("as") else what for who in OTHERS
             for what in ("computed: times as many as", "unchanged", "times as cheap in CPU")]
    return table(["", *heads], rows)


def multiple(ours, theirs):
    """Empty for an endpoint without a cache."""
    return f"{ours['rate'] / theirs['rate']:.1f}" if ours else ""


def closing_line(result):
    met = sum(each["met"] for each in result["targets"])
    return f"{met} of {len(result['targets'])} targets met; {len(result['errors'])} measurements with errors"


def markdown(plan, result):
    lines = ["# Requests a second, and the CPU of each", "",
             paragraph(f"Written by `make bench` {occasion()}. [performance.md](../performance.md) explains where the time goes. "
                       + facts(plan, result)), "",
             "![CPU of a request](http.svg)", "",
             "## Compared with FastAPI and php-fpm", "",
             f"Over HTTPS, at {plan.first:,} patients. CPU is that of nginx and the application behind it.", "",
             ratios(plan, result["found"]), "",
             "## Targets", "", closing_line(result) + ".", "", targets_table(result["targets"]), "",
             "## Everything", "", reading_aid(result), "", main_table(plan, result["found"]), "",
             "## Memory", "", memory_table(result["memory"]), ""]
    if result.get("connections"):
        lines += ["## By connections and workers", "",
                  "`.local/bench` has the pictures `http-connections.svg` and `http-workers.svg`.", "", growth_table(result["connections"], "connections"), "",
                  growth_table(result["workers"], "workers"), ""]
    return "\n".join(lines)


def growth_table(series, what):
    parts = ("nginx", "app", "postgres")
    rows = [[each["count"], each["endpoint"], each["who"], f"{each['rate']:,.0f}", number(each["p50"]),
             number(each["p99"]), *(number(each["cpu"][part]) for part in parts)] for each in series]
    return table([what, "endpoint", "who", "requests/s", "p50 ms", "p99 ms", "nginx", "app", "PostgreSQL"], rows)


def as_json(plan, result):
    cells = [{"endpoint": cell.endpoint, "who": cell.who, "scheme": cell.scheme, "patients": cell.size, **found}
             for cell, found in result["found"].items()]
    return rounded({"rounds": plan.rounds, "seconds": plan.seconds, "connections_each": CONNECTIONS,
                    **{key: value for key, value in result.items() if key != "found"}, "measured": cells})
