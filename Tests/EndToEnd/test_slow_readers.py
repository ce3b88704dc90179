"""A slow client receives its whole response and occupies no worker, because nginx buffers responses of any length."""

import os
import re
import shutil
import socket
import ssl
import time
from pathlib import Path

import pytest

from asking import eventually

# nginx waits a minute for space in the kernel's buffer. This pause is longer than its former timeout of ten seconds.
PAUSE = 14
# The longest allowed notes, of the character that is longest in JSON, and an unlimited name far beyond all buffers.
NOTES, NAME = "\x01" * 100_000, "Näme 🐨" * 1_000_000


@pytest.fixture
def long_answers(database, clinic):
    with database.cursor() as cursor:
        cursor.execute("""INSERT INTO patients (organization_id, id, name, treatment_notes)
                          VALUES (%s, 'notes', 'Notes', %s), (%s, 'name', %s, '')""", (clinic, NOTES, clinic, NAME))
    return clinic


class Slow:
    """A client that reads nothing for a while, on one connection over HTTP/1.1."""

    def __init__(self, client, target, headers):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        plain.settimeout(120)
        plain.connect(("127.0.0.1", client.port))
        self.channel = client.context.wrap_socket(plain, server_hostname="localhost") if client.context else plain
        lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.channel.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")

    def rest(self):
        received = []
        try:
            while chunk := self.channel.recv(1 << 20):
                received.append(chunk)
        except (ConnectionResetError, ssl.SSLError):
            pass
        self.channel.close()
        head, _, body = b"".join(received).partition(b"\r\n\r\n")
        return head, body


def announced(head):
    return int(re.search(rb"\r\nContent-Length: (\d+)", head)[1])


def busy(stack):
    text = stack.plain.request("GET", "/metrics").body.decode()
    return int(re.search(r"^reengagement_workers_busy (\d+)", text, re.MULTILINE)[1])


@pytest.mark.nightly
@pytest.mark.parametrize("patient", ["notes", "name"])
def test_slow_clients_receive_the_whole_response_and_occupy_no_worker(stack, api, plain_client, long_answers, patient):
    target, headers = api.target(long_answers, api.patient_path(patient)), api.authorization(long_answers)
    whole = api.client.request("GET", target, headers).json()
    assert whole["treatment_notes"] == (NOTES if patient == "notes" else "")
    assert whole["name"] == (NAME if patient == "name" else "Notes")
    readers = [Slow(client, target, headers) for client in (api.client, plain_client) for _ in range(5)]
    began = time.monotonic()
    # There are more clients than workers, and none has read a byte.
    eventually(lambda: busy(stack) == 0)
    assert api.client.request("GET", target, headers).json()["id"] == patient
    time.sleep(max(0, PAUSE - (time.monotonic() - began)))
    for reader in readers:
        head, body = reader.rest()
        assert head.startswith(b"HTTP/1.1 200") and len(body) == announced(head)


@pytest.mark.nightly
def test_without_space_for_a_buffer_file_the_client_sees_an_error(stack, api, long_answers):
    """The headers with the length are sent already. The body is shorter, so no client takes it for the whole."""
    target, headers = api.target(long_answers, api.patient_path("name")), api.authorization(long_answers)
    folder = re.search(r"fastcgi_temp_path (\S+);", (
        Path(stack.settings["NGINX_CONFIGURATION"]).parent / "site/http.conf").read_text())[1]
    away = folder + ".away"
    os.rename(folder, away)
    before = len(open(stack.settings["NGINX_ERROR_LOG"], errors="replace").read())
    try:
        reader = Slow(api.client, target, headers)
        # nginx must first find that it cannot create the file.
        eventually(lambda: folder in open(stack.settings["NGINX_ERROR_LOG"], errors="replace").read()[before:])
        head, body = reader.rest()
        assert head.startswith(b"HTTP/1.1 200") and len(body) < announced(head)
        eventually(lambda: busy(stack) == 0)
        # A response without a buffer file still succeeds.
        assert api.get(long_answers, "patients/notes").status == 200
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(away, folder)
    assert api.client.request("GET", target, headers).status == 200
