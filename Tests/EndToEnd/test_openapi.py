"""The OpenAPI document describes exactly what the server accepts and returns."""

import re
from pathlib import Path
from urllib.parse import quote

import jsonschema
import pytest

from asking import GOOD
from client import PREFIX, strict_json
from openapi import ENDING_QUERY, FILE, OPERATIONS, QUERY, description, filled, nodes, schema_of
from outreach import accepted
from registry import ENDPOINTS
from stack import ROOT

API, EXAMPLE = FILE.parent, Path(__file__).parent / "example"
ANSWERS = [(path, method, status) for path, method, operation in description.operations()
           for status in operation["responses"]]


# The tests of the document alone.

def test_the_served_document_is_the_file(api):
    response = api.client.request("GET", "/openapi.json")
    here = f"https://localhost:{api.client.port}".encode()
    assert response.status == 200 and response.body == FILE.read_bytes().replace(
        b'"url": "/"', b'"url": "%s"' % here, 1
    )


@pytest.mark.parametrize("host", ["api.example.com", "api.example.com:8443", "[::1]:8443", 'x"}', "a b", "a/b", "a\\b",
                                  "", "x" * 256])
def test_the_document_names_the_requested_host(server_with, host):
    """An impossible host is not named."""
    response = server_with().request("GET", "/openapi.json", {"Host": host})
    document = strict_json(response.body.decode())
    is_host = re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,255}", host)
    assert document["servers"] == [{"url": f"https://{host}" if is_host else "/"}]
    assert {**document, "servers": description.document["servers"]} == description.document


def test_the_document_has_the_version_of_the_server(api):
    assert description.document["openapi"].startswith("3.1.")
    assert description.document["info"]["version"] == api.client.request("GET", "/health").json()["version"]


def test_every_reference_resolves_and_every_component_is_used():
    used = {node["$ref"] for node in nodes(description.document) if "$ref" in node}
    there = {f"#/components/{kind}/{name}" for kind, named in description.document["components"].items()
             if kind != "securitySchemes" for name in named}
    assert used == there
    schemes = {name for node in nodes(description.document) for need in node.get("security", []) for name in need}
    assert schemes == set(description.document["components"]["securitySchemes"])


def test_every_schema_is_valid_and_every_property_is_described():
    schemas = [node["schema"] for node in nodes(description.document)
               if "schema" in node] + list(description.document["components"]["schemas"].values())
    for schema in schemas:
        jsonschema.Draft202012Validator.check_schema(schema)
        for node in nodes(schema):
            for name, inner in node.get("properties", {}).items():
                assert any("description" in part for part in description.parts(inner)), name


def inner_schemas(node, place=""):
    """Yields every schema of the document with its place, including nested ones."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from inner_schemas(each, f"{place}/{number}")
    elif isinstance(node, dict):
        for name, each in node.items():
            if name in ("schema", "items") or place.endswith(("/properties", "/schemas")):
                yield f"{place}/{name}", each
            if name not in ("example", "examples", "enum"):
                yield from inner_schemas(each, f"{place}/{name}")


def test_every_object_enumeration_and_item_is_a_component_with_a_title():
    """A generator names a component without a title `PatientsInner` or `Summary1`."""
    found = 0
    for place, schema in inner_schemas(description.document):
        named = place.removeprefix("/components/schemas/")
        assert "const" not in schema and "enum" not in schema or "type" in schema, f"{place} has no type"
        if "/" in named and place != "/components/headers/WWW-Authenticate/schema":
            assert not {"properties", "allOf", "enum"} & set(schema), f"{place} has no name"
            assert not place.endswith("/items") or "$ref" in schema, f"{place} has no name"
        elif {"properties", "allOf", "enum"} & set(schema):
            assert schema.get("title", named) == named and ("title" in schema
                                                            or "/" in named), f"{named} has another title"
            found += 1
    assert found >= 40


def test_every_example_fits_its_schema():
    shown = 0
    for node in nodes({**description.document, "components": {**description.document["components"], "examples": {}}}):
        if "schema" in node:
            values = [node["example"]] if "example" in node else [description.resolved(e)["value"]
                                                                  for e in node.get("examples", {}).values()]
            assert values or "name" not in node, f"{node['name']} has no example"
        else:
            values = node["examples"] if isinstance(node.get("examples"), list) else []
        for value in values:
            assert not description.faults(node.get("schema", node),
                                          value), (value, description.faults(node.get("schema", node), value))
        shown += len(values)
    assert shown >= 25


def test_every_response_has_an_example():
    for path, method, status in ANSWERS:
        (kind, content), = description.response(path, method, status)["content"].items()
        assert path == "/openapi.json" and status == "200" or "example" in content or "examples" in content, (
            path,
            status,
        )


def test_the_examples_are_the_contracts():
    """Endpoints without a file in the contract's example are checked in test_oracle.py."""
    shown = {name: example["value"] for name, example in description.document["components"]["examples"].items()}
    assert shown["Trends"] == strict_json((EXAMPLE / "trends.7d.risk_levels.json").read_text())
    page = strict_json((EXAMPLE / "patients.prioritized.json").read_text())
    patient, = shown["PrioritizedPatients"]["patients"]
    del patient["critical_since"]  # an addition that the contract's example lacks
    assert (
        patient == page["patients"][0]
        and shown["PrioritizedPatients"]["timestamp"] == page["timestamp"]
    )


