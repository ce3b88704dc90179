"""Starts that fail, and starts with unusual settings."""

import json
import os
import re
import socket

import pytest

from conftest import engines
from containers import ROOT, Containers, docker, eventually, inspect, run, setting

HARD = "p@ss/w%rd: #'\"\\ ?&$1$HOME"


def test_passwords_of_any_characters(project):
    containers = project(SERVER_PASSWORD=HARD, POSTGRES_PASSWORD=HARD)
    containers.up()
    assert HARD not in json.dumps(inspect(containers.name("server"))["Config"])


def test_a_changed_password_on_an_old_volume(project):
    containers = project(POSTGRES_PASSWORD="first", SERVER_PASSWORD="first")
    containers.up()
    containers.up(POSTGRES_PASSWORD="second", SERVER_PASSWORD="second")


def test_a_schema_of_a_later_version_is_served(project):
    containers = project()
    containers.up()
    containers.sql("INSERT INTO re.migration (file, sha256) VALUES ('migrations/9999_later.sql', 'x')")
    containers.down()
    containers.up()
    assert "migrated by a later version" in containers.compose("logs", "migrate")


def test_demo_data_wait_for_the_tables(project):
    """podman-compose starts `demo` in parallel with `migrate`."""
    containers = project()
    containers.compose("up", "-d", "postgres")
    containers.compose("up", "-d", "--no-deps", "demo")
    eventually("PostgreSQL accepts connections", lambda: containers.sql("SELECT 1") == "1")
    containers.compose("run", "--rm", "-T", "--no-deps", "migrate")
    eventually("there are demo data", lambda: containers.sql("SELECT count(*) FROM organizations") == "3")


def test_a_wrong_password_is_reported(project):
    containers = project()
    containers.up()
    output = containers.compose("run", "--rm", "-T", "--no-deps", "-e", "PGPASSWORD=wrong", "-e",
                              "DATABASE_URL=host=postgres user=reengagement_api dbname=reengagement sslmode=disable",
                              "migrate", status=1)
    assert "password authentication failed" in output


@pytest.mark.parametrize("buildkit", "01")
def test_nothing_private_is_sent_to_the_engine(built, tmp_path, buildkit):
    for private in (".local/keys/private.pem", ".build/x", "nginx/containers/site.env",
                    "nginx/containers/secrets/owner-password"):
        (built / private).parent.mkdir(parents=True, exist_ok=True)
        (built / private).write_text("private")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    tag = "context-of-a-test"
    docker("build", "-q", "-t", tag, "-f", tmp_path / "Dockerfile", built,
           env={**os.environ, "DOCKER_BUILDKIT": buildkit})
    container = docker("create", tag, "x").strip()
    names = run("bash", "-c", f"docker export {container} | tar -t").splitlines()
    docker("rm", container)
    docker("rmi", tag)
    assert "Package.swift" in names and "sql/migrate" in names
    assert not [name for name in names if name.startswith((".local", ".build", ".git/", "Tests")) or "site.env" in name
                or "secrets/" in name]


def test_a_test_or_a_script_compiles_nothing(built, command):
    containers = Containers(built, command, DOCKER_BUILDKIT="1", BUILDKIT_PROGRESS="plain")
    containers.compose("build", "server")
    for file in ("Tests/Containers/test_local.py", "scripts/test", "scripts/lib/common.bash", "sql/migrate",
                 "deploy/start-server",
                 "nginx/containers/compose.yaml", "Makefile"):
        with (built / file).open("a") as text:
            text.write("\n# changed\n")
    try:
        output = containers.compose("build", "server")
        step = re.search(r"^#(\d+) \[[^\]]*built[^\]]*\] RUN --mount", output, re.MULTILINE)
        assert step and f"\n#{step[1]} CACHED" in output, output
        assert re.search(r"^#\d+ \[[^\]]*runtime[^\]]*\] COPY deploy/start-server", output, re.MULTILINE), output
    finally:
        run("git", "-c", "safe.directory=*", "checkout", "--quiet", ".", cwd=built)
        containers.compose("build", "server")


