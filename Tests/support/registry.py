"""The registry of the API's endpoints, read from the output of sql/registry, with sample questions."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
PATIENT = "{patient_id}"


class Endpoint(NamedTuple):
    function: str
    method: str
    path: str
    writes: bool
    streams: bool
    questions: tuple

    @property
    def template(self):
        return f"/api/v1/reengagement/{{org_id}}/{self.path}"

    @property
    def has_flat(self):
        """Returns whether the function has a plain and a flat query."""
        return "re.plain_" in source(self.function)

    @property
    def parameters(self):
        """Returns names and types of the function's parameters, the organization's first."""
        inner = re.search(rf"CREATE OR REPLACE FUNCTION re\.(?:plain_)?{self.function}\((.*?)\)\s*RETURNS",
                          source(self.function), re.DOTALL)
        named = re.findall(r"(\w+) (\w+)(?: DEFAULT \w+)?(?:,|$)", re.sub(r"--.*", "", inner[1]).strip(), re.MULTILINE)
        return dict(named)


class Question(NamedTuple):
    endpoint: Endpoint
    title: str
    query: str
    body: dict
    arguments: dict

    def path(self, patient=PATIENT):
        """Returns the path below the organization's."""
        path = self.endpoint.path.replace(PATIENT, quote(patient, safe="") if patient != PATIENT else PATIENT)
        return path + (f"?{self.query}" if self.query else "")

    def values(self, patient=PATIENT):
        """Returns the function's arguments in order, without the organization."""
        names = list(self.endpoint.parameters)[1:]
        return tuple(patient if self.arguments.get(name) == PATIENT else self.arguments.get(name) for name in names)


def source(function):
    return (ROOT / f"sql/endpoints/{function}.sql").read_text()


def read():
    printed = subprocess.run([ROOT / "sql/registry"], stdout=subprocess.PIPE, check=True, timeout=60).stdout
    for function, endpoints in json.loads(printed).items():
        for declared in endpoints:
            made = Endpoint(function, declared["method"], declared["path"], declared.get("writes", False),
                            declared.get("streams", False), ())
            yield made._replace(questions=tuple(
                Question(made, asked.get("title"), asked.get("query"), asked.get("body"),
                         {**declared.get("arguments", {}), **asked.get("arguments", {})})
                for asked in declared["questions"]))


ENDPOINTS = tuple(read())
QUERIES = tuple(endpoint for endpoint in ENDPOINTS if endpoint.method == "GET")
# A stream does not end by itself, so a test that requests each endpoint once leaves it out.
READS = tuple(endpoint for endpoint in QUERIES if not endpoint.streams)


def questions(endpoints=READS):
    return [question for endpoint in endpoints for question in endpoint.questions]


def paths(patient):
    """Returns one path of each GET endpoint below the organization's, for tests that request each endpoint once."""
    return tuple(endpoint.path.replace(PATIENT, patient) for endpoint in READS)
