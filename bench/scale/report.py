"""The tables, as Markdown and as JSON."""

from machine import occasion
from markdown import number, paragraph, rounded, short, table
from targets import ratio


def median_of(table, size, name, otherwise):
    found = table.get((size, name))
    return number(found["median"]) if found else otherwise


def reads_table(plan, asked, reads):
    give_up = f"> {plan.plain_seconds * 1000:,.0f}"
    heads = (["median ms"] + [short(s) for s in plan.sizes] + ["p95, " + short(plan.largest), "ratio"]
             + ["plain " + short(s) for s in plan.sizes] + ["ratio"])
    rows = []
    for question in asked[plan.largest]:
        flat, plain = reads["http"], reads["plain"]
        grown = ratio(plain, plan.sizes, question.name)
        rows.append([question.name] + [median_of(flat, s, question.name, "") for s in plan.sizes]
                    + [number(flat[plan.largest, question.name]["p95"]),
                       f"**{ratio(flat, plan.sizes, question.name):.2f}**"]
                    + [median_of(plain, s, question.name, give_up) for s in plan.sizes]
                    + ["" if grown is None else f"{grown:,.0f}" if grown >= 10 else f"{grown:.1f}"])
    return table(heads, rows)


def megabytes(count):
    return f"{count / 1e6:,.0f}"


def storage_table(sizes, patients):
    scale = 1_000_000 / patients
    rows = [[f"`{name}`", f"{found['rows'] * scale:,.0f}", megabytes(found["table"] * scale),
             megabytes(found["indexes"] * scale)] for name, found in sizes.items()]
    for what, of_it in (("source", lambda n: n.startswith("public.")), ("derived", lambda n: n.startswith("re."))):
        chosen = [found for name, found in sizes.items() if of_it(name)]
        rows.append([f"**{what}**", "", megabytes(sum(f["table"] for f in chosen) * scale),
                     megabytes(sum(f["indexes"] for f in chosen) * scale)])
    return table(["per million patients", "rows", "table MB", "index MB"], rows)


def loading_table(loading):
    rows = [[f"{size:,}", f"{done['load']['rows']:,}", f"{done['load']['rows'] / done['load']['seconds']:,.0f}",
             f"{done['build']['seconds']:,.1f}", f"{1e6 * done['build']['seconds'] / size:,.0f}"]
            for size, done in loading.items()]
    return table(["patients", "rows loaded", "rows/s", "build, s", "µs a patient"], rows)


def writes(result):
    posts, imports, backlog = result["posts"], result["imports"], result["backlog"]
    neighbour, loaded = backlog["neighbour"], backlog["loaded"]
    latency = loaded["latency"]
    lines = [
        table(
            ["", "with triggers", "without", "ratio"],
            [
                [
                    f"`log-outreach`, {posts['clients']} clients on {posts['patients']:,} patients, a second",
                    f"{posts['with']:,.0f}",
                    f"{posts['without']:,.0f}",
                    f"**{posts['ratio']:.2f}**",
                ],
                [
                    f"{imports['rows']:,} appointments in one statement, {imports['patients']:,} patients, s",
                    f"{imports['with']:.2f}",
                    f"{imports['without']:.2f}",
                    f"**{imports['ratio']:.2f}**",
                ],
            ],
        ),
        "",
        paragraph(f"Such an import leaves a backlog. The running server processed it in {neighbour['backlog_seconds']:.1f} s, in "
                  f"{neighbour['transactions']:,} transactions. Another organization's reads in that time, ms:"),
        "",
        table(["", "median", "p95", "reads"], [
            [name, number(found["median"]), number(found["p95"]), found["samples"]] for name, found in (
                ("without an import", neighbour["undisturbed"]), ("during the statement", neighbour["during_statement"]),
                ("during the backlog", neighbour["during_backlog"]))]),
        "",
        paragraph(f"Reads of the imported organization during a second such backlog: {loaded['exact']} exact, none wrong, "
                  f"{loaded['not answered']} that timed out (503)"
                  + (f", median {number(latency['median'])} ms, p95 {number(latency['p95'])} ms." if latency else ".")),
        "",
        paragraph("Each read of an organization begins with a probe for pending changes. Its cost while no vacuum removes the "
                  "processed ones:"),
        "",
        table(
            ["", "loaded: pages", "loaded: ms", "small: pages", "small: ms"],
            [
                [
                    moment,
                    looks["loaded"]["pages"],
                    number(looks["loaded"]["ms"]),
                    looks["small"]["pages"],
                    number(looks["small"]["ms"]),
                ]
                for moment, looks in backlog["looks"].items()
            ],
        ),
    ]
    return "\n".join(lines)


