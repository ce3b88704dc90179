"""Cases of attribution: to which attempt a booking is attributed, and when."""

from instants import DAY, HOUR, instant
from rows import uuid
from script import NOW, around, case


@case("a booking is attributed to the greater id of two successes at one instant")
def tie(s):
    for first, second in ((1, 2), (4, 3)):
        s.sql("TRUNCATE public.organizations CASCADE")
        s.clinic()
        s.outreach(NOW - 5 * DAY, method="sms", number=first)
        s.outreach(NOW - 5 * DAY, method="phone", number=second)
        s.check()
        s.booking(NOW - 4 * DAY)
        s.check()
        s.sql(f"UPDATE public.outreach_log SET outcome = 'failed' WHERE id = '{uuid(max(first, second))}'")
        s.check()


@case("a booking is attributed for exactly 336 hours after the attempt, across changes of summer time too")
def hours(s):
    for zone, after_change in (("America/New_York", "2025-03-20T12:00:00"), ("America/New_York", "2024-11-10T12:00:00"),
                               ("Europe/London", "2025-04-08T12:00:00")):
        now = instant(after_change)
        s.sql("TRUNCATE public.organizations CASCADE")
        s.clinic(zone, now, ("p1", "p2", "p3", "p4", "p5", "p6", "p7"))
        s.session_zone(zone)
        waits = (336 * HOUR - 1, 336 * HOUR, 336 * HOUR + 1, 336 * HOUR - HOUR, 336 * HOUR + HOUR, 0, 1)
        for number, wait in enumerate(waits, 1):
            s.outreach(now - 15 * DAY, patient=f"p{number}", method=("sms", "email", "phone")[number % 3])
            s.booking(now - 15 * DAY + wait, patient=f"p{number}")
            s.check()
        s.sql("UPDATE public.appointments SET status = 'cancelled' WHERE patient_id < 'p3'")
        s.check()
    s.session_zone("UTC")


@case("a later success takes over later bookings, and a cancelled one returns them")
def later_success(s):
    s.clinic()
    s.outreach(NOW - 9 * DAY, method="email", number=1)
    s.booking(NOW - 8 * DAY)
    s.booking(NOW - 3 * DAY)
    s.check()
    s.outreach(NOW - 5 * DAY, method="phone", number=2)
    s.check()
    s.outreach(NOW - 8 * DAY - 1, method="sms", number=3)
    s.check()
    s.sql(f"UPDATE public.outreach_log SET outcome = 'no_response' WHERE id = '{uuid(3)}'")
    s.check()
    s.sql("UPDATE public.appointments SET status = 'late_cancelled' WHERE id = 'a2'")
    s.check()
    s.sql(f"UPDATE public.outreach_log SET created_at = created_at + interval '2 days' WHERE id = '{uuid(2)}'")
    s.check()


@case("rows with a time after now count from that time on, and no longer when now moves back")
def stamps_to_come(s):
    s.clinic("Australia/Sydney")
    s.outreach(NOW - DAY, method="phone")
    stamps = [NOW + n * HOUR for n in range(1, 8)]
    s.booking(stamps[0])
    s.outreach(stamps[1], method="email")
    s.outreach(stamps[2], "failed")
    s.appointment(stamps[3], "completed", NOW - 2 * DAY)
    s.conversation(stamps[4], "p2")
    s.appointment(stamps[5], "no_show", stamps[1] + 1)
    s.appointment(stamps[6], "scheduled", stamps[2], "p2")
    s.check()
    for at in stamps:
        s.look_at(*around(at))
    for at in reversed(stamps):
        s.look_at(*reversed(around(at)))
