"""The questions: each GET endpoint and parameter, as a path for nginx and as a call of re.plain_… or re.flat_…"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import quote, urlencode

LEVELS = ("critical", "high", "medium", "low", "engaged")
LIST_TYPES = ("text", "text", "text", "int", "text", "text", "text", "boolean", "int", "int", "int", "int", "text",
              "text")
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
    limit: float  # the largest median in ms, with one client
    has_flat: bool = True
    rows_limit: int = field(default=0)
    is_flat: bool = (
        True  # not so a search, which reads what the rarest of its pieces stands in, and few that are sorted by name
    )

    def found(self, rows):
        """The figures of a response from the function's rows, in the order of the JSON."""
        return [plain(value) for value in getattr(self, f"found_by_{self.function}")(rows)]

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
    """`given` has the parameters of the address."""
    parameters = {"limit": most, **given} | ({"cursor": cursor} if cursor else {})
    filters = [given.get(parameter)
               for parameter in ("risk_level", "engagement_status", "action_priority", "risk_tier", "q")]
    # One row more than asked for, as the server does to know of a next page.
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
    text = ("text",)
    asked = [Question("risk-metrics", "risk-metrics", "risk_metrics", text, (organization,), 10.0),
             Question("dashboard", "dashboard", "dashboard", text, (organization,), 10.0)]
    for days in (7, 30, 90):
        asked.append(Question(f"performance {days} d", f"performance?timeframe=last_{days}_days", "performance",
                              text * 2,
                              (organization, f"last_{days}_days"), 10.0))
    asked += [the_list(f"list of {most}", organization, most) for most in (50, 200)]
    asked += [the_list(f"list of 50, {level}", organization, 50, risk_level=level) for level in LEVELS]
    asked += [the_list(f"list of {most}, halfway", organization, most, deep["cursor"], deep["place"])
              for most in (50, 200)]
    asked += more_lists(organization)
    asked += [
        Question("trends 30 d", "trends?period=30d", "trends", ("text", "int"), (organization, 30), 10.0),
        Question("trends 1 y, all metrics", "trends?period=1y&metrics=risk_levels,success_rates,channel_performance",
                 "trends", ("text", "int"), (organization, 365), 10.0),
        Question("patient", f"patients/{deep['patient']}", "patient_detail", text * 2, (organization, deep["patient"]),
                 10.0, has_flat=False),
    ]
    return asked
