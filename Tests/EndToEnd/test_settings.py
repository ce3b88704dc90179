"""Settings: who may read and change them, what is stored, the webhook's secret, and its test."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from asking import eventually, token_headers
from client import PREFIX
from openapi import description, must_fit, present, schema_of
from problems import must_be_answer, must_be_problem
from stack import Server, clean_environment, connect, run_sql

PATH = f"{PREFIX}/{{org_id}}/settings"
JSON_TYPE = {"Content-Type": "application/json"}
URL = "https://n8n.example.com:8443/webhook/very-secret?token=very-secret"
WEBHOOK = {"url": URL}
DIGEST = {"to": ["reception@clinic.example", "owner@clinic.example"], "at": "07:30",
          "days": ["fri", "mon", "tue", "wed", "thu"]}
SENDING = {"clinic_name": "Mōving \"Well\"", "booking_link": "https://clinic.example/book?a=1#b",
           "postal_address": "1 Example Street\nSydney", "country": "AU", "sms_from": None,
           "reply_to": "reception@clinic.example", "staff_addresses": ["desk@clinic.example", "+61400000001"],
           "hours": {"from": 9, "to": 20}, "global_holdout_share": 0.05}
UNSET = {"webhook": None, "digest": None, "sending": None, "updated_by": None, "updated_at": None}
STATE = {"failing_since": None, "last_status": None, "last_test": None}


def claims(organization, role, version=2):
    """Returns the claims of a role in a token of the version. A role of None is absent."""
    if version == 2:
        return {"o": {"id": organization, **({} if role is None else {"rol": role})}}
    return {"v": 1, "o": ..., "org_id": organization, "org_role": ... if role is None else role}


def put(api, organization, body, subject="user_admin", **more):
    headers = {**api.authorization(organization, sub=subject, **more), **JSON_TYPE}
    body = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return api.client.request("PUT", api.target(organization, "settings"), headers, body)


def stored(api, organization, **sections):
    response = put(api, organization, sections)
    return must_fit(PATH, "put", "200", must_be_answer(response, 200))


def post(api, organization, action, body=None, headers=None, **more):
    headers = {**api.authorization(organization, **more), **(headers or {})}
    return api.client.request("POST", api.target(organization, f"settings/webhook/{action}"), headers, body)


def secret(stack, organization, version):
    """Computes the secret from the first key of the stack's file."""
    key = base64.b64decode((Path(stack.directory) / "secrets/keys").read_text().split()[0])
    message = b"\0".join((b"webhook", organization.encode(), str(version).encode()))
    return "whsec_" + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def kept(database, organization, columns="*", table="webhook"):
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM re.{table} WHERE organization_id = %s", (organization, ))
        return cursor.fetchone()


@pytest.fixture
def organization(fresh_id):
    return fresh_id("settings")


# What is stored


def test_an_organization_without_settings_has_nulls(api, organization):
    assert must_fit(PATH, "get", "200", api.get(organization, "settings")) == UNSET


def test_what_is_put_is_read(api, organization):
    answer = stored(api, organization, webhook={**WEBHOOK, **STATE, "failing_since": "x", "last_test": 5, "secret": "mine"},
                    digest=DIGEST, sending=SENDING, updated_by="nobody", more=[1])
    assert answer["webhook"].pop("secret").startswith("whsec_")
    assert answer["webhook"] == {**WEBHOOK, **STATE} and answer["updated_by"] == "user_admin"
    assert json.loads(json.dumps(answer["digest"])) == DIGEST
    assert {**answer["sending"], "global_holdout_share": float(answer["sending"]["global_holdout_share"])} == SENDING
    assert api.answer(organization, "settings") == answer
    seen = present(api.answer(organization, "settings"))
    documented = description.properties(schema_of(PATH, "get", "200"))
    assert {name for name in documented if "?" not in name} - {".webhook.secret"} - seen == {
        f".webhook.last_test.{name}" for name in ("at", "status", "duration_ms", "error")}


