"""Runs wrk and measures the CPU of nginx, the application and PostgreSQL meanwhile."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path

from processes import cpu_seconds

SCRIPT = Path(__file__).parent / "load.lua"
# The time for opening connections and handshakes, which is not part of a request.
OPENING = 0.25


def errors_of(found):
    return sum(found[kind] for kind in ("connect", "read", "write", "status", "timeout"))


class Snapshot:
    """The requests that nginx has counted and the CPU of each part so far."""

    def __init__(self, status_url, roots):
        with urllib.request.urlopen(status_url, timeout=5) as answer:
            # "server accepts handled requests", and beneath the three numbers.
            self.requests = int(answer.read().split(b"\n")[2].split()[2])
        self.time = time.perf_counter()
        self.used = {part: cpu_seconds(pid) for part, pid in roots.items()}


def between(first, last):
    """Rate and microseconds for a request. The status request itself counts as one."""
    requests = max(last.requests - first.requests - 1, 1)
    used = {part: (last.used[part] - first.used[part]) * 1e6 / requests for part in last.used}
    return {"rate": requests / (last.time - first.time), "cpu": used}


def wrk(url, token, seconds, connections, patients):
    command = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "15s",
               "-s", str(SCRIPT), "-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json", url]
    return subprocess.Popen(command + (["--", str(patients)] if patients else []), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def load(url, token, seconds, connections, roots, status_url, patients=None):
    """Rate and CPU while all connections were busy, and percentiles and errors of the whole time."""
    began = time.perf_counter()
    process = wrk(url, token, seconds, connections, patients)
    try:
        time.sleep(OPENING)
        first = Snapshot(status_url, roots)
        time.sleep(max(0.05, began + seconds - 0.05 - time.perf_counter()))
        last = Snapshot(status_url, roots)
        found = finished(process, url, seconds)
    finally:
        end(process)
    return {**between(first, last), "p50": found["p50"], "p99": found["p99"], "errors": errors_of(found),
            "requests": found["requests"], "kinds": {k: v for k, v in found.items() if k in ("connect", "read", "write",
                                                                                            "status", "timeout") and v}}


def end(process):
    if process.poll() is None:
        process.kill()
        process.wait()


def finished(process, url, seconds):
    """The figures in wrk's output."""
    output, _ = process.communicate(timeout=seconds + 30)
    if process.returncode != 0 or "{" not in output:
        raise SystemExit(f"error: wrk failed on {url}:\n{output}")
    found = json.loads(output[output.rindex("\n{"):])
    if not found["requests"]:
        raise SystemExit(f"error: {url} answered nothing in {seconds} s: {found}")
    return found
