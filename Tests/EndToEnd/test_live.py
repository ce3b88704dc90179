"""The live streams, through the server's own socket."""

import contextlib
import json
import os
import random
import socket
import string
import threading
import time

import pytest

from asking import eventually, token_headers
from live import CLOSE, PING, Listener, WebSocket, connect, path, token_of
from problems import must_be_problem
from tokens import Signer, generate_key, jwks

ORIGIN = "https://app.example.com"


class Live:
    """Opens streams of one server, and closes them."""

    def __init__(self, server, stack):
        self.server, self.stack, self.opened = server, stack, []
        self.address = server.environment["LIVE_LISTEN"]

    def open(self, organization, query="", kind=Listener, headers=(), token=..., timeout=60, **how):
        token = token_of(self.stack, organization) if token is ... else token
        sent = dict(headers)
        if kind is Listener and token:
            sent = {"Authorization": f"Bearer {token}", **sent}
        if kind is WebSocket:
            how["token"] = token
        channel = connect(self.address, timeout)
        self.opened.append(channel)
        return kind(channel, path(organization, query), sent, **how)

    def stream(self, organization, query="", **how):
        """Opens a stream and returns it with its first message."""
        made = self.open(organization, query, **how)
        assert made.status == (101 if isinstance(made, WebSocket) else 200), made.response().body
        return made, made.next("hello", but=())

    def close(self):
        for channel in self.opened:
            channel.close()


@pytest.fixture(scope="module")
def live_server(stack, directory):
    from stack import Server
    folder = directory / "live"
    folder.mkdir()
    with Server(stack, folder, CORS_ALLOWED_ORIGINS=ORIGIN, LOG_LEVEL="trace") as server:
        yield server


@pytest.fixture
def live(live_server, stack):
    made = Live(live_server, stack)
    yield made
    made.close()


@pytest.fixture
def live_with(server_with, stack):
    made = []

    def start(**environment):
        made.append(Live(server_with(**environment), stack))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def cursor(connection):
    with connection.cursor() as made:
        yield made


@pytest.fixture
def subject():
    return lambda: "user_" + "".join(random.choices(string.ascii_lowercase, k=12))


def add_critical(cursor, organization, *patients):
    for patient in patients:
        cursor.execute("INSERT INTO patients (organization_id, id, name, created_at) "
                       "VALUES (%s, %s, 'P', now() - interval '200 days')", (organization, patient))


def acknowledge(cursor, organization, patient, action="acknowledge"):
    cursor.execute(
        "INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, action, logged_by, created_at)"
        " SELECT organization_id, patient_id, critical_since, %s, 'user_1', now()"
        " FROM patient_reengagement_master_view WHERE organization_id = %s AND patient_id = %s",
        (action, organization, patient))


def metric(server, name):
    text = server.get("/metrics").body.decode()
    return next((float(line.split(" ")[-1]) for line in text.splitlines() if line.startswith(name + " ")), None)


KINDS = pytest.mark.parametrize("kind", [Listener, WebSocket])


@KINDS
def test_a_stream_begins_with_hello_and_tells_each_notice(live, clinic, cursor, kind):
    stream, hello = live.stream(clinic, kind=kind)
    assert set(hello) == {"type", "sequence", "critical", "new_today", "open"}
    add_critical(cursor, clinic, "one")
    notice = stream.next("notice")
    assert notice == {
        "type": "notice", "sequence": hello["sequence"] + 1, "kind": "critical", "cause": "change", "number": 1,
        "day": notice["day"]
    }
    cursor.execute("DELETE FROM patients WHERE organization_id = %s AND id = 'one'", (clinic, ))
    assert stream.next("notice")["kind"] == "resolved"
    with live.open(clinic) as again:
        assert again.next("hello")["sequence"] == hello["sequence"] + 2


