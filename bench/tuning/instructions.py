"""Instructions of the server for one request, counted by valgrind's callgrind. Other load does not change them."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from variants import ENDPOINTS, ORGANIZATION, Server, clean_environment, fastcgi

REQUESTS = 60
# The stages, by a pattern of the function's name. Each includes the functions that it calls.
PARTS = {
    "of it the worker": r"WorkerV3run", "reading the request": r"Acceptor.*accept.*Exchange", "of it libfcgi": r"FCGX_Accept_r",
    "its parameters": r"Server8IncomingV", "the token": r"Authenticator.*authenticate", "the database": r"ConnectionPoolC3run",
    "the JSON of the response": r"respond2toAA8ResponseV", "sending it": r"Exchange.*respond", "the log line": r"AccessLogV5write",
    "counting it": r"MetricsC6record"
}


# The endpoint, and the size of the response cache.
CASES = {
    **{endpoint: (endpoint, 0) for endpoint in ENDPOINTS}, "risk-metrics, unchanged": ("risk-metrics", 1 << 20),
    "log-outreach": ("log-outreach", 0)
}


def request(token, endpoint, patient):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token}", "HTTP_HOST": "localhost", "HTTP_ACCEPT": "*/*",
               "HTTP_ACCEPT_ENCODING": "gzip",
               "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64)", "HTTP_ORIGIN": "http://localhost:3000",
               "REQUEST_SCHEME": "https"}
    body = b""
    if endpoint == "log-outreach":
        body = json.dumps({"patient_id": patient, "method": "sms", "outcome": "success",
                           "notes": "called back"}).encode()
        headers.update(CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(body)))
    method = "POST" if body else "GET"
    uri = f"/api/v1/reengagement/{ORGANIZATION}/{endpoint}"
    return fastcgi.request(fastcgi.environment(method, uri, **headers), body, keep=True)


def a_patient(stack):
    with contextlib.closing(stack.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM patients WHERE organization_id = %s AND archived_at IS NULL",
                       [ORGANIZATION])
        return cursor.fetchone()[0]


def control(pid, *arguments):
    subprocess.run(["callgrind_control", *arguments, str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)


def counted(stack, binary, endpoint, kept):
    """The path of callgrind's profile of exactly this many requests, after a warm-up."""
    directory = Path(stack.directory) / "instructions"
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    server = Server(stack, directory, WORKER_THREADS="1", DB_POOL_SIZE="2", DB_STATEMENT_TIMEOUT_MS="60000",
                    ANSWER_CACHE_BYTES=str(kept))
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={directory}/profile",
               binary]
    with open(server.log, "wb") as log:
        server.process = subprocess.Popen(command, env=clean_environment(**server.environment), stdout=log, stderr=log)
    try:
        server.wait(60)
        bytes_of_it = request(stack.signer.token(ORGANIZATION), endpoint, a_patient(stack))
        with fastcgi.Connection(server.socket, 60) as connection:

            def ask(times):
                for _ in range(times):
                    connection.send(bytes_of_it)
                    assert fastcgi.status_of(connection.answer()) in (200, 201)

            ask(20)
            control(server.process.pid, "-i", "on")
            ask(5)
            control(server.process.pid, "-z")
            ask(REQUESTS)
            control(server.process.pid, "-d")
    finally:
        server.stop(within=60)
    return directory / "profile.1"


def read(profile):
    done = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(profile)],
                          stdout=subprocess.PIPE, text=True, check=True)
    rows = re.findall(r"^\s*([\d,]+) \([^)]*\)\s+\S*?:?(\S+)", done.stdout, re.MULTILINE)
    total = re.search(r"([\d,]+) \(100\.0%\)\s+PROGRAM TOTALS", done.stdout)[1]
    number = lambda text: int(text.replace(",", "")) / REQUESTS
    return {"all": number(total), **{part: max((number(n) for n, name in rows if re.search(pattern, name)), default=0)
                                     for part, pattern in PARTS.items()}}


def instructions(stack, binaries):
    lines = [f"Instructions of the server for a request, without the kernel: the mean of {REQUESTS} requests on one connection.\n"]
    for title, case in CASES.items():
        print(f"== {title}", file=sys.stderr, flush=True)
        counts = {name: read(counted(stack, os.path.abspath(binary), *case)) for name, binary in binaries.items()}
        lines += [f"## `{title}`\n", "| | " + " | ".join(counts) + " |", "| --- |" + " ---: |" * len(counts)]
        lines += [f"| {part} | " + " | ".join(f"{of[part]:,.0f}" for of in counts.values()) + " |"
                  for part in ["all", *PARTS]]
        lines.append("")
    return "\n".join(lines)