@pytest.mark.parametrize("local", [True, False])
def test_nginx_starts_without_ipv6(built, tmp_path, local):
    """A seccomp profile refuses IPv6 sockets with the error of a kernel without IPv6."""
    profile = tmp_path / "seccomp.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97,
                      "args": [{"index": 0, "value": 10, "op": "SCMP_CMP_EQ"}]}],
    }))
    name = docker("run", "-d", "--security-opt", f"seccomp={profile}", *(["-e", "STACK_NGINX=local"] if local else []),
                  "reengagement-nginx:" + setting(built, "REENGAGEMENT_VERSION")).strip()
    try:
        eventually("nginx answers",
                   lambda: docker("exec", name, "/opt/reengagement/nginx/containers/start-nginx", "check") == "")
    finally:
        docker("rm", "-f", name)


@pytest.mark.parametrize("other", engines(), ids=" ".join)
def test_each_compose(project, other):
    containers = project(command=other)
    containers.up()
    assert containers.ask("risk-metrics").status_code == 200
    containers.down()
    containers.up()


def test_monitoring_scrapes_by_one_word(project):
    containers = project(COMPOSE_PROFILES="demo,monitoring", PROMETHEUS_PORT="0")
    containers.compose("build", "prometheus")
    containers.compose("up", "-d", "--no-build", "prometheus")
    containers.wait()
    name = containers.name("prometheus")
    address = "http://" + docker("port", name, "9090").splitlines()[0].strip()
    eventually("the target is up",
               lambda: containers.get("/api/v1/query?query=up", address).json()["data"]["result"][0]["value"][1] == "1")
    assert containers.get("/api/v1/rules", address).json()["data"]["groups"]


def test_a_missing_setting_of_a_site_is_named(built, command):
    output = run(*command, "-f", "nginx/containers/compose.site.yaml", "config", status=None, cwd=built)
    assert "DATABASE_URL" in output or "required" in output


def test_the_server_adds_at_most_45_mb_to_its_base_image():
    base, whole = (inspect_size(image) for image in (
        setting(ROOT, "DEBIAN_IMAGE"), "reengagement-api:" + setting(ROOT, "REENGAGEMENT_VERSION")))
    assert whole - base <= 45 * 1_000_000


def inspect_size(image):
    return json.loads(docker("image", "inspect", image))[0]["Size"]


def test_a_port_that_is_taken_replaces_nothing(project):
    """nginx continues on its old port, and the next `make compose-up` succeeds."""
    containers = project(COMPOSE_PROFILES="")
    containers.up()
    make = [containers.folder / "scripts/containers", "up"]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1", "COMPOSE": " ".join(containers.command),
                   **containers.environment}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        output = run(*make, status=1, cwd=containers.folder,
                   env={**environment, "HTTP_PORT": str(taken.getsockname()[1])})
        assert "HTTP_PORT" in output
        assert containers.get("/ready").status_code == 200
    run(*make, cwd=containers.folder, env=environment)
    assert containers.get("/ready").status_code == 200
    run(containers.folder / "scripts/containers", "down", cwd=containers.folder, env=environment)
    assert not containers.compose("ps", "-aq").strip()
    assert docker("volume", "ls", "-q", "--filter", f"name={containers.project}_postgres").strip()


def test_a_first_start_that_was_broken_off_is_named(project):
    """PostgreSQL's image mistakes an incomplete cluster for a complete one, and cannot continue."""
    containers = project(COMPOSE_PROFILES="")
    containers.compose("up", "-d", "postgres")
    eventually("PostgreSQL accepts TCP", lambda: docker("exec", containers.name("postgres"), "pg_isready", "-h", "127.0.0.1"))
    docker("exec", containers.name("postgres"), "psql", "-U", "postgres", "-c", "DROP DATABASE reengagement")
    containers.compose("up", "-d", status=1)
    assert "down -v" in containers.compose("logs", "migrate")
    containers.down("-v")
    containers.up()
