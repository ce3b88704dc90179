"""The OpenAPI document for tests: resolves references, checks values against schemas and lists properties."""

import re

import jsonschema

from client import strict_json
from stack import ROOT

FILE = ROOT / "Sources/API/openapi.json"
HEADERS = ("X-Request-Id", "Cache-Control", "Retry-After", "WWW-Authenticate", "Allow", "Server-Timing")

formats = jsonschema.FormatChecker()


@formats.checks("date-time")
def is_timestamp(value):
    """jsonschema checks this format only with a package that Debian does not have."""
    return not isinstance(value, str) or bool(re.fullmatch(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", value))


def filled(path, org_id="o", patient_id="p"):
    """Fills each variable part of the path."""
    return path.format(org_id=org_id, patient_id=patient_id, problem="no-such-patient")


class Description:
    def __init__(self, document):
        self.document = document

    def at(self, pointer):
        node = self.document
        for part in pointer.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def resolved(self, node):
        while "$ref" in node:
            node = self.at(node["$ref"])
        return node

    def operations(self):
        return [(path, method, operation) for path, item in self.document["paths"].items()
                for method, operation in item.items() if method != "parameters"]

    def parameters(self, path, method):
        item = self.document["paths"][path]
        return [self.resolved(p) for p in item.get("parameters", []) + item[method].get("parameters", [])]

    def response(self, path, method, status):
        return self.resolved(self.document["paths"][path][method]["responses"][status])

    def faults(self, schema, value):
        """Returns the errors of a value, an empty list if it is valid."""
        whole = {**schema, "components": self.document["components"]}
        found = jsonschema.Draft202012Validator(whole, format_checker=formats).iter_errors(value)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]

    def parts(self, schema):
        """Yields the schema and the schemas that it includes."""
        yield schema
        for other in ([self.at(schema["$ref"])] if "$ref" in schema else []) + schema.get("allOf", []):
            yield from self.parts(other)

    def properties(self, schema, place=""):
        """Returns every property as `.patients[].phone`, or as `.patients[].phone?` if it may be null."""
        found = set()
        for part in self.parts(schema):
            if isinstance(part.get("type"), list) and "null" in part["type"]:
                found.add(f"{place}?")
            for name, inner in part.get("properties", {}).items():
                found |= {f"{place}.{name}"} | self.properties(inner, f"{place}.{name}")
            found |= self.properties(part["items"], f"{place}[]") if "items" in part else set()
        return found

    def optional(self, schema):
        """Returns the names of the optional properties."""
        found, named, required = set(), {}, set()
        for part in self.parts(schema):
            named.update(part.get("properties", {}))
            required |= set(part.get("required", []))
            found |= self.optional(part["items"]) if "items" in part else set()
        return found.union(set(named) - required, *(self.optional(inner) for inner in named.values()))


def present(value, place=""):
    """Returns the properties of a value, in the notation of `properties`."""
    if value is None:
        return {f"{place}?"}
    if isinstance(value, dict):
        return set().union(*({f"{place}.{name}"} | present(inner, f"{place}.{name}") for name, inner in value.items()))
    return set().union(*(present(item, f"{place}[]") for item in value)) if isinstance(value, list) else set()


def nodes(value):
    """Yields every object in a document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


description = Description(strict_json(FILE.read_text()))
OPERATIONS = [(path, method) for path, method, _ in description.operations()]
QUERY = [(path, parameter) for path, method in OPERATIONS for parameter in description.parameters(path, method)
         if parameter["in"] == "query"]
# A stream does not end by itself (test_live.py).
STREAMS = {path for path, _, operation in description.operations()
           if "text/event-stream" in operation["responses"].get("200", {}).get("content", {})}
ENDING_QUERY = [(path, parameter) for path, parameter in QUERY if path not in STREAMS]


def must_fit(path, method, status, response):
    """Asserts that content type, headers and body are those documented for the path, method and status."""
    described = description.response(path, method, status)
    assert status == "default" or response.status == int(status), response
    (kind, content), = described["content"].items()
    assert response.header("Content-Type").split(";")[0] == kind, response
    there = {name for name in HEADERS if response.header(name) is not None}
    required = {name for name, header in described["headers"].items() if description.resolved(header)["required"]}
    assert required <= there <= set(described["headers"]), response
    for name in there:
        schema, value = description.resolved(described["headers"][name])["schema"], response.header(name)
        assert not description.faults(schema, int(value) if schema.get("type") == "integer" else value), (name, value)
    value = response.json() if kind.endswith("json") else response.body.decode()
    assert not description.faults(content["schema"], value), (
        f"{method} {path} {status}: {description.faults(content['schema'], value)[:5]}"
    )
    documented = description.properties(content["schema"])
    assert not documented or present(value) <= documented, f"not documented: {sorted(present(value) - documented)}"
    return value


def example_of(path, method="get", status="200"):
    """Returns the first example of a response."""
    content = description.response(path, method, status)["content"]["application/json"]
    return description.resolved(next(iter(content["examples"].values())))["value"]


def schema_of(path, method, status):
    return next(iter(description.response(path, method, status)["content"].values()))["schema"]
