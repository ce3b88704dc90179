"""Writes the measured figures into the tables of docs/reliability.md."""

import re
import subprocess
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/reliability.md"
ROWS = ("database gone", "database hangs", "lock on outreach_log", "kill -9", "SIGTERM and restarts", "overload",
        "slow clients, garbage, idle connections", "half-sent FastCGI records", "JWKS server", "log", "clock", "soak")


def save(collected):
    """Rows without a new measurement stay as they are, with their own date."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    measured, text = f"{date.today().isoformat()}, {commit.strip()}", DOCUMENT.read_text()
    for row, values in collected.items():
        place = re.compile(rf"(<!-- figures: {re.escape(row)} -->\n).*?(<!-- end -->)", re.S)
        assert place.search(text), f"docs/reliability.md has no place for the figures of \"{row}\""
        text = place.sub(lambda found: found[1] + table(values, measured) + found[2], text)
    DOCUMENT.write_text(text)


def table(values, measured):
    lines = ["", "| figure | value |", "| --- | ---: |"]
    lines += [f"| {title(name)} | {shown(value)} |" for name, value in values.items()]
    return "\n".join(lines) + f"\n\nMeasured {measured}.\n\n"


def shown(value):
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else value


def title(name):
    """Turns `slowest_answer_s` into "slowest answer, s"."""
    units = ("s", "ms", "kb")
    words = name.split("_")
    if words[-1] in units:
        return f"{' '.join(words[:-1])}, {words[-1].replace('kb', 'kB')}"
    return " ".join(words)
