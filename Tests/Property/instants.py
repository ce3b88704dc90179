"""Instants as whole microseconds since 1970 in UTC, and functions for days and changes of the clocks."""

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

ZONES = ("Australia/Sydney", "America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe",
         "Pacific/Apia", "America/St_Johns", "UTC", "Pacific/Kiritimati", "America/Sao_Paulo")

# The comment tells why each is an edge case.
NOWS = (
    "2025-06-30T12:00:00.500000",
    "2025-01-01T00:00:00",           # a year begins in UTC and London
    "2025-04-05T15:30:00",           # Lord Howe has fallen back by half an hour, Sydney is about to
    "2024-11-03T05:59:59.999999",    # New York is about to fall back
    "2024-03-31T01:00:00",           # London springs forward
    "2011-12-30T10:00:00",           # Apia skips 30 December
    "2010-11-07T02:45:00",           # St John's went from 00:01 back to 23:01 the day before
    "2018-11-04T03:00:00",           # Sao Paulo springs forward at midnight, so that the day begins at 1
)


def instant(text):
    return (datetime.fromisoformat(text).replace(tzinfo=timezone.utc) - EPOCH) // timedelta(microseconds=1)


def literal(at):
    """Returns a literal for PostgreSQL that does not depend on the session's time zone."""
    return f"'{(EPOCH + timedelta(microseconds=at)).replace(tzinfo=None).isoformat(' ', 'microseconds')}+00'"


def local(at, zone):
    return (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))


def day_of(at, zone):
    return local(at, zone).date().toordinal()


def midnight(day, zone):
    """Returns the instant at which the day begins, or one of them if it begins twice."""
    begin = datetime.combine(date.fromordinal(day), datetime.min.time(), ZoneInfo(zone))
    return (begin.astimezone(timezone.utc) - EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=1000)
def changes_of_clock(day, zone):
    """Returns the instants at which the zone's offset changes, from 370 days before this day to 60 days after it."""
    found = []
    for low in range((day - 370) * DAY, (day + 60) * DAY, DAY):
        high = low + DAY
        while local(low, zone).utcoffset() != local(high, zone).utcoffset() and high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if local(middle, zone).utcoffset() == local(low, zone).utcoffset() else (low, middle)
        if high - low == 1:
            found.append(high)
    return found
