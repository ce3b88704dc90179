"""The targets and the measured values."""

RATIO_OF_READS = 1.5
RATIO_OF_POSTS = 0.7
RATIO_OF_IMPORTS = 1.5
RATIO_OF_NEIGHBOUR = 1.5
# One index descent to the organization's row and two to its pending changes, without dead rows.
PAGES_OF_A_LOOK = 20


def ratio(table, sizes, name):
    first, last = table.get((sizes[0], name)), table.get((sizes[-1], name))
    return last["median"] / first["median"] if first and last else None


def read_targets(plan, asked, reads):
    for question in asked[plan.largest]:
        grown = ratio(reads["http"], plan.sizes, question.name)
        if question.is_flat:
            yield (f"{question.name}: median at {plan.largest:,} patients to that at {plan.sizes[0]:,}",
                   f"{grown:.2f}", f"≤ {RATIO_OF_READS}", grown <= RATIO_OF_READS)
        median = reads["http"][plan.largest, question.name]["median"]
        yield (f"{question.name}: median at {plan.largest:,} patients, ms", f"{median:.2f}", f"< {question.limit:.0f}",
               median < question.limit)


def write_targets(posts, imports, backlog):
    yield ("log-outreach with triggers to without", f"{posts['ratio']:.2f}", f"≥ {RATIO_OF_POSTS}",
           posts["ratio"] >= RATIO_OF_POSTS)
    yield (f"{imports['rows']:,} appointments in one statement with triggers to without", f"{imports['ratio']:.2f}",
           f"≤ {RATIO_OF_IMPORTS}", imports["ratio"] <= RATIO_OF_IMPORTS)
    neighbour = backlog["neighbour"]
    noticed = neighbour["during_backlog"]["median"] / neighbour["undisturbed"]["median"]
    yield ("another organization's reads during a backlog to those without", f"{noticed:.2f}", f"≤ {RATIO_OF_NEIGHBOUR}",
           noticed <= RATIO_OF_NEIGHBOUR)
    for moment, looks in backlog["looks"].items():
        pages = max(look["pages"] for look in looks.values())
        yield f"pages that a probe for pending changes reads, {moment}", f"{pages}", f"≤ {PAGES_OF_A_LOOK}", pages <= PAGES_OF_A_LOOK


def targets(plan, asked, reads, posts, imports, backlog):
    return [*read_targets(plan, asked, reads), *write_targets(posts, imports, backlog)]
