"""The reads: through nginx, round after round over all sizes and questions, and the plain functions in the database."""

import random
import time
from statistics import quantiles

from exactness import Wrong, check_answer, check_flat
from loading import organization_of
from questions import questions
from stack import say

WARM_UP = 12  # requests a question, so that each of the server's connections has planned it
PAGES_AT_MOST = 3000


def summary(samples):
    if len(samples) == 1:
        return {"median": samples[0], "p95": samples[0], "samples": 1}
    cuts = quantiles(samples, n=20, method="inclusive")
    return {"median": cuts[9], "p95": cuts[18], "samples": len(samples)}


def walk(connection, size):
    """Pages through the list to the middle, without duplicates. Returns the ms of the first and last pages."""
    seen, cursor, times = set(), "", []
    while len(seen) < size // 2 and len(times) < PAGES_AT_MOST:
        answer = connection.get(f"patients/prioritized?limit=200{cursor}")
        if answer.status != 200:
            raise Wrong(f"a page of the list returns {answer.status}: {answer.body[:300]!r}")
        page = answer.json()
        ids = [patient["id"] for patient in page["patients"]]
        if len(seen) + len(ids) != len(seen.union(ids)):
            raise Wrong("the list contains a patient twice")
        seen.update(ids)
        times.append(answer.milliseconds)
        following = page["summary"]["next_cursor"]
        if following is None:
            break
        cursor, last = f"&cursor={following}", page["patients"][-1]
    place = (last["action_priority"], last["risk_score"], last["days_since_last_contact"], last["id"])
    return {"cursor": following, "place": place, "patient": last["id"], "pages": len(times),
            "first_pages": summary(times[:20]), "last_pages": summary(times[-20:])}


def measure_http(plan, connections, asked):
    samples = {(size, question.name): [] for size in plan.sizes for question in asked[size]}
    order = [(size, question) for size in plan.sizes for question in asked[size]]
    for size, question in order:
        for _ in range(WARM_UP):
            connections[size].get(question.path)
    shuffle = random.Random(1).shuffle
    for _ in range(plan.rounds):
        shuffle(order)
        for size, question in order:
            for _ in range(3):
                answer = connections[size].get(question.path)
                if answer.status != 200:
                    raise Wrong(f"{organization_of(size)}, {question.name}: status {answer.status}")
                samples[size, question.name].append(answer.milliseconds)
    return {key: summary(values) for key, values in samples.items()}


def measure_plain(plan, database, asked):
    """Each run also compares in one snapshot. Null means a timeout."""
    found = {}
    for size in plan.sizes:
        began = time.monotonic()
        for question in asked[size]:
            times = []
            while len(times) < plan.plain_runs and (not times or sum(times) < 6000):
                times.append(check_flat(database, question, plan.plain_seconds))
                if times[-1] is None:
                    break
            # The first run plans.
            known = [t for t in (times[1:] or times) if t is not None]
            found[size, question.name] = summary(known) if known else None
        say(f"  plain views at {size:,}: {time.monotonic() - began:.0f} s")
    return found


def read_all(plan, server_role, connections):
    deep = {size: walk(connections[size], size) for size in plan.sizes}
    asked = {size: questions(organization_of(size), deep[size]) for size in plan.sizes}
    for size in plan.sizes:
        for question in asked[size]:
            check_answer(server_role, connections[size], question)
    say("  every response equals the database's result: measuring through nginx")
    http = measure_http(plan, connections, asked)
    say("  measuring the plain views, each with the counters in one snapshot")
    plain = measure_plain(plan, server_role, asked)
    return asked, {"walk": deep, "http": http, "plain": plain}
