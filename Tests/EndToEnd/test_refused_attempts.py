"""Refused attempts in the audit, the ids that join logs and audit, timer requests, and bounds on stored input."""

import hashlib
import json
import os
import re
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2.extras
import pytest

from asking import GOOD, dashboard, eventually, lines_of, token_headers
from client import PREFIX


def select(database, query, *values):
    with database.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute(query, values)
        return [dict(row) for row in cursor]


def tried(database, organization, where="true", *values):
    return select(database,
                  f"SELECT * FROM public.audit_refused_attempts WHERE organization_id = %s AND {where} ORDER BY at",
                  organization, *values)


def entries(database, organization):
    return select(database, "SELECT * FROM re.audit WHERE organization_id = %s ORDER BY at", organization)


def metric(server, name):
    return int(re.search(rf"^{name} (\d+)$", server.get("/metrics").body.decode(), re.MULTILINE)[1])


def lines(path, request_id):
    return [json.loads(line) for line in lines_of(Path(path)) if f'"{request_id}"' in line]


def test_a_server_request_id_joins_both_logs_and_the_audit_despite_the_callers_ids(api, stack, database, clinic):
    shared = os.urandom(8).hex()
    chosen = {"X-Request-Id": shared, "X-Server-Request-Id": "f" * 32}
    for _ in range(3):
        response = api.get(clinic, "dashboard", headers={**api.authorization(clinic), **chosen})
        assert response.header("X-Request-Id") == shared and response.header("X-Server-Request-Id") is None
    post = {**api.authorization(clinic), "Content-Type": "application/json", **chosen}
    assert api.post(clinic, GOOD, None, headers=post).status == 201
    recorded = eventually(lambda: len(found := entries(database, clinic)) == 4 and found)
    own = {row["server_request_id"] for row in recorded}
    assert {row["request_id"] for row in recorded} == {shared}
    assert len(own) == 4 and all(re.fullmatch("[0-9a-f]{32}", one) for one in own) and "f" * 32 not in own
    for log in ("NGINX_ACCESS_LOG", "SERVER_LOG"):
        # One request may have several lines.
        found = eventually(lambda: len(all := {line["server_request_id"]
                                               for line in lines(stack.settings[log], shared)}) >= 4
                           and all)
        assert found == own


def test_responses_of_nginx_alone_have_an_id_that_no_caller_chose(api, stack):
    request_id = os.urandom(8).hex()
    assert api.client.request("GET", "/dashboard/nothing.js", {"X-Request-Id": request_id}).status == 404
    line, = eventually(lambda: lines(stack.settings["NGINX_ACCESS_LOG"], request_id))
    assert re.fullmatch("[0-9a-f]{32}", line["server_request_id"])


def test_timer_requests_are_marked_and_otherwise_recorded_like_others(api, database, clinic):
    marks = {"asked": {}, "timer": {"X-Asked-By": "timer"}, "odd": {"X-Asked-By": "TIMER, nobody"}}
    for name, headers in marks.items():
        sent = {**api.authorization(clinic), "X-Request-Id": name, **headers}
        assert api.get(clinic, "patients/patient_123", headers=sent).status == 200
    rows = eventually(lambda: len(found := entries(database, clinic)) == 3
                      and {row["request_id"]: row for row in found})
    assert {name: row["automatic"] for name, row in rows.items()} == {"asked": False, "timer": True, "odd": False}
    assert {tuple(row["patient_ids"]) for row in rows.values()} == {("patient_123", )}
    shown = select(database, "SELECT automatic FROM public.audit_patient_access WHERE organization_id = %s ORDER BY at",
                   clinic)
    assert [row["automatic"] for row in shown] == [False, True, False]
    # The query of docs/audit.md that groups them.
    query = re.search(r"```sql\n(SELECT subject, session_id, route, min.*?)```", Path(__file__).parents[2].joinpath(
        "docs/audit.md").read_text(), re.S)[1].replace("org_demo_1", clinic).replace("patient_1'", "patient_123'")
    assert [row["answers"] for row in select(database, query.replace("%", "%%"))] == [2, 1]


