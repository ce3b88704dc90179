"""The cost of the triggers: log-outreach with 8 clients, and many rows in one statement, with and without triggers."""

import os
import re
import subprocess
import time
from pathlib import Path
from statistics import median

from database import SERVER_OPTIONS
from exactness import Wrong
from loading import build, enable_triggers, organization_of
from stack import say

CLIENTS = 8
SCRIPT = Path(__file__).parent / "log_outreach.pgbench"


def disable_triggers(database, table):
    """USER excludes the triggers of foreign keys."""
    database.execute(f"ALTER TABLE public.{table} DISABLE TRIGGER USER")


def posts_per_second(url, organization, patients, seconds, script=SCRIPT):
    """The rate and the number of posts. On a busy machine, connecting takes part of the time."""
    done = subprocess.run(
        ["pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", str(script),
         "-D", f"organization={organization}", "-D", f"patients={patients}", url],
        env={**os.environ, "PGOPTIONS": SERVER_OPTIONS}, capture_output=True, text=True)
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    posts = re.search(r"^number of transactions actually processed: ([0-9]+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not rate or not posts or re.search(r"number of failed transactions: [1-9]", done.stdout):
        raise SystemExit(f"error: pgbench failed:\n{done.stdout}{done.stderr}")
    return float(rate.group(1)), int(posts.group(1))


def posted(operator, organization):
    return operator.value(
        "SELECT count(*) FROM public.outreach_log WHERE organization_id = %s AND logged_by = 'user_bench'",
        (organization,),
    )


def measure_posts(plan, operator, server_role, url):
    """Alternating rounds in a changing order, without background work, which would use part of the machine."""
    size = min(10_000, plan.largest)
    organization, rates = organization_of(size), {"with": [], "without": []}
    for number in range(plan.write_rounds):
        for kind in ("with", "without") if number % 2 else ("without", "with"):
            (enable_triggers if kind == "with" else disable_triggers)(operator, "outreach_log")
            operator.execute("CHECKPOINT")
            before = posted(operator, organization)
            rate, posts = posts_per_second(url, organization, size, plan.write_seconds)
            rates[kind].append(rate)
            # Refused posts would be fast. Only those for archived patients may be missing.
            if posted(operator, organization) - before < 0.9 * posts:
                raise Wrong("log-outreach did not write the rows that pgbench counted")
    enable_triggers(operator, "outreach_log")
    # This adds a pending change for the patient of every attempt, also of those that were written without triggers.
    operator.execute("DELETE FROM public.outreach_log WHERE logged_by = 'user_bench'")
    build(server_role, size)
    found = {kind: median(values) for kind, values in rates.items()}
    say(f"  log-outreach: {found['with']:,.0f}/s with triggers, {found['without']:,.0f}/s without")
    return {"clients": CLIENTS, "patients": size, **found, "ratio": found["with"] / found["without"], "rounds": rates}


def import_once(operator, organization, name, number, marked):
    """Seconds of the statement and its commit, without the switch of the triggers."""
    operator.execute("CHECKPOINT")
    operator.execute("BEGIN")
    if not marked:
        disable_triggers(operator, "appointments")
    began = time.perf_counter()
    operator.execute(IMPORT, (organization, name, number))
    seconds = time.perf_counter() - began
    if not marked:
        enable_triggers(operator, "appointments")
    began = time.perf_counter()
    operator.execute("COMMIT")
    return seconds + time.perf_counter() - began


IMPORT = """
    INSERT INTO public.appointments (organization_id, id, patient_id, starts_at, status, created_at)
    SELECT * FROM bench.imported_appointments(%s, %s, %s)"""


def forget_import(operator, organization, name):
    return operator.execute("DELETE FROM public.appointments WHERE organization_id = %s AND id LIKE %s",
                            (organization, f"import\\_{name}\\_%"))


def measure_imports(plan, operator, server_role):
    size = import_size(plan)
    organization, seconds = organization_of(size), {"with": [], "without": []}
    for number in range(plan.import_rounds):
        for kind in ("with", "without") if number % 2 else ("without", "with"):
            name = f"{kind}{number}"
            seconds[kind].append(import_once(operator, organization, name, plan.imported, kind == "with"))
            forget_import(operator, organization, name)
    build(server_role, size)
    found = {kind: median(values) for kind, values in seconds.items()}
    say(f"  {plan.imported:,} appointments: {found['with']:.2f} s with triggers, {found['without']:.2f} s without")
    return {"rows": plan.imported, "patients": size, **found, "ratio": found["with"] / found["without"],
            "rounds": seconds}


def import_size(plan):
    return max(size for size in plan.sizes if size <= 100_000)
