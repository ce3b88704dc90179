"""Every figure of every GET endpoint, computed a second time from the source rows.

It follows the definitions alone and uses brute force, so that a reader can compare it with them.
"""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from urllib.parse import parse_qsl, unquote

from folding import folded, is_found
from measures import (
    HOUR,
    Clock,
    average,
    direction,
    iso_date,
    level_after,
    one_decimal,
    percent,
    ratio,
    rfc3339,
    share_at_risk,
)
from subjects import Attempt, Patient, attribute

LEVELS = ("critical", "high", "medium", "low", "engaged")
METHODS = ("sms", "email", "phone")
TIMEFRAMES = {"last_7_days": 7, "last_30_days": 30, "last_90_days": 90}
PERIODS = {"7d": 7, "30d": 30, "90d": 90, "6m": 182, "1y": 365}
METRICS = ("risk_levels", "success_rates", "channel_performance")


def grouped(rows):
    """Groups rows by patient. A patient without rows gets an empty list."""
    found = defaultdict(list)
    for row in rows:
        found[row.patient_id].append(row)
    return found


def exists(row, now):
    """Returns whether the patient exists at `now`. Archived patients count nowhere."""
    return row.created_at <= now and (row.archived_at is None or row.archived_at > now)


ORDERS = {
    "priority": lambda p: p.place(),
    "name": lambda p: (folded(p.row.name).encode(), p.row.id.encode()),
    "last_contact": lambda p: (-p.days, p.place()),
}


def fits(patient, asked):
    """Returns whether a patient matches the requested filters."""
    return (asked.get("engagement_status") in (None, patient.status)
            and asked.get("action_priority") in (None, patient.priority)
            and asked.get("risk_tier") in (None, patient.tier)
            and ("q" not in asked or is_found(patient.row, asked["q"])))


