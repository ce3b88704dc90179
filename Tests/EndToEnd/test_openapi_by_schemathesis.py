"""Schemathesis tests the server by its own OpenAPI document: allowed requests are accepted, others are refused, and
every response is documented."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from openapi import FILE
from stack import ROOT, clean_environment

FOLDER = ROOT / "Tests/Schemathesis"


@pytest.fixture(scope="module")
def tools():
    """The folder of programs that Debian does not have."""
    done = subprocess.run([ROOT / "scripts/venv", FOLDER / "requirements.txt"], stdout=subprocess.PIPE, text=True,
                          check=True)
    return Path(done.stdout.strip()).parent


def run(*command, cwd, **environment):
    done = subprocess.run([str(part) for part in command],
                          stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          text=True,
                          timeout=600,
                          cwd=cwd,
                          env=clean_environment(**environment))
    assert done.returncode == 0, done.stdout[-20000:]
    return done.stdout


@pytest.mark.nightly
def test_the_document_is_valid_openapi(tools, folder):
    assert "OK" in run(tools / "openapi-spec-validator", FILE, cwd=folder)


@pytest.mark.nightly
def test_the_server_behaves_as_documented(tools, stack, clinic, folder):
    """EXAMPLES is the number of generated requests for each operation. The nightly run has more."""
    text = run(tools / "schemathesis",
               "--config-file", FOLDER / "schemathesis.toml",
               "run", f"https://localhost:{stack.settings['HTTPS_PORT']}/openapi.json",
               "--tls-verify", stack.settings["CA_FILE"],
               "--header", f"Authorization: Bearer {stack.signer.token(clinic)}",
               "--checks", "all",
               "--max-examples", os.environ.get("EXAMPLES", "20"),
               "--seed", os.environ.get("SEED", "1"),
               "--generation-database", "none",
               "--no-color",
               cwd=folder,
               ORGANIZATION=clinic,
               SCHEMATHESIS_HOOKS=str(FOLDER / "hooks.py"))
    found = re.search(r"Test cases:\s+(\d+) generated, (\d+) passed", text)
    assert re.search(r"Selected: (\d\d+)/\1\n", text) and "Failures:" not in text and "Errors:" not in text, text
    assert found and int(found[1]) >= 500, text
