"""Every figure of every GET endpoint, computed a second time from the source rows.

Written from the definitions alone and by brute force, so that it can be read beside them and believed.
Instants are whole microseconds since 1970 UTC and days are proleptic ordinals, so nothing is rounded
before the definitions say so; shares are `Fraction`s until they leave as `Decimal`s of one digit.
"""

from bisect import bisect_right
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

LEVELS = ("critical", "high", "medium", "low", "engaged")
METHODS = ("sms", "email", "phone")
TIMEFRAMES = {"last_7_days": 7, "last_30_days": 30, "last_90_days": 90}
PERIODS = {"7d": 7, "30d": 30, "90d": 90, "6m": 182, "1y": 365}
METRICS = ("risk_levels", "success_rates", "channel_performance")

SECOND = 1_000_000
HOUR = 3600 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FIRST_SAFE, LAST_SAFE = datetime.min + timedelta(days=2), datetime.max - timedelta(days=2)


# Time (section 2)

@lru_cache(maxsize=None)
def zone_named(name):
    return ZoneInfo(name)


@lru_cache(maxsize=1 << 20)
def day_of(instant, zone_name):
    """The calendar day of an instant in a zone, as an ordinal; it may lie just outside the years 1–9999."""
    utc = (EPOCH + timedelta(microseconds=instant)).replace(tzinfo=None)
    near = min(max(utc, FIRST_SAFE), LAST_SAFE).replace(tzinfo=timezone.utc)
    offset = near.astimezone(zone_named(zone_name)).utcoffset() // timedelta(microseconds=1)
    return (instant + offset) // (24 * HOUR) + EPOCH.date().toordinal()


