"""One patient and one attempt with all their values by sections 3 and 4 of the definitions."""

from bisect import bisect_right
from decimal import Decimal

from measures import HOUR, iso_date, level_after, percent_or_null, priority_and_action, recency, rfc3339


class Patient:
    """One existing patient who is not archived, with the values of section 3."""

    def __init__(self, row, appointments, conversations, outreach, clock):
        self.row, self.clock = row, clock
        now, today, day = clock.now, clock.today, clock.day
        self.outreach = outreach
        completed = [a for a in appointments if a.status == "completed" and a.starts_at <= now]
        self.missed_days = [
            day(a.starts_at) for a in appointments if a.status in ("no_show", "late_cancelled") and a.starts_at <= now
        ]
        upcoming = [a.starts_at for a in appointments if a.status == "scheduled" and a.starts_at > now]
        self.contact_days = sorted({
            day(i)
            for i in [a.starts_at for a in completed] + [c.occurred_at for c in conversations if c.occurred_at <= now] +
            [o.created_at for o in outreach if o.outcome == "success"]
        })
        self.intake_day = day(row.created_at)

        self.next_scheduled = min(upcoming, default=None)
        self.last_appointment = max((a.starts_at for a in completed), default=None)
        self.completed = len(completed)
        self.lifetime_value = sum((clock.appointment_value if a.value is None else a.value for a in completed),
                                  Decimal(0))
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

    @property
    def critical_since(self):
        return self.last_contact_day + 45 if self.days >= 45 else None

    def acknowledged(self, words):
        """Returns who has acknowledged the alert of a critical patient (section 10), or None if it is open."""
        said = [w for w in words if w.patient_id == self.row.id and w.critical_since == self.critical_since
                and w.created_at <= self.clock.now]
        word = max(said, key=lambda w: (w.created_at, w.number), default=None)
        is_word = word is not None and word.action == "acknowledge"
        if is_word and (word.until is None or self.clock.today < word.until):
            return {"by": word.logged_by, "at": rfc3339(word.created_at), "until": iso_date(word.until), "note": word.note}
        attempts = [o for o in self.outreach if self.clock.day(o.created_at) >= self.critical_since]
        if is_word:
            attempts = [o for o in attempts if self.clock.day(o.created_at) >= word.until]
        elif word is not None:
            attempts = [o for o in attempts if o.created_at > word.created_at]
        first = min(attempts, key=lambda o: (o.created_at, o.id), default=None)
        return first and {"by": first.logged_by, "at": rfc3339(first.created_at), "until": None, "note": ""}

    def place(self):
        return (self.priority, -self.score, -self.days, self.row.id.encode())

    def listed(self):
        row = self.row
        return {
            "id": row.id,
            "name": row.name,
            "phone": row.phone,
            "email": row.email,
            "risk_level": self.level,
            "risk_score": self.score,
            "days_since_last_contact": self.days,
            "last_appointment_date": rfc3339(self.last_appointment),
            "next_scheduled_appointment": rfc3339(self.next_scheduled),
            "recommended_action": self.action,
            "action_priority": self.priority,
            "previous_response_rate": self.response_rate,
            "total_lifetime_appointments": self.completed,
            "missed_appointments_last_90d": self.missed_90,
            "engagement_status": self.status,
            "risk_tier": self.tier,
            "attendance_rate_percent": self.attendance,
            "lifetime_value": self.lifetime_value,
            "critical_since": iso_date(self.critical_since),
        }

    def alert(self, words):
        listed = self.listed()
        names = ("id", "name", "phone", "email", "risk_level", "risk_score", "critical_since",
                 "days_since_last_contact", "recommended_action", "action_priority")
        return {**{name: listed[name] for name in names}, "acknowledged": self.acknowledged(words)}


class Attempt:
    """One row of the outreach log with the first booking attributed to it (section 4)."""

    def __init__(self, row, clock):
        self.row, self.at, self.day = row, row.created_at, clock.day(row.created_at)
        self.successful = row.outcome == "success"
        self.converted_at = None

    @property
    def converted(self):
        return self.converted_at is not None


def attribute(appointments, attempts, now):
    """Attributes each booking of one patient to its attempt."""
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
