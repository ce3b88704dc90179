"""The questions: each GET endpoint and parameter, as a path for nginx and as a call of re.plain_… or re.flat_…"""

import json
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlencode

sys.path.append(str(Path(__file__).resolve().parents[2] / "Tests/support"))

import registry  # noqa: E402

LIST_TYPES = tuple(next(each for each in registry.READS if each.function == "prioritized_patients").parameters.values())
# These fields depend on the time or the subject of the request.
ASIDE = {"organization_id", "last_updated", "timestamp", "timeframe", "period", "total_returned",
         "filters_applied", "next_cursor"}


@dataclass(frozen=True)
class Question:
    name: str
    path: str
    function: str
    types: tuple
    arguments: tuple
    limit: float  # the largest median in ms, with one client
    has_flat: bool = True
    rows_limit: int = field(default=0)
    is_flat: bool = True  # false for a search, which reads its rarest piece's entries, and for few matches by name

    def found(self, rows):
        """The figures of a response from the function's rows, in the order of the JSON."""
        found_by = getattr(self, f"found_by_{self.function}", self.found_by_any)
        return [plain(value) for value in found_by(rows)]

    def found_by_any(self, rows):
        """Of an endpoint that has no function below: its columns are in the order of the JSON."""
        return [value for row in rows for name, value in row._asdict().items() if name not in ASIDE]

    def found_by_prioritized_patients(self, rows):
        end = "total" if "include=notes" in self.path else "treatment_notes"
        patients = [row for row in rows[:self.rows_limit] if row.id is not None]
        return [value for row in patients for value in part(row, "id", end)] + [rows[0].total]

    def found_by_dashboard(self, rows):
        patients = [value for row in rows if row.id is not None for value in part(row, "id")]
        return [rows[0].time_zone, *part(rows[0], "total_patients", "last_updated"), *patients]

    def found_by_trends(self, rows):
        end = "sms_success_rate_trend" if "metrics=" in self.path else "critical"
        return [value for row in rows for value in part(row, "date", end)] + [
            *part(rows[-1], "sms_success_rate_trend"), *part(rows[-1], "critical", "contact_success_rate")]

    def found_by_patient_detail(self, rows):
        return [*part(rows[0], "id", "outreach"), *leaves(json.loads(rows[0].outreach))]


def part(row, first, end=None):
    """The columns from `first` up to `end`, which is not included."""
    return row[row._fields.index(first):row._fields.index(end) if end else None]


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
    """`given` has the parameters of the address."""
    parameters = {"limit": most, **given} | ({"cursor": cursor} if cursor else {})
    filters = [given.get(parameter)
               for parameter in ("risk_level", "engagement_status", "action_priority", "risk_tier", "q")]
    # One extra row, by which the server detects a next page.
    arguments = (organization, *filters, given.get("sort", "priority"), "include" in given, most + 1, *place[:3], None,
                 place[3])
    return Question(name, f"patients/prioritized?{urlencode(parameters, quote_via=quote)}", "prioritized_patients",
                    LIST_TYPES,
                    arguments, 25.0 if most == 200 else 10.0, rows_limit=most, is_flat=is_flat)


def more_lists(organization):
    """Filters, orders and searches. At any size one patient has the number 777."""
    def of_50(name, **given):
        return the_list(f"list of 50, {name}", organization, 50, **given)

    return [
        of_50("dormant", engagement_status="dormant"), of_50("priority 2", action_priority=2),
        of_50("medium tier", risk_tier="medium"),
        of_50("with notes", include="notes"),
        of_50("by last contact", sort="last_contact"),
        of_50("by last contact, active", sort="last_contact", engagement_status="active"),
        of_50("by name", sort="name"), of_50("by name, critical", sort="name", risk_level="critical"),
        of_50("by name, few fit", sort="name", risk_level="high", risk_tier="high", is_flat=False),
        of_50("one found by e-mail", q=".777@example", is_flat=False),
        of_50("one found by phone", q="+61 4 0000 0777", sort="name", is_flat=False),
        of_50("nobody found", q="Nobody at all"),
        of_50("found by a whole name", q="Zoë YOUNG", sort="name", is_flat=False),
        of_50("too many found", q="example.com", sort="last_contact", is_flat=False),
    ]


def questions(organization, deep):
    """`deep` has a cursor in the middle of the list, its position, and a patient there."""
    def measured(question):
        """A question of the registry that has a title."""
        endpoint, patient = question.endpoint, deep["patient"]
        arguments = dict(zip(list(endpoint.parameters)[1:], question.values(patient)))
        most = arguments.get("row_limit", 1) - 1
        return Question(question.title, question.path(patient), endpoint.function, tuple(endpoint.parameters.values()),
                        (organization, *arguments.values()), 25.0 if most == 200 else 10.0,
                        has_flat=endpoint.has_flat, rows_limit=most)

    asked = [measured(question) for question in registry.questions() if question.title]
    asked += [the_list(f"list of {most}, halfway", organization, most, deep["cursor"], deep["place"])
              for most in (50, 200)]
    return asked + more_lists(organization)
