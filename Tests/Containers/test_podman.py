"""Podman: with images in OCI's format, with each compose command on its socket, and with podman-compose."""

import json
import re

import pytest

from conftest import engines
from containers import ENDPOINTS, PODMAN, Containers, eventually, health, inspect, run
from test_upgrade import bring_up

pytestmark = pytest.mark.skipif(not PODMAN, reason="the engine is not Podman")


class PodmanCompose(Containers):
    """podman-compose has no profiles, its `ps` lists no services, and it always exits with 0."""

    def __init__(self, folder, project):
        super().__init__(folder, ("podman-compose", "-p", project), project=project)

    def up(self):
        output = self.compose("up", "-d", "nginx", "demo", "tokens")
        assert not re.search("exit code: [1-9]", output), output
        self.wait()

    def down(self, *arguments):
        self.compose("down", *arguments)

    def name(self, service):
        return f"{self.project}_{service}_1"


def must_work(containers):
    for endpoint in ENDPOINTS:
        eventually(f"{endpoint} answers", lambda: containers.ask(endpoint).status_code == 200)
    assert containers.get("/metrics").status_code == 200
    for service in ("postgres", "server", "nginx"):
        eventually(f"{service} is healthy", lambda: health(containers.name(service)) == "healthy")


@pytest.mark.parametrize("other", engines(), ids=" ".join)
def test_each_compose(project, other):
    containers = project(command=other)
    containers.up()
    for service in ("server", "nginx"):
        image = json.loads(run("podman", "image", "inspect", inspect(containers.name(service))["Image"]))[0]
        assert "oci" in image["ManifestType"] and not image.get("Healthcheck"), image
    must_work(containers)
    containers.log_outreach("to be kept")
    containers.down()
    containers.up()
    assert containers.sql("SELECT count(*) FROM outreach_log WHERE notes = 'to be kept'") == "1"


def test_podman_compose(built):
    containers = PodmanCompose(built, "peas")
    try:
        containers.up()
        must_work(containers)
        containers.log_outreach("to be kept")
        output = containers.compose("run", "--rm", "-T", "--no-deps", "-e", "RATE_LIMIT=much", "server",
                                    "--check-config")
        assert "RATE_LIMIT must be" in output and "exit code: 78" in output
        containers.down()
        containers.up()
        assert containers.sql("SELECT count(*) FROM outreach_log WHERE notes = 'to be kept'") == "1"
        assert "no demo data are loaded" in run("podman", "logs", containers.name("demo"))
    finally:
        containers.down("-v")


def test_make_compose_up_of_another_environment(project):
    containers = project()
    bring_up(containers)
    before = inspect(containers.name("server"))["Id"]
    assert containers.ask("risk-metrics").status_code == 200
    containers.environment.update(RATE_LIMIT="0")
    bring_up(containers)
    assert inspect(containers.name("server"))["Id"] != before and containers.ask("risk-metrics").status_code == 200