def test_attempts_on_a_patient_or_a_clinic_are_in_one_view(stack, database, clinic, second_clinic, server_with):
    server = server_with()
    path, member = f"{PREFIX}/{clinic}/patients/patient_123", token_headers(stack, second_clinic)
    assert server.get(path).status == 401
    for _ in range(3):
        assert server.get(path, {"Authorization": "Bearer a.b.c"}).status == 401
    assert server.get(path, token_headers(stack, clinic, exp=int(time.time()) - 60)).status == 401
    assert server.get(path, member).status == 403
    post = {**member, "Content-Type": "application/json"}
    body = json.dumps({**GOOD, "patient_id": "patient_123"}).encode()
    assert server.request("POST", f"{PREFIX}/{clinic}/log-outreach", post, body).status == 403
    assert server.get(f"{PREFIX}/{clinic}/patients/nobody", token_headers(stack, clinic)).status == 404
    assert server.request("HEAD", path, token_headers(stack, clinic)).status == 200
    assert server.stop() == 0
    found = tried(database, clinic, "patient_id = 'patient_123'")
    known = [row for row in found if row["status"] == 403]
    assert [(row["subject"], row["of_organization"], row["problem"]) for row in known] == [
        ("user_test", second_clinic, "other-organization")] * 2
    assert [row["method"] for row in known] == ["GET", "POST"]
    unknown = {}
    for row in (row for row in found if row["status"] == 401):
        assert row["subject"] is None and row["address"] == "127.0.0.1" and row["first"] <= row["last"]
        unknown[row["problem"]] = unknown.get(row["problem"], 0) + row["attempts"]
    assert unknown == {"token-missing": 1, "token-invalid": 3, "token-expired": 1}
    assert [row["reason"] for row in found if row["problem"] == "token-expired"] == ["The token has expired."]
    nobody, = tried(database, clinic, "patient_id = 'nobody'")
    assert nobody["status"] == 404 and nobody["subject"] == "user_test"
    sought = select(database,
                    "SELECT patient_id, status, access, method FROM re.audit a JOIN public.audit_patient_access p "
                    "USING (server_request_id, status) WHERE p.organization_id = %s ORDER BY 1", clinic)
    assert [tuple(row.values()) for row in sought] == [("nobody", 404, "sought", "GET"),
                                                       ("patient_123", 200, "sought", "HEAD")]


def test_401s_are_recorded_at_once_and_in_bounded_space(stack, database, fresh_id, server_with):
    server, aimed = server_with(), fresh_id("aimed")
    assert server.get(dashboard(aimed)).status == 401
    assert eventually(lambda: tried(database, aimed))
    for number in range(1500):
        assert server.get(f"{PREFIX}/{aimed}_{number}/patients/{'x' * 180}").status == 401
    assert server.stop() == 0
    rows = select(
        database,
        "SELECT attempts, organization_id, patient_id FROM public.audit_refused_attempts "
        "WHERE status = 401 AND (organization_id LIKE %s OR organization_id IS NULL) AND at > now() - interval '1 hour'",
        f"{aimed}%",
    )
    assert sum(row["attempts"] for row in rows) >= 1501
    # The kinds per minute are limited, and the requests took a few minutes.
    assert len(rows) < 700
    digest = hashlib.sha256(b"x" * 180).hexdigest()
    assert {row["patient_id"] for row in rows} == {None, f"180 characters, sha256 {digest}"}


def test_a_body_that_nginx_refuses_without_a_token_is_recorded_too(api, database, fresh_id):
    aimed = fresh_id("aimed")
    for _ in range(2):
        response = api.client.request("POST", f"{PREFIX}/{aimed}/log-outreach", {"Content-Type": "application/json"},
                                      b"{}")
        assert response.status == 401 and response.header("WWW-Authenticate") == "Bearer"
    row = eventually(lambda: tried(database, aimed))[0]
    assert (row["problem"], row["method"], row["address"]) == ("token-missing", "POST", "127.0.0.1")


