"""make bench-scale: compares the response times of large and small clinics. See run for the variables."""

import json
import os
import sys

import backlog
import capacity
import chart
import distribution
import loading
import reading
import report
import writing
from client import Connection
from database import SERVER_OPTIONS, Database
from exactness import Wrong
from machine import machine
from plan import plan_from_environment
from stack import ROOT, Stack, say
from targets import targets


def measure(plan, stack):
    settings = stack.start_database()
    url = stack.where()["DATABASE_URL"]
    operator, server_role = Database(url, "-c jit=off"), Database(url, SERVER_OPTIONS)
    say("== loading and building")
    result = {"loading": loading.load_all(operator, server_role, plan.sizes)}
    result["machine"] = machine(operator, settings)
    result["distribution"] = distribution.check_distribution(operator)

    say("== reads")
    stack.call("up")
    where = stack.where()
    connections = {size: Connection(where, stack, loading.organization_of(size)) for size in plan.sizes}
    asked, result["reads"] = reading.read_all(plan, server_role, connections)
    result["midnight"] = capacity.midnight(plan, operator)
    result["storage"] = capacity.sizes_of(operator)

    say("== writes")
    stack.call("server-stop")
    result["posts"] = writing.measure_posts(plan, operator, server_role, url)
    result["imports"] = writing.measure_imports(plan, operator, server_role)
    result["reads_per_second"] = capacity.reads_per_second(plan, url)
    stack.call("server-start")

    say("== a backlog")
    result["backlog"] = backlog.measure_backlog(plan, operator, url, SERVER_OPTIONS, connections)
    result["targets"] = targets(plan, asked, result["reads"], result["posts"], result["imports"], result["backlog"])
    return asked, result


def save(plan, result, text):
    directory, raw = ROOT / "docs/bench", ROOT / ".local/bench"
    for each in (raw, directory):
        each.mkdir(parents=True, exist_ok=True)
    (directory / "scale.md").write_text(text)
    (raw / "scale.json").write_text(json.dumps(report.as_json(plan, result), indent=1) + "\n")
    (directory / "scale.svg").write_text(chart.chart(plan, result["reads"]))
    say(f"saved in {directory}")


def main(directory):
    plan = plan_from_environment()
    try:
        # A cached response would cost the same for every clinic.
        asked, result = measure(plan, Stack(directory, ANSWER_CACHE_BYTES="0"))
    except Wrong as wrong:
        raise SystemExit(f"error: WRONG: {wrong}")
    text = report.markdown(plan, asked, result)
    print(text)
    if os.environ.get("SAVE") == "1":
        save(plan, result, text)
    missed = [row for row in result["targets"] if not row[3]]
    # On a small and busy machine times prove nothing, so only responses are checked.
    return 1 if missed and not plan.small else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