def rfc3339(instant):
    if instant is None:
        return None
    whole = EPOCH + timedelta(seconds=instant // SECOND)
    return whole.replace(tzinfo=None).isoformat() + "Z"


def iso_date(day):
    return date.fromordinal(day).isoformat()


# Numbers (the end of section 3)

def one_decimal(value):
    """Rounds half away from zero to one decimal."""
    tenths = abs(value) * 10
    whole = tenths.numerator // tenths.denominator
    if 2 * (tenths - whole) >= 1:
        whole += 1
    return Decimal(whole if value >= 0 else -whole).scaleb(-1)


def ratio(part, whole):
    return Fraction(part, whole) if whole else Fraction(0)


def percent(part, whole):
    return one_decimal(100 * ratio(part, whole))


def percent_or_null(part, whole):
    return percent(part, whole) if whole else None


def average(values):
    return one_decimal(ratio(sum(values), len(values)))


# The scales of section 3

def level_after(days):
    if days < 7:
        return "engaged"
    if days < 14:
        return "low"
    if days < 30:
        return "medium"
    if days < 45:
        return "high"
    return "critical"


def recency(days):
    if days < 7:
        return 30 * days // 7
    if days < 14:
        return 30 + 15 * (days - 7) // 7
    if days < 30:
        return 45 + 15 * (days - 14) // 16
    if days < 45:
        return 60 + (days - 30)
    if days < 90:
        return 75 + (days - 45) // 3
    return 90


def priority_and_action(status, tier, upcoming):
    if status == "stale":
        return 4, "NEW: Invite to a first appointment"
    if status == "dormant" and tier == "high":
        return 1, "DORMANT: Re-engagement campaign needed"
    if status == "dormant":
        return 2, "DORMANT: Personal follow-up needed"
    if tier == "high":
        return 2, "AT RISK: Confirm the booked visit"
    if tier == "medium" and upcoming:
        return 3, "MONITOR: Confirm the booked visit"
    if tier == "medium":
        return 3, "MONITOR: Book the next appointment"
    return 4, "ENGAGED: Continue current care plan"


class Patient:
    """One patient who exists and is not archived, and everything that section 3 says of them."""

    def __init__(self, row, appointments, conversations, outreach, clock):
        self.row, self.clock = row, clock
        now, today, day = clock.now, clock.today, clock.day
        self.outreach = outreach
        completed = [a for a in appointments if a.status == "completed" and a.starts_at <= now]
        self.missed_days = [day(a.starts_at) for a in appointments
                            if a.status in ("no_show", "late_cancelled") and a.starts_at <= now]
        upcoming = [a.starts_at for a in appointments if a.status == "scheduled" and a.starts_at > now]
        self.contact_days = sorted({day(i) for i in
                                    [a.starts_at for a in completed]
                                    + [c.occurred_at for c in conversations if c.occurred_at <= now]
                                    + [o.created_at for o in outreach if o.outcome == "success"]})
        self.intake_day = day(row.created_at)

        self.next_scheduled = min(upcoming, default=None)
        self.last_appointment = max((a.starts_at for a in completed), default=None)
        self.completed = len(completed)
        self.lifetime_value = sum((clock.appointment_value if a.value is None else a.value for a in completed), Decimal(0))
        self.response_rate = percent_or_null(sum(o.outcome == "success" for o in outreach), len(outreach))
        self.missed_90 = sum(clock.in_last(90, d) for d in self.missed_days)
        completed_90 = sum(clock.in_last(90, day(a.starts_at)) for a in completed)
        self.attendance = percent_or_null(completed_90, completed_90 + self.missed_90)

        self.last_contact_day = self.last_contact_on(today)
        self.counted = self.last_contact_day is not None
        if self.counted:
            self.judge(today - self.last_contact_day)

    def last_contact_on(self, day):
        earlier = bisect_right(self.contact_days, day)
        if earlier:
            return self.contact_days[earlier - 1]
        return self.intake_day if self.intake_day <= day else None

    def days_since_on(self, day):
        last = self.last_contact_on(day)
        return None if last is None else day - last

    def judge(self, days):
        upcoming = self.next_scheduled is not None
        self.days = days
        self.level = level_after(days)
        self.score = max(0, recency(days) + 5 * min(self.missed_90, 2) - (20 if upcoming else 0))
        self.tier = "high" if self.score >= 70 else "medium" if self.score >= 40 else "low"
        if upcoming or (self.contact_days and days < 30):
            self.status = "active"
        else:
            self.status = "dormant" if self.contact_days else "stale"
        self.priority, self.action = priority_and_action(self.status, self.tier, upcoming)

    def place(self):
        return (self.priority, -self.score, -self.days, self.row.id.encode())

    def listed(self):
        row = self.row
        return {
            "id": row.id, "name": row.name, "phone": row.phone, "email": row.email,
            "risk_level": self.level, "risk_score": self.score, "days_since_last_contact": self.days,
            "last_appointment_date": rfc3339(self.last_appointment),
            "next_scheduled_appointment": rfc3339(self.next_scheduled),
            "recommended_action": self.action, "action_priority": self.priority,
            "previous_response_rate": self.response_rate,
            "total_lifetime_appointments": self.completed,
            "missed_appointments_last_90d": self.missed_90,
            "engagement_status": self.status, "risk_tier": self.tier,
            "attendance_rate_percent": self.attendance, "lifetime_value": self.lifetime_value,
        }


class Attempt:
    """One row of the outreach log, with the first booking attributed to it (section 4)."""

    def __init__(self, row, clock):
        self.row, self.at, self.day = row, row.created_at, clock.day(row.created_at)
        self.successful = row.outcome == "success"
        self.converted_at = None

    @property
    def converted(self):
        return self.converted_at is not None


def attribute(appointments, attempts, now):
    """Gives each booking of one patient to its attempt."""
    successful = [t for t in attempts if t.successful]
    for booking in appointments:
        if booking.status in ("cancelled", "late_cancelled") or booking.created_at > now:
            continue
        before = [t for t in successful if t.at < booking.created_at]
        if not before:
            continue
        latest = max(before, key=lambda t: (t.at, t.row.id))
        if booking.created_at - latest.at <= 336 * HOUR:
            if not latest.converted or booking.created_at < latest.converted_at:
                latest.converted_at = booking.created_at


class Clock:
    """Now, and the days it makes, in one organization."""

    def __init__(self, now, zone_name, appointment_value):
        self.now, self.zone_name, self.appointment_value = now, zone_name, appointment_value
        self.today = self.day(now)

    def day(self, instant):
        return day_of(instant, self.zone_name)

    def in_last(self, days, day):
        return self.today - days < day <= self.today


class Oracle:
    """The answers to one organization at one instant."""

    def __init__(self, rows, organization, now):
        self.organization, self.rows = organization, rows
        org = rows.organization(organization)
        self.clock = Clock(now, org.time_zone if org else "UTC", org.appointment_value if org else Decimal(140))
        ours = rows.of(organization)
        outreach = [o for o in ours.outreach_log if o.created_at <= now]
        by_patient = {}
        for kind, table in (("a", ours.appointments), ("c", ours.conversations), ("o", outreach)):
            for row in table:
                by_patient.setdefault(row.patient_id, {"a": [], "c": [], "o": []})[kind].append(row)
        nothing = {"a": [], "c": [], "o": []}
        self.known = []
        for row in ours.patients:
            if row.created_at <= now and (row.archived_at is None or row.archived_at > now):
                kept = by_patient.get(row.id, nothing)
                self.known.append(Patient(row, kept["a"], kept["c"], kept["o"], self.clock))
        self.patients = sorted((p for p in self.known if p.counted), key=Patient.place)
        self.attempts = []
        for kept in by_patient.values():
            attempts = [Attempt(o, self.clock) for o in kept["o"]]
            attribute(kept["a"], attempts, now)
            self.attempts += attempts
        self.days_cache = {}

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
            "summary": {
                "total_patients": len(self.patients),
                "risk_breakdown": {level: {"count": len(self.at_level(level)),
                                           "avg_score": average([p.score for p in self.at_level(level)])}
                                   for level in LEVELS},
                "immediate_actions_needed": self.immediate(),
            },
            "top_priority_patients": [
                {"id": p.row.id, "name": p.row.name, "risk_level": p.level, "risk_score": p.score,
                 "action": p.action, "days_since_contact": p.days} for p in self.patients[:10]],
            "last_updated": rfc3339(self.clock.now),
        }

    def prioritized(self, risk_level="all", limit=50, skip=0):
        """One page, but for the cursor, of which only `None` or not is defined."""
        chosen = [p for p in self.patients if risk_level in ("all", p.level)]
        page = chosen[skip:skip + limit]
        return {
            "patients": [p.listed() for p in page],
            "summary": {"total_returned": len(page),
                        "filters_applied": {"risk_level": risk_level, "limit": limit},
                        "next_cursor": "more" if skip + limit < len(chosen) else None},
            "timestamp": rfc3339(self.clock.now),
        }

    def patient(self, patient_id):
        found = [p for p in self.patients if p.row.id == patient_id]
        if not found:
            return None
        [p] = found
        newest = sorted(p.outreach, key=lambda o: (o.created_at, o.id), reverse=True)
        return {
            **p.listed(), "organization_id": self.organization, "treatment_notes": p.row.treatment_notes,
            "created_at": rfc3339(p.row.created_at), "last_contact_day": iso_date(p.last_contact_day),
            "outreach": [{"outreach_id": o.id, "method": o.method, "outcome": o.outcome, "opened": o.opened,
                          "notes": o.notes, "logged_by": o.logged_by, "logged_at": rfc3339(o.created_at)}
                         for o in newest[:20]],
        }

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
                "outreach_attempts": len(window), "successful_contacts": len(successful),
                "contact_success_rate": rate, "appointments_scheduled": len(converted),
                "conversion_rate": percent(len(converted), len(successful)),
                "avg_days_to_reengage": average(waits),
            },
            "communication_channels": {
                "sms": {"sent": len(sms), "delivered": delivered, "responded": responded["sms"],
                        "response_rate": percent(responded["sms"], delivered)},
                "email": {"sent": len(email), "opened": opened, "responded": responded["email"],
                          "response_rate": percent(responded["email"], opened)},
                "phone": {"attempted": len(phone), "connected": responded["phone"], "appointment_booked": booked,
                          "conversion_rate": percent(booked, responded["phone"])},
            },
            "benchmark_comparison": {
                "industry_avg_contact_rate": Decimal("55.0"), "industry_avg_conversion": Decimal("68.0"),
                "our_performance": "insufficient_data" if not window else "above_average" if rate >= 60
                else "average" if rate >= 50 else "below_average",
            },
        }

    # trends

    def on_day(self, day):
        """(levels, new at risk, re-engaged) of one day, past or present."""
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
        entry = {"date": iso_date(day), "new_at_risk": new, "reengaged_successfully": back,
                 "outreach_attempts": len(ours), "appointments_scheduled": converted.get(day, 0)}
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
                entry["channels"][method] = {"attempts": len(used), "successes": good,
                                             "success_rate": percent(good, len(used))}
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
            "channel_performance_trends": {m: self.channel_trend(m, length) for m in METHODS},
            "risk_distribution_changes": {
                "critical_trend": direction(then["critical"], here["critical"]),
                "high_trend": direction(then["high"], here["high"]),
                "overall_improvement": share_at_risk(here) < share_at_risk(then),
            },
            "current_risk_distribution": self.risk_summary(),
        }


def direction(before, after):
    if before == 0:
        return "increasing" if after > 0 else "stable"
    change = Fraction(after - before, before)
    if change > Fraction(5, 100):
        return "increasing"
    return "decreasing" if change < Fraction(-5, 100) else "stable"


def share_at_risk(levels):
    return ratio(levels["critical"] + levels["high"], sum(levels.values()))
