"""A complete private stack (PostgreSQL, server, nginx), started by scripts/stack."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psycopg2

import fastcgi
from asking import eventually, lines_of
from client import API, Client, Response
from rows import timestamp
from tokens import Signer

ROOT = Path(__file__).resolve().parents[2]
ORIGINS = ("http://localhost:3000", "http://localhost:5173", "https://app.example.com")
VARIABLES = frozenset(subprocess.run(
    ["bash", "-c", '. "$1" && printf "%s\n" "${server_variables[@]}" "${sender_variables[@]}" "${stack_variables[@]}"', "variables",
     ROOT / "scripts/lib/variables.bash"],
    stdout=subprocess.PIPE, text=True, check=True).stdout.split())


# The defaults of 2 s and 5 s can pass on a busy machine. A test about timeouts sets its own.
LONG_TIMEOUTS = {"DB_ACQUIRE_TIMEOUT_MS": "10000", "DB_STATEMENT_TIMEOUT_MS": "60000"}


def clean_environment(**changes):
    """The caller's environment without the variables that would change the stack."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES and not name.startswith("PG")}
    return {**inherited, "SWIFT_BACKTRACE": "interactive=no", **changes}


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # the second if it ends between opening and reading
        return False


class Stack:

    def __init__(self, directory, **environment):
        self.directory = Path(directory)
        self.environment = {
            "STACK_DIR": str(directory), "RATE_LIMIT": "0", "CORS_ALLOWED_ORIGINS": ",".join(ORIGINS),
            # The tests sign with the development key, on any database and nginx configuration.
            "DEV_SIGN_IN": "1",
            # A test that needs a sender starts its own, with its own keys and relay.
            "STACK_SENDER": "off", **LONG_TIMEOUTS, **environment
        }
        self.settings = {}

    def call(self, *arguments, **environment):
        done = subprocess.run([ROOT / "scripts/stack", *arguments],
                              env=clean_environment(**{**self.environment, **environment}),
                              cwd=ROOT,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT,
                              text=True,
                              errors="replace",
                              timeout=600)
        assert done.returncode == 0, f"stack {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def look(self):
        lines = self.call("env").splitlines()
        self.settings = dict(line.split("=", 1) for line in lines if "=" in line)

    def up(self):
        self.call("up")
        return self.attach()

    def attach(self):
        """Reads the stack's settings, and makes a client for it."""
        self.look()
        self.signer = Signer.from_file(self.settings["PRIVATE_KEY"], self.settings["ISSUER"], self.settings["KEY_ID"])
        self.client = Client(int(self.settings["HTTPS_PORT"]), self.settings["CA_FILE"])
        self.plain = Client(int(self.settings["HTTP_PORT"]))
        self.api = API(self.client, self.signer)
        return self

    def down(self):
        self.call("down")

    @contextlib.contextmanager
    def started(self, *steps):
        """Runs steps of scripts/stack, by default all of them, and stops everything at the end."""
        try:
            for step in steps or ("up", ):
                self.call(step)
            yield self.attach()
        finally:
            self.down()

    def restart_server(self, **environment):
        self.call("server-stop")
        self.call("server-start", **environment)
        self.look()

    @property
    def socket(self):
        return self.settings["FCGI_LISTEN"]

    @property
    def server_pid(self):
        return int(self.settings["SERVER_PID"])

    @property
    def binary(self):
        return self.settings["SERVER_BINARY"]

    def database_url(self, name):
        return self.settings["DATABASE_URL"].replace("///reengagement?", f"///{name}?")

    def connect(self):
        """A connection of the superuser in autocommit."""
        return connect(self.settings["DATABASE_URL"])

    def plain_on_tls_port(self, data):
        with socket.create_connection(("127.0.0.1", int(self.settings["HTTPS_PORT"])), timeout=60) as channel:
            channel.sendall(data)
            received = b""
            while chunk := channel.recv(65536):
                received += chunk
            return received

    is_running = staticmethod(is_running)


def connect(url):
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
    return connection


def run_sql(script, url):
    subprocess.run([ROOT / "sql" / script], env=clean_environment(DATABASE_URL=url), check=True, timeout=120,
                   stdout=subprocess.DEVNULL)


class Frozen:
    """A second stack on the first one's PostgreSQL, with a settable current time."""

    def __init__(self, main, directory):
        connection = main.connect()
        connection.cursor().execute("CREATE DATABASE frozen")
        connection.close()
        self.stack = Stack(directory, DATABASE_URL=main.database_url("frozen")).up()
        self.database, self.now = self.stack.connect(), None
        self.api = self.stack.api

    def at(self, now):
        """Sets the current time. It applies to new sessions only, so the server is restarted."""
        if now != self.now:
            with self.database.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE frozen SET reengagement.now = '{timestamp(now)}'")
            self.stack.restart_server()
            self.now = now


class Program:
    """A process of the binary that writes to a log of its own."""

    log = process = None

    def log_lines(self, text=""):
        """The lines of the log so far that contain the text."""
        return [line for line in lines_of(self.log) if text in line]

    def logged(self, text):
        """The same, after a wait for the first one: the log is written a little after the event."""
        return eventually(lambda: self.log_lines(text))

    def stop(self, sign=signal.SIGTERM, within=60):
        """Stops the process in every case, and returns its exit code."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(sign)
            return self.process.wait(within)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *_):
        self.stop()


class Server(Program):
    """The server alone, with its own environment, called through its own socket."""

    def __init__(self, stack, directory, **environment):
        self.socket = str(Path(directory) / "api.sock")
        defaults = {
            "DATABASE_URL": stack.settings["DATABASE_URL"], "FCGI_LISTEN": self.socket,
            "LIVE_LISTEN": str(Path(directory) / "live.sock"),
            "CLERK_ISSUER": stack.settings["ISSUER"], "CLERK_JWT_KEY": Path(stack.settings["PUBLIC_KEY"]).read_text(),
            "RATE_LIMIT": "0", "DATABASE_LOGIN": "any", **LONG_TIMEOUTS
        }
        self.environment = {name: value for name, value in {**defaults, **environment}.items() if value is not None}
        self.socket = self.environment["FCGI_LISTEN"]
        self.binary, self.log, self.process = stack.binary, Path(directory) / "server.log", None

    def start(self, **how):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary],
                                            env=clean_environment(**self.environment),
                                            stdin=subprocess.DEVNULL,
                                            stdout=log,
                                            stderr=log,
                                            **how)
        return self.wait()

    def wait(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}: {self.log.read_text()}"
            try:
                if self.get("/health").status == 200:
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"the server is not up after {seconds} s: {self.log.read_text()}")

    def request(self, method, uri, headers=None, body=b"", timeout=60):
        values = fastcgi.environment(method, uri, CONTENT_LENGTH=str(len(body)) if body else "")
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            values[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        with fastcgi.Connection(self.socket, timeout) as connection:
            connection.send(fastcgi.request(values, body))
            output = connection.answer()
        if output is None:
            raise ConnectionResetError("closed without a response")
        return response_of(output)

    def get(self, uri, headers=None, **how):
        return self.request("GET", uri, headers, **how)


def response_of(output):
    head, _, body = output.partition(b"\r\n\r\n")
    headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
    return Response(fastcgi.status_of(output), [(n, v) for n, v in headers if n.lower() != "status"], body)
