"""Turns HTTP responses into rows that can be compared with those of the plain functions, column by column."""

import base64
import hashlib
import json
from urllib.parse import quote

from steps import FIRST, Question, Wanted, registry

DAYS = {7: "7d", 30: "30d", 90: "90d", 182: "6m", 365: "1y"}
LEVELS = ("critical", "high", "medium", "low", "engaged")
CHANNELS = ("sms", "email", "phone")
METRICS = "risk_levels,success_rates,channel_performance"
STREAMS = {endpoint.function for endpoint in registry.QUERIES if endpoint.streams}
PATHS = {(question.endpoint.function, question.values()): question.path() for question in registry.questions()}


def path_of(organization, question):
    """Returns the path of the request, or None if the HTTP interface cannot express the question."""
    name, arguments = question.function, question.arguments
    if name == "trends":
        return f"trends?period={DAYS[arguments[0]]}&metrics={METRICS}"
    if name == "patient_detail":
        return "patients/" + quote(arguments[0], safe="")
    if name == "prioritized_patients":
        wanted, limit, place = list_of(question)
        cursor = cursor_of(organization, wanted, place)
        if cursor is None or wanted.q is not None and len(wanted.q) < 3:
            return None
        filters = "".join(f"&{name}={quote(str(value), safe='')}" for name, value in filters_of(wanted).items())
        return f"patients/prioritized?limit={limit}{filters}{cursor}"
    return None if name in STREAMS or name == "digest_numbers" else PATHS[name, arguments]


def list_of(question):
    """Returns the filter, the limit and the position after which the page begins."""
    number = len(Wanted._fields)
    return Wanted(*question.arguments[:number]), question.arguments[number], tuple(question.arguments[number + 1:])


def filters_of(wanted):
    """Returns the query's parameters, without those that have their default."""
    given = {"risk_level": wanted.level, "engagement_status": wanted.status, "action_priority": wanted.priority, "risk_tier": wanted.tier,
             "q": wanted.q, "sort": None if wanted.sort == "priority" else wanted.sort, "include": "notes" if wanted.notes else None}
    return {name: value for name, value in given.items() if value is not None}


def as_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def cursor_of(organization, wanted, place):
    """Returns a cursor in the server's notation, or None for a position that the server never writes."""
    if place == FIRST:
        return ""
    *numbers, name, id = place
    if not id or wanted.sort != "name" and not all(least <= n <= most for n, (least, most) in zip(numbers, ((1, 4), (0, 100), (0, 2**31 - 1)))):
        return None
    belongs_to = [organization, wanted.level or "all", wanted.status, wanted.priority and str(wanted.priority), wanted.tier, wanted.q, wanted.sort]
    digest = base64url(hashlib.sha256(as_json(belongs_to)).digest()[:16])
    return "&cursor=" + base64url(as_json(["2", digest, *([name] if wanted.sort == "name" else numbers), id]))


def plain_arguments(question):
    """Returns the plain function's arguments: for the list one patient more, which shows whether a page follows."""
    if question.function == "prioritized_patients":
        wanted, limit, place = list_of(question)
        return (*wanted, limit + 1, *place)
    return question.arguments


def rows_of(question, answer):
    """Returns the rows of a response, and its data that are not in rows."""
    known = globals().get("rows_of_" + question.function)
    return known(answer, *question.arguments) if known else (rows_of_any(answer), None)


def expected(question, rows):
    """Returns the same as rows_of from the plain function's rows, which are JSON objects."""
    if question.function == "prioritized_patients":
        wanted, limit, _ = list_of(question)
        aside = {"total", "sort_name"} if wanted.notes else {"total", "sort_name", "treatment_notes"}
        shown = [{name: value for name, value in row.items() if name not in aside} for row in rows[:limit] if row["id"] is not None]
        return shown, (rows[0]["timestamp"], rows[0]["total"], len(rows) > limit)
    if question.function == "alerts":
        return expected_alerts(rows, question.arguments[2] - 1)
    if question.function == "trends":
        return rows, [rows[-1][level] for level in LEVELS]
    if question.function == "patient_detail":
        return [{**row, "outreach": json.loads(row["outreach"])} for row in rows], None
    return rows, None