def test_sections_are_replaced_whole_and_others_stay(api, organization):
    stored(api, organization, digest=DIGEST, sending=SENDING)
    answer = stored(api, organization, sending={"clinic_name": "Other"})
    assert answer["digest"] == DIGEST
    assert answer["sending"] == {**dict.fromkeys(SENDING), "clinic_name": "Other", "staff_addresses": []}
    answer = stored(api, organization, digest=None)
    assert answer["digest"] is None and answer["sending"]["clinic_name"] == "Other"
    assert api.answer(organization, "settings") == answer


def test_a_request_without_a_section_changes_nothing(api, database, organization):
    assert stored(api, organization) == stored(api, organization, unknown={"x": 1}) == UNSET
    assert kept(database, organization, table="setting") is None
    stored(api, organization, digest=DIGEST)
    before = kept(database, organization, table="setting")
    must_be_answer(put(api, organization, {}, subject="user_other"), 200)
    assert kept(database, organization, table="setting") == before


def test_addresses_lose_the_blanks_around_them(api, organization):
    answer = stored(api, organization, digest={**DIGEST, "to": ["  a@b.example "]},
                    sending={"reply_to": " a@b.example", "staff_addresses": [" +61400000001 "]})
    assert answer["digest"]["to"] == ["a@b.example"] and answer["sending"]["reply_to"] == "a@b.example"
    assert answer["sending"]["staff_addresses"] == ["+61400000001"]


def test_what_was_read_can_be_put_again(api, database, organization):
    stored(api, organization, webhook=WEBHOOK, digest=DIGEST, sending=SENDING)
    read = api.get(organization, "settings").body
    answer = must_be_answer(put(api, organization, read), 200).json()
    assert {**answer, "updated_at": 0} == {**json.loads(read, parse_float=type(answer["sending"]["global_holdout_share"])),
                                           "updated_at": 0}


def test_updated_at_goes_by_now(frozen, fresh_id):
    frozen.at(1_751_284_800_000_000)
    answer = stored(frozen.api, fresh_id("frozen"), digest=None)
    assert answer["updated_at"] == "2025-06-30T12:00:00Z"


@pytest.mark.parametrize("body, fields", [
    ({"webhook": {"url": "ftp://n8n.example.com"}}, ["webhook.url"]), ({"webhook": {}}, ["webhook.url"]),
    ({"webhook": {"url": "https://u:p@n8n.example.com"}}, ["webhook.url"]), ({"webhook": [URL]}, ["webhook"]),
    ({"webhook": {"url": URL + "#x"}}, ["webhook.url"]), ({"webhook": {"url": URL + "x" * 2000}}, ["webhook.url"]),
    ({"digest": {**DIGEST, "to": []}, "sending": {"country": "XX"}}, ["digest.to", "sending.country"]),
    ({"digest": {**DIGEST, "to": [f"a{n}@b.example" for n in range(11)]}}, ["digest.to"]),
    ({"digest": {**DIGEST, "at": "7:30"}}, ["digest.at"]), ({"digest": {**DIGEST, "days": ["mon", "mon"]}}, ["digest.days"]),
    ({"sending": {"hours": {"from": 7, "to": 20}}}, ["sending.hours.from"]),
    ({"sending": {"hours": {"from": 20, "to": 9}}}, ["sending.hours.to"]),
    ({"sending": {"global_holdout_share": 0.3}}, ["sending.global_holdout_share"]),
    ({"sending": {"sms_from": "0400000000"}}, ["sending.sms_from"]),
])
def test_a_value_that_cannot_be_is_422_with_its_field_and_changes_nothing(api, database, organization, body, fields):
    problem = must_be_problem(put(api, organization, body), 422)
    assert [error["field"] for error in problem["errors"]] == fields and problem["type"] == "/problems/bad-field"
    assert kept(database, organization, table="setting") is None


