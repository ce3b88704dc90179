"""While the database's clock runs, each response equals the oracle at some instant between request and response."""

import generate
import rows
from checks import comparable
from client import difference
from measures import SECOND
from oracle import Oracle
from registry import PATIENT, READS

# The registry's first two requests of each endpoint.
PATHS = [question.path() for endpoint in READS if PATIENT not in endpoint.path and endpoint.path != "alerts/events"
         for question in endpoint.questions[:2]]


def database_clock(database):
    with database.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return cursor.fetchone()[0]


def coming_up(organization, zone, now):
    """Creates a history with an event about every tenth of a second from now on."""
    made = generate.history(99, organization, zone, now, 40)
    patients = [p.id for p in made.patients if p.created_at <= now and p.archived_at is None]
    for number in range(60):
        at, patient = now + SECOND + number * SECOND // 10 + 7 * number, patients[number % len(patients)]
        kind = number % 6
        if kind == 0:
            made.appointments.append(
                rows.Appointment(organization, f"soon{number}", patient, at, "completed", None,
                                 now - 40 * generate.DAY))
        elif kind == 1:
            made.appointments.append(rows.Appointment(organization, f"soon{number}", patient, at, "scheduled", None,
                                                      at))
        elif kind == 2:
            made.appointments.append(
                rows.Appointment(organization, f"soon{number}", patient, at, "no_show", None, at + SECOND))
        elif kind == 3:
            made.conversations.append(rows.Conversation(organization, f"soon{number}", patient, at, None))
        elif kind == 4:
            made.outreach_log.append(
                rows.Outreach(organization, f"{number:08x}-1111-4000-8000-000000000000", patient, "sms", "success",
                              False, "", "u", at))
        else:
            made.patients.append(
                rows.PatientRow(organization, f"soon{number}", "Soon", None, None, None, at, at + 2 * SECOND))
    return made


def stamps(made):
    return sorted({i
                   for p in made.patients
                   for i in (p.created_at, p.archived_at) if i}
                  | {i
                     for a in made.appointments
                     for i in (a.starts_at, a.created_at)}
                  | {c.occurred_at
                     for c in made.conversations} | {o.created_at
                                                     for o in made.outreach_log})


def candidates(begin, end, instants):
    """Returns the instants in the interval at which a response can change: events and whole seconds."""
    seconds = range(begin // SECOND * SECOND, end + SECOND, SECOND)
    return sorted({begin, end} | {i
                                  for i in instants if begin <= i <= end}
                  | {i - 1
                     for i in instants if begin < i <= end} | {s
                                                               for s in seconds if begin <= s <= end})


def ask(api, database, made, instants, organization, path):
    begin = database_clock(database)
    answer = comparable(api.answer(organization, path))
    end = database_clock(database)
    found = []
    for now in candidates(begin, end, instants):
        found.append(difference(comparable(Oracle(made, organization, now).answer_to(path)), answer))
        if found[-1] is None:
            return
    raise AssertionError(f"{path} between {rows.timestamp(begin)} and {rows.timestamp(end)}: {found}")


def test_responses_change_exactly_at_the_events(api, database, fresh_id):
    asked = 0
    # A busy machine may be too slow for the events. Then they are repeated for another organization.
    while asked <= 30:
        organization, now = fresh_id("moving"), database_clock(database)
        made = coming_up(organization, "Asia/Kolkata", now)
        rows.write(database, made)
        instants = stamps(made)
        while database_clock(database) < now + 9 * SECOND:
            for path in PATHS:
                ask(api, database, made, instants, organization, path)
                asked += 1


def test_every_change_of_a_row_shows_in_the_next_response(api, database, fresh_id):
    """Replication, imports and people with psql write to the tables, and the API follows."""
    organization, now = fresh_id("edited"), database_clock(database)
    rows.write(database, generate.history(5, organization, "Europe/London", now - SECOND, 30))
    edits = [
        "UPDATE appointments SET status = 'no_show' WHERE organization_id = %(o)s AND status = 'completed'",
        "UPDATE appointments SET status = 'completed' WHERE organization_id = %(o)s AND status = 'no_show'",
        "UPDATE organizations SET time_zone = 'Pacific/Apia' WHERE id = %(o)s",
        "UPDATE organizations SET time_zone = 'Pacific/Pago_Pago', appointment_value = 1 WHERE id = %(o)s",
        "UPDATE outreach_log SET outcome = 'success' WHERE organization_id = %(o)s AND method = 'email'",
        "UPDATE outreach_log SET created_at = created_at - interval '7 days' "
        "WHERE organization_id = %(o)s AND created_at < now()",
        "UPDATE patients SET archived_at = now() - interval '1 s' WHERE organization_id = %(o)s AND id LIKE 'p%%'",
        "UPDATE patients SET archived_at = NULL WHERE organization_id = %(o)s",
        "UPDATE appointments SET patient_id = (SELECT min(id) FROM patients WHERE organization_id = %(o)s) "
        "WHERE organization_id = %(o)s AND id LIKE '%%1'",
        "DELETE FROM conversations WHERE organization_id = %(o)s",
        "DELETE FROM outreach_log WHERE organization_id = %(o)s AND method = 'sms'",
        "DELETE FROM appointments WHERE organization_id = %(o)s",
        "DELETE FROM patients WHERE organization_id = %(o)s AND id LIKE '%%2'",
        "DELETE FROM organizations WHERE id = %(o)s",
    ]
    for edit in edits:
        with database.cursor() as cursor:
            cursor.execute(edit, {"o": organization})
        made = rows.read(database, organization)
        instants = stamps(made)
        for path in PATHS:
            ask(api, database, made, instants, organization, path)
