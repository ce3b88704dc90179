"""Source rows as INSERT statements."""

from instants import literal
from steps import quoted

STATUSES = ("scheduled", "completed", "cancelled", "late_cancelled", "no_show")
OUTCOMES = ("success", "success", "no_response", "failed")
METHODS = ("sms", "email", "phone")


def insert(table, conflict="", **values):
    """Returns an INSERT. Arguments named at_… are instants in microseconds."""
    columns = [name.removeprefix("at_") for name in values]
    literals = [literal(value) if name.startswith("at_") and value is not None else quoted(value) for name, value in values.items()]
    return f"INSERT INTO public.{table} ({', '.join(columns)}) VALUES ({', '.join(literals)}){conflict}"


def organization(id, time_zone, name="Clinic", appointment_value="140.00"):
    return insert("organizations", id=id, name=name, time_zone=time_zone, appointment_value=appointment_value)


def patient(organization, id, created, archived=None, name="A patient"):
    return insert("patients", organization_id=organization, id=id, name=name, at_created_at=created, at_archived_at=archived)


def appointment(organization, id, patient, starts, status, booked, value=None, conflict=""):
    return insert("appointments", conflict, organization_id=organization, id=id, patient_id=patient, at_starts_at=starts,
                  status=status, value=value, at_created_at=booked)


def conversation(organization, id, patient, occurred, sentiment=None):
    return insert("conversations", organization_id=organization, id=id, patient_id=patient, at_occurred_at=occurred, sentiment=sentiment)


def outreach(organization, id, patient, method, outcome, created, opened=False, notes="", conflict=""):
    return insert("outreach_log", conflict, organization_id=organization, id=id, patient_id=patient, method=method, outcome=outcome,
                  opened=opened, notes=notes, logged_by="user_1", at_created_at=created)


def uuid(number):
    return f"00000000-0000-4000-8000-{number:012x}"