def test_a_number_belongs_to_one_organization(api, database, organization, fresh_id):
    number, other = f"+6140{os.getpid():07}", fresh_id("other")
    stored(api, organization, sending={**SENDING, "sms_from": number}, digest=DIGEST)
    problem = must_be_problem(put(api, other, {"sending": {"sms_from": number}, "digest": DIGEST}), 409)
    assert problem["type"] == "/problems/sms-number-taken"
    assert organization not in json.dumps(problem) and number not in json.dumps(problem)
    assert api.answer(other, "settings") == UNSET and kept(database, other, table="setting") is None
    stored(api, organization, sending={**SENDING, "sms_from": number})
    stored(api, organization, sending=None)
    assert stored(api, other, sending={"sms_from": number})["sending"]["sms_from"] == number


# Who may


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("role", ["admin", "org:admin"])
def test_both_spellings_of_the_role_in_both_versions_of_tokens_are_an_administrators(api, organization, role, version):
    must_be_answer(put(api, organization, {"digest": DIGEST}, **claims(organization, role, version)), 200)
    answer = api.get(organization, "settings", headers=api.authorization(organization, **claims(organization, role, version)))
    assert answer.json()["digest"]["to"] == DIGEST["to"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("role", [None, "", "member", "org:member", "Admin", "org:org:admin", "administrator"])
def test_a_member_reads_no_address_and_changes_nothing(api, database, organization, role, version):
    stored(api, organization, webhook=WEBHOOK, digest=DIGEST, sending=SENDING)
    whole = api.answer(organization, "settings")
    member = claims(organization, role, version)
    seen = api.get(organization, "settings", headers=api.authorization(organization, **member))
    assert must_fit(PATH, "get", "200", seen) == {
        **whole, "webhook": {**whole["webhook"], "url": "https://n8n.example.com"},
        "digest": {**whole["digest"], "to": []}, "sending": {**whole["sending"], "staff_addresses": []}}
    before = kept(database, organization)
    for response in (put(api, organization, {"digest": None}, **member), post(api, organization, "rotate", **member),
                     post(api, organization, "test", **member)):
        assert must_be_problem(response, 403)["type"] == "/problems/not-an-administrator"
    assert api.answer(organization, "settings") == whole and kept(database, organization) == before


def test_the_claim_of_the_other_version_gives_no_role(api, organization):
    for mixed in ({"org_role": "org:admin", "o": {"id": organization, "rol": "member"}},
                  {**claims(organization, "org:member", 1), "o": {"id": organization, "rol": "admin"}}):
        assert must_be_problem(put(api, organization, {}, **mixed), 403)["type"] == "/problems/not-an-administrator"


def test_the_operator_names_the_roles(server_with, stack, organization):
    server = server_with(ADMIN_ROLES="owner, practice_manager")
    for role, status in (("owner", 200), ("org:practice_manager", 200), ("admin", 403), ("org:admin", 403)):
        headers = {**token_headers(stack, organization, **claims(organization, role)), **JSON_TYPE}
        assert server.request("PUT", f"{PREFIX}/{organization}/settings", headers, b"{}").status == status


@pytest.mark.parametrize("url, shown", [
    ("https://n8n.example.com/a", "https://n8n.example.com"), ("HTTPS://n8n.example.com:443?x=/", "HTTPS://n8n.example.com"),
    ("http://127.0.0.1:5678/webhook/x", "http://127.0.0.1"), ("https://[2606:4700::1111]:8443/x", "https://[2606:4700::1111]"),
])
def test_a_member_sees_scheme_and_host_alone(api, organization, url, shown):
    """The stack allows private addresses."""
    stored(api, organization, webhook={"url": url})
    headers = api.authorization(organization, **claims(organization, "member"))
    assert api.get(organization, "settings", headers=headers).json()["webhook"]["url"] == shown


def test_errors_have_the_order_of_the_definitions(api, organization, fresh_id):
    other, text = api.authorization(fresh_id("other")), {"Content-Type": "text/plain"}
    member = api.authorization(organization, **claims(organization, "member"))
    admin = api.authorization(organization)
    for title, method, path, headers, body, status in (
            ("405 before 401", "DELETE", "settings", {}, None, 405),
            ("405 of a POST", "POST", "settings", member, None, 405),
            ("405 of a GET", "GET", "settings/webhook/rotate", {}, None, 405),
            ("401 before 403", "PUT", "settings", text, "{", 401),
            ("403 of the organization before that of the role", "PUT", "settings",
             api.authorization(fresh_id("other"), o={"id": "x", "rol": "member"}), "{", 403),
            ("403 before 415", "PUT", "settings", {**other, **text}, "{", 403),
            ("403 of the role before 415", "PUT", "settings", {**member, **text}, "{", 403),
            ("403 of the role before 400", "PUT", "settings", {**member, **JSON_TYPE}, "{", 403),
            ("415 before 400", "PUT", "settings", {**admin, **text}, "{", 415),
            ("415 without a type", "PUT", "settings", admin, "{}", 415),
            ("400 before 422", "PUT", "settings", {**admin, **JSON_TYPE}, '{"digest": 5', 400),
            ("400 of an empty body", "PUT", "settings", {**admin, **JSON_TYPE}, "", 400),
            ("422 before 409", "PUT", "settings", {**admin, **JSON_TYPE}, '{"webhook": {"url": "x"}}', 422),
            ("413", "PUT", "settings", {**admin, **JSON_TYPE}, "x" * 65537, 413),
            ("415 before 409", "POST", "settings/webhook/rotate", {**admin, **text}, "{}", 415),
            ("400 before 409", "POST", "settings/webhook/test", {**admin, **JSON_TYPE}, "[]", 400),
            ("403 of the role before 409", "POST", "settings/webhook/test", member, None, 403),
            ("409", "POST", "settings/webhook/test", admin, None, 409)):
        response = api.client.request(method, api.target(organization, path), headers, body, fresh=True)
        assert response.status == status, (title, response)
        problem = must_be_problem(response, status)
        if status == 403 and "role" in title and "that" not in title:
            assert problem["type"] == "/problems/not-an-administrator", title


@pytest.mark.parametrize("headers, body, status", [
    ({}, None, 200), ({}, "", 200), (JSON_TYPE, "{}", 200), (JSON_TYPE, '{"ignored": [1]}', 200), ({}, "{}", 415),
    ({"Content-Type": "text/plain"}, "", 415), (JSON_TYPE, "", 400), (JSON_TYPE, "null", 400),
    ({**JSON_TYPE, "Content-Encoding": "gzip"}, "{}", 415), ({"Content-Encoding": "gzip"}, None, 415),
])
def test_a_post_without_a_defined_body_takes_none_or_an_object(api, organization, headers, body, status):
    stored(api, organization, webhook=WEBHOOK)
    assert post(api, organization, "rotate", body, headers).status == status


# Isolation


def test_the_servers_role_reads_and_writes_its_own_organization_alone(api, connection, organization, fresh_id):
    other = fresh_id("other")
    for each in (organization, other):
        stored(api, each, webhook=WEBHOOK, sending=SENDING)
    with connection.cursor() as role:
        role.execute("SET ROLE reengagement_api; SELECT set_config('reengagement.organization', %s, false)", (organization, ))
        for table in ("setting", "webhook"):
            role.execute(f"SELECT organization_id FROM re.{table}")
            assert role.fetchall() == [(organization, )]
            role.execute(f"UPDATE re.{table} SET organization_id = organization_id")
            assert role.rowcount == 1
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                role.execute(f"UPDATE re.{table} SET organization_id = %s", (fresh_id("moved"), ))
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                role.execute(f"DELETE FROM re.{table}")
        role.execute("SELECT webhook_url, updated_by FROM re.settings(%s, true)", (other, ))
        assert role.fetchall() == [(None, None)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            role.execute("SELECT re.put_settings(%s, 'digest', NULL, NULL, NULL, 'u', true)", (fresh_id("new"), ))
        role.execute("SELECT result FROM re.rotate_webhook(%s, 'u', true)", (other, ))
        assert role.fetchall() == [("no_webhook", )]
        for table in ("digest_sent", "sender_state"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                role.execute(f"SELECT * FROM re.{table}")


# The secret


def test_the_secret_is_shown_where_it_is_made_and_counts_on(api, stack, database, organization):
    shown = []

    def note(answer, expected_version):
        got = (answer["webhook"] or {}).get("secret")
        assert got == (expected_version and secret(stack, organization, expected_version)), answer
        shown.append(got)
        assert "secret" not in (api.answer(organization, "settings")["webhook"] or {})

    note(stored(api, organization, webhook=WEBHOOK), 1)
    note(stored(api, organization, webhook=WEBHOOK), None)
    note(stored(api, organization, webhook={"url": "https://other.example/"}), None)
    note(stored(api, organization, digest=DIGEST), None)
    rotate = lambda: must_fit(f"{PATH}/webhook/rotate", "post", "200", post(api, organization, "rotate"))
    note(rotate(), 2)
    note(stored(api, organization, webhook=None), None)
    must_be_problem(post(api, organization, "rotate"), 409)
    note(stored(api, organization, webhook=WEBHOOK), 3)
    assert kept(database, organization, "version, rotated_at") == (3, None)
    note(rotate(), 4)
    note(rotate(), 5)
    assert len({each for each in shown if each}) == 5
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - rotated_at < '1 min' FROM re.webhook WHERE organization_id = %s", (organization, ))
        assert cursor.fetchone() == (True, )


def test_secrets_come_from_the_first_key_and_no_server_without_keys_makes_a_webhook(server_with, stack, api, organization,
                                                                                    folder, database):
    keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(2)]
    (folder / "keys").write_text(f"{keys[0]}\n\n{keys[1]}\n")
    (folder / "keys").chmod(0o600)
    with_keys, without = server_with(SECRETS_KEY_FILE=str(folder / "keys")), server_with()
    headers, target = {**token_headers(stack, organization), **JSON_TYPE}, f"{PREFIX}/{organization}/settings"
    problem = must_be_problem(without.request("PUT", target, headers, json.dumps({"webhook": WEBHOOK, "digest": DIGEST}).encode()), 409)
    assert problem["type"] == "/problems/webhook-keys-missing" and kept(database, organization, table="setting") is None
    answer = with_keys.request("PUT", target, headers, json.dumps({"webhook": WEBHOOK}).encode()).json()
    message = b"\0".join((b"webhook", organization.encode(), b"1"))
    expected = hmac.new(base64.b64decode(keys[0]), message, hashlib.sha256).digest()
    assert answer["webhook"]["secret"] == "whsec_" + base64.b64encode(expected).decode()
    for action in ("rotate", "test"):
        problem = must_be_problem(without.request("POST", f"{target}/webhook/{action}", headers, b"{}"), 409)
        assert problem["type"] == "/problems/webhook-keys-missing"
    assert without.request("PUT", target, headers, json.dumps({"webhook": None, "digest": DIGEST}).encode()).status == 200
    problem = must_be_problem(without.request("POST", f"{target}/webhook/rotate", headers, b"{}"), 409)
    assert problem["type"] == "/problems/no-webhook"
    assert with_keys.stop() == without.stop() == 0


def test_a_private_address_needs_the_operators_permission(server_with, stack, organization, folder):
    (folder / "keys").write_text(base64.b64encode(os.urandom(32)).decode())
    headers, target = {**token_headers(stack, organization), **JSON_TYPE}, f"{PREFIX}/{organization}/settings"
    body = json.dumps({"webhook": {"url": "http://127.0.0.1:5678/"}}).encode()
    for allowed, status in (("0", 422), ("1", 200)):
        server = server_with(SECRETS_KEY_FILE=str(folder / "keys"), WEBHOOK_ALLOW_PRIVATE=allowed)
        assert server.request("PUT", target, headers, body).status == status


# What a PUT does to the sender's state


def test_a_put_that_names_a_url_starts_anew(api, database, organization):
    stored(api, organization, webhook=WEBHOOK)
    assert kept(database, organization, "told_sequence, generation") == (0, 1)
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO re.announcement (organization_id, announced_day, sequence) VALUES (%s, '2025-06-30', 42)",
                       (organization, ))
        fail = lambda: cursor.execute(
            "UPDATE re.webhook SET failures = 3, failing_since = '2025-06-30T12:00:00Z', last_status = 410, is_gone = true, "
            "retry_at = now(), told_sequence = 7, last_test = %s WHERE organization_id = %s",
            (json.dumps({"at": "2025-06-30T09:00:00Z", "status": 410, "duration_ms": 84, "error": "status"}), organization))
        fail()
        shown = must_fit(PATH, "get", "200", api.get(organization, "settings"))["webhook"]
        assert shown == {"url": URL, "failing_since": "2025-06-30T12:00:00Z", "last_status": 410,
                         "last_test": {"at": "2025-06-30T09:00:00Z", "status": 410, "duration_ms": 84, "error": "status"}}
        state = "failures, failing_since, is_gone, retry_at, told_sequence, last_status, generation"
        stored(api, organization, digest=DIGEST)
        assert kept(database, organization, "failures, generation") == (3, 1)
        stored(api, organization, webhook=WEBHOOK)
        assert kept(database, organization, state) == (0, None, False, None, 7, 410, 2)
        fail()
        answer = stored(api, organization, webhook={"url": "https://other.example/"})
        assert kept(database, organization, state) == (0, None, False, None, 42, None, 3)
        assert answer["webhook"] == {"url": "https://other.example/", **STATE}
        fail()
        stored(api, organization, webhook=None)
        assert kept(database, organization, state) == (0, None, False, None, None, None, 4)
        cursor.execute("UPDATE re.announcement SET sequence = 43 WHERE organization_id = %s", (organization, ))
        stored(api, organization, webhook=WEBHOOK)
        assert kept(database, organization, state) == (0, None, False, None, 43, None, 5)


def test_the_moment_of_the_digest_changes_with_the_digest_alone(api, database, organization):
    stored(api, organization, sending=SENDING)
    assert kept(database, organization, "digest_set_at", "setting") == (None, )
    stored(api, organization, digest=DIGEST)
    first = kept(database, organization, "digest_set_at", "setting")
    assert first != (None, )
    stored(api, organization, sending=None, digest=DIGEST)
    assert kept(database, organization, "digest_set_at", "setting") == first
    stored(api, organization, digest={**DIGEST, "at": "08:00"})
    assert kept(database, organization, "digest_set_at", "setting") > first


# At once


def test_of_two_first_webhooks_at_once_one_shows_the_secret(api, stack, database, fresh_id):
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            organization = fresh_id("race")
            answers = list(pool.map(lambda n: put(api, organization, {"webhook": {"url": f"https://{n}.example/"}}), range(8)))
            assert {answer.status for answer in answers} == {200}
            secrets = [answer.json()["webhook"]["secret"] for answer in answers if "secret" in answer.json()["webhook"]]
            assert secrets == [secret(stack, organization, 1)]
            assert kept(database, organization, "version, generation") == (1, 8)


def test_changes_of_different_sections_at_once_are_all_kept(api, fresh_id):
    sections = ({"webhook": WEBHOOK}, {"digest": DIGEST}, {"sending": {**SENDING, "sms_from": None}})
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            organization = fresh_id("race")
            assert {answer.status for answer in pool.map(lambda body: put(api, organization, body), sections * 2)} == {200}
            answer = api.answer(organization, "settings")
            assert answer["webhook"]["url"] == URL and answer["digest"] and answer["sending"]


def test_of_many_organizations_at_once_one_gets_the_number(api, fresh_id):
    number = f"+6141{os.getpid():07}"
    organizations = [fresh_id("race") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: put(api, each, {"sending": {"sms_from": number}}), organizations))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7


