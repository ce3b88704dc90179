"""The answers over HTTP as rows of the plain functions that they are to equal, column by column."""

import base64
import json
from urllib.parse import quote

from steps import FIRST

DAYS = {7: "7d", 30: "30d", 90: "90d", 182: "6m", 365: "1y"}
LEVELS = ("critical", "high", "medium", "low", "engaged")
CHANNELS = ("sms", "email", "phone")
METRICS = "risk_levels,success_rates,channel_performance"


def path_of(organization, question):
    """None where it cannot be asked over HTTP."""
    name, arguments = question.function, question.arguments
    if name == "performance":
        return f"performance?timeframe={arguments[0]}"
    if name == "trends":
        return f"trends?period={DAYS[arguments[0]]}&metrics={METRICS}"
    if name == "patient_detail":
        return "patients/" + quote(arguments[0], safe="")
    if name == "prioritized_patients":
        level, limit, *place = arguments
        cursor = cursor_of(organization, level, place)
        return cursor is not None and f"patients/prioritized?limit={limit}" + (f"&risk_level={level}" if level else "") + cursor or None
    return {"risk_metrics": "risk-metrics", "dashboard": "dashboard"}[name]


def cursor_of(organization, level, place):
    """As the server writes them; None where it could not have."""
    if tuple(place) == FIRST:
        return ""
    priority, score, days, id = place
    if not (1 <= priority <= 4 and 0 <= score <= 100 and 0 <= days <= 2**31 - 1 and id):
        return None
    text = json.dumps(["1", organization, level or "all", priority, score, days, id], ensure_ascii=False, separators=(",", ":"))
    return "&cursor=" + base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def plain_arguments(question):
    """One patient more than a page shows tells whether another page follows."""
    if question.function == "prioritized_patients":
        level, limit, *place = question.arguments
        return (level, limit + 1, *place)
    return question.arguments


def rows_of(question, answer):
    """The rows that an answer is made of, and what else it says of them."""
    return globals()["rows_of_" + question.function](answer, *question.arguments)


def expected(question, rows):
    """The same of the plain rows, which come as JSON."""
    if question.function == "prioritized_patients":
        limit = question.arguments[1]
        return [row for row in rows[:limit] if row["id"] is not None], (rows[0]["timestamp"], len(rows) > limit)
    if question.function == "trends":
        return rows, [rows[-1][level] for level in LEVELS]
    if question.function == "patient_detail":
        return [{**row, "outreach": json.loads(row["outreach"])} for row in rows], None
    return rows, None


def by_channel(figures):
    return {f"{channel}_{name}": value for channel in CHANNELS for name, value in figures[channel].items()}


def rows_of_risk_metrics(answer):
    return [{**answer["risk_summary"], **answer["alerts"], "immediate_actions_required": answer["immediate_actions_required"],
             "last_updated": answer["last_updated"]}], None


def rows_of_performance(answer, timeframe):
    assert answer["timeframe"] == timeframe
    channels = by_channel(answer["communication_channels"])
    return [{**answer["reengagement_metrics"], **channels, **answer["benchmark_comparison"]}], None


def rows_of_dashboard(answer):
    summary = answer["summary"]
    levels = {f"{level}_{name}": value for level in LEVELS for name, value in summary["risk_breakdown"][level].items()}
    head = {"total_patients": summary["total_patients"], **levels, "immediate_actions_needed": summary["immediate_actions_needed"],
            "last_updated": answer["last_updated"]}
    nobody = dict.fromkeys(("id", "name", "risk_level", "risk_score", "action", "days_since_contact"))
    return [{**head, **patient} for patient in answer["top_priority_patients"] or [nobody]], None


def rows_of_trends(answer, days):
    assert answer["period"] == DAYS[days]
    trends = by_channel(answer["channel_performance_trends"])
    rows = []
    for day in answer["daily_trends"]:
        rows.append({**day.pop("risk_levels"), **by_channel(day.pop("channels")), **day, **trends, **answer["risk_distribution_changes"]})
    return rows, list(answer["current_risk_distribution"].values())


def rows_of_prioritized_patients(answer, level, limit, *place):
    summary = answer["summary"]
    assert summary["filters_applied"] == {"risk_level": level or "all", "limit": limit}
    assert summary["total_returned"] == len(answer["patients"])
    rows = [{"timestamp": answer["timestamp"], **patient} for patient in answer["patients"]]
    return rows, (answer["timestamp"], summary["next_cursor"] is not None)


def rows_of_patient_detail(answer, id):
    return [answer], None
