"""The TLS of the production configuration and its security headers, as a scanner would check them."""

import re
import socket
import subprocess

import pytest

from asking import eventually
from stack import Stack

STRONG = re.compile(r"TLS_(AES|CHACHA20).*|(ECDHE|DHE)-(RSA|ECDSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)")
# The weak suites that a current openssl can still offer.
WEAK = ("NULL", "aNULL", "kRSA", "SHA1", "CAMELLIA", "ARIA", "AESCCM")


def rsa_certificate(tls):
    """The stack's own certificate is ECDSA, but most authorities still sign RSA."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", tls / "localhost.key", "-out", tls / "localhost.pem"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module", params=["ECDSA", pytest.param("RSA", marks=pytest.mark.nightly)])
def production(request, stack, directory):
    production = Stack(directory / f"tls-{request.param}", DATABASE_URL=stack.settings["DATABASE_URL"],
                       STACK_NGINX="production")
    with production.started("server-start", "nginx-start") as made:
        if request.param == "RSA":
            rsa_certificate(made.directory / "tls")
            made.call("nginx-stop")
            made.call("nginx-start")
        made.attach().key = request.param
        yield made


def s_client(production, *options, given=b""):
    """Returns openssl's output for a connection."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{production.settings['HTTPS_PORT']}",
                           "-servername",
                           "localhost", "-CAfile", production.settings["CA_FILE"], *options],
                          input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.stdout.decode("latin-1")


def agreed(production, *options):
    """Returns the protocol and the cipher suite, or None after a failed handshake."""
    text = s_client(production, *options)
    found = re.search(r"^New, (\S+), Cipher is (\S+)$", text, re.MULTILINE)
    assert found, text
    return None if found[2] in ("(NONE)", "0000") else (found[1], found[2])