def test_each_rotation_at_once_has_its_own_secret(api, stack, organization):
    stored(api, organization, webhook=WEBHOOK)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(api, organization, "rotate").json()["webhook"]["secret"], range(12)))
    assert sorted(answers) == sorted(secret(stack, organization, version) for version in range(2, 14))


# The test of the webhook


def test_a_test_is_requested_at_most_ten_times_an_hour(api, database, organization, fresh_id):
    assert must_be_problem(post(api, organization, "test"), 409)["type"] == "/problems/no-webhook"
    stored(api, organization, webhook=WEBHOOK)
    for number in range(10):
        answer = must_fit(f"{PATH}/webhook/test", "post", "202", post(api, organization, "test", sub=f"user_{number}"))
        assert answer["webhook"]["url"] == URL and "secret" not in answer["webhook"]
    assert kept(database, organization, "test_requested_at IS NULL") == (False, )
    before = kept(database, organization)
    problem = must_be_problem(post(api, organization, "test", body="{", headers={"Content-Type": "text/plain"}), 429)
    assert problem["type"] == "/problems/organization-rate-limited" and kept(database, organization) == before
    wait = int(post(api, organization, "test").header("Retry-After"))
    assert 3000 < wait <= 3600
    # The role comes first, and others are not limited.
    must_be_problem(post(api, organization, "test", **claims(organization, "member")), 403)
    assert post(api, organization, "rotate").status == 200
    other = fresh_id("other")
    stored(api, other, webhook=WEBHOOK)
    assert post(api, other, "test").status == 202


