"""pgbench with the server's statements on the same number of connections, and with a minimal statement."""

import os
import re
import subprocess
import time
from pathlib import Path

from cells import POST
from database import SERVER_OPTIONS
from loading import organization_of
from processes import children_of, cpu_seconds

LOOKUP_STATEMENT = "SELECT name FROM public.patients WHERE organization_id = :organization AND id = :patient"
# The same setting as on the server's connections. It starts a timer for each statement.
OPTIONS = SERVER_OPTIONS + " -c statement_timeout=5000"


def the_list(organization, rows):
    return [organization, *[None] * 5, "priority", "false", rows, *[None] * 5]


LOOKS = {
    "risk-metrics": ("risk_metrics", lambda organization: [organization]),
    "list of 50": ("prioritized_patients", lambda organization: the_list(organization, 51)),
    "list of 200": ("prioritized_patients", lambda organization: the_list(organization, 201)),
    POST: ("log_outreach", lambda organization: [organization, POSTED, "sms", "success", "false", "left a message",
                                                 "user_demo", None, "sess_demo", "admin", None, "127.0.0.1",
                                                 "pgbench"]),
}
POSTED = object()


def statement_sent(operator, function):
    """The text of the last statement on one of the server's connections, so that it always matches the server."""
    found = operator.rows(
        "SELECT query FROM pg_stat_activity WHERE application_name = 'reengagement-api' AND query ~ %s "
        "ORDER BY query_start DESC LIMIT 1", (rf"re\.{function}\s*\(\$1",))
    if not found:
        raise SystemExit(f"error: no connection of the server has asked re.{function} just now")
    return " ".join(found[0][0].split())


def written_out(statement, parameters):
    """Replaces the numbers by pgbench's names, which are sent as parameters. pgbench cannot send NULL."""
    def name(match):
        value = parameters[int(match.group(1)) - 1]
        return "NULL" if value is None else "'patient_' || :n" if value is POSTED else f":p{match.group(1)}"
    return re.sub(r"\$(\d+)", name, statement)


def script_of(endpoint, statement, organization, size):
    parameters = LOOKS[endpoint][1](organization)
    # Leaves out the archived patient among each fifty.
    chosen = f"\\set n 50 * random(0, {size // 50 - 1}) + random(8, 50)\n" if POSTED in parameters else ""
    text = (chosen + "\\startpipeline\nSELECT set_config('reengagement.organization', :p1, true);\n"
            + written_out(statement, parameters) + ";\n\\endpipeline\n")
    given = {f"p{i}": value for i, value in enumerate(parameters, 1) if value is not None and value is not POSTED}
    return text, given, OPTIONS


def lookup_script(organization):
    """Runs as the login itself, without settings and policies."""
    return LOOKUP_STATEMENT + ";\n", {"organization": organization, "patient": "patient_2"}, ""


class DatabaseLoad:

    def __init__(self, url, directory, statements, clients, root):
        self.url, self.directory, self.statements = url, Path(directory), statements
        self.clients, self.root = clients, root

    def statement(self, endpoint, size, seconds):
        return self.run(seconds, *script_of(endpoint, self.statements[LOOKS[endpoint][0]], organization_of(size), size))

    def lookup(self, size, seconds):
        return self.run(seconds, *lookup_script(organization_of(size)))

    def wait_for_end(self, backends):
        """While a backend ends, its time is for a moment in no account."""
        deadline = time.monotonic() + 2
        while len(children_of(self.root)) > backends and time.monotonic() < deadline:
            time.sleep(0.01)

    def run(self, seconds, text, given, options):
        script = self.directory / "script.pgbench"
        script.write_text(text)
        defined = [part for name, value in given.items() for part in ("-D", f"{name}={value}")]
        backends, before = len(children_of(self.root)), cpu_seconds(self.root)
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(self.clients), "-j", "2", "-T", str(seconds), "-f",
                   str(script), *defined, self.url]
        done = subprocess.run(command, env={**os.environ, "PGOPTIONS": options}, capture_output=True, text=True)
        self.wait_for_end(backends)
        used = cpu_seconds(self.root) - before
        rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
        number = re.search(r"actually processed: (\d+)", done.stdout)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        if done.returncode != 0 or not rate or not number:
            raise SystemExit(f"error: pgbench failed:\n{text}\n{done.stdout}{done.stderr}")
        requests = int(number.group(1))
        return {"rate": float(rate.group(1)), "cpu": {"postgres": used * 1e6 / max(requests, 1)}, "p50": None,
                "p99": None, "errors": int(failed.group(1)) if failed else 0, "requests": requests, "kinds": {}}
