"""scripts/stack as a person calls it, with a database of their own."""

import subprocess

import pytest

from stack import ROOT, clean_environment


@pytest.mark.parametrize("command", ["verify", "rebuild", "migrate", "demo"])
def test_what_fails_on_a_given_database_fails_once_and_starts_no_other(stack, folder, command):
    url = stack.database_url("not_there")
    done = subprocess.run([ROOT / "scripts/stack", command], env=clean_environment(STACK_DIR=str(folder), DATABASE_URL=url),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    assert done.returncode != 0
    assert done.stdout.count("does not exist") == 1
    assert "creating a PostgreSQL cluster" not in done.stdout and not list(folder.rglob("PG_VERSION"))
