"""nginx retries a search and a read when a reused connection turns out to be closed. It never retries a write."""

import os
import socket
import threading

import pytest

import fastcgi
from asking import GOOD

ANSWER = b"Status: 200 OK\r\nContent-Type: application/json\r\n\r\n{}"


class Closing:
    """Replaces the server. It closes each connection after the first response, or before it."""

    def __init__(self, path, answers):
        self.requests, self.answers = [], answers
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection, ), daemon=True).start()

    def serve(self, connection):
        with connection:
            for _ in range(self.answers):
                if not self.read(connection):
                    return
                connection.sendall(fastcgi.record(fastcgi.STDOUT, ANSWER) + fastcgi.record(fastcgi.STDOUT) +
                                   fastcgi.record(fastcgi.END, bytes(8)))
            self.read(connection)

    def read(self, connection):
        """Returns whether a complete request has arrived."""
        whole = b""
        while not whole.endswith(fastcgi.record(fastcgi.STDIN)):
            chunk = connection.recv(65536)
            if not chunk:
                return False
            whole += chunk
        self.requests.append(whole)
        return True

    def stop(self):
        self.listener.close()


@pytest.fixture
def in_its_place(fragile):
    fragile.call("server-stop")
    started = []

    def start(answers):
        path = fragile.socket
        if os.path.exists(path):
            os.unlink(path)
        started.append(Closing(path, answers))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_a_search_is_retried_and_a_write_is_not(fragile, in_its_place):
    server, api = in_its_place(answers=1), fragile.api
    assert [api.search("org", {"q": "smith"}).status for _ in range(2)] == [200, 200]
    assert len(server.requests) == 3, "the second search was not sent twice"
    assert all(b"smith" in request for request in server.requests)
    assert [api.post("org", GOOD).status for _ in range(2)] == [200, 200]
    assert len(server.requests) == 5, "a write did not get its own connection"
    server.stop()
    closing = in_its_place(answers=0)
    assert api.post("org", GOOD).status == 502
    assert len(closing.requests) == 1, "a write that may have been executed was retried"
