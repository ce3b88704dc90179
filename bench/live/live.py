"""Measures live streams (./run). The output is Markdown."""

import asyncio
import os
import re
import resource
import ssl
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(os.environ["PYTHONPATH_TESTS"])

from database import Database  # noqa: E402
from markdown import number, table  # noqa: E402
from stack import Stack, say  # noqa: E402
from tokens import Signer  # noqa: E402

LISTENING, NOTICES = int(os.environ.get("LISTENING", 1000)), int(os.environ.get("NOTICES", 20))
IDLE, DURATION = int(os.environ.get("IDLE", 5000)), int(os.environ.get("DURATION", 10))
PAIRS = int(os.environ.get("PAIRS", 3))
ORGANIZATION = "org_demo_1"
STREAMS_OF_SUBJECT = 8
READS = ("risk-metrics", "patients/prioritized?limit=50", "alerts")


class Streams:
    """Open event streams, and when each has received each notice."""

    def __init__(self, port, context, signer, name):
        self.port, self.context, self.signer, self.name = port, context, signer, name
        self.tasks, self.opened, self.received = [], 0, {}

    def token(self, place):
        return self.signer.token(ORGANIZATION, sub=f"{self.name}_{place // STREAMS_OF_SUBJECT}",
                                 exp=int(time.time()) + 7200)

    async def follow(self, token):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context,
                                                       server_hostname="localhost")
        try:
            await self.read(reader, writer, token)
        finally:
            writer.close()

    async def read(self, reader, writer, token):
        writer.write(f"GET /api/v1/reengagement/{ORGANIZATION}/alerts/live HTTP/1.1\r\nHost: localhost\r\n"
                     f"Authorization: Bearer {token}\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise SystemExit(f"error: a stream was refused: {status.decode()}")
        while line := await reader.readline():
            if line.startswith(b"id: "):
                self.received.setdefault(int(line[4:]), []).append(time.time())
            elif b'"hello"' in line:
                self.opened += 1
        raise SystemExit("error: a stream has ended")

    async def open(self, count):
        # Few at a time: opening is not what is measured.
        for place in range(count):
            self.tasks.append(asyncio.create_task(self.follow(self.token(place))))
            while len(self.tasks) - self.opened > 50:
                self.check()
                await asyncio.sleep(0.01)
        while self.opened < count:
            self.check()
            await asyncio.sleep(0.05)

    def check(self):
        for task in self.tasks:
            if task.done():
                task.result()

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def add_notice(database, place):
    """Returns the time after the commit."""
    database.execute("INSERT INTO patients (organization_id, id, name, created_at) "
                     "VALUES (%s, %s, 'New', now() - interval '100 days')", (ORGANIZATION, f"new_{place}"))
    while database.value("SELECT busy FROM re.advance(%s, 1000)", (ORGANIZATION,)):
        pass
    return time.time()


async def measure_lag(streams, database):
    await streams.open(LISTENING)
    await asyncio.sleep(2)
    committed = {}
    for place in range(NOTICES):
        at = await asyncio.to_thread(add_notice, database, place)
        committed[database.value("SELECT sequence FROM re.announcement WHERE organization_id = %s", (ORGANIZATION,))] = at
        await asyncio.sleep(2.3)
    await asyncio.sleep(3)
    lags = []
    for sequence, at in committed.items():
        times = streams.received.get(sequence, [])
        if len(times) != LISTENING:
            raise SystemExit(f"error: {len(times)} of {LISTENING} clients received notice {sequence}")
        lags += [one - at for one in times]
    await streams.close()
    return sorted(lags)


def resident_kib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+)", text, re.MULTILINE)[1])


def nginx_kib(master):
    return sum(resident_kib(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split())


def median_ms(port, token, path):
    """The median of wrk's requests."""
    done = subprocess.run(["wrk", "-t1", "-c4", f"-d{DURATION}s", "--latency", "-H", f"Authorization: Bearer {token}",
                           f"https://127.0.0.1:{port}/api/v1/reengagement/{ORGANIZATION}/{path}"],
                          check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in done:
        raise SystemExit(f"error: {done}")
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", done).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


async def measure_api(port, token):
    found = {path: [] for path in READS}
    for _ in range(PAIRS):
        for path in READS:
            found[path].append(await asyncio.to_thread(median_ms, port, token, path))
    return {path: statistics.median(values) for path, values in found.items()}


async def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stack = Stack(Path(sys.argv[1]) / "main")
    stack.start_database()
    stack.call("demo", ORGANIZATIONS="1", PATIENTS="2000")
    stack.call("rebuild")
    stack.call("server-start")
    stack.call("nginx-start")
    where = stack.where()
    port, token = int(where["HTTPS_PORT"]), stack.token(ORGANIZATION)
    context = ssl.create_default_context(cafile=where["CA_FILE"])
    signer = Signer.from_file(where["PRIVATE_KEY"], where["ISSUER"], where["KEY_ID"])
    database = Database(where["DATABASE_URL"])
    database.bind(ORGANIZATION)

    say(f"{NOTICES} notices to {LISTENING} streams")
    lags = await measure_lag(Streams(port, context, signer, "listening"), database)
    say("the API without streams")
    before = await measure_api(port, token)
    server, nginx = int(where["SERVER_PID"]), int(where["NGINX_PID"])
    memory = resident_kib(server), nginx_kib(nginx)
    say(f"{IDLE} idle streams")
    idle = Streams(port, context, signer, "idle")
    await idle.open(IDLE)
    await asyncio.sleep(20)
    used = resident_kib(server) - memory[0], nginx_kib(nginx) - memory[1]
    say("the API beside them")
    beside = await measure_api(port, token)
    idle.check()
    await idle.close()
    after = await measure_api(port, token)

    print(table(["from the commit to a client", "ms"],
                [[f"median of {LISTENING} streams", number(1000 * statistics.median(lags))],
                 ["99 %", number(1000 * lags[int(0.99 * len(lags))])], ["longest", number(1000 * lags[-1])]]))
    print()
    print(table([f"of {IDLE} idle streams over TLS", "KiB each"],
                [["server", number(used[0] / IDLE)], ["nginx", number(used[1] / IDLE)]]))
    print()
    print(table(["median of the API, ms", "without", f"beside {IDLE} streams", "without again", "ratio"],
                [[path, number(before[path]), number(beside[path]), number(after[path]),
                  f"{beside[path] / statistics.mean([before[path], after[path]]):.2f}"] for path in READS]))


asyncio.run(main())
