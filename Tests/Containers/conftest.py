import os
import subprocess
import sys

import pytest

from containers import PODMAN, ROOT, Containers, docker, eventually, figures, run

sys.path.insert(0, str(ROOT / "Tests/Browser"))


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    """A clone with the line ends of Windows that only its owner can read."""
    folder = tmp_path_factory.mktemp("clone") / "reengagement-api"
    run("bash", "-c", f"umask 077; git clone --quiet -c core.autocrlf=true '{ROOT}' '{folder}'",
        env={**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"})
    assert (folder / "scripts").stat().st_mode & 0o77 == 0
    return folder


def engines():
    """The compose commands of this machine."""
    found = []
    for command in (("docker", "compose"), ("docker-compose",)):
        if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            found.append(command)
    return found


@pytest.fixture(scope="session")
def command():
    """The compose command to test. COMPOSE selects it."""
    return tuple(os.environ.get("COMPOSE", "").split()) or engines()[0]


@pytest.fixture(scope="session")
def built(clone, command):
    """The clone whose images have been built. IMAGES_BUILT=1 skips the build."""
    if os.environ.get("IMAGES_BUILT"):
        return clone
    if PODMAN:
        # podman-compose builds images in OCI's format, which has no health checks.
        run("podman-compose", "-p", "reengagement", "-f", "nginx/containers/compose.yaml", "build", "migrate", "server",
            "nginx", cwd=clone)
    else:
        Containers(clone, command).compose("build", DOCKER_BUILDKIT="1")
    return clone


@pytest.fixture(scope="module")
def up(built, command):
    containers = Containers(built, command)
    try:
        containers.up()
        eventually("there are demo data", lambda: containers.ask("patients/patient_1").status_code == 200)
        yield containers
    finally:
        containers.down("-v")


@pytest.fixture
def project(built, command):
    """Makes projects for one test, and removes them at its end."""
    made = []

    def make(**options):
        made.append(Containers(built, options.pop("command", command), project=f"test{len(made)}", **options))
        return made[-1]

    yield make
    for containers in made:
        containers.down("-v")


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    yield
    left = docker("ps", "-aq").split()
    if left:
        docker("rm", "-f", "-v", *left)


def pytest_terminal_summary(terminalreporter):
    for line in figures:
        terminalreporter.write_line(line)
