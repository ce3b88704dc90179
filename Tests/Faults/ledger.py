"""A clinic to write into, and whether what was acknowledged is there."""

from dataclasses import dataclass

import stack as stacks


@dataclass
class Clinic:
    organization: str
    patients: int

    @classmethod
    def make(cls, stack, organization, patients=300):
        connection = stack.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'Clinic')", (organization, ))
                cursor.execute(
                    "INSERT INTO patients (organization_id, id, name) "
                    "SELECT %s, 'p' || n, 'Patient ' || n FROM generate_series(1, %s) n", (organization, patients))
                cursor.execute(
                    "INSERT INTO appointments (organization_id, patient_id, id, starts_at, status) "
                    "SELECT %s, 'p' || n, 'a' || n, now() - make_interval(days => n %% 120), 'completed' "
                    "FROM generate_series(1, %s) n", (organization, patients))
        finally:
            connection.close()
        return cls(organization, patients)


def rows(url, organization):
    """How often each idempotency key is there, and under which ids."""
    connection = stacks.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT idempotency_key, array_agg(id::text) FROM outreach_log "
                "WHERE organization_id = %s GROUP BY idempotency_key", (organization, ))
            return dict(cursor.fetchall())
    finally:
        connection.close()


def check(load, url=None):
    """Every acknowledged key exactly once, under the id that was told; no key twice, whatever it was told.

    Returns how many were acknowledged.
    """
    found = rows(url or load.stack.settings["DATABASE_URL"], load.clinic.organization)
    acknowledged = load.acknowledged()
    assert acknowledged, "no write was acknowledged: the test would prove nothing"
    wrong = {key: found.get(key) for key, identifier in acknowledged.items() if found.get(key) != [identifier]}
    assert not wrong, f"acknowledged, but not there once under its id: {list(wrong.items())[:5]} of {len(wrong)}"
    twice = {key: ids for key, ids in found.items() if len(ids) != 1}
    assert not twice, f"counted twice: {list(twice.items())[:5]}"
    return len(acknowledged)
