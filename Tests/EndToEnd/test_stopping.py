"""A stop loses no response and removes the server's own socket. A start copes with existing sockets."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import fastcgi
from asking import dashboard, eventually, post, token_headers
from stack import Server, clean_environment
from stand_in import Head


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_soon_with_status_zero_and_removes_its_sockets(server_with, sign):
    server = server_with()
    paths = server.socket, server.environment["LIVE_LISTEN"]
    assert all(map(os.path.exists, paths))
    began = time.monotonic()
    assert server.stop(sign) == 0
    assert time.monotonic() - began < 10 and not any(map(os.path.exists, paths))


def test_it_stops_despite_open_idle_and_unfinished_connections(server_with):
    server = server_with()
    held = [fastcgi.Connection(server.socket) for _ in range(20)]
    for connection in held[:5]:
        connection.send(fastcgi.request(fastcgi.environment("GET", "/health"), keep=True))
        assert connection.answer()
    for connection in held[5:10]:
        connection.send(fastcgi.begin())
    assert server.stop() == 0
    for connection in held:
        connection.socket.close()


def test_a_second_signal_has_no_effect(server_with):
    server = server_with()
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    assert server.stop() in (0, -signal.SIGTERM)


def test_a_stop_under_load_loses_no_response_and_no_row(server_with, stack, database, clinic):
    """Each row has its 201, each 201 its row, and every response that has begun is complete."""
    server, answered, broken, stopping = server_with(), [], [], threading.Event()

    def keep_posting(number):
        for count in range(100000):
            try:
                response = post(server, stack, clinic, notes=f"{number}/{count}")
            except ConnectionResetError:
                return  # closed before the request was read
            except OSError:
                if stopping.is_set():
                    return
                raise
            if response.status != 201:
                broken.append(response)
            answered.append(response.json().get("outreach_id"))

    threads = [threading.Thread(target=keep_posting, args=(n, )) for n in range(6)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answered) > 100)
    stopping.set()
    began = time.monotonic()
    code = server.stop()
    took = time.monotonic() - began
    for thread in threads:
        thread.join(120)
    assert code == 0 and took < 10 and not broken
    with database.cursor() as cursor:
        cursor.execute("SELECT id::text FROM outreach_log WHERE organization_id = %s AND notes LIKE '%%/%%'",
                       (clinic, ))
        assert sorted(row[0] for row in cursor) == sorted(answered)


def test_a_request_on_a_reused_connection_is_still_answered_after_the_signal(server_with, stack, clinic, database):
    server = server_with()
    with fastcgi.Connection(server.socket) as kept:
        kept.send(fastcgi.request(fastcgi.environment("GET", "/health"), keep=True))
        assert fastcgi.status_of(kept.answer()) == 200
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: not os.path.exists(server.socket))
        time.sleep(0.2)
        kept.send(
            fastcgi.request(fastcgi.environment("GET",
                                                dashboard(clinic),
                                                HTTP_AUTHORIZATION=token_headers(stack, clinic)["Authorization"]),
                            keep=True))
        answer = kept.answer()
        assert answer is not None and fastcgi.status_of(answer) == 200
        assert kept.closed_within(9)
    assert server.stop() == 0


def test_a_socket_of_another_process_is_not_removed(server_with):
    server = server_with()
    os.unlink(server.socket)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(server.socket)
        other.listen()
        assert server.stop() == 0
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(server.socket)


def test_two_servers_on_one_path_leave_one_of_them_reachable(server_with, stack):
    first = server_with()
    second = Server(stack, first.log.parent, FCGI_LISTEN=first.socket)
    with open(first.log.parent / "second.log", "wb") as log:
        second.process = subprocess.Popen([stack.binary],
                                          env=clean_environment(**second.environment),
                                          stdin=subprocess.DEVNULL,
                                          stdout=log,
                                          stderr=log)
    try:
        decided = first.log.parent / "second.log"
        eventually(lambda: second.process.poll() is not None or b"listening" in decided.read_bytes())
        if second.process.poll() is None:  # it replaced the first one's socket
            assert first.stop() == 0
            assert second.get("/health").status == 200
        else:  # it refused to start, and the first one continues
            assert second.process.returncode != 0 and b"FCGI_LISTEN" in (first.log.parent / "second.log").read_bytes()
            assert first.get("/health").status == 200
    finally:
        second.stop()


def test_a_start_replaces_the_socket_of_a_killed_server(server_with, stack):
    first = server_with()
    first.process.kill()
    first.process.wait()
    assert os.path.exists(first.socket)
    again = Server(stack, first.log.parent, FCGI_LISTEN=first.socket)
    with again.start():
        assert again.get("/health").status == 200


@contextlib.contextmanager
def inherited(server, paths, **variables):
    """Starts the server as systemd does: the listening sockets are descriptors 3, 4 …, and LISTEN_PID is its own."""
    listening = [socket.socket(socket.AF_UNIX) for _ in paths]
    for each, path in zip(listening, paths):
        each.bind(path)
        each.listen(64)
    # Copies with numbers that nothing else has: the originals may have those of each other's targets.
    copies = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in listening]
    moves = " ".join(f"{number}<&{copy}" for number, copy in enumerate(copies, 3))
    script = f'exec {moves}; LISTEN_PID=$$ LISTEN_FDS={len(copies)} exec "$0"'
    log = open(server.log, "wb")
    server.process = subprocess.Popen(["bash", "-c", script, server.binary],
                                      env=clean_environment(**server.environment, **variables),
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=copies)
    try:
        server.wait()
        yield
        assert server.stop() == 0
        for path in paths:
            with socket.socket(socket.AF_UNIX) as caller:  # waits in the backlog for the next server
                caller.connect(path)
    finally:
        server.stop()
        log.close()
        for copy in copies:
            os.close(copy)
        for each in listening:
            each.close()


def test_an_inherited_socket_is_served_and_left_to_its_owner(stack, folder):
    server = Server(stack, folder)
    with inherited(server, [server.socket]):
        pass


@pytest.mark.parametrize("names", ["fcgi:live", "live:fcgi"])
def test_of_two_inherited_sockets_each_is_served_by_its_name_and_left_to_its_owner(stack, folder, clinic, names):
    server = Server(stack, folder)
    paths = {"fcgi": server.socket, "live": server.environment["LIVE_LISTEN"]}
    with inherited(server, [paths[name] for name in names.split(":")], LISTEN_FDNAMES=names):
        request = f"GET /api/v1/reengagement/{clinic}/alerts/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(60)
            caller.connect(paths["live"])
            caller.sendall(request.encode())
            assert Head(caller).status == 401


def test_listen_fds_for_another_process_is_ignored(server_with):
    server = server_with(LISTEN_FDS="1", LISTEN_PID="1")
    assert server.get("/health").status == 200 and os.path.exists(server.socket)


def test_it_listens_on_a_port_of_loopback_too(server_with):
    with socket.socket() as probe:
        # The probe stays open next to the server, so that the kernel gives the port to no other process.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        server = server_with(FCGI_LISTEN=f"127.0.0.1:{port}")
        assert server.get("/health").status == 200 and server.stop() == 0
