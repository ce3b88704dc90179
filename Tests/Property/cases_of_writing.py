"""Cases of every kind of write, also of those that are rolled back or refused."""

import rows
from instants import DAY, literal
from rows import uuid
from script import COUNTS, ID, NOW, case
from steps import ALL, SUMMARIES, USUAL, Advance, Check


@case("a row moves to another patient, organization or id")
def moves(s):
    s.clinic()
    s.sql(rows.organization("elsewhere", "Asia/Kolkata"), rows.patient("elsewhere", "p1", NOW - 50 * DAY))
    s.conversation(NOW - DAY)
    s.appointment(NOW - 2 * DAY, "no_show", NOW - 3 * DAY)
    s.outreach(NOW - 4 * DAY, number=9)
    s.outreach(NOW - 5 * DAY, "failed", "phone", number=8)
    s.check()
    for table in ("conversations", "appointments", "outreach_log"):
        for to in ("patient_id = 'p2'", "organization_id = 'elsewhere', patient_id = 'p1'", f"organization_id = '{ID}', patient_id = 'p1'"):
            s.sql(f"UPDATE public.{table} SET {to}")
            s.check()
            s.steps.append(Check("elsewhere", "both", COUNTS))
    s.sql("UPDATE public.patients SET id = 'p0' WHERE id = 'p2'")
    s.check()


@case("writes that are rolled back, entirely or to a savepoint, or refused by a constraint")
def rollbacks(s):
    s.clinic()
    s.check()
    success = rows.outreach(ID, uuid(1), "p1", "sms", "success", NOW - DAY)
    failed = rows.outreach(ID, uuid(2), "p1", "sms", "failed", NOW - DAY)
    s.transaction(success, "ROLLBACK")
    s.check()
    s.transaction(failed, "SAVEPOINT s", success, "ROLLBACK TO s", "COMMIT")
    s.check()
    s.transaction("SAVEPOINT s", success, "RELEASE s", "DELETE FROM public.outreach_log", "ROLLBACK")
    s.check()
    s.transaction("SAVEPOINT s", success, "RELEASE s", "COMMIT")
    s.check()
    s.transaction("SAVEPOINT s", rows.outreach(ID, uuid(3), "p2", "sms", "success", NOW - DAY), "ROLLBACK TO s",
                  rows.outreach(ID, uuid(3), "p2", "email", "success", NOW - DAY), "COMMIT")
    s.check()
    s.transaction(rows.conversation(ID, "c1", "p1", NOW - DAY), rows.conversation(ID, "c1", "nobody", NOW - DAY), "COMMIT")
    s.check()
    s.steps.append(Check(ID, "uncommitted", COUNTS, (rows.conversation(ID, "c2", "p1", NOW - DAY), "ROLLBACK")))
    s.check()
    s.steps.append(Check(ID, "uncommitted", COUNTS, (rows.conversation(ID, "c2", "p1", NOW - DAY), "COMMIT")))
    s.check()


@case("a writer's transaction stays open while other sessions read and refresh")
def open_transaction(s):
    s.clinic()
    s.second("BEGIN", rows.conversation(ID, "c1", "p1", NOW - DAY), rows.outreach(ID, uuid(1), "p2", "sms", "failed", NOW - DAY))
    s.check()
    s.conversation(NOW - 2 * DAY, "p2")
    s.check()
    s.second("COMMIT")
    s.check()
    s.second("BEGIN", "DELETE FROM public.conversations WHERE id = 'c1'")
    s.check()
    s.second("ROLLBACK")
    s.check()
    # The pending change of the first writer exists when the second writes, and is processed before the second commits.
    s.conversation(NOW - 5 * DAY)
    s.second("BEGIN", rows.conversation(ID, "c9", "p1", NOW))
    s.check()
    s.second("COMMIT")
    s.check()


@case("a reader does not wait for a refresh by another session, and its result is exact")
def locked(s):
    s.clinic()
    s.check()
    s.conversation(NOW - DAY)
    s.second("BEGIN", f"SELECT FROM re.organization_state WHERE organization_id = '{ID}' FOR UPDATE")
    s.check(way="dispatcher")
    s.second("ROLLBACK")
    s.check()


