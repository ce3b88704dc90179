"""Compares round trips and formats: one round trip or several, text or binary results.

The server sets the organization and runs the statement in one pipeline, with text results. Here libpq does it in each way
without the server. The figures are the backend's processor time, the elapsed time and the bytes of the values.
"""

import ctypes
import ctypes.util
import statistics
import time
from pathlib import Path

ORGANIZATION = "org_demo_1"
# The endpoint's statement, with the organization as its only parameter.
QUESTIONS = {
    "risk-metrics": "SELECT f.* FROM re.risk_metrics($1) f",
    "patients/prioritized?limit=200": "SELECT f.* FROM "
    "re.prioritized_patients($1, NULL, NULL, NULL, NULL, NULL, 'priority', false, 201, NULL, NULL, NULL, NULL, NULL) f",
    "patients/prioritized?limit=50": "SELECT f.* FROM "
    "re.prioritized_patients($1, NULL, NULL, NULL, NULL, NULL, 'priority', false, 51, NULL, NULL, NULL, NULL, NULL) f",
}
SET = "SELECT set_config('reengagement.organization', $1, true)"
TUPLES, PIPELINE_SYNC = 2, 10

libpq = ctypes.CDLL(ctypes.util.find_library("pq"))
for name in ("PQconnectdb", "PQexec", "PQprepare", "PQexecPrepared", "PQgetResult"):
    getattr(libpq, name).restype = ctypes.c_void_p
libpq.PQerrorMessage.restype = ctypes.c_char_p
connection_type, text = ctypes.c_void_p, ctypes.c_char_p
libpq.PQconnectdb.argtypes = [text]
libpq.PQprepare.argtypes = [connection_type, text, text, ctypes.c_int, ctypes.c_void_p]
for name in ("PQexecPrepared", "PQsendQueryPrepared"):
    getattr(libpq, name).argtypes = [connection_type, text, ctypes.c_int, ctypes.POINTER(text), ctypes.c_void_p,
                                     ctypes.c_void_p, ctypes.c_int]
libpq.PQexec.argtypes = [connection_type, text]
for name in ("PQgetResult", "PQclear", "PQntuples", "PQnfields", "PQresultStatus", "PQenterPipelineMode",
             "PQpipelineSync",
             "PQbackendPID", "PQerrorMessage", "PQfinish"):
    getattr(libpq, name).argtypes = [ctypes.c_void_p]
libpq.PQgetlength.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]


class Way:
    """A connection of the server's role that runs statements in one of the ways."""

    def __init__(self, url, pipelined, binary):
        self.pipelined, self.binary = pipelined, int(binary)
        self.connection = libpq.PQconnectdb(url.encode())
        self.done(libpq.PQexec(self.connection, b"SET ROLE reengagement_api"))
        for name, sql in {"set": SET, **QUESTIONS}.items():
            self.done(libpq.PQprepare(self.connection, name.encode(), sql.encode(), 0, None))
        self.parameters = (text * 1)(ORGANIZATION.encode())
        self.pid = libpq.PQbackendPID(self.connection)
        if pipelined:
            assert libpq.PQenterPipelineMode(self.connection) == 1

    def done(self, result, measure=False):
        """Checks and clears the result. Returns the bytes of its values if `measure` is set."""
        assert libpq.PQresultStatus(result) in (1, TUPLES), libpq.PQerrorMessage(self.connection).decode()
        size = 0
        if measure:
            size = sum(libpq.PQgetlength(result, row, column) for row in range(libpq.PQntuples(result))
                       for column in range(libpq.PQnfields(result)))
        libpq.PQclear(result)
        return size

    def ask(self, name, measure=False):
        if not self.pipelined:
            self.done(libpq.PQexec(self.connection, b"BEGIN"))
            self.done(libpq.PQexecPrepared(self.connection, b"set", 1, self.parameters, None, None, 0))
            size = self.done(libpq.PQexecPrepared(self.connection, name.encode(), 1, self.parameters, None, None,
                                                  self.binary), measure)
            self.done(libpq.PQexec(self.connection, b"COMMIT"))
            return size
        for statement in ("set", name):
            assert libpq.PQsendQueryPrepared(self.connection, statement.encode(), 1, self.parameters, None, None,
                                             self.binary) == 1
        assert libpq.PQpipelineSync(self.connection) == 1
        sizes = []
        while True:
            result = libpq.PQgetResult(self.connection)
            if result and libpq.PQresultStatus(result) == PIPELINE_SYNC:
                libpq.PQclear(result)
                return sizes[1]
            if result:
                sizes.append(self.done(result, measure))

    def close(self):
        libpq.PQfinish(self.connection)


def cpu_seconds(pid):
    """In nanoseconds, unlike the ticks of /proc."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def table(url, rounds, seconds):
    """Medians of alternating rounds."""
    ways = {"one round trip, text": Way(url, True, False), "one round trip, binary": Way(url, True, True), "four round trips, text": Way(url, False, False)}
    lines = ["## Round trips and formats", "", "Setting the organization and running the query, on one connection without the server: "
             "in one pipeline, as the server\ndoes, or statement by statement in a transaction, with values as text or binary.", "",
             "| | µs a query | PostgreSQL µs CPU | bytes of values |", "| --- | ---: | ---: | ---: |"]
    try:
        for name in QUESTIONS:
            samples, sizes = {way: [] for way in ways}, {}
            for _ in range(rounds):
                for title, way in ways.items():
                    sizes[title] = way.ask(name, measure=True)
                    asked, cpu, began = 0, cpu_seconds(way.pid), time.monotonic()
                    while time.monotonic() - began < seconds:
                        way.ask(name)
                        asked += 1
                    passed = time.monotonic() - began
                    # The backend's time is updated at its last context switch.
                    time.sleep(0.05)
                    samples[title].append((passed / asked * 1e6, (cpu_seconds(way.pid) - cpu) / asked * 1e6))
            for title, of in samples.items():
                wall, cpu = (statistics.median(values) for values in zip(*of))
                lines.append(f"| `{name}`, {title} | {wall:,.0f} | {cpu:,.0f} | {sizes[title]:,} |")
    finally:
        for way in ways.values():
            way.close()
    return "\n".join(lines) + "\n"
