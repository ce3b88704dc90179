"""The sources of keys, their rotation, and further settings for authentication."""

import contextlib
import gzip
import http.server
import json
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

import tokens
from asking import dashboard, eventually, token_headers
from problems import must_be_problem
from tokens import Signer


def ask(server, stack, key, kid, **claims):
    return server.get(dashboard("o"), token_headers(stack, "o", Signer(key, stack.signer.issuer, kid), **claims)).status


@contextlib.contextmanager
def https(handler, certificate):
    """A server on a free port with the certificate of the stack."""
    far = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    far.socket = context.wrap_socket(far.socket, server_side=True)
    threading.Thread(target=far.serve_forever, daemon=True).start()
    try:
        yield far.server_address[1]
    finally:
        far.shutdown()
        far.server_close()


def test_a_jwks_file_is_read_again_after_a_change(server_with, stack, folder):
    old, new, path = tokens.generate_key(), tokens.generate_key(), folder / "jwks.json"
    path.write_text(tokens.jwks({"old": old}))
    server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_FILE=str(path))
    assert [
        ask(server, stack, old, "old"),
        ask(server, stack, new, "new"),
        ask(server, stack, old, "new"),
        ask(server, stack, old, None)
    ] == [200, 401, 401, 401]
    replacement = folder / "next.json"
    replacement.write_text(tokens.jwks({"old": old, "new": new}))
    os.replace(replacement, path)
    eventually(lambda: ask(server, stack, new, "new") == 200)
    assert [ask(server, stack, old, "old"),
            ask(server, stack, new, "old"),
            ask(server, stack, old, "new")] == [200, 401, 401]
    path.write_text(tokens.jwks({"new": new}))
    eventually(lambda: ask(server, stack, old, "old") == 401)
    assert ask(server, stack, new, "new") == 200
    path.write_text("{ broken")
    time.sleep(2.5)
    assert ask(server, stack, new, "new") == 200
    path.unlink()
    time.sleep(2.5)
    assert ask(server, stack, new, "new") == 200
    path.write_text(tokens.jwks({"new": old}))  # the same key id with another key invalidates the cache
    eventually(lambda: ask(server, stack, old, "new") == 200)
    assert ask(server, stack, new, "new") == 401


@pytest.mark.parametrize("keys", [{}, {"other": tokens.generate_key()}])
def test_withdrawn_keys_invalidate_cached_tokens(server_with, stack, folder, keys):
    key, path = tokens.generate_key(), folder / "jwks.json"
    path.write_text(tokens.jwks({"key": key}))
    server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_FILE=str(path))
    headers = token_headers(stack, "o", Signer(key, stack.signer.issuer, "key"))
    assert [server.get(dashboard("o"), headers).status for _ in range(2)] == [200, 200]
    path.write_text(tokens.jwks(keys))
    eventually(lambda: server.get(dashboard("o"), headers).status == 401)
    assert metric(server, "reengagement_keys") == len(keys) and server.get("/health").status == 200
    path.write_text(tokens.jwks({"key": key}))
    eventually(lambda: server.get(dashboard("o"), headers).status == 200)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("how", ["gone", "elsewhere", "broken", "others may write", "others may write to its folder"])
def test_unreadable_keys_remain_valid_until_their_maximum_age(server_with, stack, folder, how):
    key, path = tokens.generate_key(), folder / "keys" / "jwks.json"
    path.parent.mkdir()
    path.write_text(tokens.jwks({"key": key}))
    server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_FILE=str(path), KEYS_MAX_AGE="4")
    headers = token_headers(stack, "o", Signer(key, stack.signer.issuer, "key"))
    time.sleep(5)
    # The keys have been read again, or a busy machine reads them soon.
    eventually(lambda: server.get(dashboard("o"), headers).status == 200)
    assert metric(server, "reengagement_keys_failures_total") == 0
    if how == "elsewhere":
        (folder / "link").symlink_to("/nowhere")
        os.replace(folder / "link", path)
    elif how == "broken":
        path.write_text("{")
    elif how == "gone":
        path.unlink()
    else:
        (path if how == "others may write" else path.parent).chmod(0o777)
    eventually(lambda: metric(server, "reengagement_keys_failures_total") > 0)
    assert server.get(dashboard("o"), headers).status in (200, 503)
    eventually(lambda: server.get(dashboard("o"), headers).status == 503)
    assert must_be_problem(server.get(dashboard("o"), headers), 503)["type"].endswith("keys-unavailable")
    assert metric(server, "reengagement_keys_age_seconds") > 4 and metric(server, "reengagement_keys") == 0
    # The next attempt to read the keys logs this.
    eventually(lambda: "longer than KEYS_MAX_AGE" in server.log.read_text())
    path.parent.chmod(0o755)
    path.unlink(missing_ok=True)
    path.write_text(tokens.jwks({"key": key}))
    path.chmod(0o644)
    eventually(lambda: server.get(dashboard("o"), headers).status == 200)


