"""Generated histories with many events at the limits of the definitions. The same seed gives the same rows."""

import random
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from measures import EPOCH, HOUR, SECOND, day_of, zone_named
from rows import Appointment, Conversation, Organization, Outreach, PatientRow, Rows, instant

ZONES = ("Australia/Sydney", "America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia",
         "America/St_Johns", "UTC", "Pacific/Kiritimati", "America/Sao_Paulo")

# Each instant is a limit in some zone, as its comment explains.
NOWS = {
    "noon": "2025-06-30T12:00:00.5Z",
    "a_year_begins": "2025-01-01T00:00:00Z",  # in UTC and London, to the microsecond
    "before_sydney_falls_back": "2025-04-05T15:30:00Z",  # and after Lord Howe did, by half an hour
    "before_new_york_falls_back": "2024-11-03T05:59:59.999999Z",
    "apia_skipped_a_day": "2011-12-30T10:00:00Z",  # 29 December ended, the 31st begins
    "a_day_ran_backwards": "2010-11-07T02:45:00Z",  # St John's went from 00:01 back to 23:01
}

DAY = 24 * HOUR
AGES = (0, 1, 2, 5, 6, 7, 8, 12, 13, 14, 15, 21, 28, 29, 30, 31, 36, 43, 44, 45, 46, 47, 59, 60, 75, 88, 89, 90, 91, 92,
        120, 181, 182, 183, 364, 365, 366, 400, 700)
STATUSES = ("scheduled", "completed", "cancelled", "late_cancelled", "no_show")
WAITS = (-1, 0, 1, SECOND, HOUR, 5 * DAY, 14 * DAY - HOUR, 336 * HOUR - 1, 336 * HOUR, 336 * HOUR + 1, 14 * DAY + HOUR,
         20 * DAY)
VALUES = (None, None, None, "0.00", "0.01", "95.50", "140.00", "99999999.99", "33.33", "0.10")
NAMES = ("John Smith", "Liam O'Brien", "Ana Ōtaki", "陳美玲", "Мария Иванова", "محمد علي", "Ζωή", "אבי כהן", "नेहा शर्मा",
         "D\u2019Arcy \"Dee\" Müller", "back\\slash \\n \\u0041", "tab\there", "line\nbreak\r\n",
         "bell\x07 esc\x1b del\x7f", "\u2028\u2029", "👩‍⚕️🐨", "a\u0301e\u0301", "áé", "'; DROP TABLE patients; --",
         "<script>alert(1)</script>", " ", "\ufeffBOM", "x" * 300, "\U0010ffff\uffff", "null", "{\"a\": 1}", "%00%2f",
         "\\N", "\\.", "\x01\x02\x1f\x85")
IDS = (
    "patient_{}",
    "p{}",
    "a/b/{}",
    "50%{}",
    "what?{}",
    "hash#{}",
    "with space {}",
    "plus+{}",
    "é{}",
    "e\u0301{}",
    "漢字{}",
    "🐨{}",
    "%2F{}",
    "..{}",
    ".{}",
    "quote'\"{}",
    "back\\{}",
    "semi;colon&amp={}",
    "new\nline{}",
    "tab\t{}",
    "\x7f{}",
    "Prioritized{}",
    "PATIENT_{}",
    "~{}",
    "{}:@!$&'()*,",
    "ÿ{}",
    "z\u0301{}",
    "\ue000{}",
    "\U00010000{}",
)


def midnight(day, zone_name):
    """Returns an instant at which the day begins in the zone. A day may begin twice."""
    local = datetime.combine(date.fromordinal(day), datetime.min.time(), zone_named(zone_name))
    return (local.astimezone(timezone.utc) - EPOCH) // timedelta(microseconds=1)


