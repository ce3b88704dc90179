"""Both ports of nginx accept every id that the tables allow, and no other id reaches the tables."""

import pytest

from client import PREFIX
from problems import must_be_problem

IDS = ["search", "a/b", "/", "//", "a//b", "/a/", "a/", "...", ".../...", "..a/b..", ".a", "a..", "a/..b/.c", "%",
       "%2F",
       "%2e%2e", "%2e%2e%2Fx", "..%2Fx", "100%", "?", "a?b=c", "#", "a#b", "\\", "..\\..\\x", "a\\..\\b", "a b", " ",
       "  ", "+", "a+b", "&", "=", ";", "a;b=c", ":", "@", "'", "\"", "<x>", "|", "^", "`", "{}", "[]", "~", "*", "é",
       "e\u0301", "組織", "🐨" * 200, "x" * 200, "\n", "a\r\nb", "\t", "\x01", "\x7f", "\u200b", "\ufeff", "\u202e",
       "http://x/y", "health", "/health", "metrics", "dashboard", ".problem", "Prioritized", "prioritized ",
       "prioritized/", "favicon.ico", "a.js", "null", "0", "-1"]
# No row can have these (definitions.md section 1).
IMPOSSIBLE = ["../../x", "x/../y", "x/..", "../x", "./x", "x/.", "x/./y", "..//x", "y" * 201, "🐨" * 201]


@pytest.fixture
def addressed(database, clinic):
    with database.cursor() as cursor:
        for number, name in enumerate(IDS):
            cursor.execute("INSERT INTO patients (organization_id, id, name) VALUES (%s, %s, %s)",
                           (clinic, name, str(number)))
    return clinic


@pytest.mark.parametrize("port", ["client", "plain"])
def test_every_id_that_the_table_allows_has_an_address(stack, api, addressed, port):
    client, headers = getattr(stack, port), api.authorization(addressed)
    for number, name in enumerate(IDS):
        response = client.request("GET", api.target(addressed, api.patient_path(name)), headers)
        assert response.status == 200, (name, response)
        assert response.json()["id"] == name and response.json()["name"] == str(number)
        # The path may encode more characters than needed.
        encoded = "".join(f"%{byte:02x}" for byte in name.encode())
        response = client.request("GET", f"{PREFIX}/{addressed}/patients/{encoded}", headers)
        assert response.status == 200 and response.json()["id"] == name, (name, response)


def test_an_organization_with_any_id_has_an_address(stack, api, database, fresh_id):
    for name in ["x/..", "a/../b", "a/b", "%2F", "o" * 180, "?#", "e\u0301", "\\", " "]:
        organization = fresh_id("o")[:10] + "/" + name
        with database.cursor() as cursor:
            cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'Any')", (organization, ))
            cursor.execute("INSERT INTO patients (organization_id, id, name) VALUES (%s, 'a/b', 'Any')",
                           (organization, ))
        for client in (stack.client, stack.plain):
            target = api.target(organization, api.patient_path("a/b"))
            response = client.request("GET", target, api.authorization(organization))
            assert response.status == 200 and response.json()["organization_id"] == organization, (name, response)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_id_that_no_row_can_have_is_no_patient(stack, api, database, clinic, name):
    for client in (stack.client, stack.plain):
        response = client.request("GET", api.target(clinic, api.patient_path(name)), api.authorization(clinic))
        # nginx itself refuses to leave the root.
        must_be_problem(response, response.status)
        assert response.status in (400, 404), response
    fields = {"patient_id": name, "method": "sms", "outcome": "failed"}
    must_be_problem(api.post(clinic, fields), 422)
    with database.cursor() as cursor, pytest.raises(Exception, match="violates check constraint"):
        cursor.execute("INSERT INTO patients (organization_id, id, name) VALUES (%s, %s, 'x')", (clinic, name))


def test_an_organization_of_more_than_200_characters_is_no_route(api):
    for letter in ("o", "🐨"):
        must_be_problem(api.get(letter * 201, "dashboard"), 404)
        must_be_problem(api.get(letter * 201, "dashboard", headers={}), 404)
        assert api.get(letter * 200, "dashboard").status == 200