def test_a_time_without_the_audit_is_visible_in_metrics_and_in_the_audit(stack, database, clinic, server_with):
    off, on = server_with(AUDIT="off"), server_with()
    assert (metric(off, "reengagement_audit_on"), metric(on, "reengagement_audit_on")) == (0, 1)
    assert off.get(dashboard(clinic), token_headers(stack, clinic)).status == 200
    assert off.get(dashboard(clinic)).status == 401

    def run(server):
        rows = select(database, "SELECT * FROM public.audit_servers WHERE listen = %s", server.socket)
        return rows[0] if rows else None

    assert eventually(lambda: run(off))["audit"] == "off" and eventually(lambda: run(on))["audit"] == "on"
    assert run(off)["ended_at"] is None and run(off)["pid"] == str(off.process.pid)
    assert off.stop() == 0 and run(off)["ended_at"] >= run(off)["began_at"]
    assert run(on)["ended_at"] is None
    assert entries(database, clinic) == [] and tried(database, clinic) == []


@pytest.mark.parametrize("length, organization, patient", [(200, 403, 404), (201, 404, 404), (2000, 404, 404)])
def test_an_id_that_is_too_long_is_no_id(api, database, clinic, length, organization, patient):
    """The limit counts code points, so two hundred letters of four bytes each are an id."""
    letters = ("\U0001F600" if length < 300 else "x") * length
    headers = api.authorization(clinic)
    problem = api.get(letters, "dashboard", headers=headers)
    assert problem.status == organization
    assert problem.json()["type"].endswith("other-organization" if organization == 403 else "no-such-route")
    answer = api.get(clinic, f"patients/{quote(letters)}", headers=headers)
    assert answer.status == patient and answer.json()["type"] == "/problems/no-such-patient"
    rows = eventually(lambda: len(found := entries(database, clinic)) == (2 if organization == 403 else 1) and found)
    assert all(len(str(row)) < 3000 for row in rows)
    if length == 2000:
        digest = hashlib.sha256(b"x" * 2000).hexdigest()
        assert rows[0]["patient_sought"] == "x" * 100 + f"… (2000 characters, sha256 {digest})"


def test_beyond_the_daily_limit_long_texts_become_digests_without_a_refusal(stack, database, clinic, server_with):
    server, headers = server_with(AUDIT_DAILY_MB="1"), token_headers(stack, clinic)
    letters = "\U0001F600" * 200
    path = f"{PREFIX}/{clinic}/patients/{quote(letters)}"
    for _ in range(1200):
        assert server.get(path, headers).status == 404
    assert server.get(f"{PREFIX}/{clinic}/patients/patient_123", headers).status == 200
    assert server.get(f"{PREFIX}/{clinic}/patients/nobody", headers).status == 404
    assert metric(server, "reengagement_audit_organizations_beyond_daily") == 1
    assert metric(server, "reengagement_audit_bytes_total") > 1_000_000
    assert server.stop() == 0
    rows = entries(database, clinic)
    assert len(rows) == 1202, "some responses are not recorded"
    digest = f"200 characters, sha256 {hashlib.sha256(letters.encode()).hexdigest()}"
    assert (rows[0]["patient_sought"], rows[0]["filter"]) == (letters, None)
    assert (rows[1199]["patient_sought"], rows[899]["filter"]) == (digest, None)
    assert rows[1200]["patient_ids"] == ["patient_123"] and rows[1201]["patient_sought"] == "nobody"
    assert {row["subject"] for row in rows} == {"user_test"}


def test_the_bytes_of_logged_attempts_are_counted(stack, clinic, server_with):
    server = server_with()
    headers = {**token_headers(stack, clinic), "Content-Type": "application/json"}
    body = json.dumps({**GOOD, "notes": "\U00020000" * 4000}, ensure_ascii=False).encode()
    assert server.request("POST", f"{PREFIX}/{clinic}/log-outreach", headers, body).status == 201
    # They are counted after the response was sent.
    eventually(lambda: metric(server, "reengagement_outreach_bytes_total") > 0)
    assert metric(server, "reengagement_outreach_bytes_total") == len(body)