def test_only_a_202_counts(api, organization):
    for _ in range(12):
        must_be_problem(post(api, organization, "test"), 409)
        must_be_problem(post(api, organization, "test", "{", JSON_TYPE), 400)
    stored(api, organization, webhook=WEBHOOK)
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: post(api, organization, "test"), range(24))]
    assert sorted(statuses) == [202] * 10 + [429] * 14


# What is recorded


def test_each_change_is_recorded_without_a_value(api, database, organization):
    def ask(method, path, body=None, **more):
        request_id = os.urandom(8).hex()
        headers = {**api.authorization(organization, act={"sub": "user_actor"}, **more), "X-Request-Id": request_id}
        headers |= JSON_TYPE if body is not None else {}
        return request_id, api.client.request(method, api.target(organization, path), headers,
                                              None if body is None else json.dumps(body)).status

    whole = {"sending": SENDING, "webhook": WEBHOOK, "digest": DIGEST}
    changes = [ask("PUT", "settings", whole), ask("POST", "settings/webhook/rotate"), ask("POST", "settings/webhook/test")]
    with database.cursor() as cursor:
        # In the same transaction, so without a wait.
        cursor.execute("SELECT request_id, status, method, route, filter, subject, role, actor, session_id, patient_ids "
                       "FROM re.audit WHERE organization_id = %s ORDER BY at", (organization, ))
        rows = cursor.fetchall()
    who = ("user_test", "admin", "user_actor", "sess_test", None)
    assert rows == [
        (changes[0][0], 200, "PUT", PATH, {"sections": "webhook,digest,sending"}, *who),
        (changes[1][0], 200, "POST", f"{PATH}/webhook/rotate", None, *who),
        (changes[2][0], 202, "POST", f"{PATH}/webhook/test", None, *who)]
    others = [ask("GET", "settings"), ask("PUT", "settings", {}), ask("PUT", "settings", {"digest": 5}),
              ask("PUT", "settings", {"digest": None}, o={"id": organization, "rol": "member"})]
    assert [status for _, status in others] == [200, 200, 422, 403]

    def entries():
        with database.cursor() as cursor:
            cursor.execute("SELECT request_id, status, problem FROM re.audit WHERE organization_id = %s", (organization, ))
            return cursor.fetchall()

    found = eventually(lambda: len(entries()) == 7 and entries())
    assert {(others[0][0], 200, None), (others[1][0], 200, None), (others[2][0], 422, "bad-field"),
            (others[3][0], 403, "not-an-administrator")} <= set(found)
    with database.cursor() as cursor:
        cursor.execute("SELECT string_agg(entry::text, ' ') FROM re.audit entry WHERE organization_id = %s", (organization, ))
        text, = cursor.fetchone()
    assert not any(value in text for value in ("very-secret", "n8n", "reception@", "+61400000001", "whsec_", "Mōving"))


