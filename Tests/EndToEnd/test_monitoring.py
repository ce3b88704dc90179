"""Monitoring: the metrics as Prometheus reads them, the alert rules and the dashboard."""

import json
import re
import subprocess

import pytest
import yaml

from asking import eventually
from stack import ROOT

FOLDER = ROOT / "docs/monitoring"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
NAMES = [alert["alert"] for alert in ALERTS]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
# The metric that Prometheus itself adds to a scrape.
OWN = {"up"}


def promtool(*arguments, stdin=None):
    done = subprocess.run(["promtool", *map(str, arguments)], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout.decode()


def expressions(node):
    """Yields every query of the dashboard."""
    if isinstance(node, dict):
        if "expr" in node:
            yield node["expr"]
        for inner in node.values():
            yield from expressions(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from expressions(inner)


def as_prometheus_reads(expression):
    return expression.replace("$__rate_interval", "5m").replace("$instance", ".*")


QUERIES = [as_prometheus_reads(expression) for expression in expressions(DASHBOARD)]


def metrics_in(expression):
    """Returns the metrics of an expression: the names outside quotes, braces and by (…)."""
    bare = re.sub(r'"[^"]*"|\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)|\{[^}]*\}|\[[^]]*\]', " ",
                  re.sub(r'"[^"]*"', '""', expression))
    return {name for name in re.findall(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()", bare)} - {"or", "and", "by", "le", "unless"}


@pytest.fixture(scope="module")
def scraped(api, stack):
    """Returns the metrics after requests of several kinds."""
    for target in ("/health", "/ready", "/nowhere", api.target("org_monitored", "dashboard")):
        api.client.request("GET", target)

    def complete():
        text = api.client.request("GET", "/metrics").body.decode()
        return text if 'route="none"' in text else None

    return eventually(complete)


def test_promtool_reports_no_problem_in_the_metrics(scraped):
    assert promtool("check", "metrics", stdin=scraped.encode()) == (0, "")


def test_promtool_reports_a_problem_in_bad_metrics():
    assert promtool("check", "metrics", stdin=b"# TYPE requests counter\nrequests 1\n")[0] != 0


def test_the_metrics_have_the_expected_names(scraped):
    names = {line.split()[2] for line in scraped.splitlines() if line.startswith("# TYPE ")}
    assert names >= {
        "reengagement_build_info", "reengagement_http_requests_total", "reengagement_http_request_duration_seconds",
        "reengagement_http_requests_in_flight", "reengagement_workers", "reengagement_workers_busy",
        "reengagement_live_streams", "reengagement_live_refused_total", "reengagement_live_notices_total",
        "reengagement_live_dropped_total", "reengagement_live_lag_seconds", "reengagement_live_failures_total",
        "reengagement_db_pool_size", "reengagement_db_pool_in_use", "reengagement_db_pool_waiting",
        "reengagement_db_pool_timeouts_total", "reengagement_db_errors_total", "reengagement_db_open_failures_total",
        "reengagement_refresh_failing", "reengagement_refresh_failures_total", "reengagement_clock_frozen",
        "reengagement_foundation_faults", "reengagement_login_faults", "reengagement_protection_off",
        "reengagement_token_cache_hits_total",
        "reengagement_token_cache_misses_total", "reengagement_token_cache_evictions_total",
        "process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total", "process_start_time_seconds"
    }
    assert re.search(r'^reengagement_http_requests_total\{route="/health",method="GET",status="200"\} \d+$', scraped,
                     re.MULTILINE)


def test_the_rules_are_accepted_and_each_alert_fires_when_it_should():
    for arguments in (("check", "rules", FOLDER / "alerts.yml"), ("check", "config", FOLDER / "prometheus.yml"),
                      ("test", "rules", FOLDER / "alerts.test.yml")):
        status, output = promtool(*arguments)
        assert status == 0, output


def test_each_alert_is_tested_firing_and_quiet_and_has_a_receiver():
    cases = [case for test in yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
             for case in test["alert_rule_test"]]
    for fires in (True, False):
        assert {case["alertname"] for case in cases if bool(case["exp_alerts"]) == fires} == set(NAMES)
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("page",
                                               "ticket") and set(alert["annotations"]) == {"summary", "description"}


def test_each_alert_has_its_section_in_the_runbook():
    sections = re.findall(r"^### (Reengagement\w+)$", (ROOT / "docs/operating.md").read_text(), re.MULTILINE)
    assert sections == NAMES


def test_prometheus_accepts_every_query_of_the_dashboard(tmp_path):
    assert len(QUERIES) >= 25
    rules = tmp_path / "dashboard.yml"
    rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": [
        {"record": f"query:{number}", "expr": expression} for number, expression in enumerate(QUERIES)]}]}))
    assert promtool("check", "rules", rules)[0] == 0, promtool("check", "rules", rules)[1]
    rules.write_text(rules.read_text().replace("sum(", "sun(", 1))
    assert promtool("check", "rules", rules)[0] != 0


def test_every_metric_in_use_is_one_of_the_servers(scraped):
    present = {re.match(r"\w+", line)[0] for line in scraped.splitlines() if line and not line.startswith("#")}
    read = set().union(*map(metrics_in, [*QUERIES, *(alert["expr"] for alert in ALERTS)]))
    assert read - OWN <= present, read - OWN - present
    assert len(read) >= 20


def test_every_label_value_in_use_is_one_of_the_servers(scraped):
    classes = set(re.findall(r'class="(\w+)"', scraped))
    read = {name for alert in ALERTS for names in re.findall(r'class=~?"([^"]+)"', alert["expr"])
            for name in names.split("|")}
    assert read and read <= classes, read - classes


def test_the_dashboard_can_be_imported():
    panels = DASHBOARD["panels"]
    assert len({panel["id"]
                for panel in panels}) == len(panels) and DASHBOARD["uid"] and DASHBOARD["schemaVersion"] >= 36
    cells = [(x, y) for panel in panels
             for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
             for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) == 23
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) - {"__rate_interval", "__all"}
    assert used == variables == {"datasource", "instance"}
