"""Prints a table of the fuzzers' logs. With a path, also writes it there."""

import re
import sys
from datetime import date
from pathlib import Path

HEAD = """# Results of the fuzzers

Written by `make fuzz` (`SAVE=1`). [security-tests.md](../security-tests.md) describes each target and the findings.
Coverage-guided inputs (libFuzzer) under the address sanitizer, {hours} of fuzzing in total, on {today}, at commit
{commit}.

"""
COLUMNS = ("target", "seconds", "inputs", "inputs a second", "edges reached", "inputs in the corpus", "slowest, s",
           "finds")


def last(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def figures(log):
    text = log.read_text(errors="replace")
    runs, seconds = last(r"Done (\d+) runs", text), last(r"runs in (\d+) second", text)
    return {
        "target": log.name, "seconds": seconds, "inputs": runs, "inputs a second": runs // max(1, seconds),
        "edges reached": last(r"\bcov: (\d+)", text), "inputs in the corpus": last(r"\bcorp: (\d+)", text),
        "slowest, s": last(r"slowest_unit_time_sec:\s*(\d+)", text),
        "finds": len(re.findall(r"Test unit written to|SUMMARY: ", text)) and 1
    }


def table(rows):
    lines = ["| " + " | ".join(COLUMNS) + " |", "| --- " + "| ---: " * (len(COLUMNS) - 1) + "|"]
    lines += ["| " + " | ".join(f"{row[c]:,}" if c != "target" else f"`{row[c]}`" for c in COLUMNS) + " |"
              for row in rows]
    return "\n".join(lines) + "\n"


def main(logs, document=None, commit="unknown"):
    rows = [figures(log) for log in sorted(Path(logs).iterdir())]
    print(table(rows), end="")
    total = sum(row["seconds"] for row in rows)
    inputs, finds = sum(row["inputs"] for row in rows), sum(row["finds"] for row in rows)
    if document:
        hours = f"{total / 60:.0f} minutes"
        Path(document).write_text(HEAD.format(hours=hours, today=date.today(), commit=commit) + table(rows))
    print(f"{inputs:,} inputs in {total} s of fuzzing, {finds} finds")


main(*sys.argv[1:])
