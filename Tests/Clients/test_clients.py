"""Generates clients from /openapi.json, checks their type names, compiles them strictly and calls every method."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stack import Stack, clean_environment

HERE, TOOLS = Path(__file__).parent, Path(os.environ["CLIENTS_BIN"])
ORGANIZATION = "org_demo_1"


@pytest.fixture(scope="module")
def stack(directory):
    with Stack(directory / "main", STACK_DEMO="1").started() as made:
        yield made


@pytest.fixture(scope="module")
def document(stack, directory):
    """The document as a developer downloads it to generate a client."""
    file = directory / "openapi.json"
    file.write_bytes(stack.client.request("GET", "/openapi.json").body)
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


def operations(document):
    paths = json.loads(document.read_text())["paths"].values()
    return {operation["operationId"] for path in paths for name, operation in path.items() if name != "parameters"}


def setting(stack, document):
    patient = stack.api.answer(ORGANIZATION, "patients/prioritized?limit=1")["patients"][0]["id"]
    return json.dumps({"base": f"https://localhost:{stack.settings['HTTPS_PORT']}", "ca": stack.settings["CA_FILE"],
                       "token": stack.signer.token(ORGANIZATION), "organization": ORGANIZATION, "patient": patient,
                       "operations": sorted(operations(document))})


def test_openapi_python_client(stack, directory, document):
    config = directory / "config.yml"
    config.write_text("post_hooks: []\n")
    told = run(TOOLS / "openapi-python-client", "generate", "--path", document, "--output-path", "generated", "--meta",
               "none", "--config", config,
               cwd=directory)
    assert "arning" not in told, told
    must_have_good_names(list((directory / "generated/models").glob("*.py")), document)
    run(TOOLS / "python", HERE / "call.py", setting(stack, document), cwd=directory, PYTHONPATH=str(directory))


def test_openapi_generators_typescript_fetch(stack, directory, document):
    folder = directory / "typescript"
    told = run(TOOLS / "openapi-generator-cli", "generate", "-i", document, "-g", "typescript-fetch", "-o", folder,
               "--additional-properties=importFileExtension=.ts", cwd=directory)
    assert "nline schema created" not in told, told
    must_have_good_names(list((folder / "models").glob("*.ts")), document)
    assert f'BASE_PATH = "https://localhost:{stack.settings["HTTPS_PORT"]}"' in (folder / "runtime.ts").read_text()
    shutil.copy(HERE / "call.ts", folder)
    # Deno refuses a certificate that is its own authority. `noImplicitOverride` is a default of Deno that the
    # generator's runtime violates. It is not a part of TypeScript's `strict`.
    (folder / "deno.json").write_text(
        '{"compilerOptions": {"strict": true, "noImplicitOverride": false, "lib": ["deno.window", "dom"]}}'
    )
    run(TOOLS / "deno", "run", "--check", "--no-remote", "--no-lock", "--allow-net=localhost",
        "--unsafely-ignore-certificate-errors=localhost", "call.ts",
        setting(stack, document), cwd=folder, DENO_DIR=str(directory / "deno"), DENO_NO_UPDATE_CHECK="1", NO_COLOR="1")
