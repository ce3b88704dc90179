"""Helpers for the tests of log-outreach."""

import uuid

from problems import must_be_answer

GOOD = {"patient_id": "patient_123", "method": "sms", "outcome": "success", "notes": "called back"}


def logged(database, organization, where="true", *values):
    with database.cursor() as cursor:
        cursor.execute(
            f"""SELECT id::text, patient_id, method, outcome, opened, notes, logged_by, idempotency_key, created_at
                           FROM outreach_log WHERE organization_id = %s AND {where} ORDER BY created_at, id""",
            (organization, *values))
        return cursor.fetchall()


def accepted(response, status=201):
    must_be_answer(response, status)
    answer = response.json()
    assert set(answer) == {"success", "message", "outreach_id", "logged_at"
                           } and answer["success"] is True and answer["message"]
    assert str(uuid.UUID(answer["outreach_id"])) == answer["outreach_id"]
    assert response.header("Content-Type").startswith("application/json")
    return answer
