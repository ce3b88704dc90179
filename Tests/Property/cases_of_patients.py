"""Cases of patients who are created, archived or deleted, or change their level."""

import rows
from instants import DAY, HOUR, SECOND, day_of, literal, midnight
from script import ID, NOW, around, case
from steps import ALL, LEVELS, SORTS, STATUSES, SUMMARIES, TIERS, TRENDS, USUAL, Wanted, walk


@case("a patient is archived, at once or at a later instant, and restored")
def archive(s):
    s.clinic()
    s.outreach(NOW - 3 * DAY, "failed")
    s.outreach(NOW - 2 * DAY, method="phone")
    s.booking(NOW - DAY)
    s.appointment(NOW - DAY, "no_show")
    s.conversation(NOW - 40 * DAY)
    s.check()
    for archived in (NOW, NOW - 1, NOW + 1, NOW - 50 * DAY, NOW + HOUR):
        s.sql(f"UPDATE public.patients SET archived_at = {literal(archived)} WHERE id = 'p1'")
        s.check(ALL)
    s.look_at(*around(NOW + HOUR), NOW, NOW + HOUR, questions=USUAL)
    s.outreach(NOW - HOUR, "failed", "email")
    s.booking(NOW - HOUR)
    s.check(USUAL)
    s.sql("UPDATE public.patients SET archived_at = NULL WHERE id = 'p1'")
    s.check(ALL)
    s.sql("DELETE FROM public.patients WHERE id = 'p1'")
    s.check(ALL)


@case("a patient created in the future counts from that instant on, the outreach to the patient at once")
def not_yet(s):
    created = NOW + 2 * HOUR
    s.clinic()
    s.sql(rows.patient(ID, "later", created))
    s.outreach(NOW - 3 * DAY, "failed", patient="later")
    s.outreach(NOW - 40 * DAY, "success", "phone", patient="later")
    s.booking(NOW - 39 * DAY, "later")
    s.appointment(NOW - 2 * DAY, "no_show", patient="later")
    s.check(ALL)
    s.look_at(*around(created), NOW, created + DAY, questions=ALL)
    s.sql(f"UPDATE public.patients SET created_at = {literal(NOW + 50 * HOUR)} WHERE id = 'later'")
    s.check(ALL)


@case("a patient counts from a contact before intake on")
def before_intake(s):
    s.clinic()
    s.sql(rows.patient(ID, "old", NOW - 10 * DAY), rows.patient(ID, "new", NOW - 10 * DAY))
    s.conversation(NOW - 60 * DAY, "old")
    s.check(ALL)
    s.conversation(NOW - 3 * DAY, "new")
    s.check(ALL)
    s.sql("DELETE FROM public.conversations")
    s.check(ALL)


@case("a database without organizations, and organizations without rows")
def empty(s):
    s.at(NOW)
    s.check(ALL)
    s.sql(rows.organization(ID, "Australia/Sydney"))
    s.check(ALL)
    s.sql(rows.patient(ID, "p1", NOW))
    s.check(ALL)
    s.sql("DELETE FROM public.patients")
    s.check(ALL)
    s.sql("DELETE FROM public.organizations")
    s.check(ALL)
    s.clinic("Asia/Kolkata")
    s.check(ALL)


@case("every day since the last contact, for every class of patients, in the order of priority")
def every_day(s):
    s.at(NOW)
    s.sql(rows.organization(ID, "Europe/London"))
    first = day_of(NOW, "Europe/London")
    for missed in range(4):
        for kind in ("upcoming", "some", "never"):
            for twin in ("a", "b"):
                patient = f"{kind}{missed}{twin}"
                s.sql(rows.patient(ID, patient, midnight(first, "Europe/London")))
                if kind != "never":
                    s.conversation(midnight(first, "Europe/London") + HOUR, patient)
                for _ in range(missed):
                    s.appointment(midnight(first + 60, "Europe/London"), "no_show", patient=patient)
                if kind == "upcoming":
                    s.appointment(NOW + 900 * DAY, "scheduled", NOW - DAY, patient)
    pages = tuple(walk(Wanted(sort=sort), 5, 20) for sort in SORTS)
    for days in (*range(0, 9), *range(12, 16), *range(28, 33), *range(43, 49), *range(58, 63), *range(73, 78), *range(84, 93),
                 149, 150, 151, 160, 30, 1):
        s.look_at(midnight(first + days, "Europe/London"), questions=(*pages, *SUMMARIES))
        if days in (7, 14, 30, 45, 60, 90, 151):
            s.check((*(walk(wanted, 3, 10) for wanted in (
                *map(Wanted, LEVELS), *(Wanted(status=status) for status in STATUSES), *(Wanted(priority=priority) for priority in (1, 2, 3, 4)),
                *(Wanted(tier=tier, sort="last_contact") for tier in TIERS), *(Wanted(tier=tier, sort="name") for tier in TIERS))), *TRENDS))


@case("equal patients are sorted by the bytes of their ids, also those of one name")
def equal(s):
    s.clinic(patients=())
    for id in ("a", "B", "b", "é", "e\u0301", "Z", "10", "9"):
        s.sql(rows.patient(ID, id, NOW - 60 * DAY, name="Ñame" if id < "a" else "name"))
    s.check(tuple(walk(Wanted(q=q, sort=sort), limit, 20) for sort in SORTS for q in (None, "NAME") for limit in (1, 3, 200)))


@case("a renamed patient is found by the new name alone and sorted by it")
def rename(s):
    s.clinic(patients=tuple(f"p{number}" for number in range(12)))
    questions = tuple(walk(Wanted(q=q, sort=sort), 1, 20) for q in ("soren", "A patient", "5550199") for sort in SORTS) + (
        walk(Wanted(sort="name"), 1, 20), walk(Wanted("critical", sort="name"), 1, 20))
    s.check(questions)
    for change in ("name = 'Søren'", "name = 'Zoe SOREN'", "email = 'soren@example.com'", "phone = '+1 (555) 01-99'", "name = 'A patient'",
                   "email = NULL", "phone = '5550198'"):
        s.sql(f"UPDATE public.patients SET {change} WHERE id = 'p7'")
        s.check(questions)


@case("several contacts on one day are deleted one by one")
def contacts(s):
    s.clinic("Asia/Kolkata")
    for days in (50, 30, 30, 9):
        s.conversation(NOW - days * DAY)
    s.conversation(NOW - 30 * DAY + SECOND)
    s.check(ALL)
    for number in (2, 3, 5, 4, 1):
        s.sql(f"DELETE FROM public.conversations WHERE id = 'c{number}'")
        s.check(ALL)


@case("a contact on the day on which a level begins, the day before and the day after")
def gaps(s):
    s.clinic("Europe/London")
    for days in (7, 14, 30, 45):
        for gap in (days - 1, days, days + 1):
            s.sql("DELETE FROM public.conversations")
            s.conversation(NOW - 60 * DAY)
            s.conversation(NOW - (60 - gap) * DAY)
            s.check((*SUMMARIES, *TRENDS[1:3]))
