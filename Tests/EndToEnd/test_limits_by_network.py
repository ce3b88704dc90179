"""nginx's limits by address, in a separate nginx that trusts the given address."""

import http.client
import ipaddress
import os
import re
import socket
import subprocess
from contextlib import contextmanager

import h2.connection
import h2.events
import pytest

import http2
from asking import eventually
from stack import ROOT

# Addresses that count as one, in every notation.
SAME = {
    "a /64": ["2001:db8:1:2::1", "2001:db8:1:2:0:0:0:1", "2001:0db8:0001:0002:0000:0000:0000:0001", "2001:DB8:1:2::1",
              "2001:db8:1:2::",
              "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:3::4", "2001:db8:1:2::192.0.2.1"],
    "the next one": ["2001:db8:1:3::1", "2001:db8:1:3:0:0:0:2"],
    "zeros in it": ["2001:db8::1", "2001:db8:0:0::2", "2001:db8:0:0:1::", "2001:db8::1:0:0:1"],
    "bytes like a line's end": ["2001:db8:a0a:0a0d::1", "2001:db8:a0a:a0d:a0a:a0a:a0a:a0a"],
    "link-local": ["fe80::1", "fe80::ffff"],
    "loopback": ["::1", "0:0:0:0:0:0:0:1", "::2"],
    "IPv4": ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1", "64:ff9b::192.0.2.1",
             "64:ff9b::c000:201"],
    "its neighbour": ["192.0.2.2", "::ffff:192.0.2.2", "64:ff9b::192.0.2.2"],
    "IPv4 like a line's end": ["10.10.10.10", "::ffff:10.10.10.10", "64:ff9b::a0a:a0a"],
}

CONFIGURATION = """
{user}
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body; fastcgi_temp_path fastcgi; proxy_temp_path proxy; scgi_temp_path scgi;
        uwsgi_temp_path uwsgi;
    include snippets/limits/limits.conf;
    include snippets/limits/rate-limits.conf;
    set_real_ip_from 127.0.0.1;
    set_real_ip_from unix:;
    real_ip_header X-Address;
    server {{
        listen 127.0.0.1:{port};
        listen unix:{folder}/http2 http2;
        # A slow body is never timed out, even on a slow machine.
        client_body_timeout 10m;
        location / {{ fastcgi_pass unix:/nonexistent; }}
        location = /network {{ default_type application/octet-stream; return 200 $client_network; }}
    }}
}}
"""


@contextmanager
def nginx_of(folder, change=lambda text: text):
    os.chmod(folder, 0o755)
    subprocess.run(["cp", "-r", ROOT / "nginx/snippets", folder], check=True)
    limits = folder / "snippets/limits/rate-limits.conf"
    limits.write_text(change(limits.read_text()))
    for attempt in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        user = "user www-data;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(CONFIGURATION.format(port=port, folder=folder, user=user))
        process = subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf",
                                    "-e", folder / "error.log", "-g", "daemon off;"])
        try:
            own = 200, ipaddress.ip_address("127.0.0.9").packed
            eventually(lambda: process.poll() is not None or ask(port, "127.0.0.9", "/network") == own)
            # Another process may have taken the port.
            if process.poll() is not None and attempt < 4:
                continue
            assert process.poll() is None, (folder / "error.log").read_text()
            yield port
            return
        finally:
            process.terminate()
            process.wait()


def ask(port, address, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"X-Address": address})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


@pytest.fixture(scope="module")
def asked(directory):
    folder = directory / "network"
    folder.mkdir()
    with nginx_of(folder) as port:
        yield lambda address: ask(port, address, "/network")[1]


@pytest.mark.parametrize("title", SAME)
def test_an_address_counts_for_its_network_in_every_notation(asked, title):
    found = {asked(address) for address in SAME[title]}
    first = ipaddress.ip_address(SAME[title][0]).packed
    assert found == {first if len(first) == 4 else first[:8]}


def test_other_networks_have_their_own_limit(asked):
    assert len({asked(addresses[0]) for addresses in SAME.values()}) == len(SAME)


class Body:
    """A request that stays in flight while this is open."""

    def __init__(self, port, address):
        self.channel = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.channel.sendall(
            f"POST / HTTP/1.1\r\nHost: x\r\nX-Address: {address}\r\nContent-Length: 60000\r\n\r\n{{".encode()
        )
        self.channel.setblocking(False)
        self.status = 0

    def look(self):
        try:
            self.status = self.status or int(self.channel.recv(4096).split()[1])
        except BlockingIOError:
            self.channel.send(b" ")
        return self.status