def ciphers(text):
    """Returns the names of the suites that this openssl has."""
    done = subprocess.run(["openssl", "ciphers", "-s", "-tls1_2", f"{text}:@SECLEVEL=0"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return [name for name in done.stdout.strip().split(":") if name and not name.startswith("TLS_")]


def test_1_2_and_1_3_are_supported_and_the_certificate_verifies(production):
    for option, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        text = s_client(production, option)
        assert "Verify return code: 0 (ok)" in text and agreed(production, option)[0] == name


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_older_protocols_are_refused(production, option):
    text = s_client(production, option, "-cipher", "ALL:@SECLEVEL=0")
    assert "Cipher is (NONE)" in text and "alert protocol version" in text, text


def test_this_openssl_supports_the_refused_protocols(production, folder):
    """Otherwise the refusals would prove nothing. A server that allows the protocol accepts the same client."""
    assert all(len(ciphers(kind)) > 1 for kind in WEAK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    certificate = production.settings["CA_FILE"]
    server = subprocess.Popen(["openssl", "s_server", "-accept", address, "-cert", certificate, "-key",
                               certificate.replace(".pem", ".key"), "-cipher", "ALL:@SECLEVEL=0", "-quiet"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ask = ["openssl", "s_client", "-connect", address, "-tls1", "-cipher", "ALL:@SECLEVEL=0"]
    try:
        eventually(lambda: b"Cipher is ECDHE" in subprocess.run(ask, input=b"", stdout=subprocess.PIPE,
                                                                stderr=subprocess.STDOUT,
                                                                timeout=60).stdout)
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("kind", WEAK)
def test_weak_suites_are_refused(production, kind):
    names = [name for name in ciphers(kind) if not STRONG.fullmatch(name)]
    assert names and agreed(production, "-tls1_2", "-cipher", ":".join(names) + ":@SECLEVEL=0") is None, names


def test_each_supported_suite_has_forward_secrecy_and_authenticated_encryption(production):
    found, left = [], ciphers("ALL:COMPLEMENTOFALL")
    while left and (suite := agreed(production, "-tls1_2", "-cipher", ":".join(left) + ":@SECLEVEL=0")):
        found.append(suite[1])
        left.remove(suite[1])
    assert len(found) >= 3 and all(name.split("-")[1] == production.key for name in found)
    assert all(STRONG.fullmatch(name) for name in found), found
    assert all(STRONG.fullmatch(agreed(production, "-tls1_3", "-ciphersuites", name)[1])
               for name in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"))


def test_ephemeral_keys_are_long_enough(production):
    text = s_client(production, "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")
    length = re.search(r"Server Temp Key: DH, (\d+) bits", text)
    assert int(length[1]) >= 2048 if production.key == "RSA" else length is None, text
    assert "Server Temp Key: X25519" in s_client(production, "-tls1_3")
    assert "alert handshake failure" in s_client(production, "-tls1_3", "-curves", "secp224r1") or \
        agreed(production, "-tls1_2", "-curves", "secp224r1", "-cipher", "ECDHE") is None


def test_the_client_cannot_renegotiate(production):
    text = s_client(production, "-tls1_2", given=b"R\nGET /health HTTP/1.1\r\n\r\n")
    assert "Secure Renegotiation IS supported" in text
    assert "no renegotiation" in text or "RENEGOTIATING" in text and "HTTP/1.1 200" not in text, text


def test_there_is_no_compression(production):
    for option in ("-tls1_2", "-tls1_3"):
        assert "Compression: NONE" in s_client(production, option, "-comp")


def test_no_ticket_contains_the_keys_of_a_session(production):
    """The ticket's key would decrypt recorded traffic. In TLS 1.3 a ticket is a 32-byte number from the server's
    memory."""
    assert "TLS session ticket:" not in s_client(production, "-tls1_2")
    text = s_client(production, "-tls1_3", given=b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    for ticket in re.findall(r"TLS session ticket:\n((?: +[0-9a-f]{4} - .*\n)+)", text):
        assert len(ticket.splitlines()) == 2, text


def test_tls_has_no_early_data(production):
    """An eavesdropper could replay it (RFC 8446 section 8)."""
    assert "Max Early Data: 0" in s_client(production,
                                           "-tls1_3") or "Early data was not sent" in s_client(production, "-tls1_3")


def test_http_2_is_offered_and_no_unknown_protocol(production):
    assert "ALPN protocol: h2" in s_client(production, "-alpn", "h2,http/1.1")
    assert "No ALPN negotiated" in s_client(production, "-alpn",
                                            "spdy/3") or "alert" in s_client(production, "-alpn", "spdy/3")


HEADERS = {
    "Strict-Transport-Security": r"max-age=\d{8,}",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": r"default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize("title, path, more, status", [
    ("an answer", "dashboard", {}, 200), ("an error of the server", "nowhere", {}, 404),
    ("no token", "dashboard", {"Authorization": ""}, 401), ("an error of nginx", "dashboard?" + "x" * 9000, {}, 414)
], ids=lambda value: value if isinstance(value, str) and " " in value else "")
def test_every_response_has_the_security_headers_for_browsers(production, clinic, title, path, more, status):
    response = production.api.get(clinic, path, headers={**production.api.authorization(clinic), **more}, fresh=True)
    assert response.status == status
    for name, pattern in HEADERS.items():
        assert re.fullmatch(pattern, response.header(name) or ""), f"{name}: {response}"


def test_no_response_reveals_versions(production, clinic):
    for path in ("dashboard", "nowhere", "dashboard?" + "x" * 9000):
        response = production.api.get(clinic, path, fresh=True)
        assert response.header("Server") == "nginx" and not response.all("X-Powered-By"), response
    assert b"nginx/" not in production.plain_on_tls_port(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


def test_no_cookie_is_set_and_only_listed_origins_are_allowed(production, clinic):
    response = production.api.get(clinic, "dashboard",
                                  headers={**production.api.authorization(clinic), "Origin": "https://evil.example"})
    assert not response.all("Set-Cookie") and not response.all("Access-Control-Allow-Origin")
