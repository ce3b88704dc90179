"""What is asked: each GET endpoint and parameter, as a path for nginx and as a call of re.plain_… or re.flat_…"""

import json
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests/EndToEnd"))

import registry  # noqa: E402

LIST_TYPES = ("text", "text", "text", "int", "text", "text", "text", "boolean", "int", "int", "int", "int", "text", "text")
# These say when or for whom was asked, not what was found.
ASIDE = {"organization_id", "last_updated", "timestamp", "timeframe", "period", "total_returned",
         "filters_applied", "next_cursor"}


@dataclass(frozen=True)
class Question:
    name: str
    path: str
    function: str
    types: tuple
    arguments: tuple
    limit: float  # ms that issue and guide allow a median with one client
    has_flat: bool = True
    rows_limit: int = field(default=0)
    is_flat: bool = True  # not so a search, which reads what the rarest of its pieces stands in, and few that are sorted by name

    def found(self, rows):
        """The figures of an answer as the function's rows give them, in the order in which the JSON has them."""
        found_by = getattr(self, f"found_by_{self.function}", self.found_by_any)
        return [plain(value) for value in found_by(rows)]

    def found_by_any(self, rows):
        """Of an endpoint that has no function below: its rows, where the columns are in the response's order."""
        return [value for row in rows for value in row]

    def found_by_risk_metrics(self, rows):
        return rows[0][:-1]

    def found_by_performance(self, rows):
        return rows[0]

    def found_by_prioritized_patients(self, rows):
        shown = 20 if "include=notes" in self.path else 19
        return [value for row in rows[:self.rows_limit] if row[1] is not None for value in row[1:shown]] + [rows[0][20]]

    def found_by_dashboard(self, rows):
        return [rows[0][13]] + list(rows[0][:12]) + [value for row in rows if row[14] is not None for value in row[14:]]

    def found_by_trends(self, rows):
        shown = 21 if "metrics=" in self.path else 5
        return [value for row in rows for value in row[:shown]] + list(rows[-1][21:30]) + list(rows[-1][5:10])

    def found_by_patient_detail(self, rows):
        return list(rows[0][1:22]) + list(leaves(json.loads(rows[0][22])))


def plain(value):
    return Decimal(value).normalize() if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value


def leaves(value):
    if isinstance(value, dict):
        for key, member in value.items():
            if key not in ASIDE:
                yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)
    else:
        yield value


def figures(answer):
    return [plain(value) for value in leaves(answer)]


def the_list(name, organization, most, cursor=None, place=(None,) * 4, is_flat=True, **given):
    """given: parameters of the address."""
    parameters = {"limit": most, **given} | ({"cursor": cursor} if cursor else {})
    filters = [given.get(parameter) for parameter in ("risk_level", "engagement_status", "action_priority", "risk_tier", "q")]
    # One row more than asked for, as the server does to know of a next page.
    arguments = (organization, *filters, given.get("sort", "priority"), "include" in given, most + 1, *place[:3], None, place[3])
    return Question(name, f"patients/prioritized?{urlencode(parameters, quote_via=quote)}", "prioritized_patients", LIST_TYPES,
                    arguments, 25.0 if most == 200 else 10.0, rows_limit=most, is_flat=is_flat)


def more_lists(organization):
    """Filtered, sorted and searched. Of the patients of any size one has the number 777."""
    def of_50(name, **given):
        return the_list(f"list of 50, {name}", organization, 50, **given)

    return [
        of_50("dormant", engagement_status="dormant"), of_50("priority 2", action_priority=2), of_50("medium tier", risk_tier="medium"),
        of_50("with notes", include="notes"),
        of_50("by last contact", sort="last_contact"), of_50("by last contact, active", sort="last_contact", engagement_status="active"),
        of_50("by name", sort="name"), of_50("by name, critical", sort="name", risk_level="critical"),
        of_50("by name, few fit", sort="name", risk_level="high", risk_tier="high", is_flat=False),
        of_50("one found by e-mail", q=".777@example", is_flat=False),
        of_50("one found by phone", q="+61 4 0000 0777", sort="name", is_flat=False),
        of_50("nobody found", q="Nobody at all"),
        of_50("found by a whole name", q="Zoë YOUNG", sort="name", is_flat=False),
        of_50("too many found", q="example.com", sort="last_contact", is_flat=False),
    ]


def questions(organization, deep):
    """deep: a cursor in the middle of the list, the place it stands for, and a patient found there."""
    def measured(question):
        """A question of the registry that has a title."""
        function, parameters = question.endpoint.function, question.endpoint.parameters
        arguments = dict(zip(list(parameters)[1:], question.values(deep["patient"])))
        most = arguments.get("row_limit", 1) - 1
        return Question(question.title, question.path(deep["patient"]), function, tuple(parameters.values()),
                        (organization, *arguments.values()), 25.0 if most == 200 else 10.0,
                        has_flat=question.endpoint.has_flat, rows_limit=most)

    asked = [measured(question) for question in registry.questions() if question.title]
    asked += [the_list(f"list of {most}, halfway", organization, most, deep["cursor"], deep["place"]) for most in (50, 200)]
    return asked + more_lists(organization)
