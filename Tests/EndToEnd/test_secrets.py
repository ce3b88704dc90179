"""Health data and tokens stay out of every log, even at the most verbose level, and out of the metrics."""

import json
import time
from pathlib import Path
from urllib.parse import urlencode

from asking import eventually, lines_of
from stack import connect

LOGS = ("SERVER_LOG", "NGINX_ACCESS_LOG", "POSTGRES_LOG")


def texts(stack):
    logs = {name: Path(stack.settings[name]).read_bytes() for name in LOGS}
    with connect(stack.settings["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(filter::text, ' ') FROM re.audit WHERE NOT filter ? 'patient_id'")
        filters = cursor.fetchone()[0] or ""
    return {**logs, "metrics": stack.plain.request("GET", "/metrics").body, "audit": filters.encode()}


def test_no_log_contains_a_name_a_note_an_id_or_a_token(api, stack, database, clinic, fresh_id):
    secret = {
        name: fresh_id(f"secret{name}")
        for name in ("patient", "person", "phone", "mail", "treatment", "note", "cursor", "unknown", "key", "text",
                     "query", "origin", "searched", "found", "refused")
    }
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO patients (organization_id, id, name, phone, email, treatment_notes, created_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, now() - interval '90 days')",
            (clinic, secret["patient"], secret["person"], secret["phone"], secret["mail"], secret["treatment"]))
    good = {"patient_id": secret["patient"], "method": "sms", "outcome": "failed", "notes": secret["note"]}
    tokens = [
        api.signer.token(clinic, sub="user_first"),
        api.signer.token("org_other"),
        api.signer.token(clinic, exp=1),
        api.signer.token(clinic)[:-5] + "AAAAA"
    ]
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for path in ("dashboard", "risk-metrics", "patients/prioritized?limit=200", f"patients/{secret['patient']}",
                     f"patients/{secret['unknown']}", f"patients/prioritized?cursor={secret['cursor']}",
                     f"performance?timeframe={secret['query']}", f"performance?{secret['query']}=1",
                     f"patients/{secret['patient']}/more", f"{secret['unknown']}", f"patients/{secret['patient']}%ff"):
            for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
                api.get(clinic,
                        path,
                        method=method,
                        headers={**headers, "Origin": f"https://{secret['origin']}.example"})
        for q in (secret["searched"], secret["person"], f"{secret['found']}%", secret["refused"] + "x" * 100):
            for more in ({}, {"sort": "name", "include": "notes"}, {"limit": 0}, {"cursor": secret["cursor"]}):
                api.get(clinic, f"patients/prioritized?{urlencode({'q': q, **more})}", headers=headers)
                api.search(clinic, {"q": q, **more}, headers=headers)
            api.search(clinic, {}, headers=headers, query=f"?q={secret['searched']}")
            api.search(clinic, f'{{"q": "{q}"', headers=headers)
        for body in (good, {**good, "patient_id": secret["unknown"]}, {**good, "method": secret["text"]},
                     {**good, "notes": secret["note"] * 200}, {**good, "opened": secret["text"]}, json.dumps(good)[:-1],
                     f"{secret['text']}", f"{{\"{secret['text']}\": 1", f"[\"{secret['text']}\"]"):
            api.post(clinic, body, headers=headers, key=secret["key"])
    api.client.request("GET",
                       api.target(clinic, f"patients/{secret['patient']}") + "?" + "x" * 9000,
                       headers,
                       fresh=True)
    api.client.request("POST", api.target(clinic, "log-outreach"), headers, secret["text"] * 80000, fresh=True)
    time.sleep(0.5)
    found = {(log, name)
             for log, text in texts(stack).items()
             for name, value in secret.items() if value.encode() in text}
    found |= {(log, f"token {n}")
              for log, text in texts(stack).items()
              for n, token in enumerate(tokens)
              for part in token.split(".")[1:] if part.encode() in text}
    assert not found


def test_the_server_logs_one_json_line_per_request_for_operators(api, stack, clinic, fresh_id):
    request_id = fresh_id("request")
    response = api.get(clinic,
                       "patients/patient_123?x=1",
                       headers={**api.authorization(clinic, sub="user_logged"), "X-Request-Id": request_id})
    assert response.status == 200
    deadline = time.monotonic() + 60
    while True:
        lines = [
            json.loads(line) for line in lines_of(Path(stack.settings["SERVER_LOG"]))
            if request_id in line
        ]
        access = [line for line in lines if {"status", "route"} & set(flat(line))]
        if access or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert len(access) == 1
    values = flat(access[0])
    assert request_id in values.values() and clinic in values.values() and "user_logged" in values.values()
    assert str(values["status"]) == "200" and "patient_id" in str(values["route"]) and float(str(
        values["bytes"])) == len(response.body)


def flat(line):
    """Returns the members at any depth of the format."""
    found = {}
    for name, value in line.items():
        found.update(flat(value) if isinstance(value, dict) else {name: value})
    return found


def test_every_line_of_the_server_log_is_a_json_object(stack):
    for line in lines_of(Path(stack.settings["SERVER_LOG"])):
        assert isinstance(json.loads(line), dict), line


def test_nginx_and_the_server_log_the_same_request_id(api, stack, clinic):
    request_id = api.get(clinic, "dashboard").header("X-Request-Id")
    for log in ("NGINX_ACCESS_LOG", "SERVER_LOG"):
        eventually(lambda: request_id.encode() in Path(stack.settings[log]).read_bytes())