def metric(server, name):
    lines = server.get("/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[1])


def test_the_kid_does_not_matter_with_a_pem(stack, server_with):
    server = server_with()
    assert [ask(server, stack, stack.signer.key, kid) for kid in (None, "x", "")] == [200] * 3


def test_requests_are_503_before_the_first_key_is_fetched(server_with, stack):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_URL=f"https://127.0.0.1:{probe.getsockname()[1]}/jwks")
        must_be_problem(server.get(dashboard("o"), token_headers(stack, "o")), 503)
        assert server.get("/health").status == 200
        must_be_problem(server.get(dashboard("o")), 401)


def test_keys_are_fetched_over_https_with_the_configured_authority(server_with, stack):
    key, served = tokens.generate_key(), []

    class Handler(http.server.BaseHTTPRequestHandler):

        def do_GET(self):
            served.append(self.path)
            body = tokens.jwks({"far": key}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    certificate = Path(stack.settings["CA_FILE"])
    with https(Handler, certificate) as port:
        url = f"https://localhost:{port}/jwks"
        server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_URL=url, CLERK_JWKS_CA_FILE=str(certificate))
        eventually(lambda: ask(server, stack, key, "far") == 200)
        assert ask(server, stack, key, "other") == 401
        stranger = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_URL=url)  # not trusted without its authority
        time.sleep(1)
        assert ask(stranger, stack, key, "far") == 503


def test_keys_may_be_compressed_marked_repeated_or_redirected_on_the_same_server(server_with, stack):
    keys, moved = [tokens.generate_key() for _ in range(3)], []
    documents = [tokens.jwk(key, "far") for key in keys]
    # The document contains the first key twice, and the second key has the same kid.
    body = b"\xef\xbb\xbf" + json.dumps({"keys": [documents[0], documents[0], documents[1]]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):

        def do_GET(self):
            moved.append(self.path)
            first, away = self.path == "/jwks", self.path == "/away"
            self.send_response(301 if first or away else 200)
            if first or away:
                self.send_header("Location", "/keys" if first else "https://127.0.0.1:1/keys")
            else:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            if not first and not away:
                self.wfile.write(gzip.compress(body))

        def log_message(self, *_):
            pass

    certificate = Path(stack.settings["CA_FILE"])
    with https(Handler, certificate) as port:
        url = f"https://localhost:{port}/jwks"
        server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_URL=url, CLERK_JWKS_CA_FILE=str(certificate))
        eventually(lambda: ask(server, stack, keys[0], "far") == 200)
        assert [ask(server, stack, key, "far") for key in keys[1:]] == [200, 401]
        # The order is checked. The first attempt may have been too slow and repeated.
        assert list(dict.fromkeys(moved))[:2] == ["/jwks", "/keys"]
        away = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_URL=url.replace("jwks", "away"),
                           CLERK_JWKS_CA_FILE=str(certificate))
        eventually(lambda: "redirect to another server" in away.log.read_text())
        assert ask(away, stack, keys[0], "far") == 503


def test_a_claim_that_the_server_does_not_read_may_be_any_json(server_with, stack):
    server = server_with()
    for value in (2**64, -2**63 - 1, 10**400, "\0", "\ud800", [[[2**64]]], {"\0": 1}):
        assert ask(server, stack, stack.signer.key, None, unread=value) == 200, value
        forged = server.get(dashboard("o"),
                            token_headers(stack, "o", Signer(tokens.generate_key(), stack.signer.issuer, None),
                                          unread=value))
        assert must_be_problem(forged, 401)["detail"] == "The token's signature does not verify."


def test_authorized_parties_are_required_where_they_are_set(server_with, stack):
    server = server_with(CLERK_AUTHORIZED_PARTIES="https://a.example,https://b.example")

    def with_azp(azp):
        return server.get(dashboard("o"), token_headers(stack, "o", azp=azp)).status

    assert [with_azp(a) for a in ("https://a.example", "https://b.example")] == [200, 200]
    assert {
        with_azp(a)
        for a in (..., None, "", "https://c.example", "https://a.example/", "HTTPS://A.EXAMPLE",
                  "https://a.example,https://b.example", ["https://a.example"], 5, True)
    } == {401}


def test_the_role_may_have_another_name(server_with, stack, clinic, database):
    with database.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS e2e_powerless; CREATE ROLE e2e_powerless")
    try:
        server = server_with(DATABASE_ROLE="e2e_powerless")
        response = server.get(dashboard(clinic), token_headers(stack, clinic))
        assert response.status in (500, 503), "the server used the role, which has no privileges"
        assert b"permission" not in response.body
    finally:
        server.stop()
        with database.cursor() as cursor:
            cursor.execute("DROP ROLE e2e_powerless")
