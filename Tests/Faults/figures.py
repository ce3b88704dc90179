"""What the tests measured: kept as docs/bench/faults.json, and from there as tables in docs/reliability.md.

    figures.py      writes the tables anew from the file
"""

import json
import re
import subprocess
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE, DOCUMENT = ROOT / "docs/bench/faults.json", ROOT / "docs/reliability.md"
ROWS = ("database gone", "database hangs", "lock on outreach_log", "kill -9", "SIGTERM and restarts", "overload",
        "slow clients, garbage, idle connections", "half-sent FastCGI records", "JWKS server", "log", "clock", "soak")


def save(collected):
    """Rows that were not measured this time stay as they are, with the date of their own."""
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    for row, values in collected.items():
        kept[row] = {"measured": f"{date.today().isoformat()}, {commit.strip()}", **values}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    write(kept)


def write(kept):
    text = DOCUMENT.read_text()
    for row, values in kept.items():
        mark = re.compile(rf"(<!-- figures: {re.escape(row)} -->\n).*?(<!-- end -->)", re.S)
        assert mark.search(text), f"docs/reliability.md has no place for the figures of \"{row}\""
        text = mark.sub(lambda found: found[1] + table(values) + found[2], text)
    DOCUMENT.write_text(text)


def table(values):
    measured = values["measured"]
    lines = ["", "| figure | value |", "| --- | ---: |"]
    lines += [f"| {title(name)} | {shown(value)} |" for name, value in values.items() if name != "measured"]
    return "\n".join(lines) + f"\n\nMeasured {measured}.\n\n"


def shown(value):
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else value


def title(name):
    """`slowest_answer_s` is "slowest answer, s"."""
    units = ("s", "ms", "kb")
    words = name.split("_")
    if words[-1] in units:
        return f"{' '.join(words[:-1])}, {words[-1].replace('kb', 'kB')}"
    return " ".join(words)


if __name__ == "__main__":
    write(json.loads(FILE.read_text()))
