"""The containers of nginx/, managed with compose."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 240
sys.path.insert(0, str(ROOT / "Tests/support"))
from registry import paths  # noqa: E402

ENDPOINTS = paths("patient_1")
API = "/api/v1/reengagement/org_demo_1/"
# Figures that are printed at the end and have no limit.
figures = []
PODMAN = os.environ.get("ENGINE") == "podman"


def run(*command, status=0, **options):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=3600, **options)
    assert status is None or done.returncode == status, (
        f"{command} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    )
    return done.stdout


def docker(*arguments, **options):
    return run("docker", *arguments, **options)


def inspect(name):
    return json.loads(docker("inspect", name))[0]


def health(name):
    """Docker runs health checks itself. Podman needs systemd for that, which is absent here, so this runs the check."""
    if PODMAN:
        run("podman", "healthcheck", "run", name, status=None)
    return inspect(name)["State"]["Health"]["Status"]


def log_limit(name):
    if PODMAN:
        return json.loads(run("podman", "inspect", name))[0]["HostConfig"]["LogConfig"]["Size"]
    return inspect(name)["HostConfig"]["LogConfig"]["Config"].get("max-size")


def capabilities(name):
    """The bounding set of a container's processes, as numbers of capabilities."""
    status = Path(f"/proc/{inspect(name)['State']['Pid']}/status").read_text()
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd")), 16)
    return {number for number in range(64) if mask >> number & 1}


def setting(folder, name):
    """A value of nginx/containers/.env."""
    return dict(line.split("=", 1) for line in (folder / "nginx/containers/.env").read_text().splitlines()
                if "=" in line and line[0] != "#")[name]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def eventually(what, question, timeout=TIMEOUT):
    """Returns the first true value of the question. An exception counts as false."""
    deadline, last = time.monotonic() + timeout, None
    while time.monotonic() < deadline:
        try:
            last = question()
            if last:
                return last
        except (requests.RequestException, AssertionError, OSError, ValueError, LookupError) as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {timeout} s; at last {last!r}")


class Containers:
    """A compose project with its own containers, volumes and ports."""

    def __init__(self, folder, command=("docker", "compose"), file="nginx/containers/compose.yaml", project=None,
                 **environment):
        self.folder, self.command, self.file, self.project = Path(folder), command, file, project
        self.https, self.http = free_ports(2)
        self.environment = {"HTTPS_PORT": self.https, "HTTP_PORT": self.http, "PATIENTS": "40", **environment}
        if project:
            self.environment["COMPOSE_PROJECT_NAME"] = project

    def compose(self, *arguments, status=0, **environment):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("COMPOSE_", "POSTGRES_", "CLERK_", "DATABASE_", "HTTP"))}
        return run(*self.command, "-f", self.file, *arguments, status=status, cwd=self.folder,
                   env={**kept, **self.environment, **environment})

    def up(self, *arguments, **environment):
        self.compose("up", "-d", *arguments, **environment)
        self.wait()

    def wait(self):
        eventually(f"{self.plain}/ready is 200", lambda: self.get("/ready").status_code == 200)

    def down(self, *arguments):
        self.compose("down", "--remove-orphans", *arguments, COMPOSE_PROFILES="demo,monitoring")

    def name(self, service):
        return next(name for name in self.compose("ps", "-aq", service).split() if len(name) >= 12)

    @property
    def plain(self):
        return f"http://localhost:{self.http}"

    @property
    def secure(self):
        return f"https://localhost:{self.https}"

    def get(self, path, address=None, **headers):
        return requests.get((address or self.plain) + path, headers=headers, verify=False, timeout=30)

    def sign_in(self):
        """The tokens that the page fetches for itself."""
        tokens = eventually("the page is signed in", lambda: self.get("/dev/tokens").json()["organizations"])
        return {"Authorization": f"Bearer {tokens[0]['token']}"}

    def ask(self, what, address=None):
        return self.get(API + what, address, **self.sign_in())

    def log_outreach(self, notes):
        answer = requests.post(self.plain + API + "log-outreach", headers=self.sign_in(), timeout=30,
                               json={"patient_id": "patient_1", "method": "phone", "outcome": "success",
                                     "notes": notes})
        assert answer.status_code == 201, answer.text

    def sql(self, statement):
        return docker("exec", self.name("postgres"), "psql", "-U", "postgres", "-d", "reengagement", "-Atc",
                      statement).strip()
