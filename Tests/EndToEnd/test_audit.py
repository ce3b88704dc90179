"""The audit records who saw which patient: completely, soon, until a stop, and for an attempt in the same
transaction."""

import os
import signal
import subprocess
import threading
import time
from urllib.parse import urlencode

import psycopg2
import pytest

import registry
from asking import GOOD, eventually, post, token_headers
from client import PREFIX
from conftest import load_clinic
from problems import must_be_problem
from stack import ROOT, clean_environment, connect, run_sql

COLUMNS = ("request_id, status, organization_id, subject, session_id, role, actor, address, method, route, filter, "
           "patient_ids, outreach_id::text")


def recorded(database, organization, where="true", *values):
    """Returns the entries of an organization by request id."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM re.audit WHERE organization_id = %s AND {where}", (organization, *values))
        rows = [dict(zip((name.strip().split("::")[0] for name in COLUMNS.split(",")), row)) for row in cursor]
    assert len({row["request_id"] for row in rows}) == len(rows), "a response has two entries"
    return {row["request_id"]: row for row in rows}


def asked(api, organization, path, method="GET", token_of=None, **claims):
    """Sends a request with its own request id and returns both the id and the response."""
    headers = {**api.authorization(token_of or organization, **claims), "X-Request-Id": os.urandom(8).hex()}
    return headers["X-Request-Id"], api.get(organization, path, method=method, headers=headers)


def test_every_read_is_recorded_with_its_patients(api, database, clinic):
    paths = {
        "performance?timeframe=last_7_days": {"timeframe": "last_7_days"},
        "trends?period=7d&metrics=success_rates,risk_levels": {"period": "7d", "metrics": "risk_levels,success_rates"},
        "patients/prioritized?limit=3": {"risk_level": "all", "limit": "3", "continued": "no"},
        "patients/prioritized?risk_level=critical": {"risk_level": "critical", "limit": "50", "continued": "no"},
        "patients/patient_123": {"patient_id": "patient_123"},
        "alerts?days=30": {"days": "30", "state": "open", "limit": "50", "continued": "no"},
        "alerts/events": {"after": "0", "limit": "200"}
    }
    taken = {path.partition("?")[0] for path in paths}
    # The other endpoints have no parameters.
    paths |= {path: None for path in registry.paths("patient_123") if path not in taken}
    answers = {path: asked(api, clinic, path) for path in paths}
    rows = eventually(lambda: len(found := recorded(database, clinic)) == len(paths) and found)
    for path, filters in paths.items():
        request_id, response = answers[path]
        body, row = response.json(), rows[request_id]
        lists = ("alerts", ) if path.startswith("alerts?") else ("patients", "top_priority_patients")
        shown = ([patient["id"] for name in lists for patient in body.get(name, [])]
                 or ([body["id"]] if "id" in body else None))
        assert row["patient_ids"] == shown and row["filter"] == filters and row["status"] == 200
        assert path.split("?")[0].replace("patient_123", "{patient_id}") == row["route"].partition("{org_id}/")[2]
    assert sum(row["patient_ids"] is not None for row in rows.values()) == 5


def test_a_search_is_recorded_as_a_read_without_its_search_term(api, database, clinic):
    headers = {**api.authorization(clinic), "Content-Type": "application/json"}
    values = {"q": "Williams", "sort": "name", "include": "notes", "engagement_status": "active", "action_priority": 4,
             "risk_tier": "low", "limit": 5}
    addressed, response = asked(api, clinic, f"patients/prioritized?{urlencode(values)}")
    assert api.search(clinic, values, {**headers, "X-Request-Id": "posted"}).json()["patients"] == response.json()["patients"]
    assert api.search(clinic, {**values, "q": "\u0301\u0301\u0301"}, {**headers, "X-Request-Id": "folds"}).status == 422
    assert api.search(clinic, {"q": "W"}, {**headers, "X-Request-Id": "short"}).status == 422
    rows = eventually(lambda: len(found := recorded(database, clinic)) == 4 and found)
    filters = {"risk_level": "all", "engagement_status": "active", "action_priority": "4", "risk_tier": "low",
               "searched": "yes", "sort": "name", "include": "notes", "limit": "5", "continued": "no"}
    for request_id in (addressed, "posted"):
        assert rows[request_id]["filter"] == filters and rows[request_id]["patient_ids"] == ["patient_503"]
    assert rows["posted"]["method"] == "POST" and rows["posted"]["route"].endswith("{org_id}/patients/search")
    assert rows["folds"]["filter"] == filters and rows["short"]["filter"] is None
    assert not any("illiams" in str(row) for row in rows.values())
    with database.cursor() as cursor:
        cursor.execute("SELECT DISTINCT access FROM public.audit_patient_access WHERE organization_id = %s", (clinic, ))
        assert cursor.fetchall() == [("saw", )]


def test_a_cached_response_is_recorded_with_its_patients(api, database, clinic):
    for path in ("dashboard", "patients/prioritized"):
        again = [asked(api, clinic, path) for _ in range(4)]
        rows = eventually(lambda: (found := recorded(database, clinic)) and {i for i, _ in again} <= found.keys() and found)
        shown = [rows[request_id]["patient_ids"] for request_id, _ in again]
        assert shown[0] and shown == shown[:1] * 4


def test_an_entry_has_session_role_actor_and_address(api, database, clinic):
    request_id, _ = asked(api, clinic, "dashboard", sub="user_ü'\"\\{},", sid="sess_9", act={"sub": "user_admin"},
                          o={"id": clinic, "rol": "front_desk"})
    row = eventually(lambda: recorded(database, clinic).get(request_id))
    assert (row["subject"], row["session_id"], row["role"], row["actor"]) == ("user_ü'\"\\{},", "sess_9", "front_desk",
                                                                              "user_admin")
    assert row["address"] in ("127.0.0.1", "::1")
    request_id, _ = asked(api, clinic, "dashboard", sid=...)
    row = eventually(lambda: recorded(database, clinic).get(request_id))
    assert (row["session_id"], row["actor"]) == (None, None)


def test_refusals_are_recorded_without_a_patient(api, database, clinic):
    head, _ = asked(api, clinic, "patients/prioritized", "HEAD")
    unknown, response = asked(api, clinic, "patients/nobody")
    assert response.status == 404
    invalid, response = asked(api, clinic, "trends?period=x")
    assert response.status == 422
    foreign, response = asked(api, "org_else", "patients/patient_123", token_of=clinic)
    assert response.status == 403
    rows = eventually(lambda: len(found := recorded(database, clinic)) == 4 and found)
    assert [rows[i]["status"] for i in (head, unknown, invalid, foreign)] == [200, 404, 422, 403]
    assert {row["patient_ids"] for row in rows.values()} == {None}
    assert rows[unknown]["filter"] is None and rows[foreign]["filter"] == {"org_id": "org_else"}
    nowhere, _ = asked(api, "org_else", "dashboard", o=...)
    assert eventually(lambda: recorded(database, "", "request_id = %s", nowhere))[nowhere]["status"] == 403


def test_an_attempt_has_its_entry_before_the_response_is_sent(api, database, clinic):
    headers = {**api.authorization(clinic, act={"sub": "user_admin"}), "Content-Type": "application/json"}
    key = os.urandom(6).hex()

    def post(request_id, **changes):
        return api.post(clinic, {**GOOD, **changes}, key, headers={**headers, "X-Request-Id": request_id})

    answer = post("first", notes="secret note").json()
    [row] = recorded(database, clinic).values()
    assert row == {
        "request_id": "first", "status": 201, "organization_id": clinic, "subject": "user_test",
        "session_id": "sess_test", "role": "admin", "actor": "user_admin", "address": row["address"], "method": "POST",
        "route": f"{PREFIX}/{{org_id}}/log-outreach", "filter": {"method": GOOD["method"], "outcome": GOOD["outcome"]},
        "patient_ids": ["patient_123"], "outreach_id": answer["outreach_id"]
    }
    assert post("again", notes="secret note").status == 200
    assert post("other").status == 422
    rows = eventually(lambda: len(found := recorded(database, clinic)) == 3 and found)
    assert [rows[i]["status"] for i in ("again", "other")] == [200, 422]
    assert [rows[i]["outreach_id"] for i in ("again", "other")] == [None, None]
    assert not any("secret" in str(row) for row in rows.values())
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT access, request_id FROM public.audit_patient_access "
            "WHERE organization_id = %s AND patient_id = 'patient_123' AND outreach_id IS NOT NULL", (clinic, ))
        assert cursor.fetchall() == [("wrote", "first")]


def ask_until_stopped(server, organization, headers, answered):
    """Collects the ids of requests with a response until the server stops."""
    while True:
        request_id = os.urandom(8).hex()
        try:
            response = server.get(f"{PREFIX}/{organization}/patients/patient_123",
                                  {**headers, "X-Request-Id": request_id})
        except OSError:
            return
        if response.status != 200:
            return
        answered.append(request_id)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_stop_loses_no_entry_and_a_kill_only_the_latest(stack, database, clinic, server_with, sign):
    """A running server records everything before. SIGTERM loses no entry, SIGKILL no more than those of the last
    moment."""
    server = server_with(LOG_LEVEL="error")
    headers, answered = token_headers(stack, clinic), []
    clients = [threading.Thread(target=ask_until_stopped, args=(server, clinic, headers, answered)) for _ in range(3)]
    for client in clients:
        client.start()
    eventually(lambda: len(answered) >= 300)
    before = set(answered)
    assert eventually(lambda: before <= recorded(database, clinic).keys()), "the running server has missing entries"
    code = server.stop(sign)
    for client in clients:
        client.join()
    rows = recorded(database, clinic).keys()
    assert before <= rows
    if sign == signal.SIGTERM:
        assert code == 0 and set(answered) <= rows


def test_an_unavailable_audit_stops_responses_until_it_is_back(stack, database, clinic, server_with):
    """Reads succeed for the backlog's 10 s and then get 503. Every response is recorded in the end."""
    server = server_with()
    headers = token_headers(stack, clinic)

    def status():
        return server.get(f"{PREFIX}/{clinic}/dashboard", headers).status

    role = stack.settings.get("DATABASE_ROLE", "reengagement_api")
    try:
        with database.cursor() as cursor:
            cursor.execute(f"REVOKE EXECUTE ON FUNCTION re.record_access FROM {role}")
        answered = 0
        while status() == 200:
            answered += 1
            assert answered < 10000
            time.sleep(0.05)
        assert answered > 0 and status() == 503
        metrics = server.get("/metrics").body.decode()
        assert "\nreengagement_audit_refused_total 0\n" not in metrics
        server.logged("the audit could not be written")
    finally:
        with database.cursor() as cursor:
            cursor.execute(f"GRANT EXECUTE ON FUNCTION re.record_access TO {role}")
    eventually(lambda: status() == 200)
    assert server.stop() == 0
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*), array_agg(DISTINCT status) FROM re.audit WHERE organization_id = %s", (clinic, ))
        number, statuses = cursor.fetchone()
    assert number >= answered and statuses == [200]


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("harm, cure", [
    ("CREATE RULE vanish AS ON INSERT TO re.audit DO INSTEAD NOTHING", "DROP RULE vanish ON re.audit"),
    ("ALTER TABLE re.audit DETACH PARTITION re.audit_rest; ALTER TABLE re.audit DETACH PARTITION re.{month};"
     " ALTER TABLE re.audit DETACH PARTITION re.{next}",
     "ALTER TABLE re.audit ATTACH PARTITION re.audit_rest DEFAULT"),
    ("REVOKE INSERT ON re.audit FROM reengagement_marker, reengagement_api",
     "GRANT INSERT ON re.audit TO reengagement_marker, reengagement_api"),
])
def test_an_audit_that_discards_entries_stops_responses(stack, own_database, server_with, harm, cure):
    """Earlier responses are recorded in the end, and each attempt has its entry."""
    run_sql("migrate", own_database)
    database = connect(own_database)
    organization = load_clinic(database, "clinic")
    server = server_with(DATABASE_URL=own_database)
    headers, posted, answered = token_headers(stack, organization), [], []

    def read():
        request_id = os.urandom(8).hex()
        response = server.get(f"{PREFIX}/{organization}/patients/patient_123", {**headers, "X-Request-Id": request_id})
        if response.status == 200:
            answered.append(request_id)
        return response

    def write():
        response = post(server, stack, organization)
        if response.status == 201:
            posted.append(response.json()["outreach_id"])
        return response

    with database.cursor() as cursor:
        # The next month's table too, because the month may begin during the test.
        cursor.execute("SELECT 'audit_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => i), 'YYYY_MM')"
                       " FROM generate_series(0, 1) i ORDER BY i")
        (month, ), (following, ) = cursor.fetchall()
        cursor.execute(harm.replace("{month}", month).replace("{next}", following))
        try:
            for _ in range(10):
                assert must_be_problem(write(), 503)["type"] == "/problems/audit-unavailable"
            refused = eventually(lambda: next((r for r in [read()] if r.status != 200), None))
            assert must_be_problem(refused, 503)["type"] == "/problems/audit-unavailable"
        finally:
            cursor.execute(cure)
        eventually(lambda: read().status == 200)
        # This includes the sessions in which a write has failed.
        assert {write().status for _ in range(30)} == {201}
        metrics = server.get("/metrics").body.decode()
        assert 'reengagement_db_errors_total{class="audit_unavailable"} 10\n' in metrics
        assert "\nreengagement_audit_lost_total 0\n" in metrics
        assert server.stop() == 0
        cursor.execute("SELECT outreach_id::text FROM re.audit WHERE outreach_id IS NOT NULL")
        assert sorted(row for row, in cursor.fetchall()) == sorted(posted)
        cursor.execute("SELECT count(*) FROM outreach_log WHERE id::text = ANY (%s)", (posted, ))
        assert cursor.fetchone() == (len(posted), )
    assert set(answered) <= recorded(database, organization, "method = 'GET'").keys()
    database.close()


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("harm, reason", [
    ("RAISE SQLSTATE '54000'", "54000"), ("RAISE SQLSTATE 'XX000'", "XX000"), ("RAISE SQLSTATE '40001'", "40001"),
    ("RETURN NULL", "REAUD"), ("PERFORM pg_sleep(60)", "statement_timeout"),
])
def test_a_single_refused_entry_stops_no_other_user(stack, own_database, server_with, harm, reason):
    """A separate table stores the refused entry. Its user gets no more responses. Entries of others are recorded to the
    end."""
    run_sql("migrate", own_database)
    database = connect(own_database)
    organization = load_clinic(database, "clinic")
    # A stop has 9 s for two attempts.
    settings = {"DB_STATEMENT_TIMEOUT_MS": "2500"} if "sleep" in harm else {}
    server = server_with(DATABASE_URL=own_database, **settings)
    answered, bad = [], []

    def read(subject):
        request_id = os.urandom(8).hex()
        headers = {**token_headers(stack, organization, sub=subject), "X-Request-Id": request_id}
        response = server.get(f"{PREFIX}/{organization}/patients/patient_123", headers)
        if response.status == 200:
            (bad if subject == "user_bad" else answered).append(request_id)
        return response, request_id

    def kept(cursor):
        cursor.execute("SELECT reason, entry::jsonb FROM re.audit_refused_entry ORDER BY at")
        return cursor.fetchall()

    with database.cursor() as cursor:
        cursor.execute(f"""CREATE FUNCTION public.harm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.subject = 'user_bad' THEN {harm}; END IF; RETURN NEW; END $$;
            CREATE TRIGGER harm {'BEFORE' if reason == 'REAUD' else 'AFTER'} INSERT ON re.audit FOR EACH ROW EXECUTE FUNCTION public.harm()""")
        for _ in range(5):
            assert read("user_good")[0].status == 200
        response, first = read("user_bad")
        assert response.status == 200
        for _ in range(5):
            assert read("user_good")[0].status == 200
        [(why, entry)] = eventually(lambda: kept(cursor))
        assert why == reason and entry["request_id"] == first and entry["patient_ids"] == "{patient_123}"
        assert entry["subject"] == "user_bad" and entry["organization_id"] == organization
        assert must_be_problem(eventually(lambda: r if (r := read("user_bad")[0]).status != 200 else None),
                               503)["type"] == "/problems/audit-unavailable"
        assert read("user_good")[0].status == 200
        # A trigger before the row makes the server unready.
        assert reason == "REAUD" or eventually(lambda: server.get("/ready").status == 200)
        # A response may also have been sent between the refusal and its effect.
        number = len(bad)
        eventually(lambda: len(kept(cursor)) == number)
        eventually(lambda: f"\nreengagement_audit_isolated_total {number}\n" in server.get("/metrics").body.decode())
        assert "\nreengagement_audit_lost_total 0\n" in server.get("/metrics").body.decode()
        # The same for entries behind a refused one during a stop.
        late = server_with(DATABASE_URL=own_database, **settings)
        assert server.stop() == 0
        server = late
        assert read("user_bad")[0].status == 200
        for _ in range(12):
            assert read("user_good")[0].status == 200
        assert server.stop() == 0
        assert len(kept(cursor)) == number + 1
    assert set(answered) <= recorded(database, organization).keys()
    refusals = server.log_lines("an audit entry was refused")
    assert len(refusals) == 1 and "patient_123" not in refusals[0]
    database.close()


