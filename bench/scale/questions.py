"""What is asked: each GET endpoint and parameter, as a path for nginx and as a call of re.plain_… or re.flat_…"""

import json
from dataclasses import dataclass, field
from decimal import Decimal

LEVELS = ("critical", "high", "medium", "low", "engaged")
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

    def found(self, rows):
        """The figures of an answer as the function's rows give them, in the order in which the JSON has them."""
        return [plain(value) for value in getattr(self, f"found_by_{self.function}")(rows)]

    def found_by_risk_metrics(self, rows):
        return rows[0][:9]

    def found_by_performance(self, rows):
        return rows[0]

    def found_by_prioritized_patients(self, rows):
        return [value for row in rows[:self.rows_limit] if row[1] is not None for value in row[1:19]]

    def found_by_dashboard(self, rows):
        return list(rows[0][:12]) + [value for row in rows if row[13] is not None for value in row[13:]]

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


def the_list(name, organization, most, level=None, cursor=None, place=(None,) * 4):
    parameters = [f"limit={most}"] + ([f"risk_level={level}"] if level else []) + ([f"cursor={cursor}"] if cursor else [])
    # One row more than asked for, as the server does to know of a next page.
    return Question(name, f"patients/prioritized?{'&'.join(parameters)}", "prioritized_patients", LIST_TYPES,
                    (organization, level, None, None, None, None, "priority", False, most + 1, *place[:3], None, place[3]), 25.0 if most == 200 else 10.0, rows_limit=most)


def questions(organization, deep):
    """deep: a cursor in the middle of the list, the place it stands for, and a patient found there."""
    text = ("text",)
    asked = [Question("risk-metrics", "risk-metrics", "risk_metrics", text, (organization,), 10.0),
             Question("dashboard", "dashboard", "dashboard", text, (organization,), 10.0)]
    for days in (7, 30, 90):
        asked.append(Question(f"performance {days} d", f"performance?timeframe=last_{days}_days", "performance", text * 2,
                              (organization, f"last_{days}_days"), 10.0))
    asked += [the_list(f"list of {most}", organization, most) for most in (50, 200)]
    asked += [the_list(f"list of 50, {level}", organization, 50, level) for level in LEVELS]
    asked += [the_list(f"list of {most}, halfway", organization, most, None, deep["cursor"], deep["place"])
              for most in (50, 200)]
    asked += [
        Question("trends 30 d", "trends?period=30d", "trends", ("text", "int"), (organization, 30), 10.0),
        Question("trends 1 y, all metrics", "trends?period=1y&metrics=risk_levels,success_rates,channel_performance",
                 "trends", ("text", "int"), (organization, 365), 10.0),
        Question("patient", f"patients/{deep['patient']}", "patient_detail", text * 2, (organization, deep["patient"]),
                 10.0, has_flat=False),
    ]
    return asked
