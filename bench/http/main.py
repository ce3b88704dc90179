"""make bench: requests a second and their cost, compared with alternatives. See run for the variables."""

import json
import os
import signal
import sys
from pathlib import Path

import bodies
import cells
import chart
import cold_start
import contestants
import grow
import loading
import measure
import plots
import report
import token_check
from database import SERVER_OPTIONS, Database
from database_load import DatabaseLoad, statement_sent
from machine import machine
from plan import plan_from_environment
from settling import settle, write_ids
from stack import ROOT, Stack, say
from targets import ENOUGH, targets
from versions import versions

FUNCTIONS = {"risk_metrics": "risk-metrics", "prioritized_patients": "patients/prioritized?limit=50"}
LONGEST_TOP_UP = 60  # seconds


class Run:
    """Starts all applications and checks that their responses are equal."""

    def __init__(self, plan, directory):
        self.plan, self.directory = plan, Path(directory)
        self.stack = Stack(self.directory / "stack", ANSWER_CACHE_BYTES="0", CORS_ALLOWED_ORIGINS="")
        self.others = None

    def prepare(self):
        say("== loading and building")
        settings = self.stack.start_database()
        url = self.stack.where()["DATABASE_URL"]
        self.operator, self.server_role = Database(url, "-c jit=off"), Database(url, SERVER_OPTIONS)
        loading.load_all(self.operator, self.server_role, self.plan.sizes)
        self.machine = machine(self.operator, settings)
        for step in ("server-start", "nginx-start", "ready"):
            self.stack.call(step)
        self.where = self.stack.where()
        self.kept = contestants.kept_stack(self.directory, self.where)
        self.kept.call("server-start")
        self.organizations = [loading.organization_of(size) for size in self.plan.sizes]
        self.tokens = {name: self.stack.token(name) for name in self.organizations}

    def take_in_others(self):
        say("== the applications")
        asker = bodies.Asker(self.where, {cells.COMPUTED: {"https": int(self.where["HTTPS_PORT"])}}, self.tokens)
        statements = self.statements(asker)
        self.others = contestants.Others(self.directory, self.where, statements)
        self.others.start()
        self.site, constant = contestants.take_in(self.directory, self.where, self.kept.where(), self.others)
        self.asker = bodies.Asker(self.where, self.site.ports, self.tokens)
        self.check()
        for endpoint, path in cells.GETS.items():
            self.constant(constant, endpoint, self.asker.get(cells.COMPUTED, self.organizations[0], path))
        self.constant(constant, cells.POST, self.logged)
        self.lengths = bodies.lengths(self.asker, self.organizations[0])
        # As many as the server's workers, which use one connection each.
        self.clients = max(4, 2 * (os.cpu_count() or 1))
        self.database_load = DatabaseLoad(self.where["DATABASE_URL"], self.directory, statements, self.clients,
                                          int(self.where["POSTGRES_PID"]))

    def statements(self, asker):
        organization, found = self.organizations[0], {}
        for function, path in FUNCTIONS.items():
            asker.get(cells.COMPUTED, organization, path)
            found[function] = statement_sent(self.operator, function)
        _, self.logged = asker.ask(cells.COMPUTED, organization, cells.POST, bodies.ATTEMPT)
        return {**found, "log_outreach": statement_sent(self.operator, "log_outreach")}

    def constant(self, directory, endpoint, body):
        (directory / f"{endpoint.replace(' ', '-')}.json").write_bytes(body)

    def check(self):
        small, large = self.organizations
        for who in (cells.COMPUTED, cells.UNCHANGED, *cells.OTHERS):
            self.asker.refusals(who, small, large)
        bodies.check_posts(self.asker, small)
        self.settle()
        for organization in self.organizations:
            bodies.check_gets(self.asker, organization, everybody=True)
        say("  the responses of all applications are equal")

    def settle(self):
        settle(self.operator, self.server_role, self.plan.sizes)

    def roots(self):
        servers = {cells.COMPUTED: self.stack, cells.UNCHANGED: self.kept}
        return {**{who: int(stack.where()["SERVER_PID"]) for who, stack in servers.items()},
                **{who: process.pid for who, process in self.others.processes.items()},
                "postgres": int(self.where["POSTGRES_PID"])}

    def bench(self):
        logs = [self.where["NGINX_ACCESS_LOG"], self.where["SERVER_LOG"], self.kept.where()["SERVER_LOG"]]
        ids = write_ids(self.operator, self.directory, self.plan.sizes)
        return measure.Bench(self.plan, self.site, self.asker, self.database_load, self.roots(),
                             [Path(log) for log in logs], self.tokens, ids, self.settle)

    def restart(self, bench, workers):
        """Restarts both servers with this number of workers, or with the default."""
        environment = {"WORKER_THREADS": str(workers)} if workers else {}
        for stack in (self.stack, self.kept):
            stack.call("server-stop")
            stack.call("server-start", **environment)
        bench.roots = self.roots()


