"""A variant's server and nginx, on the database that all variants share."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/support"))

import fastcgi  # noqa: E402, F401
from stack import Server, Stack, clean_environment  # noqa: E402, F401

ENDPOINTS = ["risk-metrics", "patients/prioritized?limit=200", "patients/prioritized?limit=50"]
ORGANIZATION = "org_demo_1"
NGINX_LOG = r"(access_log log/nginx-access.log json);"
GZIP = "gzip on; gzip_types application/json; gzip_min_length 256; gzip_comp_level 1;"


def bench_stack():
    return Stack(os.environ["STACK_DIR"]).attach()


def EXPERIMENTS(before):
    """The experiments. In each, the current choice is first."""
    builds = {"this build": {}, **({"the build before": {"binary": before}} if before else {})}
    return {
        "builds": {"title": "This build", "why": "This build compared with another one.", "variants": builds, "endpoints": ENDPOINTS},
        "workers": {"title": "Worker threads", "why": "`WORKER_THREADS`, at 64 connections.", "connections": 64,
                    "variants": {f"{n} threads": {"environment": {"WORKER_THREADS": str(n)}}
                                 for n in (4, 1, 2, 8, 16)}},
        "nginx": {"title": "nginx workers", "why": "`worker_processes`, at 64 connections.", "connections": 64,
                  "variants": {f"{n} workers": {"changes": {r"worker_processes \w+": f"worker_processes {n}"}} for n in (2, 1, 4)}},
        "keepalive": {"title": "Idle connections of nginx", "why": "`keepalive` of the upstream, at 64 connections.", "connections": 64,
                      "variants": {f"keepalive {n}": {"changes": {r"keepalive 64": f"keepalive {n}"}} for n in (64, 2, 16, 256)}},
        "gzip": {"title": "gzip", "why": "At level 1, for a client that accepts it.",
                 "variants": {"none": {}, "gzip": {"changes": {r"server_tokens off;": f"server_tokens off; {GZIP}"}, "headers": ("Accept-Encoding: gzip",)}}},
        "log": {"title": "The access log", "why": "One line for each request, compared with none.",
                "variants": {"with": {}, "without": {"environment": {"LOG_LEVEL": "warning"}}}},
        "nginx-log": {"title": "nginx's access log", "why": "One write for each line, one for many lines, and no log.",
                      "variants": {"at once": {}, "buffered": {"changes": {NGINX_LOG: r"\1 buffer=64k flush=1s;"}},
                                   "none": {"changes": {NGINX_LOG: "access_log off;"}}}},
    }


def cpu_of(pids):
    """Seconds of processor time of these processes, user and system."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Variant:

    def __init__(self, stack, number, binary=None, environment=None, changes=None, headers=()):
        self.stack, self.changes, self.headers = stack, changes or {}, headers
        self.directory = stack.directory / f"variant-{number}"
        shutil.rmtree(self.directory, ignore_errors=True)
        (self.directory / "state").mkdir(parents=True)
        (self.directory / "log").mkdir()
        self.directory.chmod(0o755)
        # Without the response cache, which would leave little to compare.
        self.server = Server(stack, self.directory, **{"ANSWER_CACHE_BYTES": "0", **(environment or {})})
        self.server.binary = binary or stack.binary
        self.port, self.nginx = free_port(), None
        self.token = stack.signer.token(ORGANIZATION)

    def start(self):
        self.server.start()
        os.chmod(self.server.socket, 0o666)  # nginx's workers are other users
        place = Path(self.stack.settings["NGINX_CONFIGURATION"])
        shutil.copytree(place.parent, self.directory / "nginx")
        configuration = self.directory / "nginx/nginx.conf"
        site = configuration.parent / "site"
        (site / "server.conf").write_text(f"server unix:{self.server.socket};\n")
        (site / "this-host.conf").write_text(f"listen 127.0.0.1:{self.port};\n")
        for pattern, replacement in self.changes.items():
            found = 0
            for file in configuration.parent.rglob("*.conf"):
                changed, count = re.subn(pattern, replacement, file.read_text())
                file.write_text(changed)
                found += count
            assert found, pattern
        self.nginx = subprocess.Popen(["nginx", "-p", f"{self.directory}/", "-c", str(configuration), "-e",
                                       "log/error.log",
                                       "-g", "daemon off;"], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("error: nginx does not start")

    def stop(self):
        if self.nginx:
            self.nginx.send_signal(signal.SIGTERM)
            self.nginx.wait(10)
        if self.server.process:
            self.server.stop()

    def nginx_processes(self):
        children = Path(f"/proc/{self.nginx.pid}/task/{self.nginx.pid}/children").read_text().split()
        return [self.nginx.pid, *map(int, children)]

    def load(self, endpoint, seconds, connections):
        target = f"http://127.0.0.1:{self.port}/api/v1/reengagement/{ORGANIZATION}/{endpoint}"
        headers = [part for header in (f"Authorization: Bearer {self.token}", *self.headers) for part in ("-H", header)]
        before = [cpu_of([self.server.process.pid]), cpu_of(self.nginx_processes())]
        done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", *headers, target],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        after = [cpu_of([self.server.process.pid]), cpu_of(self.nginx_processes())]
        assert "Non-2xx" not in done and "Socket errors" not in done, done
        requests = int(re.search(r"(\d+) requests in", done)[1])
        number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done).groups()
        server, nginx = ((late - early) / requests * 1e6 for early, late in zip(before, after))
        return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]), "server": server, "nginx": nginx,
                "p99": float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]}
