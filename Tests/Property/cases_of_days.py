"""Cases of windows of days, of midnights and of time zones."""

import rows
from instants import DAY, HOUR, SECOND, day_of, instant, midnight
from script import ID, NOW, around, case
from steps import ALL, SUMMARIES, TRENDS, USUAL


@case("a missed appointment leaves the windows of 14 and 90 days, and is in them again when now moves back")
def misses_leave(s):
    for zone in ("Europe/London", "Australia/Lord_Howe"):
        s.sql("TRUNCATE public.organizations CASCADE")
        s.clinic(zone, NOW, ("p1", "p2", "p3"))
        midday = s.midnight(0) + HOUR
        for number, patient in enumerate(("p1", "p2", "p2", "p3", "p3", "p3")):
            s.appointment(midday + number, ("no_show", "late_cancelled")[number % 2], patient=patient)
        s.conversation(midday - 10 * DAY, "p3")
        for days in (0, 1, 13, 14, 88, 89, 90, 91, 14, 13, 90, 89, 0):
            s.look_at(*around(midnight(day_of(NOW, zone) + days, zone)))


@case("a completed appointment leaves the attendance rate's 90 days, and is in them again when now moves back")
def visits_leave(s):
    for zone in ("Europe/London", "Australia/Lord_Howe"):
        s.sql("TRUNCATE public.organizations CASCADE")
        s.clinic(zone, NOW, ("p1", "p2"))
        midday = s.midnight(0) + HOUR
        for number, patient in enumerate(("p1", "p2", "p2")):
            s.appointment(midday + number, "completed", patient=patient)
            s.appointment(midday + 20 * DAY, "no_show", patient=patient)
        for days in (0, 21, 88, 89, 90, 91, 89, 110, 20, 90, 0):
            s.look_at(*around(midnight(day_of(NOW, zone) + days, zone)))


@case("rows at the first and last instants of the windows of 7, 14, 30 and 90 days")
def windows(s):
    for zone in ("America/New_York", "Asia/Kolkata"):
        s.sql("TRUNCATE public.organizations CASCADE")
        s.clinic(zone)
        for days in (6, 13, 29, 89):
            for at in around(s.midnight(-days)):
                s.outreach(at, "failed", "email", "p1")
                s.outreach(at, "success", "phone", "p2")
                s.appointment(at, "no_show", patient="p2")
            s.check(ALL)
        s.look_at(*around(s.midnight(1)), *around(s.midnight(-1)))


@case("performance counts an attempt on its own day, trends on the day of the booking")
def two_days(s):
    s.clinic("Pacific/Apia")
    s.outreach(s.midnight(-2) - 1, method="phone")
    s.booking(s.midnight(-1) - 1)
    s.booking(s.midnight(-1))
    s.check(ALL)
    s.sql("DELETE FROM public.appointments WHERE id = 'a2'")
    s.check(ALL)


@case("midnights where summer time begins or ends, a zone skips a day or has a day twice")
def midnights(s):
    for zone, about in (("Europe/London", "2025-03-30T00:00:00"), ("America/New_York", "2024-11-03T12:00:00"),
                        ("Australia/Lord_Howe", "2025-04-05T12:00:00"), ("Australia/Sydney", "2024-10-06T00:00:00"),
                        ("America/Sao_Paulo", "2018-11-04T02:00:00"), ("Pacific/Apia", "2011-12-30T00:00:00"),
                        ("America/St_Johns", "2010-11-07T02:30:00"), ("Pacific/Kiritimati", "1994-12-31T12:00:00")):
        now, ids = instant(about), ("p1", "p2", "p3", "p4")
        s.sql("TRUNCATE public.organizations CASCADE")
        s.clinic(zone, now, ids)
        first = day_of(now, zone) - 1
        for number, patient in enumerate(ids):
            s.conversation(midnight(first - (6, 13, 29, 44)[number], zone), patient)
            s.outreach(midnight(first - (6, 13, 29, 89)[number], zone) - 1, ("failed", "success")[number % 2], patient=patient)
            s.appointment(midnight(first - 89, zone) + number - 1, "no_show", patient=patient)
        s.appointment(now, "completed", now - DAY, "p4")
        s.appointment(now + 1800 * SECOND, "no_show", now - DAY, "p4")
        s.check(USUAL)
        for day in range(first, first + 4):
            s.look_at(*around(midnight(day, zone)), midnight(day, zone) + HOUR)
        for minutes in range(-90, 100, 15):
            s.at(now + minutes * 60 * SECOND)
            s.check(SUMMARIES + TRENDS[:1])


@case("a contact dated tomorrow, on a day whose clocks went back across midnight")
def tomorrow(s):
    fold = instant("2010-11-07T02:30:30")
    s.clinic("America/St_Johns", fold, ("p1", "p2", "p3"))
    s.conversation(fold, "p1")
    s.appointment(fold, "no_show", fold - DAY, "p2")
    s.outreach(fold, patient="p3")
    for now in (fold, fold + 1, fold + 30 * SECOND, fold + 900 * SECOND, fold + 3600 * SECOND, fold + 7200 * SECOND, fold + DAY, fold + 900 * SECOND):
        s.look_at(now, questions=USUAL)


@case("rows at the first and the last instant that a timestamp may have")
def calendar(s):
    first, last = instant("0001-01-01T00:00:00"), instant("9999-12-31T23:59:59.999999")
    for zone in ("America/New_York", "Pacific/Kiritimati"):
        s.sql("TRUNCATE public.organizations CASCADE")
        s.at(NOW)
        s.sql(rows.organization(ID, zone), *(rows.patient(ID, id, first) for id in ("p1", "p2", "p3")), rows.patient(ID, "p4", last))
        s.conversation(first, "p2")
        s.outreach(last, patient="p2")
        s.appointment(last, "no_show", first, "p3")
        s.outreach(first, "success", "phone", "p3")
        s.look_at(NOW, last, last - 1, first, NOW, questions=ALL)


@case("a changed time zone moves the borders of all days")
def zones(s):
    s.clinic("UTC")
    for days in (0, 6, 7, 13, 14, 30, 45, 90):
        s.outreach(s.midnight(-days), ("success", "failed")[days % 2], patient="p1")
        s.appointment(s.midnight(-days) - 1, "no_show", patient="p2")
    for zone in ("Pacific/Kiritimati", "America/New_York", "Asia/Kolkata", "UTC"):
        s.sql(f"UPDATE public.organizations SET time_zone = '{zone}'")
        s.check(ALL)
    s.transaction("UPDATE public.organizations SET time_zone = 'Asia/Kolkata'", "ROLLBACK")
    s.check()