CHANGES = (
    "organizations SET appointment_value = 1.50", "organizations SET name = 'Other'",
    "patients SET name = 'Other'", "patients SET phone = '1'", "patients SET email = '2'", "patients SET treatment_notes = '3'",
    f"patients SET created_at = {literal(NOW - 7 * DAY)}",
    "appointments SET value = 7.25", "appointments SET status = 'no_show'", "appointments SET status = 'scheduled'",
    f"appointments SET starts_at = {literal(NOW + DAY)}", "appointments SET status = 'completed'",
    f"appointments SET created_at = {literal(NOW - DAY)}",
    "outreach_log SET outcome = 'success'", "outreach_log SET outcome = 'failed'", "outreach_log SET opened = true",
    "outreach_log SET method = 'phone'", "outreach_log SET notes = 'n'", "outreach_log SET logged_by = 'u'",
    f"outreach_log SET created_at = {literal(NOW - 8 * DAY)}",
    "appointments SET patient_id = 'p2'", "conversations SET sentiment = NULL")


@case("each column of the responses is updated")
def columns(s):
    s.clinic()
    s.appointment(NOW - 20 * DAY, "completed")
    s.outreach(NOW - 2 * DAY, "no_response", "email", number=7)
    s.check()
    for change in CHANGES:
        s.sql(f"UPDATE public.{change}")
        s.check()


@case("TRUNCATE of each table, with and without derived rows")
def truncations(s):
    for table in ("conversations", "outreach_log", "appointments", "patients CASCADE", "organizations CASCADE"):
        for checked in (True, False):
            s.sql("TRUNCATE public.organizations CASCADE")
            s.clinic()
            s.conversation(NOW - 2 * DAY, "p2")
            s.outreach(NOW - DAY)
            s.appointment(NOW - DAY, "no_show")
            if checked:
                s.check()
            s.transaction(f"TRUNCATE public.{table}", "ROLLBACK")
            s.check()
            s.sql(f"TRUNCATE public.{table}")
            s.check()


@case("TRUNCATE by a transaction whose snapshot is older than the organization")
def old_snapshot(s):
    s.at(NOW)
    s.second("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class")
    s.clinic()
    s.conversation(NOW - DAY)
    s.check()
    s.second("TRUNCATE public.conversations", "COMMIT")
    s.check()


@case("an organization is deleted and inserted again, in another zone, and never repeats a generation")
def again(s):
    for zone in ("Europe/London", "Asia/Kolkata", "Europe/London"):
        s.clinic(zone)
        s.conversation(s.midnight(-7))
        s.check()
        s.sql("DELETE FROM public.organizations")
        s.check()
    s.clinic("UTC")
    s.transaction("DELETE FROM public.organizations", rows.organization(ID, "Asia/Kolkata"), rows.patient(ID, "p9", NOW - DAY), "COMMIT")
    s.check()


@case("bulk writes are processed in chunks of odd sizes, with reads in between")
def chunks(s):
    s.clinic(patients=[f"p{n}" for n in range(1, 30)])
    s.sql("INSERT INTO public.conversations (organization_id, id, patient_id, occurred_at) SELECT organization_id, 'c' || id || i, id, "
          f"{literal(NOW)}::timestamptz - i * interval '217 hours' FROM public.patients, generate_series(1, 9) i")
    for most in (1, 3, 7):
        s.steps.append(Advance(ID, most, 1))
        s.check(SUMMARIES, way="repeatable")
        s.check(COUNTS, way="dispatcher")
        s.sql(f"UPDATE public.conversations SET occurred_at = occurred_at - interval '{most} hours'",
              "UPDATE public.organizations SET time_zone = CASE time_zone WHEN 'UTC' THEN 'Asia/Kolkata' ELSE 'UTC' END")
    s.steps.append(Advance(ID, 5, 2))
    s.sql("DELETE FROM public.patients WHERE id < 'p2'")
    s.check(ALL)
    s.steps.append(Check(ID, "deep", ()))


@case("now moves far ahead and far back")
def leaps(s):
    s.clinic("America/New_York")
    s.conversation(NOW - DAY)
    s.outreach(NOW - DAY)
    s.appointment(NOW - DAY, "no_show")
    s.look_at(NOW + 400 * DAY, NOW - 50 * DAY, NOW - 1000 * DAY, NOW, NOW + 89 * DAY, NOW + 90 * DAY, NOW, questions=USUAL)