def facts(machine):
    settings = ", ".join(f"{name} {value}" for name, value in machine["settings"].items())
    return (f"{machine['cores']} cores and {machine['memory_gb']} GB for client, nginx, server and PostgreSQL on one machine; "
            f"PostgreSQL {machine['postgresql']} ({settings}; the rest default), nginx {machine['nginx']}, "
            f"Swift {machine['swift']}.")


def markdown(plan, asked, result):
    reads, midnight, walk = result["reads"], result["midnight"], result["reads"]["walk"][plan.largest]
    missed = [row for row in result["targets"] if not row[3]]
    rates = "; ".join(f"{name} {rate:,.0f}" for name, rate in result["reads_per_second"].items())
    return "\n".join([
        "# Reads and writes by the size of the clinic", "",
        paragraph(f"Written by `make bench-scale` {occasion()}. [scaling.md](../scaling.md) explains the figures. "
                  + facts(result["machine"])), "",
        paragraph("Left: GET through nginx over HTTPS, one client on a persistent connection, alternating between the sizes. "
                  "Right: the plain views, which count the same figures from the source rows, as prepared statements in the "
                  "database alone. Each plain result was compared with the counters in one snapshot. The sign `>` means that "
                  "the plain query was cancelled and not compared. Each HTTP response was compared with the database's "
                  "result."), "",
        reads_table(plan, asked, reads), "",
        paragraph(f"Paging through the list of {plan.largest:,} by its cursors, 200 at a time, {walk['pages']:,} pages to the "
                  f"middle: the first 20 took {number(walk['first_pages']['median'])} ms (median), the last 20 "
                  f"{number(walk['last_pages']['median'])} ms."), "",
        "## Writes", "", writes(result), "",
        "## Loading and building", "",
        loading_table(result["loading"]), "",
        f"Midnight at {plan.largest:,} patients: {midnight['patients']:,} patients to recompute, {midnight['seconds']:.2f} s.",
        "", "## Storage", "", storage_table(result["storage"], sum(plan.sizes)), "",
        f"## Reads a second at {plan.largest:,} patients", "",
        paragraph(f"The database alone, 8 clients: {rates}."), "",
        "## Ready to be distributed by organization", "",
        paragraph("Checked in the catalog: "
                  + "; ".join(f"{count} {what}" for what, count in result["distribution"].items()) + "."), "",
        "## Targets", "",
        f"{len(result['targets']) - len(missed)} of {len(result['targets'])} met."
        + "".join(f"\n- missed: {name}: {measured} ({limit})" for name, measured, limit, _ in missed), ""])


def as_json(plan, result):
    """Keys that are pairs become a list: a JSON key is a string."""
    def table_of(found):
        return [{"patients": size, "question": name, **(entry or {"median": None})}
                for (size, name), entry in found.items()]
    reads = {"http": table_of(result["reads"]["http"]), "plain": table_of(result["reads"]["plain"]),
             "walk": {size: {k: v for k, v in found.items() if k not in ("cursor", "place", "patient")}
                      for size, found in result["reads"]["walk"].items()}}
    targets = [dict(zip(("target", "measured", "limit", "met"), row)) for row in result["targets"]]
    return rounded({"sizes": plan.sizes, **result, "reads": reads, "targets": targets})
