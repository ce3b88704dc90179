"""The server's own socket: no input delays the next request through nginx."""

import json
import os
import pwd
import re
import resource
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastcgi
from asking import eventually
from fastcgi import Connection, begin, environment, length, pair, parameters, record, request, status_of

HEALTH = environment("GET", "/health")
HUGE = struct.pack(">I", 0xFFFFFFFF)


def management(content):
    return record(fastcgi.GET_VALUES, content, request=0)


HOSTILE = {
    "nothing": b"",
    "one byte": b"\x01",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "text": b"hello\n" * 100,
    "a wrong version": record(fastcgi.BEGIN, bytes(8), version=2),
    "version 0": record(fastcgi.BEGIN, bytes(8), version=0),
    "a wrong role": begin(role=2) + record(fastcgi.PARAMS) + record(fastcgi.STDIN),
    "role 65535": begin(role=65535),
    "params first": record(fastcgi.PARAMS, parameters(HEALTH)),
    "stdin first": record(fastcgi.STDIN, b"x" * 100),
    "end first": record(fastcgi.END, bytes(8)),
    "abort first": record(fastcgi.ABORT),
    "abort after begin": begin() + record(fastcgi.ABORT),
    "an unknown kind": record(99, b"x"),
    "an unknown management kind": record(99, b"x", request=0),
    "begin too short": record(fastcgi.BEGIN, b"\x00\x01"),
    "begin too long": record(fastcgi.BEGIN, bytes(1000)),
    "begin twice": begin() + begin(),
    "begin of id 0": begin(request=0),
    "two ids": begin() + record(fastcgi.PARAMS, parameters(HEALTH), request=2),
    "get values": management(pair(b"FCGI_MAX_CONNS", b"")),
    "get values, empty": management(b""),
    "get values, all": management(b"".join(
        pair(n, b"") for n in (b"FCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"FCGI_MPXS_CONNS"))),
    "get values, repeated": management(pair(b"FCGI_MPXS_CONNS", b"") * 3000),
    "get values, a name of 4 GB": management(HUGE + HUGE + b"x"),
    "get values, a name of 2 GB": management(struct.pack(">II", 0xFFFFFFF0, 0xFFFFFFF0) + b"x" * 100),
    "get values, long names": management(pair(b"x" * 60000, b"")),
    "get values, cut": management(b"\x0e\x00FCGI"),
    "get values after begin": begin() + management(pair(b"FCGI_MPXS_CONNS", b"") * 3000),
    "get values within params": begin() + record(fastcgi.PARAMS, parameters(HEALTH)) +
    management(pair(b"FCGI_MPXS_CONNS", b"") * 3000),
    "a parameter name of 2 GB": begin() + record(fastcgi.PARAMS,
                                                 struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF) + b"x" * 50),
    "a parameter value of 2 GB": begin() + record(fastcgi.PARAMS,
                                                  length(4) + HUGE + b"NAME" + b"x" * 50),
    "a parameter cut short": begin() + record(fastcgi.PARAMS,
                                              length(4) + length(100) + b"NAME") + record(fastcgi.PARAMS) +
    record(fastcgi.STDIN),
    "params of zeros": begin() + record(fastcgi.PARAMS, bytes(60000)) + record(fastcgi.PARAMS) + record(fastcgi.STDIN),
    "half a header": begin()[:5],
    "half a begin": begin()[:12],
    "half of params": begin() + record(fastcgi.PARAMS, b"x" * 10, length=5000),
    "params without an end": begin() + record(fastcgi.PARAMS, parameters(HEALTH)),
    "no stdin": begin() + record(fastcgi.PARAMS, parameters(HEALTH)) + record(fastcgi.PARAMS),
    "a body shorter than its declared length": request(
        environment("POST",
                    "/api/v1/reengagement/o/log-outreach",
                    CONTENT_LENGTH="5000",
                    CONTENT_TYPE="application/json"), b"{}")[:-8],
}

# Complete records with odd content. Each gets an error below 500 or a closed connection.
ODD = {
    "no parameters": {},
    "no method": {k: v
                  for k, v in HEALTH.items() if k != "REQUEST_METHOD"},
    "no URI": {k: v
               for k, v in HEALTH.items() if k != "REQUEST_URI"},
    "an empty URI": environment("GET", ""),
    "an empty method": environment("", "/health"),
    "a URI without a slash": environment("GET", "health"),
    "a star": environment("OPTIONS", "*"),
    "an absolute URI": environment("GET", "http://localhost/health"),
    "length text": environment("POST", "/health", CONTENT_LENGTH="abc"),
    "length negative": environment("POST", "/health", CONTENT_LENGTH="-1"),
    "length beyond 64 bits": environment("POST", "/api/v1/reengagement/o/log-outreach", CONTENT_LENGTH="9" * 30),
    "length with a sign": environment("POST", "/api/v1/reengagement/o/log-outreach", CONTENT_LENGTH="+2"),
    "a long URI": environment("GET", "/" + "x" * 60000),
    "200 kB of parameters": environment("GET", "/health", **{f"HTTP_X_{n}": "y" * 1000
                                                             for n in range(200)}),
    "2000 parameters": environment("GET", "/health", **{f"HTTP_X_{n}": "y"
                                                        for n in range(2000)}),
    "a method of odd bytes": environment("G\x01T\xff", "/health"),
    "a zero byte in the URI": environment("GET", "/hea\x00lth"),
    "a line break in the request id": environment("GET", "/health", HTTP_X_REQUEST_ID="a\r\nX-Evil: 1"),
    "a line break in the origin": environment("GET", "/health", HTTP_ORIGIN="http://localhost:3000\r\nX-Evil: 1"),
    "an odd query": environment("GET", "/health?%&=&&=%zz"),
}


# The bound covers a wait for a connection or for a client that never reads.
def answers_soon(api, clinic, within=20):
    began = time.monotonic()
    response = api.get(clinic, "risk-metrics", fresh=True)
    assert response.status == 200, response
    assert time.monotonic() - began < within


def direct(stack, values, body=b"", keep=False):
    with Connection(stack.socket) as connection:
        connection.send(request(values, body, keep))
        return connection.answer()


@pytest.mark.parametrize("variable", ["FCGI_LISTEN", "LIVE_LISTEN"])
def test_each_socket_is_for_its_owner_and_group_alone(stack, variable):
    found = os.stat(stack.settings[variable])
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == os.stat(stack.socket).st_gid


# Sends a request as another user and prints the result.
ASK = """
import os, sys
sys.path.insert(0, sys.argv[1])
import fastcgi
try:
    with fastcgi.Connection(sys.argv[2]) as connection:
        connection.send(fastcgi.request(fastcgi.environment("GET", "/health", REMOTE_ADDR="192.0.2.1")))
        print(fastcgi.status_of(connection.answer()))
except OSError as error:
    print(type(error).__name__)
"""


def asked_as(stack, *credentials):
    here = Path(fastcgi.__file__).parent
    done = subprocess.run(["setpriv", *credentials, "--", sys.executable, "-B", "-c", ASK, here, stack.socket],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def nginx_worker(stack):
    """Returns the pid, the user and the groups of an nginx worker."""
    master = stack.settings["NGINX_PID"]
    pid = Path(f"/proc/{master}/task/{master}/children").read_text().split()[0]
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return pid, lines["Uid"].split(), lines["Gid"].split(), lines["Groups"].split()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@as_root
def test_the_socket_accepts_nginx_and_no_other_process_of_its_user(stack):
    """The pools of php-fpm run as www-data too, with all groups of that user."""
    _, users, groups, others = nginx_worker(stack)
    assert set(users) == {str(pwd.getpwnam("www-data").pw_uid)} and set(groups) == {str(os.stat(stack.socket).st_gid)}
    assert asked_as(stack, f"--reuid={users[0]}", f"--regid={groups[0]}", f"--groups={','.join(others)}") == "200"
    assert asked_as(stack, "--reuid=www-data", "--regid=www-data", "--init-groups") == "PermissionError"
    assert asked_as(stack, "--reuid=nobody", "--regid=nogroup", "--clear-groups") == "PermissionError"


CONNECT = """
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


@as_root
def test_the_socket_of_live_streams_accepts_nginx_and_no_other_process_of_its_user(stack):
    _, users, groups, others = nginx_worker(stack)
    expected = {(f"--reuid={users[0]}", f"--regid={groups[0]}", f"--groups={','.join(others)}"): "connected",
                ("--reuid=www-data", "--regid=www-data", "--init-groups"): "PermissionError",
                ("--reuid=nobody", "--regid=nogroup", "--clear-groups"): "PermissionError"}
    for credentials, outcome in expected.items():
        done = subprocess.run(["setpriv", *credentials, "--", sys.executable, "-c", CONNECT,
                               stack.settings["LIVE_LISTEN"]], capture_output=True, text=True)
        assert done.stdout.strip() == outcome, (credentials, done.stderr)


@as_root
def test_a_process_of_nginx_s_user_cannot_take_a_connection_from_a_worker(stack):
    """The kernel compares groups too (ptrace(2)). Otherwise pidfd_getfd(2) would give the process the socket."""
    pid, *_ = nginx_worker(stack)
    for group in ("www-data", "reengagement-socket"):
        done = subprocess.run(["setpriv", "--reuid=www-data", f"--regid={group}", "--init-groups", "--", "readlink",
                               f"/proc/{pid}/exe"])
        assert (done.returncode == 0) == (group != "www-data"), group


def test_a_plain_request_is_answered(stack):
    output = direct(stack, HEALTH)
    assert status_of(output) == 200 and json.loads(output.partition(b"\r\n\r\n")[2])["status"] == "ok"


def test_a_reused_connection_serves_many_requests(stack):
    with Connection(stack.socket) as connection:
        for _ in range(50):
            connection.send(request(HEALTH, keep=True))
            assert status_of(connection.answer()) == 200


def test_a_connection_without_keep_alive_is_closed_after_the_response(stack):
    with Connection(stack.socket) as connection:
        connection.send(request(HEALTH))
        assert status_of(connection.answer()) == 200
        assert connection.closed_within(20)


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_records_occupy_no_worker_and_stop_no_server(stack, api, clinic, title):
    pid, held = stack.server_pid, []
    try:
        for _ in range(6):  # more than the workers on two cores
            held.append(Connection(stack.socket))
            held[-1].send(HOSTILE[title])
        answers_soon(api, clinic)
    finally:
        for connection in held:
            connection.socket.close()
    answers_soon(api, clinic)
    assert stack.server_pid == pid and stack.is_running(pid)


@pytest.mark.parametrize("title", ODD)
def test_odd_parameters_get_an_error_below_500_or_none(stack, api, clinic, title):
    output = direct(stack, ODD[title])
    if output is not None:
        assert status_of(output) < 500, output
        assert b"X-Evil" not in output.partition(b"\r\n\r\n")[0].split(b"\r\n", 1)[1].replace(
            b"\\r\\nX-Evil", b"") or b"\r\nX-Evil" not in output
    answers_soon(api, clinic)


def test_thousands_of_idle_connections_delay_no_client(stack, api, clinic):
    idle = [Connection(stack.socket) for _ in range(3000)]
    try:
        for _ in range(30):
            answers_soon(api, clinic)
        for connection in idle[::100]:
            connection.send(request(HEALTH))
            assert status_of(connection.answer()) == 200
    finally:
        for connection in idle:
            connection.socket.close()


def test_idle_reusable_connections_delay_no_client(stack, api, clinic):
    idle = [Connection(stack.socket) for _ in range(60)]
    try:
        for connection in idle:
            connection.send(request(HEALTH, keep=True))
            assert status_of(connection.answer()) == 200
        for _ in range(20):
            answers_soon(api, clinic)
    finally:
        for connection in idle:
            connection.socket.close()


def test_a_client_that_sends_byte_by_byte_delays_no_other_and_is_timed_out(stack, api, clinic):
    whole = request(HEALTH)
    with Connection(stack.socket) as connection:
        for sent in range(len(whole)):
            if not connection.send(whole[sent:sent + 1]):
                break
            time.sleep(0.05)
            if sent % 5 == 0:
                answers_soon(api, clinic)
        # The server has closed the connection before all bytes were sent.
        assert sent < len(whole) - 1
        assert connection.closed_within(20)


def test_unfinished_records_occupy_no_worker_in_any_number(stack, api, clinic):
    halves = [begin()[:5], begin(), begin() + record(fastcgi.PARAMS, b"x" * 10, length=5000), request(HEALTH)[:-3]]
    held = [Connection(stack.socket) for _ in range(200)]
    try:
        for number, connection in enumerate(held):
            connection.send(halves[number % len(halves)])
        # If each occupied one of the four workers for its second, the last request would take 50 s.
        began = time.monotonic()
        for _ in range(20):
            answers_soon(api, clinic)
        assert time.monotonic() - began < 30
        for connection in held:
            assert connection.closed_within(20)
    finally:
        for connection in held:
            connection.socket.close()


def test_a_client_that_never_reads_its_response_is_timed_out(stack, api, clinic):
    held = []
    try:
        for _ in range(12):
            held.append(Connection(stack.socket, timeout=1))
            for _ in range(400):
                try:
                    if not held[-1].send(request(environment("GET", "/openapi.json"), keep=True)):
                        break
                except OSError:
                    break
        # Until then other requests may be refused after waiting too long.
        eventually(lambda: api.get(clinic, "risk-metrics", fresh=True).status == 200)
    finally:
        for connection in held:
            connection.socket.close()


@pytest.mark.parametrize("endpoint", ["patients/prioritized?limit=200", "risk-metrics"])
def test_a_response_is_sent_in_one_piece(stack, api, clinic, endpoint):
    """It consists of records of up to 65,535 bytes, one end of output and one end of request, and nothing follows."""
    values = environment("GET", api.target(clinic, endpoint),
                         HTTP_AUTHORIZATION=api.authorization(clinic)["Authorization"])
    with Connection(stack.socket) as connection:
        connection.send(request(values, keep=True))
        assert status_of(connection.answer()) == 200
        connection.send(request(values, keep=True))
        connection.socket.recv(1, socket.MSG_PEEK)
        time.sleep(0.5)
        # A stream socket returns the bytes of one send, and those of the next only if they have arrived. So the whole
        # response was one send.
        received = connection.socket.recv(1 << 20)
    kinds, position = [], 0
    while position < len(received):
        _, kind, number, size, padding, _ = struct.unpack(">BBHHBB", received[position:position + 8])
        assert number == 1 and (size + padding) % 8 == 0
        kinds.append((kind, size > 0))
        position += 8 + size + padding
    assert position == len(received)
    assert kinds == [(fastcgi.STDOUT, True)] * (len(kinds) - 2) + [(fastcgi.STDOUT, False), (fastcgi.END, True)]


def test_exhausted_descriptors_affect_no_connected_client(server_with):
    server = server_with(WORKER_THREADS="4", DB_POOL_SIZE="1")
    # The server reports the count, because only root may read its descriptors.
    text = server.get("/metrics").body.decode()
    limit = int(re.search(r"^process_open_fds (\d+)", text, re.MULTILINE)[1]) + 20
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    crowd = [Connection(server.socket) for _ in range(60)]
    try:
        eventually(lambda: b"no connection can be accepted" in server.log.read_bytes())
        crowd[0].send(request(HEALTH, keep=True))
        assert status_of(crowd[0].answer()) == 200
        time.sleep(0.5)
        # Some forty attempts fail, but the message appears only once, or again after a descriptor was free and taken.
        assert server.log.read_bytes().count(b"no connection can be accepted") <= 2
        # Waiting clients are served as soon as others have left.
        crowd[-1].send(request(HEALTH))
        for connection in crowd[1:-1]:
            connection.socket.close()
        assert status_of(crowd[-1].answer()) == 200
    finally:
        for connection in crowd:
            connection.socket.close()