def answers(bodies):
    return sorted(body.look() for body in bodies)


@contextmanager
def bodies_from(port, addresses):
    bodies = [Body(port, address) for address in addresses]
    try:
        yield bodies
    finally:
        for body in bodies:
            body.channel.close()


def test_nginx_waits_for_32_bodies_of_one_64_and_as_many_of_its_neighbour(folder):
    with nginx_of(folder) as port:
        one, other = ([f"2001:db8:0:{n}:{i:x}::1" for i in range(40)] for n in (1, 2))
        with bodies_from(port, one) as held, bodies_from(port, other) as others:
            eventually(lambda: answers(held) == answers(others) == [0] * 32 + [429] * 8)
            assert ask(port, one[0])[0] == 502 and ask(port, "192.0.2.1")[0] == 502


@pytest.mark.nightly
def test_a_48_has_its_own_share_and_mapped_ipv4_addresses_are_no_such_site(folder):
    with nginx_of(folder, lambda text: text.replace("bodies_by_site 256;", "bodies_by_site 50;")) as port:
        many = [f"2001:db8:7:{n:x}::1" for n in range(60)]
        translated = [f"64:ff9b::192.0.2.{n}" for n in range(60)] + [f"::ffff:198.51.100.{n}" for n in range(60)]
        with (
            bodies_from(port, many) as held,
            bodies_from(port, translated) as others,
            bodies_from(port, ["2001:db8:8::1"]) as neighbour,
        ):
            eventually(lambda: answers(held) == [0] * 50 + [429] * 10)
            assert answers(others) == [0] * 120 and answers(neighbour) == [0]


class Bodies2:
    """A GET over HTTP/2 from each address with an unannounced body that does not end."""

    def __init__(self, folder, addresses):
        self.channel, self.protocol = socket.socket(socket.AF_UNIX), h2.connection.H2Connection(http2.CONFIGURATION)
        self.channel.connect(str(folder / "http2"))
        self.channel.setblocking(False)
        self.protocol.initiate_connection()
        self.statuses = {}
        for address in addresses:
            stream = self.protocol.get_next_available_stream_id()
            self.protocol.send_headers(stream,
                                       [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/"),
                                                ("x-address", address)])
            self.protocol.send_data(stream, b" ")
            self.statuses[stream] = 0
        self.channel.sendall(self.protocol.data_to_send())

    def look(self):
        try:
            for event in self.protocol.receive_data(self.channel.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    self.statuses[event.stream_id] = int(dict(event.headers)[":status"])
        except BlockingIOError:
            pass
        return sorted(self.statuses.values())


@pytest.mark.nightly
def test_a_body_of_a_get_over_http2_counts_for_its_48_too(folder):
    with nginx_of(folder, lambda text: text.replace("bodies_by_site 256;", "bodies_by_site 50;")) as port:
        many, clinic = (Bodies2(folder, addresses)
                        for addresses in ([f"2001:db8:7:{n:x}::1" for n in range(60)], ["192.0.2.1"] * 60))
        with many.channel, clinic.channel:
            eventually(lambda: many.look() == [0] * 50 + [429] * 10)
            assert clinic.look() == [0] * 60 and ask(port, "2001:db8:8::1")[0] == 502


@pytest.mark.nightly
def test_a_limit_for_all_networks_together_leaves_room_for_requests_without_a_body(folder):
    text = (ROOT / "nginx/snippets/limits/rate-limits.conf").read_text()
    bound = int(re.search(r"limit_conn bodies_of_all (\d+);", text)[1])
    connections = int(re.search(r"worker_connections (\d+);", (ROOT / "nginx/production.conf").read_text())[1])
    assert bound * 4 <= connections
    with nginx_of(folder, lambda text: text.replace(f"bodies_of_all {bound};", "bodies_of_all 50;")) as port:
        with bodies_from(port, [f"2001:db8:0:{n % 6:x}::{n:x}" for n in range(60)]) as held:
            eventually(lambda: answers(held) == [0] * 50 + [429] * 10)
            assert ask(port, "2001:db8:0:7::1")[0] == 502


def test_one_64_has_one_rate_limit(folder):
    with nginx_of(folder,
                  lambda text: text.replace("rate=100r/s", "rate=1r/m").replace("burst=200", "burst=9")) as port:
        assert sorted(ask(port, f"2001:db8:0:1:{n:x}::1")[0] for n in range(12)) == [429] * 2 + [502] * 10
        assert ask(port, "2001:db8:0:2::1")[0] == 502
