"""Kills, stops and copies the parts of a stack."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psycopg2

import fastcgi
from stack import clean_environment, is_running

POSTGRES = Path("/usr/lib/postgresql/15/bin")
AS_ROOT = os.geteuid() == 0


def ports():
    """Two free ports below the kernel's ephemeral range, which no other stack uses. An nginx that was killed is
    started again on the same ports, where the clients expect it."""
    found = []
    while len(found) < 2:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0 and port not in found:
                found.append(port)
    return {"HTTPS_PORT": str(found[0]), "HTTP_PORT": str(found[1])}


def kill(pid, sign=signal.SIGKILL):
    try:
        os.kill(pid, sign)
        return True
    except ProcessLookupError:
        return False


def gone(pid, seconds=60):
    deadline = time.monotonic() + seconds
    while is_running(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.01)


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def backends(connection):
    """The server's sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'reengagement-api'")
        return [row[0] for row in cursor.fetchall()]


def kill_server(stack):
    stack.look()
    pid = stack.server_pid
    kill(pid)
    gone(pid)
    stack.call("server-start")
    stack.look()


def kill_postgres(stack):
    """Kills the postmaster. Its children end when they notice, and the next start waits for that."""
    stack.look()
    pid = int(stack.settings["POSTGRES_PID"])
    kill(pid)
    gone(pid)
    stack.call("postgres-start")
    stack.look()


def kill_backend(stack):
    """Kills one session. PostgreSQL then ends all others and recovers, possibly still from the previous time."""
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = stack.connect()
            break
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    try:
        found = backends(connection)
    finally:
        connection.close()
    for pid in found[:1]:
        kill(pid)


def kill_nginx_worker(stack):
    stack.look()
    for pid in children(int(stack.settings["NGINX_PID"]))[:1]:
        kill(pid)


def kill_nginx(stack):
    stack.look()
    master = int(stack.settings["NGINX_PID"])
    for pid in [master, *children(master)]:
        kill(pid)
    gone(master)
    stack.call("nginx-start")
    stack.look()


KILLS = {
    "server": kill_server, "postgres": kill_postgres, "backend": kill_backend, "nginx worker": kill_nginx_worker,
    "nginx": kill_nginx
}


def descriptors(stack):
    """The server's own count, read at its socket. Only root could count the descriptors from outside."""
    with fastcgi.Connection(stack.socket) as connection:
        connection.send(fastcgi.request(fastcgi.environment("GET", "/metrics")))
        return int(re.search(rb"^process_open_fds (\d+)", connection.answer(), re.MULTILINE)[1])


def resident_kilobytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Wrapped:
    """The server's binary, started by a shell script that prepares something first."""

    def __init__(self, stack, folder, how, **variables):
        self.path = Path(folder) / "server"
        settings = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
        self.path.write_text(f"#!/bin/sh\n{settings}{how.replace('BINARY', stack.binary)}\n")
        self.path.chmod(0o755)

    def environment(self):
        return {"SERVER_BINARY": str(self.path)}


def as_postgres(*command, prefix=(), check=True):
    user = ("runuser", "-u", "postgres", "--") if AS_ROOT else ()
    done = subprocess.run([*prefix, *user, *map(str, command)], cwd="/", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90,
                          env=clean_environment())
    assert not check or done.returncode == 0, f"{command}: {done.stdout}"
    return done


class Copy:
    """A second cluster: a copy of a stack's cluster, as a standby or independent."""

    def __init__(self, stack, directory, standby=False, options=(), prefix=()):
        self.directory, self.data = Path(directory), Path(directory) / "data"
        self.prefix = prefix
        self.directory.mkdir(mode=0o755)
        if AS_ROOT:
            shutil.chown(self.directory, "postgres")
        source = stack.settings["DATABASE_URL"].partition("?")[2]
        as_postgres(POSTGRES / "pg_basebackup", "--dbname", f"postgresql:///?{source}", "--pgdata", self.data,
                    "--checkpoint=fast", "--no-sync", *(["--write-recovery-conf"] if standby else []))
        self.options = f"-c unix_socket_directories={self.directory} " + " ".join(f"-c {o}" for o in options)
        self.start()

    def start(self):
        as_postgres(POSTGRES / "pg_ctl", "start", "--wait", "--silent", "--pgdata", self.data, "--log",
                    self.directory / "log", "--options", self.options, prefix=self.prefix)

    def promote(self):
        as_postgres(POSTGRES / "pg_ctl", "promote", "--wait", "--silent", "--pgdata", self.data)

    def stop(self):
        as_postgres(POSTGRES / "pg_ctl", "stop", "--mode=immediate", "--silent", "--pgdata", self.data, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self):
        return f"postgresql:///reengagement?host={self.directory}&port=5432&user=postgres"
