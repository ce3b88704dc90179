"""docs/running.md lists exactly the commands and variables that exist."""

import re

from documents import SENDER_VARIABLES, SERVER_VARIABLES, STACK_VARIABLES, documented_commands, documented_variables
from stack import ROOT

# systemd sets these, so scripts/lib/variables.bash lists them with those of the stack.
SUPERVISOR = {"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"}


def test_each_target_of_the_makefile_is_documented_and_no_other_command():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert documented_commands() == targets
    assert set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()) == targets


def test_each_variable_is_documented_and_no_other():
    assert documented_variables().keys() == SERVER_VARIABLES | SENDER_VARIABLES | STACK_VARIABLES


def test_the_scripts_know_exactly_the_variables_that_the_server_reads():
    text = "".join((ROOT / f"Sources/Server/{name}.swift").read_text()
                   for name in ("Configuration", "EnvironmentReader"))
    assert set(re.findall(r'"([A-Z]+_[A-Z_]+|AUDIT)"', text)) == SERVER_VARIABLES | SUPERVISOR
    own = (ROOT / "Sources/Server/SenderEnvironment.swift").read_text()
    assert set(re.findall(r'"([A-Z]+_[A-Z_]+)"', own)) == SENDER_VARIABLES


def test_the_readme_lists_only_documented_variables():
    first_cells = re.findall(r"^\| (`[A-Z_]+`) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert first_cells and {cell.strip("`") for cell in first_cells} <= documented_variables().keys()
