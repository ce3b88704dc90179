"""A reader who takes an answer slowly gets it whole, and holds no worker: nginx waits for him, at any length."""

import os
import re
import shutil
import socket
import ssl
import time
from pathlib import Path

import pytest

from asking import eventually

# A minute is what nginx waits for room in the kernel's buffer; this is longer than the ten seconds it once was.
PAUSE = 14
# Notes as long as they may be, of what is longest in JSON; and a name without a bound, far beyond all buffers.
NOTES, NAME = "\x01" * 100_000, "Näme 🐨" * 1_000_000


@pytest.fixture
def long_answers(database, clinic):
    with database.cursor() as cursor:
        cursor.execute("""INSERT INTO patients (organization_id, id, name, treatment_notes)
                          VALUES (%s, 'notes', 'Notes', %s), (%s, 'name', %s, '')""", (clinic, NOTES, clinic, NAME))
    return clinic


class Slow:
    """A client that reads nothing for a while; over HTTP/1.1, one connection."""

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
def test_slow_readers_get_all_of_it_and_hold_no_worker(stack, api, plain_client, long_answers, patient):
    target, headers = api.target(long_answers, api.patient_path(patient)), api.authorization(long_answers)
    whole = api.client.request("GET", target, headers).json()
    assert whole["treatment_notes"] == (NOTES if patient == "notes" else "")
    assert whole["name"] == (NAME if patient == "name" else "Notes")
    readers = [Slow(client, target, headers) for client in (api.client, plain_client) for _ in range(5)]
    began = time.monotonic()
    # More of them than workers, and none has read a byte.
    eventually(lambda: busy(stack) == 0)
    assert api.client.request("GET", target, headers).json()["id"] == patient
    time.sleep(max(0, PAUSE - (time.monotonic() - began)))
    for reader in readers:
        head, body = reader.rest()
        assert head.startswith(b"HTTP/1.1 200") and len(body) == announced(head)


@pytest.mark.nightly
def test_where_nginx_has_no_room_for_it_a_client_sees_an_error(stack, api, long_answers):
    """The head has gone already, with the length: what comes is shorter, and nobody takes it for the whole."""
    target, headers = api.target(long_answers, api.patient_path("name")), api.authorization(long_answers)
    folder = re.search(r"fastcgi_temp_path (\S+);", (
        Path(stack.settings["NGINX_CONFIGURATION"]).parent / "site/http.conf").read_text())[1]
    away = folder + ".away"
    os.rename(folder, away)
    said = len(open(stack.settings["NGINX_ERROR_LOG"], errors="replace").read())
    try:
        reader = Slow(api.client, target, headers)
        # Not before nginx has found that there is none.
        eventually(lambda: folder in open(stack.settings["NGINX_ERROR_LOG"], errors="replace").read()[said:])
        head, body = reader.rest()
        assert head.startswith(b"HTTP/1.1 200") and len(body) < announced(head)
        eventually(lambda: busy(stack) == 0)
        # What needs no file is answered.
        assert api.get(long_answers, "patients/notes").status == 200
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(away, folder)
    assert api.client.request("GET", target, headers).status == 200
