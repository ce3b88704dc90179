"""Compares variants of the server and of nginx, one experiment at a time."""

import os
import statistics
import sys
from pathlib import Path

import protocol
from instructions import instructions
from machine import occasion
from variants import ENDPOINTS, EXPERIMENTS, ROOT, Variant, bench_stack

ROUNDS, DURATION = int(os.environ.get("ROUNDS", "5")), float(os.environ.get("DURATION", "3"))


def say(text):
    print(text, file=sys.stderr, flush=True)


def measured(stack, settings):
    """Medians of each variant for each of its endpoints, over alternating rounds."""
    variants = {name: Variant(stack, number, **how) for number, (name, how) in enumerate(settings["variants"].items())}
    samples = {}
    try:
        for variant in variants.values():
            variant.start()
        for _ in range(ROUNDS):
            for endpoint in settings.get("endpoints", ENDPOINTS[:2]):
                for name, variant in variants.items():
                    sample = variant.load(endpoint, DURATION, settings.get("connections", 16))
                    samples.setdefault((endpoint, name), []).append(sample)
    finally:
        for variant in variants.values():
            variant.stop()
    return {key: {field: statistics.median(s[field] for s in of) for field in of[0]} for key, of in samples.items()}


def table(title, why, medians):
    lines = [f"## {title}", "", why, "", "| | requests/s | p99 ms | server µs CPU | nginx µs CPU |",
             "| --- | ---: | ---: | ---: | ---: |"]
    for endpoint in dict.fromkeys(endpoint for endpoint, _ in medians):
        of = {name: values for (asked, name), values in medians.items() if asked == endpoint}
        first = next(iter(of.values()))
        for name, values in of.items():
            ratio = values["rate"] / first["rate"]
            lines.append(f"| `{endpoint}`, {name} | {values['rate']:,.0f} ({ratio:.2f}) | {values['p99']:.1f} | "
                         f"{values['server']:.0f} | {values['nginx']:.0f} |")
    return "\n".join(lines) + "\n"


def main():
    stack = bench_stack()
    before = os.environ.get("BEFORE")
    if os.environ.get("INSTRUCTIONS"):
        parts = [instructions(stack, {"before": before, "now": stack.binary} if before else {"now": stack.binary})]
    else:
        parts = [f"Medians of {ROUNDS} alternating rounds of {DURATION:g} s, over plain HTTP, with {os.cpu_count()} cores for all\n"
                 "processes and 1,000 patients. No response is cached. In brackets: the ratio to the first line of an endpoint.\n"]
        for key, settings in EXPERIMENTS(before).items():
            if os.environ.get("ONLY", key) == key:
                say(f"== {key}")
                parts.append(table(settings["title"], settings["why"], measured(stack, settings)))
        if os.environ.get("ONLY", "protocol") == "protocol":
            say("== protocol")
            parts.append(protocol.table(stack.settings["DATABASE_URL"], ROUNDS, DURATION))
    text = "\n".join(parts)
    print(text)
    if os.environ.get("SAVE"):
        name = "instructions" if os.environ.get("INSTRUCTIONS") else "tuning"
        title = "Instructions of a request" if name == "instructions" else "The effect of each setting"
        head = f"# {title}\n\nWritten by `bench/tuning/run` {occasion()}.\n\n"
        Path(ROOT / f"docs/bench/{name}.md").write_text(head + text)


if __name__ == "__main__":
    main()