def expected_alerts(rows, limit):
    """Returns the plain function's rows as rows_of_alerts does. A notice may be written before the next request."""
    shown = [{name: value for name, value in row.items() if name != "sequence"} for row in rows[:limit]]
    return shown, len(rows) > limit


def by_channel(figures):
    return {f"{channel}_{name}": value for channel in CHANNELS for name, value in figures[channel].items()}


def rows_of_any(answer):
    """Returns a row for each element of the response's list, or one row. Members of objects become its columns."""
    columns, listed = {}, [{}]
    inner = [answer]
    while inner:
        for name, member in inner.pop().items():
            if isinstance(member, dict):
                inner.append(member)
            elif isinstance(member, list):
                listed = member
            else:
                columns[name] = member
    del columns["organization_id"]
    return [{**columns, **row} for row in listed]


def rows_of_performance(answer, timeframe):
    assert answer["timeframe"] == timeframe
    channels = by_channel(answer["communication_channels"])
    return [{**answer["reengagement_metrics"], **channels, **answer["benchmark_comparison"]}], None


def rows_of_dashboard(answer):
    summary = answer["summary"]
    levels = {f"{level}_{name}": value for level in LEVELS for name, value in summary["risk_breakdown"][level].items()}
    head = {"total_patients": summary["total_patients"], **levels, "immediate_actions_needed": summary["immediate_actions_needed"],
            "last_updated": answer["last_updated"], "time_zone": answer["time_zone"]}
    nobody = dict.fromkeys(("id", "name", "risk_level", "risk_score", "action", "days_since_contact"))
    return [{**head, **patient} for patient in answer["top_priority_patients"] or [nobody]], None


def rows_of_trends(answer, days):
    assert answer["period"] == DAYS[days]
    trends = by_channel(answer["channel_performance_trends"])
    rows = []
    for day in answer["daily_trends"]:
        rows.append({**day.pop("risk_levels"), **by_channel(day.pop("channels")), **day, **trends, **answer["risk_distribution_changes"]})
    return rows, list(answer["current_risk_distribution"].values())


def rows_of_prioritized_patients(answer, *arguments):
    wanted, limit, _ = list_of(Question("prioritized_patients", arguments))
    summary = answer["summary"]
    assert summary["filters_applied"] == {"risk_level": "all", **filters_of(wanted), "limit": limit}
    assert summary["total_returned"] == len(answer["patients"])
    rows = [{"timestamp": answer["timestamp"], **patient} for patient in answer["patients"]]
    return rows, (answer["timestamp"], summary["total"], summary["next_cursor"] is not None)


def rows_of_alerts(answer, days, state, row_limit, *place):
    summary, acknowledgement = answer["summary"], ("by", "at", "until", "note")
    assert summary["filters_applied"] == {"days": days, "state": state, "limit": row_limit - 1}
    assert summary["total_returned"] == len(answer["alerts"])
    head = {name: answer[name] for name in ("critical", "new_today", "open", "acknowledged", "timestamp")}
    nobody = dict.fromkeys(("id", "name", "phone", "email", "risk_level", "risk_score", "critical_since", "days_since_last_contact",
                            "recommended_action", "action_priority", "acknowledged"))
    rows = []
    for alert in answer["alerts"] or [nobody]:
        said = alert.pop("acknowledged") or dict.fromkeys(acknowledgement)
        rows.append({**head, **alert, **{f"acknowledged_{name}": said[name] for name in acknowledgement}})
    return rows, summary["next_cursor"] is not None


def rows_of_patient_detail(answer, id):
    return [answer], None
