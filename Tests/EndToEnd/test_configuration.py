"""An invalid environment stops the start at once with one clear line that names the variable."""

import base64
import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stack import Server, clean_environment
from tokens import generate_key, private_pem, public_pem

NUMBERS = ("-1", "abc", "1.5", "1e3", "0x10", "99999999999999999999", "5 ", "٣", "five")
ELLIPTIC = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
BAD = {
    "DATABASE_URL": ("nonsense", "postgresql://[", "postgresql:///x?no_such_option=1", "host='unclosed",
                     "postgresql://u:a@b@h/d", "postgresql://u:1/b@h/d",
                     *(f"host=h {option}"
                       for option in ("sslmode=no-verify", "gssencmode=x", "channel_binding=x",
                                      "sslrootcert=/no/such/file",
                                      "sslcert=/no/such/file", "sslkey=/no/such/file", "ssl_min_protocol_version=1.2",
                                      "target_session_attrs=x", "keepalives_idle=x", "tcp_user_timeout=x",
                                      "connect_timeout=x", "port=x", "service=nobody", "passfile=/no/such/file",
                                      "replication=true", "load_balance_hosts=x", "require_auth=x",
                                      "sslnegotiation=x"))),
    "DB_POOL_SIZE": ("0", *NUMBERS),
    "DB_ACQUIRE_TIMEOUT_MS": NUMBERS,
    "DB_STATEMENT_TIMEOUT_MS": NUMBERS,
    "WORKER_THREADS": ("0", *NUMBERS),
    "RATE_LIMIT": NUMBERS,
    "IDLE_LOGOFF_MIN": ("0", "1441", *NUMBERS),
    "FCGI_LISTEN": ("/tmp/" + "x" * 120, "/no/such/folder/api.sock", "127.0.0.1:99999", "127.0.0.1:0x50",
                    "127.0.0.1:-1"),
    "LIVE_LISTEN": ("/tmp/" + "x" * 120, "/no/such/folder/live.sock", "127.0.0.1:99999", "127.0.0.1:0x50",
                    "127.0.0.1:-1"),
    "CLERK_JWT_KEY": ("junk", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
                      private_pem(generate_key()), public_pem(generate_key(1024)), ELLIPTIC,
                      "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
    "CLERK_ISSUER": (None, "", "https://clerk.example.com/", "clerk.example.com", "http://clerk.example.com",
                     "https://clerk.example.com?x=1", "https://Clerk.example.com"),
    "CLERK_AUTHORIZED_PARTIES": ("https://app.example.com/", "app.example.com", "https://*.example.com", "*",
                                 "https://app.example.com/path", "https://App.example.com",
                                 "https://app.example.com:443",
                                 "https://app.example.com,"),
    "CLERK_AUDIENCE": ("a,", ",", " "),
    "TOKEN_MAX_LIFETIME": ("315360001", *NUMBERS),
    "KEYS_MAX_AGE": ("0", "31536001", *NUMBERS),
    "TOKEN_DENY_FILE": ("/no/such/file", "/tmp", "/dev/null"),
    "ADMIN_ROLES": ("org:admin", "admin,", ","),
    "SECRETS_KEY_FILE": ("/no/such/file", "/tmp", "/dev/null", "/etc/passwd"),
    "WEBHOOK_ALLOW_PRIVATE": ("yes", "2", "true"),
    "PUBLIC_URL": ("api.example.com", "http://api.example.com", "https://api.example.com/"),
    "LOG_LEVEL": ("loud", "INFO!", "5"),
    "LOG_FORMAT": ("xml", "jsonl"),
    "AUDIT": ("yes", "OFF"),
    "AUDIT_DAILY_MB": ("0", *NUMBERS),
    "CORS_ALLOWED_ORIGINS": ("localhost:3000", "https://a.example/path", "https://a.example/", "https://a b.example",
                             "ftp//x"),
}
FILES = {
    "CLERK_JWKS_FILE": ("/no/such/file", "/etc/passwd", "/tmp"),
    "CLERK_JWKS_URL": ("http://localhost/jwks", "ftp://x/jwks", "nonsense", "https://"),
}


KEYS = {  # Each key for TLS: whether it belongs to the certificate, and its mode.
    "good": (True, 0o600),
    "read by others": (True, 0o644),
    "of another certificate": (False, 0o600),
}


def start(stack, folder, **environment):
    server = Server(stack, folder, **environment)
    return subprocess.run([stack.binary],
                          env=clean_environment(**server.environment),
                          stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          timeout=60)


def refused(done, variable):
    """Asserts a failed start without a crash, and one line that names the variable."""
    text = done.stdout.decode()
    assert done.returncode > 0, (done.returncode, text)
    lines = [line for line in text.splitlines() if line.strip()]
    assert len([line for line in lines if re.search(rf"\b{variable}\b", line)]) == 1, text
    # Every start warns of features that are off, whether it succeeds or not.
    errors = [line for line in lines if '"level":"warning"' not in line]
    assert len(errors) <= 2 and all(len(line) < 600 for line in lines), text
    assert "Fatal error" not in text and "PRIVATE KEY-----\\n" not in text


# The test id omits keys. They differ between pytest's processes, and ids must not.
@pytest.mark.parametrize("variable, value",
                         [pytest.param(v, x, id=f"{v}-{number if v == 'CLERK_JWT_KEY' else x}")
                          for v, values in BAD.items() for number, x in enumerate(values)])
def test_an_invalid_value_stops_the_start(stack, folder, variable, value):
    refused(start(stack, folder, **{variable: value}), variable)


@pytest.mark.parametrize("variable, value", [(v, x) for v, values in FILES.items() for x in values])
def test_an_invalid_key_source_stops_the_start(stack, folder, variable, value):
    refused(start(stack, folder, CLERK_JWT_KEY=None, **{variable: value}), variable)


@pytest.mark.parametrize("title", KEYS)
def test_the_files_for_tls_are_checked_at_the_start_without_a_database(stack, folder, title):
    own, mode = KEYS[title]
    pair = Path(stack.settings["CA_FILE"])
    key = folder / "client.key"
    key.write_text(pair.with_suffix(".key").read_text() if own else private_pem(generate_key()))
    key.chmod(mode)
    url = f"postgresql://u@192.0.2.1/d?sslmode=verify-full&sslrootcert={pair}&sslcert={pair}&sslkey={key}"
    server = Server(stack, folder, DATABASE_URL=url)
    done = subprocess.run([stack.binary, "--check-config"], env=clean_environment(**server.environment),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    if title == "good":
        assert done.returncode == 0, done.stdout
    else:
        refused(done, "DATABASE_URL")
        assert b"sslkey" in done.stdout, done.stdout


def test_an_unsupported_variable_of_libpq_is_reported(stack, folder):
    done = start(stack, folder, PGSSLMODE="no-verify")
    refused(done, "DATABASE_URL")
    assert b"PGSSLMODE" in done.stdout


def test_a_missing_authority_file_stops_the_start(stack, folder):
    refused(
        start(stack,
              folder,
              CLERK_JWT_KEY=None,
              CLERK_JWKS_URL="https://localhost:1/jwks",
              CLERK_JWKS_CA_FILE="/no/such/file"), "CLERK_JWKS_CA_FILE")


def test_exactly_one_key_source_must_be_set(stack, folder):
    none = start(stack, folder, CLERK_JWT_KEY=None)
    assert none.returncode > 0 and b"CLERK_JWT_KEY" in none.stdout and b"CLERK_JWKS_URL" in none.stdout
    two = start(stack, folder, CLERK_JWKS_URL="https://localhost:1/jwks")
    assert two.returncode > 0 and b"CLERK_JWT_KEY" in two.stdout and b"CLERK_JWKS_URL" in two.stdout


def test_a_file_that_is_no_socket_is_not_removed(stack, folder):
    precious = folder / "precious"
    precious.write_text("keep me")
    refused(start(stack, folder, FCGI_LISTEN=str(precious)), "FCGI_LISTEN")
    assert precious.read_text() == "keep me"


def test_every_error_is_reported_at_once(stack, folder):
    done = start(stack, folder, WORKER_THREADS="x", RATE_LIMIT="y", LOG_LEVEL="z", DB_POOL_SIZE="0")
    assert done.returncode > 0 and all(name in done.stdout.decode()
                                       for name in ("WORKER_THREADS", "RATE_LIMIT", "LOG_LEVEL", "DB_POOL_SIZE"))


def test_check_config_reports_the_same_without_a_start(stack, folder):
    server = Server(stack, folder)

    def check(**changes):
        return subprocess.run([stack.binary, "--check-config"],
                              env=clean_environment(**{**server.environment, **changes}),
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT,
                              timeout=60)

    assert check().returncode == 0 and not os.path.exists(server.socket)
    refused(check(RATE_LIMIT="x"), "RATE_LIMIT")


def test_the_version_is_printed(stack):
    done = subprocess.run([stack.binary, "--version"], env=clean_environment(), stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 0 and re.search(rb"\d+\.\d+", done.stdout)
    assert stack.client.request("GET", "/health").json()["version"].encode() in done.stdout


def test_an_unknown_argument_is_refused(stack):
    done = subprocess.run([stack.binary, "--no-such-option"],
                          env=clean_environment(),
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          timeout=60)
    assert done.returncode > 0 and b"--no-such-option" in done.stdout


@pytest.mark.parametrize(
    "environment",
    [{"LOG_FORMAT": "text"}, *({"LOG_LEVEL": level}
                               for level in ("trace", "debug", "info", "notice", "warning", "error", "critical")),
     {"CLERK_AUTHORIZED_PARTIES": "https://a.example, chrome-extension://abcdef"},
     {"WORKER_THREADS": "1"}, {"WORKER_THREADS": "1", "DB_POOL_SIZE": "1"}, {
         "WORKER_THREADS": "40", "DB_POOL_SIZE": "3"
     }, {"RATE_LIMIT": "1000000"}, {"CORS_ALLOWED_ORIGINS": "https://a.example, https://b.example"
                                    }, {"CLERK_AUTHORIZED_PARTIES": "https://a.example"}])
def test_valid_values_start(server_with, environment):
    assert server_with(**environment).get("/health").status == 200


def test_a_pem_may_have_escaped_line_breaks_or_the_older_form(server_with, stack):
    key = stack.signer.key.public_key()
    older = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()
    pem = public_pem(stack.signer.key)
    for value in (pem.replace("\n", "\\n"), older, pem.strip(), pem.replace("\n", ""), pem.replace("\n", " "),
                  f'"{pem}"', pem.replace("\n", "\\r\\n"), base64.b64encode(pem.encode()).decode(),
                  "".join(pem.splitlines()[1:-1])):
        server = server_with(CLERK_JWT_KEY=value)
        headers = {"Authorization": f"Bearer {stack.signer.token('o')}"}
        assert server.get("/api/v1/reengagement/o/dashboard", headers).status == 200