def test_a_change_that_cannot_be_recorded_is_not_made(stack, own_database, server_with):
    run_sql("migrate", own_database)
    database = connect(own_database)
    server = server_with(DATABASE_URL=own_database)
    headers, target = {**token_headers(stack, "clinic"), **JSON_TYPE}, f"{PREFIX}/clinic/settings"
    put = lambda: server.request("PUT", target, headers, json.dumps({"digest": DIGEST}).encode())
    with database.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON re.audit FROM reengagement_marker, reengagement_api")
        assert must_be_problem(put(), 503)["type"] == "/problems/audit-unavailable"
        cursor.execute("SELECT count(*) FROM re.setting")
        assert cursor.fetchone() == (0, )
        cursor.execute("GRANT INSERT ON re.audit TO reengagement_marker, reengagement_api")
        eventually(lambda: put().status == 200)
    server.stop()
    database.close()


def test_nothing_secret_is_in_a_log(stack, api, organization):
    number = f"+6142{os.getpid():07}"
    first = stored(api, organization, webhook=WEBHOOK, digest=DIGEST, sending={**SENDING, "sms_from": number})
    rotated = post(api, organization, "rotate").json()
    put(api, f"{organization}_other", {"sending": {"sms_from": number}})
    put(api, organization, {"webhook": {"url": URL + " "}, "sending": {"sms_from": f"{number} x"}})
    key = (Path(stack.directory) / "secrets/keys").read_text().strip()
    last = put(api, organization, {"digest": {**DIGEST, "to": ["very-secret@clinic.example"]}}).header("X-Request-Id")
    logs = [Path(stack.settings[name]) for name in ("SERVER_LOG", "NGINX_ACCESS_LOG", "NGINX_ERROR_LOG", "POSTGRES_LOG")]
    eventually(lambda: all(last in log.read_text() for log in logs[:2]))
    for log in logs:
        text = log.read_text(errors="replace")
        for value in ("very-secret", first["webhook"]["secret"], rotated["webhook"]["secret"], "whsec_", number, key,
                      "reception@clinic"):
            assert value not in text, (log, value)


@pytest.mark.parametrize("content", [b"", b"\n", b"x\n", base64.b64encode(b"x" * 31), base64.b64encode(b"x" * 33),
                                     base64.b64encode(b"x" * 32) + b"\n# comment\n", b"\xff" * 44])
def test_a_bad_file_of_keys_stops_the_start_with_one_line(stack, folder, content):
    (folder / "keys").write_bytes(content)
    server = Server(stack, folder, SECRETS_KEY_FILE=str(folder / "keys"))
    done = subprocess.run([stack.binary], env=clean_environment(**server.environment), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60)
    line, = (done.stdout + done.stderr).decode().splitlines()
    assert done.returncode == 78 and "SECRETS_KEY_FILE" in line and base64.b64encode(b"x" * 32).decode() not in line


def test_a_file_of_keys_that_others_can_change_stops_the_start(stack, folder):
    (folder / "keys").write_bytes(base64.b64encode(b"x" * 32))
    (folder / "keys").chmod(0o666)
    server = Server(stack, folder, SECRETS_KEY_FILE=str(folder / "keys"))
    done = subprocess.run([stack.binary], env=clean_environment(**server.environment), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60)
    assert done.returncode == 78 and b"SECRETS_KEY_FILE" in done.stderr