def test_the_head_of_each_transport(live, clinic):
    events = live.open(clinic, headers={"X-Request-Id": "mine", "Origin": ORIGIN})
    assert events.status == 200 and events.header("Content-Type") == "text/event-stream"
    assert events.header("X-Request-Id") == "mine" and events.header("Cache-Control") == "no-store"
    assert events.header("Access-Control-Allow-Origin") == ORIGIN and events.header("Content-Length") is None
    assert events.header("X-Accel-Buffering") == "no"
    websocket = live.open(clinic, kind=WebSocket, headers={"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert websocket.status == 101 and websocket.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert websocket.header("Sec-WebSocket-Protocol") == "reengagement.v1"
    assert websocket.header("Upgrade").lower() == "websocket" and websocket.header("Connection").lower() == "upgrade"
    assert websocket.header("Content-Type") is None


@KINDS
def test_the_first_message_has_the_numbers_of_the_alerts(live, clinic, cursor, kind):
    add_critical(cursor, clinic, "one", "two")
    cursor.execute("UPDATE patients SET created_at = now() - interval '45 days' WHERE organization_id = %s"
                   " AND id = 'two'", (clinic, ))
    _, hello = live.stream(clinic, kind=kind)
    cursor.execute(
        "SELECT count(*), count(*) FILTER (WHERE critical_since = clock.today),"
        " count(*) FILTER (WHERE critical_since > clock.today - 7) FROM patient_reengagement_master_view v,"
        " re.clock_of(%s) clock WHERE organization_id = %s AND critical_since IS NOT NULL", (clinic, clinic))
    assert (hello["critical"], hello["new_today"], hello["open"]) == cursor.fetchone()
    assert hello["new_today"] >= 1


@KINDS
def test_a_heartbeat_comes_every_15_seconds(live, clinic, kind):
    stream, hello = live.stream(clinic, kind=kind)
    began = time.monotonic()
    first = stream.next("heartbeat", but=())
    assert first == {**hello, "type": "heartbeat"}
    stream.next("heartbeat", but=())
    assert 25 < time.monotonic() - began < 40


@KINDS
def test_an_acknowledgement_sends_a_heartbeat_at_once_with_the_new_numbers(live, clinic, cursor, kind):
    add_critical(cursor, clinic, "one")
    cursor.execute("UPDATE patients SET created_at = now() - interval '46 days' WHERE organization_id = %s"
                   " AND id = 'one'", (clinic, ))
    stream, hello = live.stream(clinic, kind=kind)
    time.sleep(2.5)  # The first round has been asked for.
    for action, change in (("acknowledge", -1), ("reopen", 0)):
        acknowledge(cursor, clinic, "one", action)
        began = time.monotonic()
        heartbeat = stream.next("heartbeat")
        assert heartbeat["open"] == hello["open"] + change and time.monotonic() - began < 12


@KINDS
@pytest.mark.parametrize("by_header", [False, True])
def test_a_stream_after_a_number_gets_all_later_notices_in_order(live, clinic, cursor, kind, by_header):
    _, hello = live.stream(clinic)
    for number in range(450):
        add_critical(cursor, clinic, f"p{number}")
        if number % 15 == 14:
            cursor.execute("SELECT set_config('reengagement.organization', %s, false)", (clinic, ))
            cursor.execute("SELECT busy FROM re.advance(%s, 1000)", (clinic, ))
    eventually(lambda: live.stream(clinic)[1]["sequence"] >= hello["sequence"] + 400 or live.close())
    start = hello["sequence"] + 3
    how = {"headers": {"Last-Event-ID": str(start)}, "query": "?after=1"} if by_header else {"query": f"?after={start}"}
    stream, again = live.stream(clinic, kind=kind, **how)
    told = []
    while not told or told[-1] < again["sequence"]:
        told.append(stream.next("notice")["sequence"])
    assert told == list(range(start + 1, again["sequence"] + 1))
    add_critical(cursor, clinic, "last")
    assert stream.next("notice")["sequence"] == again["sequence"] + 1


@KINDS
def test_a_number_that_cannot_be_replayed_is_reset(live, clinic, cursor, kind):
    stream, hello = live.stream(clinic, f"?after={hello_sequence(live, clinic) + 1}", kind=kind)
    assert stream.next("reset", but=()) == {"type": "reset", "sequence": hello["sequence"]}
    add_critical(cursor, clinic, "one")
    assert stream.next("notice")["sequence"] == hello["sequence"] + 1
    cursor.execute("DELETE FROM re.notice WHERE organization_id = %s", (clinic, ))
    stream, hello = live.stream(clinic, "?after=0", kind=kind)
    assert stream.next("reset")["sequence"] == hello["sequence"]


def hello_sequence(live, organization):
    return live.stream(organization)[1]["sequence"]


def test_skipped_notices_reset_every_stream(live, clinic, cursor):
    stream, hello = live.stream(clinic)
    time.sleep(1.5)
    cursor.execute("UPDATE re.announcement SET sequence = sequence + 1000000 WHERE organization_id = %s", (clinic, ))
    assert stream.next("reset")["sequence"] == hello["sequence"] + 1000000
    add_critical(cursor, clinic, "one")
    assert stream.next("notice")["sequence"] == hello["sequence"] + 1000001


def test_no_stream_hears_of_another_organization(live, clinic, second_clinic, cursor):
    ours, _ = live.stream(clinic)
    theirs, _ = live.stream(second_clinic)
    add_critical(cursor, clinic, "one")
    assert ours.next("notice")
    theirs.channel.settimeout(3)
    with pytest.raises(socket.timeout):
        assert theirs.message()["type"] == "heartbeat"
        theirs.message()


def test_streams_that_begin_while_notices_are_written_miss_none(live, clinic, cursor, subject):
    """Each asks for what it has not seen, as a client that reconnects."""
    token = token_of(live.stack, clinic)
    seen, cursor_of, ended = [], {"last": hello_sequence(live, clinic)}, threading.Event()
    first = cursor_of["last"]

    def listen():
        while not ended.is_set():
            with live.open(clinic, f"?after={cursor_of['last']}", token=token) as stream:
                deadline = time.monotonic() + random.uniform(0.01, 0.4)
                stream.channel.settimeout(0.3)
                try:
                    while time.monotonic() < deadline:
                        message = stream.message()
                        if message["type"] == "notice":
                            seen.append(message["sequence"])
                            cursor_of["last"] = message["sequence"]
                except socket.timeout:
                    pass

    thread = threading.Thread(target=listen)
    thread.start()
    for number in range(60):
        add_critical(cursor, clinic, f"p{number}")
        time.sleep(0.1)
    last = eventually(lambda: hello_sequence(live, clinic) >= first + 60 and hello_sequence(live, clinic))
    eventually(lambda: cursor_of["last"] == last)
    ended.set()
    thread.join()
    assert seen == list(range(first + 1, last + 1))


# What is refused before a stream begins.


@KINDS
def test_errors_are_the_usual_problems_in_the_usual_order(live, clinic, kind, stack):
    def problem(status, organization=clinic, **how):
        return must_be_problem(live.open(organization, kind=kind, **how).response(), status)

    assert problem(401, token=None)["type"] == "/problems/token-missing"
    assert problem(401, token="x.y.z")["type"] == "/problems/token-invalid"
    assert problem(401, token=token_of(stack, clinic, -10))["type"] == "/problems/token-expired"
    assert problem(403, token=token_of(stack, "another"))["type"] == "/problems/other-organization"
    assert problem(403, token=token_of(stack, "another"), query="?after=x")
    for query in ("?after=x", "?after=-1", "?after=", "?after=01", "?after=1&after=1", f"?after={10**20}", "?after=1.0"):
        errors = problem(422, query=query)["errors"]
        assert [error["field"] for error in errors] == ["after"]
    for value in ("", "x", "-1", "1, 2", "٣"):
        errors = problem(422, headers={"Last-Event-ID": value}, query="?after=1")["errors"]
        assert [error["field"] for error in errors] == ["Last-Event-ID"]
    assert problem(404, organization=clinic + "/x")


def test_other_methods_paths_and_versions(live, clinic, stack):
    def ask(method, target, headers=None, **how):
        channel = connect(live.address, 60)
        live.opened.append(channel)
        return Listener(channel, target, headers or token_headers(stack, clinic), method, **how).response()

    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert must_be_problem(ask(method, path(clinic)), 405) and True
    for target in ("/health", "/metrics", path(clinic).replace("live", "events"), path(clinic) + "/", "/"):
        must_be_problem(ask("GET", target), 404)
    must_be_problem(ask("GET", path("x" * 201)), 404)
    options = ask("OPTIONS", path(clinic))
    assert options.status == 204 and options.header("Allow") == "GET, HEAD, OPTIONS"
    assert options.header("Content-Length") is None
    preflight = ask("OPTIONS", path(clinic), {"Origin": ORIGIN, "Access-Control-Request-Headers": "last-event-id"})
    assert preflight.status == 204 and "last-event-id" in preflight.header("Access-Control-Allow-Headers")
    head = ask("HEAD", path(clinic))
    assert head.status == 200 and head.header("Content-Type") == "text/event-stream" and head.body == b""
    # Without HTTP/1.1 there is no upgrade.
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", **token_headers(stack, clinic)}
    channel = connect(live.address, 60)
    live.opened.append(channel)
    assert Listener(channel, path(clinic), headers, version="HTTP/1.0").next("hello")


def test_an_encoded_organization_is_decoded_once(live, database, fresh_id, stack):
    organization = fresh_id("a b/é%2F")
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'x')", (organization, ))
    encoded = "".join(f"%{byte:02X}" for byte in organization.encode())
    stream, hello = live.stream(encoded, token=token_of(stack, organization))
    assert hello["critical"] == 0
    with database.cursor() as cursor:
        add_critical(cursor, organization, "one")
    assert stream.next("notice")["number"] == 1


def test_an_origin_that_is_not_allowed_is_403_before_401(live, clinic):
    for origin in ("https://evil.example", "null", "https://localhost.evil.example", "", ORIGIN + ".x", f"{ORIGIN}, {ORIGIN}"):
        refused = live.open(clinic, kind=WebSocket, headers={"Origin": origin}, token=None)
        assert must_be_problem(refused.response(), 403)["type"] == "/problems/origin-not-allowed"
        # Any page may read an event stream as little as any other response, which is the browser's matter.
        assert live.open(clinic, headers={"Origin": origin}).status == 200 or "," in origin
    for headers in ({"Origin": ORIGIN}, {"Origin": "https://localhost"}, {"Origin": "http://LOCALHOST"}, {}):
        stream, _ = live.stream(clinic, kind=WebSocket, headers=headers)
        stream.close()


@pytest.mark.parametrize("changes", [{"Connection": None}, {"Sec-WebSocket-Key": None}, {"Sec-WebSocket-Key": "x"},
                                     {"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Version": None}])
def test_a_malformed_handshake_is_400_after_the_token(live, clinic, changes):
    must_be_problem(live.open(clinic, kind=WebSocket, headers=changes, token=None).response(), 401)
    refused = live.open(clinic, kind=WebSocket, headers=changes).response()
    assert must_be_problem(refused, 400)["type"] == "/problems/request-malformed"
    assert refused.header("Sec-WebSocket-Version") == "13"


def test_a_websocket_takes_its_token_from_authorization_too(live, clinic, stack):
    stream, _ = live.stream(clinic, kind=WebSocket, headers=token_headers(stack, clinic), token=None)
    assert stream.header("Sec-WebSocket-Protocol") is None


def test_a_request_by_fastcgi_is_503(live, live_server, clinic, stack):
    refused = must_be_problem(live_server.get(path(clinic), token_headers(stack, clinic)), 503)
    assert refused["type"] == "/problems/streams-not-connected"
    must_be_problem(live_server.get(path(clinic)), 401)
    must_be_problem(live_server.get(path(clinic, "?after=x"), token_headers(stack, clinic)), 422)


def test_a_subject_may_have_eight_streams(live, clinic, stack, subject):
    token = token_of(stack, clinic, sub=subject())
    streams = [live.stream(clinic, token=token)[0] for _ in range(4)]
    streams += [live.stream(clinic, kind=WebSocket, token=token)[0] for _ in range(4)]
    refused = live.open(clinic, token=token).response()
    assert must_be_problem(refused, 429)["type"] == "/problems/too-many-streams"
    # Before 403 and 422, and one refused opening takes no place.
    must_be_problem(live.open("another", token=token).response(), 429)
    live.stream(clinic, token=token_of(stack, clinic, sub=subject()))
    streams.pop().close()
    eventually(lambda: live.open(clinic, token=token).status == 200)


def test_a_refused_opening_takes_no_place(live, clinic, stack, subject):
    token = token_of(stack, clinic, sub=subject())
    for _ in range(10):
        must_be_problem(live.open("another", token=token).response(), 403)
        must_be_problem(live.open(clinic, "?after=x", token=token).response(), 422)
        live.open(clinic, token=token, method="HEAD").response()
    live.stream(clinic, token=token)


def test_the_limit_of_requests_counts_openings(live_with, clinic, stack, subject):
    live = live_with(RATE_LIMIT="1")
    token = token_of(stack, clinic, sub=subject())
    statuses = [live.open(clinic, token=token).status for _ in range(4)]
    assert statuses[:2] == [200, 200] and 429 in statuses


# The end of a stream.


def ended(stream, reason):
    messages = stream.rest() if isinstance(stream, Listener) else []
    bye = messages[-1]
    assert bye["type"] == "bye" and bye["reason"] == reason and set(bye) == {"type", "reason", "retry_ms"}
    assert isinstance(bye["retry_ms"], int) and bye["retry_ms"] > 0
    if isinstance(stream, WebSocket):
        assert stream.closed_with == (1001 if reason == "shutting_down" else 1008)
    assert not stream.more()
    return bye


def test_a_stop_says_bye_to_all_and_removes_the_socket(live_with, clinic, subject, stack):
    live = live_with()
    streams = [live.stream(clinic, kind=kind, token=token_of(stack, clinic, sub=subject()))[0]
               for kind in (Listener, WebSocket) * 15]
    began = time.monotonic()
    assert live.server.stop() == 0
    assert time.monotonic() - began < 10 and not os.path.exists(live.address)
    waits = [ended(stream, "shutting_down")["retry_ms"] for stream in streams]
    assert len(set(waits)) > 10


def test_a_stop_leaves_another_server_s_socket(live_with, clinic):
    live = live_with()
    live.stream(clinic)
    os.unlink(live.address)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(live.address)
        other.listen()
        assert live.server.stop() == 0
        connect(live.address, 5).close()


def test_a_stop_does_not_wait_for_clients_that_do_not_read(live_with, clinic, stack):
    live = live_with()
    for kind in (Listener, WebSocket):
        live.stream(clinic, kind=kind)
    half_sent = connect(live.address, 60)
    half_sent.sendall(b"GET / HTTP/1.1\r\n")
    began = time.monotonic()
    assert live.server.stop() == 0 and time.monotonic() - began < 10


@KINDS
def test_a_stream_ends_after_its_token(live, clinic, stack, kind):
    stream, _ = live.stream(clinic, kind=kind, token=token_of(stack, clinic, 4))
    began = time.monotonic()
    ended(stream, "token_expired")
    assert 5 < time.monotonic() - began < 20


def test_a_websocket_renews_its_token(live, clinic, stack):
    stream, _ = live.stream(clinic, kind=WebSocket, token=token_of(stack, clinic, 3))
    stream.send(json.dumps({"token": token_of(stack, clinic, 3600), "more": 1}))
    assert stream.next("heartbeat", but=())


@pytest.mark.parametrize("message", ["", "x", "{}", "[]", '{"token": 1}', '{"token": "x"}', '{"token": null}', b"\xff"])
def test_any_other_message_closes_with_1008(live, clinic, message):
    stream, _ = live.stream(clinic, kind=WebSocket)
    stream.send(message)
    assert stream.end() == 1008


@pytest.mark.parametrize("changes", [{"sub": "somebody_else"}, {"o": {"id": "another", "rol": "admin"}}, {"exp": 1}])
def test_a_token_of_another_user_or_organization_closes_with_1008(live, clinic, stack, changes):
    stream, _ = live.stream(clinic, kind=WebSocket)
    stream.send(json.dumps({"token": stack.signer.token(clinic, **changes)}))
    assert stream.end() == 1008


def test_frames_that_no_client_may_send_close_with_1008(live, clinic, stack):
    token = json.dumps({"token": token_of(stack, clinic)})
    for how in ({"payload": token, "masked": False}, {"payload": token, "reserved": 4}, {"payload": token, "opcode": 2},
                {"payload": "x" * 20000}, {"payload": "x", "opcode": 0}, {"payload": "x" * 126, "opcode": PING},
                {"payload": "x", "opcode": 3}):
        stream, _ = live.stream(clinic, kind=WebSocket)
        stream.send(**how)
        assert stream.end() == 1008, how
        stream.close()
    stream, _ = live.stream(clinic, kind=WebSocket)
    stream.send("x" * 9000, final=False)
    stream.send("x" * 9000, opcode=0)
    assert stream.end() == 1008


def test_a_message_in_parts_with_a_ping_between_them_is_one_message(live, clinic, stack):
    stream, _ = live.stream(clinic, kind=WebSocket, token=token_of(stack, clinic, 3))
    token = json.dumps({"token": token_of(stack, clinic, 3600)})
    stream.send(token[:100], final=False)
    stream.send(b"hello", PING)
    stream.send(token[100:200], opcode=0, final=False)
    stream.send(token[200:], opcode=0)
    assert stream.message() == {"type": "pong", "payload": b"hello"}
    assert stream.next("heartbeat", but=())


def test_a_client_s_close_is_answered(live, clinic):
    stream, _ = live.stream(clinic, kind=WebSocket)
    stream.send(b"\x03\xe8", CLOSE)
    assert stream.frame() == (CLOSE, b"\x03\xe8")
    assert not stream.more()


@KINDS
def test_a_denied_subject_s_streams_end(live_with, clinic, stack, subject, folder, kind):
    (folder / "denied").write_text("")
    live = live_with(TOKEN_DENY_FILE=str(folder / "denied"))
    name = subject()
    stream, _ = live.stream(clinic, kind=kind, token=token_of(stack, clinic, sub=name))
    other, _ = live.stream(clinic, kind=kind, token=token_of(stack, clinic, sub=subject()))
    (folder / "denied").write_text(name + "\n")
    began = time.monotonic()
    ended(stream, "token_expired")
    assert time.monotonic() - began < 60
    assert other.next("heartbeat")


def test_the_streams_of_a_withdrawn_key_end(live_with, clinic, stack, folder):
    keys = {"kept": generate_key(), "withdrawn": generate_key()}
    file = folder / "jwks.json"
    file.write_text(jwks(keys))
    live = live_with(CLERK_JWKS_FILE=str(file), CLERK_JWT_KEY=None)
    streams = {name: live.stream(clinic, token=Signer(key, stack.signer.issuer, name).token(clinic))[0]
               for name, key in keys.items()}
    file.with_suffix(".new").write_text(jwks({"kept": keys["kept"]}))
    os.replace(file.with_suffix(".new"), file)
    began = time.monotonic()
    ended(streams["withdrawn"], "token_expired")
    assert time.monotonic() - began < 60
    assert streams["kept"].next("heartbeat")


def test_a_reader_that_does_not_read_is_dropped_and_replays(live, live_server, clinic, cursor, subject, stack):
    token = token_of(stack, clinic, sub=subject())
    channel = connect(live.address, 60)
    live.opened.append(channel)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow = Listener(channel, path(clinic), {"Authorization": f"Bearer {token}"})
    first = slow.next("hello")["sequence"]
    before = metric(live_server, "reengagement_live_dropped_total")
    reader, _ = live.stream(clinic)

    def read():
        try:
            while True:
                reader.message()
        except (EOFError, OSError):
            pass

    thread = threading.Thread(target=read)
    thread.start()
    cursor.execute("SELECT set_config('reengagement.organization', %s, false)", (clinic, ))
    number = 0
    while metric(live_server, "reengagement_live_dropped_total") == before:
        for _ in range(100):
            for _ in range(15):
                number += 1
                add_critical(cursor, clinic, f"p{number}")
            cursor.execute("SELECT busy FROM re.advance(%s, 1000)", (clinic, ))
        assert number < 30000
    told = slow.rest()
    assert told[-1]["type"] == "bye" and told[-1]["reason"] == "too_slow"
    told = [message["sequence"] for message in told if message["type"] == "notice"]
    assert told == list(range(first + 1, first + 1 + len(told)))
    again, hello = live.stream(clinic, f"?after={told[-1]}", token=token)
    while told[-1] < hello["sequence"]:
        told.append(again.next("notice")["sequence"])
    assert told == list(range(first + 1, told[-1] + 1))
    live.close()
    thread.join()


@KINDS
def test_a_stream_through_nginx(stack, clinic, cursor, kind):
    plain = socket.create_connection(("127.0.0.1", stack.client.port), timeout=60)
    channel = stack.client.context.wrap_socket(plain, server_hostname="localhost")
    token = token_of(stack, clinic)
    # In HTTP/1.0 nginx sends no chunks.
    how = {"token": token} if kind is WebSocket else {"headers": {"Authorization": f"Bearer {token}"}, "version": "HTTP/1.0"}
    with kind(channel, path(clinic), **how) as stream:
        hello = stream.next("hello", but=())
        add_critical(cursor, clinic, "one")
        assert stream.next("notice")["sequence"] == hello["sequence"] + 1
        assert stream.header("X-Accel-Buffering") is None and stream.header("X-Server-Request-Id") is None


# What it leaves behind.


def test_the_first_opening_of_an_hour_is_audited_and_each_refused_one(live, clinic, stack, subject, database):
    name = subject()
    token = token_of(stack, clinic, sub=name)
    for kind in (Listener, WebSocket, Listener):
        live.stream(clinic, kind=kind, token=token, headers={"X-Forwarded-For": "192.0.2.7"})
    live.open(clinic, "?after=x", token=token).response()

    def entries():
        with database.cursor() as cursor:
            cursor.execute("SELECT status, route, address FROM re.audit WHERE subject = %s ORDER BY server_at", (name, ))
            return cursor.fetchall()

    found = eventually(lambda: len(entries()) > 1 and entries())
    # The hour may have passed meanwhile.
    assert len(found) in (2, 3)
    assert found[0] == (200, "/api/v1/reengagement/{org_id}/alerts/live", "192.0.2.7") and found[-1][0] == 422


def test_openings_are_logged_and_counted_without_the_token(live, live_server, clinic, stack, subject, fresh_id):
    secret, identity = fresh_id("secret"), fresh_id("request")
    stream, _ = live.stream(clinic, "?x=" + secret, kind=WebSocket, headers={"X-Request-Id": identity})
    line = json.loads(live_server.logged(identity)[0])
    assert line["route"] == "/api/v1/reengagement/{org_id}/alerts/live" and line["organization"] == clinic
    text = live_server.log.read_text()
    assert secret not in text and "eyJ" not in text
    assert metric(live_server, 'reengagement_live_streams{transport="websocket"}') >= 1
    assert metric(live_server, "reengagement_live_notices_total") is not None
    stream.close()


def test_the_lag_is_measured(live, live_server, clinic, cursor):
    before = metric(live_server, "reengagement_live_lag_seconds_count")
    stream, _ = live.stream(clinic)
    add_critical(cursor, clinic, "one")
    stream.next("notice")
    eventually(lambda: metric(live_server, "reengagement_live_lag_seconds_count") == before + 1)


# Clients that misbehave while they open.


def test_a_request_that_does_not_arrive_is_closed(live):
    for sent in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"):
        channel = connect(live.address, 40)
        live.opened.append(channel)
        channel.sendall(sent)
        assert channel.recv(100) == b""


def test_a_head_or_a_body_beyond_the_limits_is_closed(live):
    for sent in (b"GET / HTTP/1.1\r\nX: " + b"x" * 100000, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 1000,
                 b"POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000, b"\x16\x03\x01\x02\x00",
                 b"nonsense\r\n\r\n"):
        channel = connect(live.address, 20)
        live.opened.append(channel)
        try:
            channel.sendall(sent)
            assert channel.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass


def test_a_header_above_8_kib_is_431(live, clinic):
    must_be_problem(live.open(clinic, headers={"X-Other": "x" * 9000}).response(), 431)


def test_a_second_request_on_the_connection_is_not_answered(live, clinic, stack):
    channel = connect(live.address, 20)
    live.opened.append(channel)
    one = f"GET {path('another')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token_of(stack, clinic)}\r\n\r\n"
    channel.sendall(2 * one.encode())
    received = b""
    # What was not read resets the connection, after the response.
    with contextlib.suppress(ConnectionResetError):
        while chunk := channel.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 403") == 1 and received.count(b"HTTP/1.1") == 1
    assert b"\r\nConnection: close\r\n" in received


def test_a_client_that_leaves_while_it_opens_leaves_nothing(live, live_server, clinic, stack, subject):
    token = token_of(stack, clinic, sub=subject())
    for _ in range(50):
        with connect(live.address, 20) as channel:
            channel.sendall(f"GET {path(clinic)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    eventually(lambda: live.open(clinic, token=token).status == 200)


# The database goes away.


def test_heartbeats_go_on_while_the_database_is_away(fragile, folder):
    from stack import Server
    with Server(fragile, folder) as server:
        live = Live(server, fragile)
        with contextlib.closing(fragile.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO organizations (id, name) VALUES ('away', 'x')")
            stream, hello = live.stream("away")
            add_critical(cursor, "away", "one")
            assert stream.next("notice")["sequence"] == hello["sequence"] + 1
            stream.next("heartbeat")
        fragile.call("postgres-stop")
        for _ in range(2):
            heartbeat = stream.next("heartbeat")
            assert heartbeat["sequence"] == hello["sequence"] + 1 and heartbeat["critical"] == hello["critical"] + 1
        must_be_problem(live.open("away").response(), 503)
        fragile.call("postgres-start")
        with contextlib.closing(fragile.connect()) as connection, connection.cursor() as cursor:
            add_critical(cursor, "away", "two")
        assert stream.next("notice")["sequence"] == hello["sequence"] + 2
        live.close()