def top_up(bench):
    """Sends the rest of a million requests."""
    for who in cells.SERVERS:
        for _ in range(LONGEST_TOP_UP // 5):
            if bench.answered[who] >= ENOUGH:
                break
            bench.measure(cells.Cell("patient", who, "http", bench.plan.first), 5)
            say(f"  {who}: {bench.answered[who]:,} requests")
    return bench.memory()


def measured(run):
    plan, bench = run.plan, run.bench()
    chosen = cells.cells(plan, run.lengths)
    say(f"== {len(chosen)} measurements a round")
    measure.warm_up(bench, chosen)
    results, memory = measure.rounds(bench, chosen)
    found = {cell: measure.medians(each) for cell, each in results.items()}
    result = {"found": found, "memory": memory, "errors": bench.errors}
    if not plan.small:
        say("== a million requests")
        memory.append(top_up(bench))
        say("== by connections and workers")
        result["connections"] = grow.by_connections(bench)
        result["workers"] = grow.by_workers(bench, lambda workers: run.restart(bench, workers))
    say("== the token's check and the cold start")
    result["token_check_us"] = token_check.microseconds(bench)
    result["cold_start_ms"] = cold_start.milliseconds(run.where)
    result["targets"] = targets(plan.first, run.lengths, result)
    return result


def described(run):
    return {"machine": run.machine, "versions": versions(), "sizes": run.plan.sizes, "bodies": run.lengths,
            "clients": run.clients, "uvicorn_workers": contestants.UVICORN_WORKERS,
            "php_children": contestants.PHP_CHILDREN}


def save(plan, result):
    raw = ROOT / ".local/bench"
    directory = ROOT / "docs/bench" if os.environ.get("SAVE") == "1" else raw
    for each in (raw, directory):
        each.mkdir(parents=True, exist_ok=True)
    (directory / "http.md").write_text(report.markdown(plan, result))
    (raw / "http.json").write_text(json.dumps(report.as_json(plan, result), indent=1) + "\n")
    (directory / "http.svg").write_text(chart.chart(plan, result["found"]))
    for what in ("connections", "workers"):
        if result.get(what):
            (raw / f"http-{what}.svg").write_text(plots.plot(result[what], what))
    say(f"saved in {directory}")


def main(directory):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = plan_from_environment()
    run = Run(plan, directory)
    try:
        run.prepare()
        run.take_in_others()
        result = {**measured(run), **described(run)}
    except bodies.Wrong as wrong:
        raise SystemExit(f"error: WRONG: {wrong}")
    finally:
        if run.others:
            run.others.stop()
    print(report.main_table(plan, result["found"]), "\n")
    print(report.targets_table(result["targets"]), "\n")
    save(plan, result)
    for error in result["errors"]:
        print(f"ERRORS: {error}")
    print(report.closing_line(result))
    # A missed target is reported. A missing response is a failure.
    return 1 if result["errors"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