def changes_of_clock(now, zone_name):
    """Returns the instants of the last two years at which the zone's offset changes, to the minute."""

    def offset(at):
        return (EPOCH + timedelta(microseconds=at)).astimezone(zone_named(zone_name)).utcoffset()

    found = []
    for before in range(now - 730 * DAY, now + 30 * DAY, DAY):
        low, high = before, before + DAY
        if offset(low) == offset(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        found.append(high)
    return found


class History:
    """Generates the rows of one organization."""

    def __init__(self, seed, organization_id, zone_name, now, patients):
        self.random = random.Random(f"{seed} {organization_id} {zone_name} {now}")
        self.organization_id, self.zone_name, self.now = organization_id, zone_name, now
        self.today = day_of(now, zone_name)
        self.shifts = changes_of_clock(now, zone_name)
        self.count = 0
        self.rows = Rows()
        value = Decimal(self.random.choice(("140.00", "0.00", "87.65", "99999999.99")))
        self.rows.organizations.append(Organization(organization_id, self.random.choice(NAMES), zone_name, value))
        for number in range(patients):
            self.patient(number)

    def next_id(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def midnight_ago(self, age):
        return midnight(self.today - age, self.zone_name)

    def past(self, youngest=0):
        """Returns an instant at least `youngest` days ago, in about half of the cases at a limit."""
        r = self.random
        span = r.choice((40, 100, 800))
        ages = [a for a in AGES if youngest <= a < youngest + span]
        shifts = [s for s in self.shifts if s < self.midnight_ago(youngest) + DAY]
        kind = r.random()
        if kind < 0.45:
            return self.midnight_ago(r.choice(ages)) + r.choice((-1, 0, 0, 1))
        if kind < 0.6:
            return self.midnight_ago(r.choice(ages) - 1) - 1
        if kind < 0.75 and shifts:
            return r.choice(shifts) + r.choice(
                (-HOUR, -30 * 60 * SECOND, -60 * SECOND, -1, 0, 1, 30 * 60 * SECOND, HOUR, 2 * HOUR))
        if kind < 0.8 and youngest == 0:
            return self.now + r.choice((-1, 0))
        return self.now - youngest * DAY - r.randrange(span * DAY)

    def future(self):
        r = self.random
        return r.choice(
            (self.now + 1, self.now + 1, self.now + SECOND, self.midnight_ago(-1), self.midnight_ago(-1) - 1,
             self.now + r.randrange(1, 200 * DAY), instant("9999-12-31T23:59:59.999999Z")))

    def sometime(self, youngest, chance_of_future):
        return self.future() if self.random.random() < chance_of_future else self.past(youngest)

    def patient(self, number):
        r = self.random
        created = self.past(r.choice(AGES)) if r.random() < 0.9 else r.choice(
            (self.now, self.now - 1, self.now + 1, self.future(), instant("0001-01-03T00:00:00Z"),
             instant("1900-01-01T00:00:00Z")))
        archived = None if r.random() < 0.85 else r.choice(
            (self.now, self.now - 1, self.now + 1, self.past(), self.future(), self.past(30)))
        patient_id = r.choice(IDS).format(number)
        if r.random() < 0.03:
            patient_id = (patient_id + r.choice("xé🐨") * 200)[:200]
        self.rows.patients.append(
            PatientRow(self.organization_id, patient_id, r.choice(NAMES), r.choice((None, "", "+61 400 000 000", "☎")),
                       r.choice((None, "", "a@example.com", "\"odd\\\"@example.com")),
                       r.choice((None, "", "Knee.\nWeek 6.", r.choice(NAMES))), created, archived))
        youngest = r.choice(AGES[:25] if r.random() < 0.8 else AGES)
        busy = r.choice((0, 1, 1, 2, 3, 3, 6))
        for _ in range(r.randrange(busy + 1)):
            self.appointment(patient_id, self.sometime(youngest, 0.2), self.sometime(0, 0.05))
        for _ in range(r.randrange(busy + 1)):
            self.rows.conversations.append(
                Conversation(self.organization_id, self.next_id("c"), patient_id, self.sometime(youngest, 0.05),
                             r.choice((None, "positive", "neutral", "negative"))))
        self.outreach(patient_id, youngest, r.choice((0, 0, 1, 2, 4, 7)) if number != 3 else 30)

    def appointment(self, patient_id, starts_at, booked_at, status=None):
        value = self.random.choice(VALUES)
        self.rows.appointments.append(
            Appointment(self.organization_id, self.next_id("a"), patient_id, starts_at, status
                        or self.random.choice(STATUSES), value if value is None else Decimal(value), booked_at))

    def outreach(self, patient_id, youngest, attempts):
        r, at = self.random, None
        for _ in range(attempts):
            if at is None or r.random() > 0.25:  # otherwise at the same instant as the previous one
                at = self.sometime(r.choice((youngest, 0)), 0.04)
            outcome = r.choice(("success", "success", "no_response", "failed"))
            if outcome == "success" and at < self.midnight_ago(youngest - 1) - DAY * youngest and r.random() < 0.5:
                outcome = "no_response"
            self.rows.outreach_log.append(
                Outreach(self.organization_id, self.uuid(), patient_id, r.choice(("sms", "email", "phone")), outcome,
                         r.random() < 0.4, r.choice(("", "", r.choice(NAMES), "😀" * 40)),
                         r.choice(("user_1", "user_2", "üser")), at))
            for _ in range(r.choice((0, 0, 1, 1, 2))):
                booked = at + r.choice(WAITS + (r.randrange(16 * DAY), ))
                if booked < instant("9999-01-01T00:00:00Z"):
                    self.appointment(patient_id, self.sometime(youngest, 0.4), booked)


def history(seed, organization_id, zone_name, now, patients):
    return History(seed, organization_id, zone_name, now, patients).rows
