"""An organization to write to, and a check that every acknowledged entry is stored."""

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
    """Maps each idempotency key to the ids of its rows."""
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
    """Checks that each acknowledged key is stored once, under the id in its response, and that no key is stored twice.

    Returns the number of acknowledged keys.
    """
    found = rows(url or load.stack.settings["DATABASE_URL"], load.clinic.organization)
    acknowledged = load.acknowledged()
    assert acknowledged, "no write was acknowledged, so the test would prove nothing"
    wrong = {key: found.get(key) for key, identifier in acknowledged.items() if found.get(key) != [identifier]}
    assert not wrong, f"acknowledged, but not stored once under its id: {list(wrong.items())[:5]} of {len(wrong)}"
    twice = {key: ids for key, ids in found.items() if len(ids) != 1}
    assert not twice, f"stored twice: {list(twice.items())[:5]}"
    return len(acknowledged)
