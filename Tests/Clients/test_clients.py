"""Generates clients from /openapi.json, checks their type names, compiles them strictly and calls every method."""

import json
import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from registry import ENDPOINTS, PATIENT
from stack import Stack, clean_environment

HERE, TOOLS = Path(__file__).parent, Path(os.environ["CLIENTS_BIN"])
ORGANIZATION = "org_demo_1"


@pytest.fixture(scope="module")
def stack(directory):
    # Without the contact, getSecurityText would return 404.
    with Stack(directory / "main", STACK_DEMO="1", SECURITY_CONTACT="https://example.com/report",
               PUBLIC_URL="https://localhost").started() as made:
        yield made


@pytest.fixture(scope="module")
def document(stack, directory):
    """The document as a developer downloads it to generate a client, without streams: a call of one never returns."""
    file = directory / "openapi.json"
    downloaded = json.loads(stack.client.request("GET", "/openapi.json").body)
    streams = {path for path, item in downloaded["paths"].items()
               if "text/event-stream" in item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})}
    for path in streams:
        del downloaded["paths"][path]
    file.write_text(json.dumps(downloaded))
    return file


def run(*command, cwd, **environment):
    paths = f"{TOOLS}:{os.environ['PATH']}"
    done = subprocess.run([str(part) for part in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600,
                          env=clean_environment(PATH=paths, PYTHONDONTWRITEBYTECODE="1", **environment))
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def must_have_good_names(models, document):
    """Each model has the name of a component, and each component with fields or values has a model."""
    names = {re.sub("[^a-z]", "", file.stem.lower()) for file in models if file.stem not in ("__init__", "index")}
    assert not [file.name for file in models if "inner" in file.stem.lower()
                or re.search(r"\d$|_item$|response", file.stem.lower())]
    schemas = json.loads(document.read_text())["components"]["schemas"]
    assert names == {name.lower() for name, schema in schemas.items()
                     if {"enum", "properties", "allOf"} & set(schema)} | names & {"openapidocument"}


class Operation:
    """An operation of the document, with arguments for a call."""

    def __init__(self, document, path, method):
        self.document, self.path, self.method = document, path, method
        item = document["paths"][path]
        self.described = item[method]
        self.name, self.tag = self.described["operationId"], self.described["tags"][0]
        self.parameters = [self.resolved(each)
                           for each in item.get("parameters", []) + self.described.get("parameters", [])]

    def resolved(self, node):
        while "$ref" in node:
            node = self.document["components"][node["$ref"].split("/")[-2]][node["$ref"].split("/")[-1]]
        return node

    @property
    def body(self):
        """The name of the body's schema."""
        content = self.described["requestBody"]["content"]["application/json"]
        return content["schema"]["$ref"].rpartition("/")[2]

    def arguments(self, patient):
        """Returns values by parameter: those of the registry's question with the most parameters, or the examples."""
        declared = next((each for each in ENDPOINTS if (each.template, each.method.lower()) == (self.path, self.method)),
                        None)
        if declared is None:
            return {each["name"]: each["example"] for each in self.parameters if each.get("required")}
        question = max(declared.questions, key=lambda each: len(each.body or parse_qs(each.query or "")))
        values = {name: value for name, (value,) in parse_qs(question.query or "").items()}
        found = {"org_id": ORGANIZATION, "patient_id": patient, "Idempotency-Key": str(uuid.uuid4()), **values}
        given = {each["name"]: self.value(each, found[each["name"]])
                 for each in self.parameters if each["name"] in found}
        if "requestBody" in self.described:
            given["body"] = {name: patient if value == PATIENT else value for name, value in question.body.items()}
        return given

    def value(self, parameter, text):
        kind = self.resolved(parameter["schema"])["type"]
        return text.split(",") if kind == "array" else int(text) if kind == "integer" else text


def operations(document):
    document = json.loads(document.read_text())
    return [Operation(document, path, method) for path, item in document["paths"].items()
            for method in item if method != "parameters"]


def setting(stack, document, patient):
    return json.dumps({"base": f"https://localhost:{stack.settings['HTTPS_PORT']}", "ca": stack.settings["CA_FILE"],
                       "token": stack.signer.token(ORGANIZATION), "organization": ORGANIZATION,
                       "operations": sorted(each.name for each in operations(document)),
                       "arguments": {each.name: each.arguments(patient) for each in operations(document)}})


@pytest.fixture(scope="module")
def patient(stack):
    return stack.api.answer(ORGANIZATION, "patients/prioritized?limit=1")["patients"][0]["id"]


def test_openapi_python_client(stack, directory, document, patient):
    config = directory / "config.yml"
    config.write_text("post_hooks: []\n")
    output = run(TOOLS / "openapi-python-client", "generate", "--path", document, "--output-path", "generated", "--meta",
               "none", "--config", config,
               cwd=directory)
    assert "arning" not in output, output
    must_have_good_names(list((directory / "generated/models").glob("*.py")), document)
    run(TOOLS / "python", HERE / "call.py", setting(stack, document, patient), cwd=directory, PYTHONPATH=str(directory))


def in_camel_case(name):
    first, *words = re.split("[-_]", name)
    return first[0].lower() + first[1:] + "".join(word.capitalize() for word in words)


def in_typescript(value):
    """Returns the value as TypeScript, with names as the generator writes them."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{in_camel_case(name)}: {in_typescript(each)}" for name, each in value.items()) + " }"
    return f"new Set([{', '.join(map(json.dumps, value))}])" if isinstance(value, list) else json.dumps(value)


def calls_in_typescript(operations, patient):
    """Returns a module whose function calls each method, so that the compiler checks the arguments."""
    lines = []
    for each in operations:
        given = each.arguments(patient)
        if "body" in given:
            given[each.body] = given.pop("body")
        lines.append(f"    {each.name}: await new client.{each.tag}Api(configuration).{each.name}("
                     + (in_typescript(given) if given else "") + "),")
    return "\n".join(["import * as client from './index.ts';", "",
                      "export async function called(configuration: client.Configuration) {", "  return {", *lines,
                      "  };", "}", ""])


def test_openapi_generators_typescript_fetch(stack, directory, document, patient):
    folder = directory / "typescript"
    output = run(TOOLS / "openapi-generator-cli", "generate", "-i", document, "-g", "typescript-fetch", "-o", folder,
               "--additional-properties=importFileExtension=.ts", cwd=directory)
    assert "nline schema created" not in output, output
    must_have_good_names(list((folder / "models").glob("*.ts")), document)
    assert f'BASE_PATH = "https://localhost:{stack.settings["HTTPS_PORT"]}"' in (folder / "runtime.ts").read_text()
    shutil.copy(HERE / "call.ts", folder)
    (folder / "calls.ts").write_text(calls_in_typescript(operations(document), patient))
    # Deno refuses a certificate that is its own authority. `noImplicitOverride` is a default of Deno that the
    # generator's runtime violates. It is not a part of TypeScript's `strict`.
    (folder / "deno.json").write_text(
        '{"compilerOptions": {"strict": true, "noImplicitOverride": false, "lib": ["deno.window", "dom"]}}'
    )
    run(TOOLS / "deno", "run", "--check", "--no-remote", "--no-lock", "--allow-net=localhost",
        "--unsafely-ignore-certificate-errors=localhost", "call.ts",
        setting(stack, document, patient), cwd=folder, DENO_DIR=str(directory / "deno"), DENO_NO_UPDATE_CHECK="1", NO_COLOR="1")
