"""Starts servers on the test's database and sends them requests over their own FastCGI sockets."""

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

import fastcgi  # noqa: E402
from client import strict_json  # noqa: E402
from tokens import Signer, generate_key, public_pem  # noqa: E402

ISSUER = "https://clerk.test"


class NotAsPromised(Exception):
    """An unexpected response or behaviour of a server."""


class Servers:
    """Several servers on one database. Each has its own cache, and all have the same now."""

    def __init__(self, binary, url, database, directory, number, writer):
        self.database, self.writer, self.tokens = database, writer, {}
        self.signer = Signer(generate_key(), ISSUER)
        self.running = [self.start(binary, url, Path(directory) / f"server{i}") for i in range(number)]

    def start(self, binary, url, place):
        environment = {
            "DATABASE_URL": url, "DATABASE_LOGIN": "any", "FCGI_LISTEN": f"{place}.sock",
            "LIVE_LISTEN": f"{place}-live.sock", "CLERK_ISSUER": ISSUER, "RATE_LIMIT": "0",
            "CLERK_JWT_KEY": public_pem(self.signer.key), "WORKER_THREADS": "1", "LOG_LEVEL": "warning",
            "SWIFT_BACKTRACE": "interactive=no", "PATH": os.environ["PATH"],
        }
        with open(f"{place}.log", "wb") as log:
            process = subprocess.Popen([binary], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        server = Server(f"{place}.sock", f"{place}.log", process)
        server.wait()
        return server

    def set_now(self, literal):
        """Changes now for sessions opened from now on. The servers and their caches continue."""
        self.writer.run(f'ALTER DATABASE "{self.database}" SET reengagement.now = {literal}')
        # No session may serve with the old now, so all are closed when this returns. Sessions that are being opened are
        # not in pg_stat_activity yet, but hold a lock on the database while they read its settings: wait for them first.
        self.until("sessions that do not open", lambda: self.writer.run("""
            SELECT pid FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND pid <> pg_backend_pid()
                AND objid = (SELECT oid FROM pg_database WHERE datname = current_database())"""))
        theirs = set(self.sessions())
        for pid in theirs:
            self.writer.run(f"SELECT pg_terminate_backend({pid})")
        # pg_terminate_backend could wait itself, but checks only ten times a second.
        self.until("sessions that do not end", lambda: theirs & set(self.sessions()))

    @staticmethod
    def until(complaint, left):
        """Waits until `left` returns nothing."""
        deadline = time.monotonic() + 60
        while rest := left():
            if time.monotonic() > deadline:
                raise NotAsPromised(f"{complaint}: {rest}")
            time.sleep(0.002)

    def sessions(self):
        return [pid for [pid] in self.writer.run("""
            SELECT pid FROM pg_stat_activity WHERE application_name = 'reengagement-api' AND datname = current_database()""")]

    def ask(self, which, organization, path):
        if organization not in self.tokens:
            self.tokens[organization] = self.signer.token(organization)
        uri = f"/api/v1/reengagement/{quote(organization, safe='')}/{path}"
        return self.running[which].get(uri, HTTP_AUTHORIZATION=f"Bearer {self.tokens[organization]}")

    def figure(self, name):
        """Returns the sum of a metric over all servers."""
        texts = [server.get("/metrics")[1].decode() for server in self.running]
        return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith(name + " "))

    def stop(self):
        for server in self.running:
            server.process.terminate()
        for server in self.running:
            try:
                server.process.wait(10)
            except subprocess.TimeoutExpired:
                server.process.kill()


class Server:
    def __init__(self, socket, log, process):
        self.socket, self.log, self.process = socket, log, process

    def get(self, uri, **parameters):
        """Returns the response's status and body."""
        with fastcgi.Connection(self.socket, timeout=30) as connection:
            connection.send(fastcgi.request(fastcgi.environment("GET", uri, **parameters)))
            output = connection.answer()
        if output is None:
            raise NotAsPromised(f"no answer to {uri}: {Path(self.log).read_text()[-1000:]}")
        return fastcgi.status_of(output), output.partition(b"\r\n\r\n")[2]

    def wait(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.get("/ready")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotAsPromised(f"the server does not start: {Path(self.log).read_text()[-1000:]}")
            time.sleep(0.02)


def parsed(body):
    return strict_json(body.decode())