class Oracle:
    """The responses to one organization at one instant."""

    def __init__(self, rows, organization, now):
        self.organization, self.rows = organization, rows
        org = rows.organization(organization)
        self.clock = Clock(now, org.time_zone if org else "UTC", org.appointment_value if org else Decimal(140))
        ours = rows.of(organization)
        appointments, conversations = grouped(ours.appointments), grouped(ours.conversations)
        outreach = grouped(o for o in ours.outreach_log if o.created_at <= now)
        self.known = [
            Patient(row, appointments[row.id], conversations[row.id], outreach[row.id], self.clock)
            for row in ours.patients if exists(row, now)
        ]
        self.patients = sorted((p for p in self.known if p.counted), key=Patient.place)
        self.attempts = []
        for patient_id, logged in outreach.items():
            attempts = [Attempt(row, self.clock) for row in logged]
            attribute(appointments[patient_id], attempts, now)
            self.attempts += attempts
        self.words = ours.words
        self.days_cache = {}

    def answer_to(self, path):
        """Returns the response to a GET, by its path below the organization's and its query. "more" stands for any
        cursor."""
        endpoint, _, query = path.partition("?")
        asked = dict(parse_qsl(query))
        asked |= {name: int(asked[name]) for name in ("limit", "action_priority", "days", "after") if name in asked}
        asked |= {name: asked[name].split(",") for name in ("metrics",) if name in asked}
        if endpoint == "patients/prioritized":
            return self.prioritized(**asked)
        if endpoint.startswith("patients/"):
            return self.patient(unquote(endpoint.removeprefix("patients/")))
        return getattr(self, endpoint.replace("-", "_").replace("/", "_"))(**asked)

    # patients, today

    def at_level(self, level):
        return [p for p in self.patients if p.level == level]

    def risk_summary(self):
        return {level: len(self.at_level(level)) for level in LEVELS}

    def immediate(self):
        return sum(p.priority == 1 for p in self.patients)

    def risk_metrics(self):
        present = {p.row.id for p in self.known}
        failed = [t for t in self.attempts if t.row.outcome == "failed" and t.row.patient_id in present]
        return {
            "organization_id": self.organization,
            "risk_summary": self.risk_summary(),
            "alerts": {
                "missed_appointments_14d": sum(self.clock.in_last(14, d) for p in self.known for d in p.missed_days),
                "failed_communications": sum(self.clock.in_last(14, t.day) for t in failed),
                "no_future_appointments": sum(p.next_scheduled is None for p in self.patients),
            },
            "immediate_actions_required": self.immediate(),
            "last_updated": rfc3339(self.clock.now),
        }

    def dashboard(self):
        return {
            "organization_id": self.organization,
            "time_zone": self.clock.zone_name,
            "summary": {
                "total_patients": len(self.patients),
                "risk_breakdown": {
                    level: {
                        "count": len(self.at_level(level)),
                        "avg_score": average([p.score for p in self.at_level(level)])
                    }
                    for level in LEVELS
                },
                "immediate_actions_needed": self.immediate(),
            },
            "top_priority_patients": [{
                "id": p.row.id, "name": p.row.name, "risk_level": p.level, "risk_score": p.score, "action": p.action,
                "days_since_contact": p.days
            } for p in self.patients[:10]],
            "last_updated": rfc3339(self.clock.now),
        }

    def prioritized(self, risk_level="all", limit=50, skip=0, **additions):
        """Returns one page. The cursor is only "more" or None, because the definitions leave its content open."""
        asked = {name: value.strip(" ") if name == "q" else value for name, value in additions.items()}
        chosen = sorted((p for p in self.patients if risk_level in ("all", p.level) and fits(p, asked)),
                        key=ORDERS[asked.get("sort", "priority")])
        page = chosen[skip:skip + limit]
        notes = {"treatment_notes"} if asked.get("include") == "notes" else set()
        return {
            "patients": [{**p.listed(), **{name: p.row.treatment_notes for name in notes}} for p in page],
            "summary": {
                "total_returned": len(page),
                "total": None if "q" in asked and len(chosen) > 1000 else len(chosen),
                "filters_applied": {"risk_level": risk_level, "limit": limit, **asked},
                "next_cursor": "more" if skip + limit < len(chosen) else None
            },
            "timestamp": rfc3339(self.clock.now),
        }

    def patient(self, patient_id):
        found = [p for p in self.patients if p.row.id == patient_id]
        if not found:
            return None
        [p] = found
        newest = sorted(p.outreach, key=lambda o: (o.created_at, o.id), reverse=True)
        return {
            **p.listed(),
            "organization_id": self.organization,
            "treatment_notes": p.row.treatment_notes,
            "created_at": rfc3339(p.row.created_at),
            "last_contact_day": iso_date(p.last_contact_day),
            "outreach": [{
                "outreach_id": o.id, "method": o.method, "outcome": o.outcome, "opened": o.opened, "notes": o.notes,
                "logged_by": o.logged_by, "logged_at": rfc3339(o.created_at)
            } for o in newest[:20]],
        }

    def alerts(self, days=7, state="open", limit=50, skip=0):
        """Returns one page. What has been told depends on earlier requests too, so `sequence` is that of a baseline."""
        alerts = sorted((p for p in self.patients
                         if p.critical_since and self.clock.in_last(days, p.critical_since)),
                        key=lambda p: (-p.critical_since, p.place()))
        bodies = [p.alert(self.words) for p in alerts]
        taken = sum(body["acknowledged"] is not None for body in bodies)
        chosen = [body for body in bodies if state == "all" or (body["acknowledged"] is None) == (state == "open")]
        page = chosen[skip:skip + limit]
        return {
            "organization_id": self.organization,
            "critical": len(self.at_level("critical")),
            "new_today": sum(p.critical_since == self.clock.today for p in self.patients),
            "open": len(bodies) - taken,
            "acknowledged": taken,
            "sequence": 0,
            "alerts": page,
            "summary": {
                "total_returned": len(page),
                "filters_applied": {"days": days, "state": state, "limit": limit},
                "next_cursor": "more" if skip + limit < len(chosen) else None
            },
            "timestamp": rfc3339(self.clock.now),
        }

    def alerts_events(self, after=0, limit=200):
        """Returns the response while nothing has been told of but the baseline."""
        return {"events": [], "sequence": 0, "oldest": 1, "reset": after > 0}

    def settings(self):
        """Returns the settings of an organization that has none."""
        return dict.fromkeys(("webhook", "digest", "sending", "updated_by", "updated_at"))

    # outreach

    def performance(self, timeframe="last_30_days"):
        window = [t for t in self.attempts if self.clock.in_last(TIMEFRAMES[timeframe], t.day)]
        successful = [t for t in window if t.successful]
        converted = [t for t in window if t.converted]
        waits = [Fraction(t.converted_at - t.at, 24 * HOUR) for t in converted]
        by = {m: [t for t in window if t.row.method == m] for m in METHODS}
        sms, email, phone = by["sms"], by["email"], by["phone"]
        delivered = sum(t.row.outcome != "failed" for t in sms)
        responded = {m: sum(t.successful for t in by[m]) for m in METHODS}
        opened = sum(t.successful or t.row.opened for t in email)
        booked = sum(t.converted for t in phone)
        rate = percent(len(successful), len(window))
        return {
            "timeframe": timeframe,
            "reengagement_metrics": {
                "outreach_attempts": len(window),
                "successful_contacts": len(successful),
                "contact_success_rate": rate,
                "appointments_scheduled": len(converted),
                "conversion_rate": percent(len(converted), len(successful)),
                "avg_days_to_reengage": average(waits),
            },
            "communication_channels": {
                "sms": {
                    "sent": len(sms), "delivered": delivered, "responded": responded["sms"],
                    "response_rate": percent(responded["sms"], delivered)
                },
                "email": {
                    "sent": len(email), "opened": opened, "responded": responded["email"],
                    "response_rate": percent(responded["email"], opened)
                },
                "phone": {
                    "attempted": len(phone), "connected": responded["phone"], "appointment_booked": booked,
                    "conversion_rate": percent(booked, responded["phone"])
                },
            },
            "benchmark_comparison": {
                "industry_avg_contact_rate": Decimal("55.0"),
                "industry_avg_conversion": Decimal("68.0"),
                "our_performance": "insufficient_data"
                if not window else "above_average" if rate >= 60 else "average" if rate >= 50 else "below_average",
            },
        }

    # trends

    def on_day(self, day):
        """Returns (levels, new at risk, re-engaged) of one day."""
        if day not in self.days_cache:
            levels, new, back = dict.fromkeys(LEVELS, 0), 0, 0
            for p in self.known:
                days = p.days_since_on(day)
                if days is not None:
                    levels[level_after(days)] += 1
                    new += days == 30
                if days == 0 and day in p.contact_days:
                    before = p.days_since_on(day - 1)
                    back += before is not None and level_after(before) in ("high", "critical")
            self.days_cache[day] = levels, new, back
        return self.days_cache[day]

    def daily(self, day, metrics, made, converted):
        levels, new, back = self.on_day(day)
        ours = made.get(day, [])
        entry = {
            "date": iso_date(day), "new_at_risk": new, "reengaged_successfully": back, "outreach_attempts": len(ours),
            "appointments_scheduled": converted.get(day, 0)
        }
        successes = sum(t.successful for t in ours)
        if "risk_levels" in metrics:
            entry["risk_levels"] = dict(levels)
        if "success_rates" in metrics:
            entry["contact_success_rate"] = percent(successes, len(ours))
            entry["conversion_rate"] = percent(sum(t.converted for t in ours), successes)
        if "channel_performance" in metrics:
            entry["channels"] = {}
            for method in METHODS:
                used = [t for t in ours if t.row.method == method]
                good = sum(t.successful for t in used)
                entry["channels"][method] = {
                    "attempts": len(used), "successes": good, "success_rate": percent(good, len(used))
                }
        return entry

    def success_rate(self, method, first, last):
        used = [t for t in self.attempts if t.row.method == method and first <= t.day <= last]
        return ratio(sum(t.successful for t in used), len(used))

    def channel_trend(self, method, length):
        today = self.clock.today
        r1 = self.success_rate(method, today - length + 1, today)
        r0 = self.success_rate(method, today - 2 * length + 1, today - length)
        if r0:
            change = one_decimal(100 * (r1 - r0) / r0)
        else:
            change = Decimal("100.0") if r1 else Decimal("0.0")
        trend = "improving" if change > 5 else "declining" if change < -5 else "stable"
        return {"success_rate_trend": trend, "change_pct": change}

    def trends(self, period="30d", metrics=()):
        length, today = PERIODS[period], self.clock.today
        first = today - length + 1
        made, converted = {}, {}
        for t in self.attempts:
            made.setdefault(t.day, []).append(t)
            if t.converted:
                day = self.clock.day(t.converted_at)
                converted[day] = converted.get(day, 0) + 1
        then, here = self.on_day(first)[0], self.on_day(today)[0]
        return {
            "period": period,
            "daily_trends": [self.daily(day, metrics, made, converted) for day in range(first, today + 1)],
            "channel_performance_trends": {m: self.channel_trend(m, length)
                                           for m in METHODS},
            "risk_distribution_changes": {
                "critical_trend": direction(then["critical"], here["critical"]),
                "high_trend": direction(then["high"], here["high"]),
                "overall_improvement": share_at_risk(here) < share_at_risk(then),
            },
            "current_risk_distribution": self.risk_summary(),
        }
