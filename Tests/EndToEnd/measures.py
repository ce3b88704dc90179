"""How time, shares and scales are measured (sections 2 and 3 of the definitions).

Instants are whole microseconds since 1970 UTC and days are proleptic ordinals, so nothing is rounded
before the definitions require it. Shares are `Fraction`s and are returned as `Decimal`s of one digit.
"""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

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
    """Returns the calendar day of an instant in a zone as an ordinal. It may be just outside the years 1–9999."""
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
    return day and date.fromordinal(day).isoformat()


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


@lru_cache(maxsize=1 << 16)
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


class Clock:
    """Now and the days that it defines in one organization."""

    def __init__(self, now, zone_name, appointment_value):
        self.now, self.zone_name, self.appointment_value = now, zone_name, appointment_value
        self.today = self.day(now)

    def day(self, instant):
        return day_of(instant, self.zone_name)

    def in_last(self, days, day):
        return self.today - days < day <= self.today


def direction(before, after):
    if before == 0:
        return "increasing" if after > 0 else "stable"
    change = Fraction(after - before, before)
    if change > Fraction(5, 100):
        return "increasing"
    return "decreasing" if change < Fraction(-5, 100) else "stable"


def share_at_risk(levels):
    return ratio(levels["critical"] + levels["high"], sum(levels.values()))
