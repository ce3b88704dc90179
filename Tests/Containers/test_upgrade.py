"""Replaces a running version while a client sends a request every 50 ms, and measures the speed of the containers."""

import os
import re
import threading
import time
from collections import Counter

import pytest
import requests

from conftest import engines
from containers import API, ROOT, Containers, docker, figures, free_ports, inspect, run

GIT = {**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


class Asking:
    """Sends a request every 50 ms, each on a new connection, and records the times of the 200s."""

    def __init__(self, address, headers=None):
        self.address, self.headers, self.answered, self.others = address, headers or {}, [], []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def run(self):
        while not self.stopped.wait(0.05):
            try:
                status = requests.get(self.address, headers={**self.headers, "Connection": "close"},
                                      timeout=10).status_code
            except requests.RequestException as error:
                status = type(error).__name__
            if status == 200:
                self.answered.append(time.monotonic())
            else:
                self.others.append(status)

    def __str__(self):
        gap = max(later - earlier for earlier, later in zip(self.answered, self.answered[1:]))
        return f"the longest gap between two responses was {gap:.2f} s, other results were {dict(Counter(self.others))}"


def former_version(tmp_path):
    """A clone of 0.3.0, if this repository's history has it."""
    commit = run("git", "log", "-1", "--format=%H", "-SserverVersion = \"0.3.0\"", "--", "Sources/Server/Version.swift",
                 cwd=ROOT, env=GIT).strip()
    if not commit:
        pytest.skip("the history has no 0.3.0")
    folder = tmp_path / "former"
    run("git", "clone", "--quiet", ROOT, folder, env=GIT)
    run("git", "checkout", "--quiet", commit, cwd=folder, env=GIT)
    return folder


def bring_up(containers):
    """Runs the script of `make compose-up`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "HTTP"))}
    return run(containers.folder / "scripts/containers", "up", cwd=containers.folder,
                    env={**kept, "DOCKER_BUILDKIT": "1", "COMPOSE": " ".join(containers.command),
                         **containers.environment})


@pytest.mark.parametrize("other", engines(), ids=" ".join)
def test_another_environment_with_a_request_every_50_ms(project, other):
    containers = project(command=other)
    containers.up()
    headers = containers.sign_in()
    containers.environment.update(RATE_LIMIT="0", CORS_ALLOWED_ORIGINS="https://app.example.com")
    before = serving(containers)
    with Asking(containers.plain + API + "risk-metrics", headers) as asking:
        output = bring_up(containers)
        time.sleep(1)
    # The following `up` for all services must not recreate them.
    assert not re.search("(server|nginx).[0-9] +Recreate", output), output
    after = serving(containers)
    assert not after & before
    figures.append(f"another environment, {' '.join(other)}: {asking}")
    assert len(asking.answered) > 10
    bring_up(containers)
    containers.up("--no-build")
    assert serving(containers) == after, "containers were replaced although nothing had changed"


def serving(containers):
    return {inspect(containers.name(service))["Id"] for service in ("server", "nginx")}


def test_an_environment_that_is_refused_replaces_nothing(project):
    containers = project()
    containers.up()
    before = inspect(containers.name("server"))["Id"]
    containers.environment["RATE_LIMIT"] = "much"
    with pytest.raises(AssertionError, match="RATE_LIMIT"):
        bring_up(containers)
    assert inspect(containers.name("server"))["Id"] == before and containers.get("/ready").status_code == 200


def test_an_upgrade_from_0_3_0(built, command, tmp_path):
    former = Containers(former_version(tmp_path), command, project="upgraded")
    after = Containers(built, command, project="upgraded")
    copied = Containers(built, command, project="copied")
    after.environment.update(former.environment)
    after.https, after.http = former.https, former.http
    try:
        former.compose("up", "-d", "--build", DOCKER_BUILDKIT="1")
        former.wait()
        rows = former.sql("SELECT count(*) FROM outreach_log")
        with Asking(former.plain + "/health") as asking:
            bring_up(after)
            time.sleep(1)
        figures.append(f"from 0.3.0: {asking}")
        assert after.sql("SELECT count(*) FROM outreach_log") == rows
        assert after.ask("risk-metrics").status_code == 200
        # docs/containers.md describes this copy, for a project with another name.
        after.down()
        docker("run", "--rm", "-v", "upgraded_postgres:/from", "-v", "copied_postgres:/to", "debian:bookworm-slim",
               "cp", "-a", "/from/.", "/to")
        copied.up("--no-build")
        assert copied.sql("SELECT count(*) FROM outreach_log") == rows
        assert copied.ask("risk-metrics").status_code == 200
    finally:
        copied.down("-v")
        after.down("-v")


def test_wrk_compared_with_make_up(project, tmp_path):
    """Prints the ratio of both rates. It has no limit, since a busy machine distorts it."""
    containers = project(RATE_LIMIT="0")
    containers.up()
    https, http = free_ports(2)
    stack = {**os.environ, "STACK_DIR": str(tmp_path / "stack"), "STACK_DEMO": "1", "PATIENTS": "40",
             "HTTPS_PORT": https,
             "HTTP_PORT": http, "RATE_LIMIT": "0"}
    try:
        run(ROOT / "scripts/stack", "up", env=stack)
        token = f"Bearer {run(ROOT / 'scripts/token', env=stack).splitlines()[-1]}"
        sides = [(containers.plain, containers.sign_in()["Authorization"]), (f"http://localhost:{http}", token)]
        pairs = [[rate(*side) for side in sides] for _ in range(5)]
    finally:
        run(ROOT / "scripts/stack", "down", env=stack)
    assert all(all(pair) for pair in pairs)
    ratios = sorted(in_containers / local for in_containers, local in pairs)
    figures.append(
        f"wrk through the containers, compared with make up: {ratios[2]:.2f} times as many responses, "
        f"from {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )


def rate(address, token):
    output = run("wrk", "-t1", "-c8", "-d3s", "-H", f"Authorization: {token}", address + API + "risk-metrics")
    assert "Non-2xx" not in output, output
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", output)[1])
