"""The time from the start of the process to its first response, on its own socket."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from stack import ROOT

sys.path.insert(0, str(ROOT / "Tests/support"))
import fastcgi  # noqa: E402

TIMES = 5
LONGEST = 10  # seconds


def milliseconds(where):
    return median(once(where) for _ in range(TIMES))


def once(where):
    with tempfile.TemporaryDirectory() as directory:
        address = str(Path(directory) / "api.sock")
        environment = {**os.environ, "DATABASE_URL": where["DATABASE_URL"], "DATABASE_LOGIN": "any",
                       "FCGI_LISTEN": address, "LIVE_LISTEN": str(Path(directory) / "live.sock"),
                       "CLERK_ISSUER": where["ISSUER"], "CLERK_JWT_KEY": Path(where["PUBLIC_KEY"]).read_text(),
                       "LOG_LEVEL": "error", "SWIFT_BACKTRACE": "interactive=no"}
        began = time.perf_counter()
        process = subprocess.Popen([where["SERVER_BINARY"]], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        try:
            while not answers(address):
                if process.poll() is not None or time.perf_counter() - began > LONGEST:
                    raise SystemExit("error: the server does not start")
                time.sleep(0.001)
            return (time.perf_counter() - began) * 1000
        finally:
            process.terminate()
            process.wait(15)


def answers(address):
    try:
        with fastcgi.Connection(address) as connection:
            connection.send(fastcgi.request(fastcgi.environment("GET", "/health")))
            output = connection.answer()
    except OSError:
        return False
    return output is not None and fastcgi.status_of(output) == 200
