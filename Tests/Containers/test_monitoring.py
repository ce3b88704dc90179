"""The profile `monitoring`: Prometheus evaluates the rules, and each query of the dashboard returns data."""

import json
import time
from urllib.parse import urlencode

import pytest

from containers import ROOT, Containers, docker, eventually

DASHBOARD = json.loads((ROOT / "docs/monitoring/dashboard.json").read_text())
# These events have not occurred here, so /metrics has no line for them.
EMPTY_AT_FIRST = {"Errors by class"}


def queries():
    """The queries of each panel, with Grafana's variables replaced."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")


@pytest.fixture(scope="module")
def prometheus(built, command):
    containers = Containers(built, command, project="monitored", COMPOSE_PROFILES="demo,monitoring",
                            PROMETHEUS_PORT="0")
    try:
        containers.compose("build", "prometheus")
        containers.compose("up", "-d", "--no-build", "prometheus", "demo", "tokens")
        containers.wait()
        containers.prometheus = "http://" + docker("port", containers.name("prometheus"),
                                                   "9090").splitlines()[0].strip()
        eventually("there are demo data", lambda: containers.ask("patients/patient_1").status_code == 200)
        yield containers
    finally:
        containers.down("-v")


def asked(prometheus, path, **parameters):
    answer = prometheus.get(f"/api/v1/{path}?{urlencode(parameters)}", prometheus.prometheus).json()
    assert answer["status"] == "success", answer
    return answer["data"]


def test_each_rule_is_evaluated(prometheus):
    def evaluated():
        rules = [rule for group in asked(prometheus, "rules")["groups"] for rule in group["rules"]]
        assert not [rule for rule in rules if rule.get("lastError")]
        return rules and {rule["health"] for rule in rules} == {"ok"} and rules

    rules = eventually("all rules are healthy", evaluated)
    assert len(rules) == (ROOT / "docs/monitoring/alerts.yml").read_text().count("- alert:")
    # The local containers turn some protections off on purpose, so only that alert may fire.
    firing = {rule["name"] for rule in rules if rule["state"] != "inactive"}
    assert firing <= {"ReengagementProtectionOff"}, firing


def test_each_query_of_the_dashboard_returns_data(prometheus):
    def answers(expression):
        """A range query, as a panel sends it."""
        now = time.time()
        return asked(prometheus, "query_range", query=expression, start=now - 300, end=now, step=15)["result"]

    def complete():
        for endpoint in "risk-metrics", "patients/nobody":
            prometheus.ask(endpoint)
        return not [title for title, expression in queries() if title not in EMPTY_AT_FIRST and not answers(expression)]

    for _, expression in queries():
        answers(expression)
    eventually("each panel has data", complete)


def test_the_instances_can_be_chosen(prometheus):
    assert asked(prometheus, "label/instance/values", **{"match[]": "reengagement_build_info"}) == ["nginx:80"]