# The tests of the document against the server's own lists.

def test_every_endpoint_of_the_registry_is_documented_and_no_other():
    """Tests/APITests/RegistryTests.swift compares both with the server's routes."""
    documented = {(path, method) for path, method in OPERATIONS if path.startswith(PREFIX)}
    assert documented == {(endpoint.template, endpoint.method.lower()) for endpoint in ENDPOINTS}


def success(path, method):
    """Returns the least status of success that is documented."""
    return min(description.document["paths"][path][method]["responses"])


def test_the_definitions_name_every_endpoint_and_every_field_that_the_guide_lacks():
    definitions = (ROOT / "docs/definitions.md").read_text()
    guide = "".join(file.read_text() for file in (Path(__file__).parent / "guide").glob("*.json"))
    known = set(re.findall(r"\w+", definitions + guide))
    for endpoint in ENDPOINTS:
        assert f"`{endpoint.path}`" in definitions
        fields = description.properties(schema_of(endpoint.template, endpoint.method.lower(), success(endpoint.template, endpoint.method.lower())))
        assert {name for field in fields for name in re.findall(r"\w+", field)} <= known, endpoint


def test_the_documented_parameters_and_fields_are_exactly_those_that_the_server_reads():
    """RegistryTests.swift checks which endpoint accepts which."""
    read = {name for file in API.rglob("*.swift") for name in re.findall(r'(?:parameters|fields|values)\.\w+\((?:of: )?"(\w+)"', file.read_text())}
    documented = {p["name"] for path, method in OPERATIONS for p in description.parameters(path, method) if p["in"] == "query"}
    for body in ("OutreachRequest", "PatientSearch", "SettingsRequest", "AcknowledgeRequest", "ReopenRequest"):
        inner = description.properties(description.document["components"]["schemas"][body])
        documented |= {name for place in inner for name in re.findall(r"\w+", place)}
    assert read == documented


@pytest.mark.parametrize("path, method", OPERATIONS)
def test_the_server_allows_the_documented_method(api, path, method):
    response = api.client.request("BREW", filled(path))
    methods = {name for each, name in OPERATIONS if each == path}
    methods |= {"get"} if path.endswith("patients/search") else set()     # its GET addresses a patient
    names = {"get": "GET, HEAD", "post": "POST", "put": "PUT"}
    assert response.header("Allow") == ", ".join([names[name] for name in names if name in methods] + ["OPTIONS"])


@pytest.mark.parametrize("path, method", OPERATIONS)
def test_a_token_is_required_exactly_where_documented(api, path, method):
    operation = description.document["paths"][path][method]
    response = api.client.request(method.upper(), filled(path))
    assert (
        (response.status == 401)
        == ("401" in operation["responses"])
        == bool(operation.get("security", description.document["security"]))
    )


@pytest.mark.parametrize("path, method, operation", description.operations(), ids=lambda value: value
                         if isinstance(value, str) else "")
def test_every_possible_status_is_documented(path, method, operation):
    """The list is the definitions' table. The tests of responses prove that each status occurs."""
    expected = {"200", "405", "default"} | {"/ready": {"503"}, "/metrics": {"403"}, "/problems/{problem}": {"404"},
                                            "/.well-known/security.txt": {"404"}}.get(path, set())
    if path.startswith(PREFIX):
        expected |= {"401", "403", "404", "429", "500", "503"}
        expected |= {"400", "413", "415",
                     "422"} if method != "get" else {"422"} if path in (at for at, _ in QUERY) else set()
        expected |= {"201"} if path.endswith("log-outreach") else set()
        expected |= {"409"} if method != "get" and re.search("/(settings|alerts)", path) else set()
        expected ^= {"200", "202"} if path.endswith("/test") else set()
    assert set(operation["responses"]) == expected


def test_the_optional_properties_are_known():
    lacking = set().union(*(description.optional(schema_of(*answer)) for answer in ANSWERS))
    asked_for = {"engagement_status", "action_priority", "risk_tier", "q", "sort", "include", "treatment_notes"}
    assert lacking == {"risk_levels", "contact_success_rate", "conversion_rate", "channels", "errors", "secret",
                       "version"} | asked_for


# The tests of accepted values.

def sendable(schema):
    """Returns values inside and outside the schema."""
    schema = {**description.resolved(schema), **schema}
    if schema["type"] == "integer":
        return [schema["minimum"] - 1, schema["minimum"], schema["maximum"], schema["maximum"] + 1, "1.5", "x"]
    if schema["type"] == "array":
        items = description.resolved(schema["items"])["enum"]
        return [[item] for item in items] + [items, items[::-1], [items[0], items[0]], ["x"], [items[0], ""],
                                             [items[0].upper()]]
    if "pattern" in schema:
        return ["", "ab", " ab ", "   ", "abc", " a c  ", "\u1f428", "\U0001f428" * 100, "\U0001f428" * 101, "%_\\",
                "ab\0", "\tab"]
    return [*schema["enum"], schema["enum"][0].upper(), "x", ""] if "enum" in schema else []


