"""Runs a flat or a plain query and returns its result as text."""

import json
from itertools import zip_longest

import psycopg2

from steps import registry

# The result of a query as one text. For the list, also the position of the page's last patient. A notice may be written
# between a flat query and a plain one, so their numbers are not compared.
TEXT = "SELECT string_agg((to_jsonb(f) - 'sequence')::text, E'\\n'), NULL FROM re.{name}({parameters}) f"
PAGE = ("SELECT string_agg(f::text, E'\\n'), (array_agg(CASE WHEN f.sort_name IS NULL "
        "THEN json_build_array(f.action_priority, f.risk_score, f.days_since_last_contact, NULL, f.id) "
        "ELSE json_build_array(NULL, NULL, NULL, left(f.sort_name, 50), f.id) END))[count(*)::int]::text FROM re.{name}({parameters}) f")
TYPES = {endpoint.function: tuple(endpoint.parameters.values()) for endpoint in registry.QUERIES}
TYPES["digest_numbers"] = ("text", "date", "date")


class Mismatch(Exception):
    def __init__(self, organization, way, question, flat, plain):
        super().__init__(f"{question} of {organization} ({way})")
        self.organization, self.way, self.question, self.flat, self.plain = organization, way, question, flat, plain


def difference(flat, plain, most=10):
    """Returns both results, or only the rows that differ if the results are long."""
    if max(str(flat).count("\n"), str(plain).count("\n")) < most:
        return f"flat:  {flat}\nplain: {plain}"
    pairs = list(zip_longest(str(flat).split("\n"), str(plain).split("\n"), fillvalue="(nothing)"))
    rows = [number for number, (f, p) in enumerate(pairs) if f != p]
    lines = [f"row {number + 1}\nflat:  {pairs[number][0]}\nplain: {pairs[number][1]}" for number in rows[:most]]
    return "\n".join([f"{len(rows)} rows of {len(pairs)} differ"] + lines)


def ask(session, prefix, organization, question):
    """Returns the result as text, and the position of the last patient on a page."""
    types = TYPES[question.function]
    name = prefix + question.function
    body = (PAGE if question.function == "prioritized_patients" else TEXT).format(
        name=name, parameters=", ".join(f"${i + 1}" for i in range(len(types))))
    try:
        text, place = session.execute_prepared(name, body, f"({', '.join(types)})", (organization, *question.arguments))[0]
    except psycopg2.Error as error:
        raise Mismatch(organization, f"re.{name}", question, f"{error.pgcode} {error}", "no error") from error
    return text, place and json.loads(place)


def ask_both(session, organization, question):
    """Returns whether the derived rows are current, the flat and the plain result, in one statement and snapshot."""
    types = TYPES[question.function]
    parameters = ", ".join(f"${i + 1}" for i in range(len(types)))
    body = "SELECT re.is_current($1), " + ", ".join(
        f"(SELECT string_agg(f::text, E'\\n') FROM re.{prefix}{question.function}({parameters}) f)" for prefix in ("flat_", "plain_"))
    return session.execute_prepared("both_" + question.function, body, f"({', '.join(types)})", (organization, *question.arguments))[0]
