"""The tables of docs/running.md, and the lists in scripts/lib/variables.bash."""

import re
import subprocess

from stack import ROOT


def _variables(array):
    found = subprocess.run(["bash", "-c", f'. "$1" && printf "%s\\n" "${{{array}[@]}}"', "variables",
                            ROOT / "scripts/lib/variables.bash"], stdout=subprocess.PIPE, text=True, check=True)
    return frozenset(found.stdout.split())


SERVER_VARIABLES, SENDER_VARIABLES, STACK_VARIABLES = (
    _variables(f"{who}_variables") for who in ("server", "sender", "stack"))


def _rows(heads):
    """The cells of each row of the table with these heads."""
    text = (ROOT / "docs/running.md").read_text()
    table = re.search(rf"^\| {' [|] '.join(heads)} \|\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE)[1]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]


def documented_variables():
    """The default of each variable."""
    return {name.strip("`"): default.strip("`") for name, _, default in _rows(("variable", "meaning", "default"))}


def documented_commands():
    return {name.strip("`").removeprefix("make ") for name, *_ in _rows(("command", "effect", "variables"))}


def code_blocks(document, language):
    """The code blocks of a document in this language."""
    text = (ROOT / "docs" / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