@pytest.mark.parametrize("path, parameter", ENDING_QUERY, ids=lambda value: value["name"] if isinstance(value, dict) else "")
def test_a_parameter_accepts_exactly_the_values_of_its_schema(api, path, parameter):
    name, schema, endpoint = parameter["name"], parameter["schema"], path.removeprefix(f"{PREFIX}/{{org_id}}/")
    for value in [parameter["example"], *sendable(schema)]:
        text = ",".join(value) if isinstance(value, list) else value
        response = api.get("org_2abc123", f"{endpoint}?{name}={quote(str(text), safe=',')}")
        assert response.status == (422 if description.faults(schema, value) else 200), (value, response)


@pytest.mark.parametrize("path, parameter", ENDING_QUERY, ids=lambda value: value["name"] if isinstance(value, dict) else "")
def test_an_omitted_parameter_has_its_documented_default(api, clinic, path, parameter):
    endpoint = path.removeprefix(f"{PREFIX}/{{org_id}}/")
    if "default" in parameter["schema"]:
        answers = [api.answer(clinic, endpoint + query)
                   for query in ("", f"?{parameter['name']}={parameter['schema']['default']}")]
        assert answers[0] | {"timestamp": None} == answers[1] | {"timestamp": None}
    else:
        assert parameter["name"] in ("metrics", "cursor", "engagement_status", "action_priority", "risk_tier", "q",
                                     "sort", "include")


BODIES = [GOOD, {}, *({k: v for k, v in GOOD.items() if k != name} for name in GOOD),
          *({**GOOD, name: None} for name in GOOD), *({**GOOD, name: 5} for name in GOOD),
          *({**GOOD, "method": m} for m in ("sms", "email", "phone", "SMS", "fax", "")),
          *({**GOOD, "outcome": o} for o in ("success", "no_response", "failed", "Failed", "")),
          *({**GOOD, "notes": n} for n in (None, "", "x", "🐨" * 4000, "🐨" * 4001, 5, ["x"])),
          *({**GOOD, "opened": o} for o in (None, True, False, "true", 1, 0)),
          *({**GOOD, "idempotency_key": k}
            for k in (None, "", "x", "~ !", "a, b", "x" * 255, "x" * 256, "é", "a\tb", 5, ["x"], True)),
          *({**GOOD, "patient_id": p} for p in ("", "🐨" * 200, "🐨" * 201)), {**GOOD, "unknown": {"x": [1]}}]


def test_a_body_is_accepted_exactly_if_its_schema_allows_it(api, clinic):
    schema = description.document["components"]["schemas"]["OutreachRequest"]
    for body in BODIES:
        response = api.post(clinic, body)
        assert response.status == (422 if description.faults(schema, body) else 201
                                   if body["patient_id"] == "patient_123" else 404), (body, response)


VALUES = {
    **{name: (None, "high", "HIGH", "all", "active", "stale", "medium", "priority", "name", "last_contact", "notes", "",
              1, [], True)
       for name in ("risk_level", "engagement_status", "risk_tier", "sort", "include")},
    **{name: (None, 0, 1, 1.0, 4, 4.0, 5, 200, 201, 1.5, -1, "1", True, [1]) for name in ("action_priority", "limit")},
    "q": (None, "", "ab", "abc", " ab ", " abc ", "\U0001f428" * 100, "\U0001f428" * 101, "abc\0", 123, ["abc"]),
    "cursor": (None, "", 1, []), "unknown": (None, {"x": [1]}),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_search_is_accepted_exactly_if_its_schema_allows_it(api, clinic, name):
    schema = description.document["components"]["schemas"]["PatientSearch"]
    for value in VALUES[name]:
        response = api.search(clinic, {name: value})
        assert response.status == (422 if description.faults(schema, {name: value}) else 200), (name, value, response)


def test_the_documented_defaults_are_logged(api, clinic):
    outreach_id = accepted(api.post(clinic, GOOD))["outreach_id"]
    logged = next(a for a in api.answer(clinic, "patients/patient_123")["outreach"] if a["outreach_id"] == outreach_id)
    fields = description.document["components"]["schemas"]["OutreachRequest"]["properties"]
    assert {name: logged[name] for name in ("notes", "opened")} == {name: fields[name]["default"]
                                                                    for name in ("notes", "opened")}


def test_an_idempotency_key_is_accepted_exactly_if_its_schema_allows_it(api, clinic):
    key, = (p for p in description.parameters(f"{PREFIX}/{{org_id}}/log-outreach", "post")
            if p["name"] == "Idempotency-Key")
    for value in (key["example"], "a", "~ !", "x" * 255, "x" * 256, "", "é", "a\tb"):
        response = api.post(clinic, GOOD, key=value)
        assert response.status == (422 if description.faults(key["schema"], value) else 201), (value, response)
