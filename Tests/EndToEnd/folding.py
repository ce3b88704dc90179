"""How searches compare text and how names are sorted (definitions.md, section 5), without PostgreSQL's functions."""

import re
import subprocess
import unicodedata
from functools import cache
from pathlib import Path


@cache
def accents():
    """The rules of PostgreSQL's `unaccent`. Its documentation describes the format of the file."""
    folder = subprocess.run(["pg_config", "--sharedir"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    lines = (Path(folder) / "tsearch_data/unaccent.rules").read_text().splitlines()
    rules = dict((line.split() + [""])[:2] for line in lines if line.split())
    return rules, re.compile("|".join(map(re.escape, sorted(rules, key=len, reverse=True))))


def folded(text):
    rules, sources = accents()
    plain = sources.sub(lambda found: rules[found[0]], unicodedata.normalize("NFC", text))
    return plain.lower().replace("ς", "σ")


def digits(text):
    return re.sub("[^0-9]", "", text)


def is_found(row, q):
    """Returns whether a search for `q` finds a patient's row. `q` has no spaces around it."""
    term = folded(q)
    if term in folded(row.name) or (row.email is not None and term in folded(row.email)):
        return True
    is_number = re.fullmatch(r"[-0-9 +().]*", q) and len(digits(q)) >= 3
    return bool(is_number and row.phone is not None and digits(q) in digits(row.phone))
