"""The capacity of one PostgreSQL: bytes and rows, reads and writes a second, the cost of a midnight."""

import tempfile
import time
from pathlib import Path

from loading import organization_of
from questions import questions
from stack import say
from writing import posts_per_second

RELATIONS = """
    SELECT n.nspname || '.' || c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid),
        (SELECT json_object_agg(i.indexrelid::regclass::text, pg_relation_size(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND (n.nspname = 're' AND c.relname NOT IN ('migration', 'foundation') OR n.nspname = 'public'
        AND c.relname IN ('organizations', 'patients', 'appointments', 'conversations', 'outreach_log'))
    ORDER BY n.nspname, pg_total_relation_size(c.oid) DESC"""


def sizes_of(operator):
    found = {}
    for name, table, indexes, each in operator.rows(RELATIONS):
        found[name] = {"rows": operator.value(f"SELECT count(*) FROM {name}"), "table": table, "indexes": indexes,
                       "each": each or {}}
    return found


def literal(value, kind):
    return "NULL" if value is None else f"{value}" if kind == "int" else "'" + str(value).replace("'", "''") + "'"


def reads_per_second(plan, url):
    """pgbench with 8 clients on the largest organization, through the server's functions and role, without nginx."""
    organization, rates = organization_of(plan.largest), {}
    for question in questions(organization, {"cursor": None, "place": (None,) * 4, "patient": "patient_2"}):
        if question.name not in ("risk-metrics", "dashboard", "performance 30 d", "list of 50", "list of 200",
                                 "trends 30 d", "trends 1 y, all metrics", "patient"):
            continue
        arguments = ", ".join(literal(v, t) for v, t in zip(question.arguments, question.types))
        with tempfile.NamedTemporaryFile("w", suffix=".pgbench", delete=False) as script:
            script.write("\\startpipeline\nSELECT set_config('reengagement.organization', :organization, true);\n"
                         f"SELECT * FROM re.{question.function}({arguments});\n\\endpipeline\n")
        try:
            rates[question.name], _ = posts_per_second(url, organization, plan.largest, plan.write_seconds, script.name)
        finally:
            Path(script.name).unlink()
    return rates


def midnight(plan, operator):
    """The patients that change at the largest organization's midnight, and the seconds. Rolled back afterwards."""
    organization = organization_of(plan.largest)
    operator.bind(organization)
    operator.execute("BEGIN")
    try:
        night = operator.value("SELECT (today + 1)::timestamp AT TIME ZONE time_zone FROM re.clock_of(%s)",
                               (organization,))
        results = []
        for moment in ("%s::timestamptz - interval '1 microsecond'", "%s::timestamptz"):
            operator.rows(f"SELECT set_config('reengagement.now', ({moment})::text, true)", (night,))
            began, number, remaining = time.perf_counter(), 0, True
            while remaining:
                refreshed, remaining = operator.rows("SELECT refreshed, remaining FROM re.advance(%s, 1000)",
                                                     (organization,))[0]
                number += refreshed
            results.append((number, time.perf_counter() - began))
    finally:
        operator.execute("ROLLBACK")
    (day, _), (number, seconds) = results
    say(f"  midnight at {plan.largest:,} patients: {number:,} patients, {seconds:.2f} s")
    return {"patients": number, "seconds": seconds, "until_midnight": day}