def test_entries_are_sealed_soon_and_verify_reports_a_missing_one(stack, own_database, server_with):
    run_sql("migrate", own_database)
    database = connect(own_database)
    organization = load_clinic(database, "clinic")
    server = server_with(DATABASE_URL=own_database)
    for _ in range(8):
        assert server.get(f"{PREFIX}/{organization}/dashboard", token_headers(stack, organization)).status == 200
    assert post(server, stack, organization).status == 201
    with database.cursor() as cursor:

        def sealed():
            cursor.execute("SELECT sum(n), max(s.number),"
                           " (array_agg(encode(s.digest, 'hex') ORDER BY s.number DESC))[1] FROM re.audit_seal s,"
                           " unnest(organizations, numbers) o(id, n) WHERE o.id = %s", (organization, ))
            number, last, digest = cursor.fetchone()
            return number == 9 and (last, digest)

        last, digest = eventually(sealed)
        # The digest in the log is the anchor for a copy of the log on another machine.
        assert any(f'"digest":"{digest}"' in line for line in server.logged(f'"number":"{last}"'))
        assert "\nreengagement_audit_unsealed_seconds " in server.get("/metrics").body.decode()

        def sealed_to_its_end(server):
            assert server.stop() == 0
            # The last entry is the server's own end. No server seals anything after it.
            cursor.execute("SELECT max(transaction) < (SELECT max(to_transaction) FROM re.audit_seal),"
                           " max(server_request_id) FILTER (WHERE filter ->> 'event' = 'ends') IS NOT NULL"
                           " FROM re.audit")
            return cursor.fetchone() == (True, True)

        # The server tries for a second, in which any transaction of the cluster may block it. Then another server's
        # stop shows the seal.
        assert sealed_to_its_end(server) or eventually(
            lambda: sealed_to_its_end(server_with(DATABASE_URL=own_database)))
        run_sql("verify", own_database)
        cursor.execute("SET session_replication_role = replica; DELETE FROM re.audit WHERE organization_id = %s AND method = 'GET'"
                       " AND ctid <> (SELECT min(ctid) FROM re.audit WHERE organization_id = %s AND method = 'GET')",
                       (organization, organization))
    done = subprocess.run([ROOT / "sql/verify"], env=clean_environment(DATABASE_URL=own_database), timeout=120,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "clinic: the audit: " in done.stderr and " entries 7 are gone" in done.stderr
    database.close()


def test_entries_outside_every_month_are_counted_and_moved_without_a_pause(stack, own_database, server_with):
    run_sql("migrate", own_database)
    database = connect(own_database)
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO re.audit (at, status, organization_id, subject, method, route) SELECT at, 200, 'a', 'u', 'GET', '/r'"
                       " FROM unnest(ARRAY['2099-01-15Z', '2098-01-15Z']::timestamptz[]) at")
    organization = load_clinic(database, "a_clinic")

    def start_with_entries(number):
        server = server_with(DATABASE_URL=own_database)
        eventually(lambda: f"\nreengagement_audit_rest_entries {number}\n" in server.get("/metrics").body.decode())
        return server

    server, answered = start_with_entries(2), []

    def ask():
        while not answered or answered[-1] == 200 and not moved.is_set():
            headers = {**token_headers(stack, organization), "X-Request-Id": f"asked-{len(answered)}"}
            answered.append(server.get(f"{PREFIX}/{organization}/dashboard", headers).status)

    moved = threading.Event()
    asking = threading.Thread(target=ask)
    asking.start()
    with database.cursor() as cursor:
        cursor.execute("SELECT partition FROM re.move_audit_rest()")
        assert cursor.fetchall() == [("audit_2098_01", ), ("audit_2099_01", )]
    moved.set()
    asking.join()
    assert set(answered) == {200}
    assert start_with_entries(0).stop() == 0 and server.stop() == 0
    assert len(recorded(database, organization)) == len(answered)
    database.close()


def test_the_audit_can_be_turned_off_for_measurements_with_a_warning(stack, database, clinic, server_with):
    server = server_with(AUDIT="off")
    assert server.get(f"{PREFIX}/{clinic}/dashboard", token_headers(stack, clinic)).status == 200
    assert server.stop() == 0
    assert server.log_lines("AUDIT is off") and recorded(database, clinic) == {}


def test_the_servers_role_cannot_read_or_change_it(stack, database):
    with psycopg2.connect(stack.settings["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION AUTHORIZATION reengagement_api")
        for statement in ("SELECT FROM re.audit", "SELECT FROM public.audit_patient_access", "DELETE FROM re.audit",
                          "UPDATE re.audit SET status = 0", "TRUNCATE re.audit"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
            connection.rollback()
            cursor.execute("SET SESSION AUTHORIZATION reengagement_api")
