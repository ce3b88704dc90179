"""The database accepts connections and does not respond: each request ends in time, and no worker is lost."""

import ipaddress
import random
import re
import signal
import subprocess
import time
import uuid
from collections import namedtuple

import pytest

import ledger
from load import Load, refused_properly
from processes import AS_ROOT, Copy, backends, kill, ports
from stack import Stack

ROW = "database hangs"


def test_stopped_backends(stack, load, deadlines, figures):
    connection = stack.connect()
    began = time.monotonic()
    frozen = backends(connection)
    try:
        for pid in frozen:
            kill(pid, signal.SIGSTOP)
        assert frozen
        # New sessions are opened while the stopped ones hang. Some posts still fail: a session that was stopped
        # within its transaction keeps its locks.
        served = load.until_served_again(began + 0.5, 15, of=("GET", ))
        # A session that was stopped while it held a lock of the write-ahead log blocks all writes, including the
        # audit's. Each post then occupies a worker until the statement timeout, and reads are refused. No worker is
        # lost: later requests get responses too, each in time, as the checks below assert.
        load.until(lambda: len(load.begun_since(began + served + 0.5)) > 50, 4 * deadlines.longest,
                   "the workers did not recover")
    finally:
        for pid in frozen:
            kill(pid, signal.SIGCONT)
        connection.close()
    load.until_served_again(time.monotonic(), 10)
    slowest, refused = refused_properly(load.under_way_since(began), deadlines.longest)
    assert refused > 0, "nothing hung"
    load.stop()
    ledger.check(load)
    figures(ROW, stopped_backends=len(frozen), slowest_answer_s=round(slowest, 2),
            served_again_after_s=round(served, 2))


def ip(*arguments, **how):
    return subprocess.run(["ip", *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)


def free_addresses():
    """Two addresses of a network of four to which this machine has no interface and no route but the default
    one."""
    known = ip("-4", "-o", "route", "show", "table", "all", text=True).stdout.split()
    taken = [ipaddress.ip_network(word, strict=False) for word in known
             if re.fullmatch(r"[0-9]+(\.[0-9]+){3}(/[0-9]+)?", word)]
    for _ in range(1000):
        number = random.randrange(10 << 24, 11 << 24, 4)
        chosen = ipaddress.ip_network((number, 30))
        if not any(chosen.overlaps(each) for each in taken if each.prefixlen > 0):
            return tuple(str(address) for address in chosen.hosts())
    return pytest.skip("this machine uses all candidate networks")


Namespace = namedtuple("Namespace", "name here there")


@pytest.fixture
def namespace():
    """A network namespace behind a pair of virtual cables, with an address at each end."""
    own = uuid.uuid4().hex[:8]
    name, here, there = f"faults{own}", f"fa{own}", f"fb{own}"
    if not AS_ROOT:
        pytest.skip("a network namespace needs root")
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespace can be made here: {error}")
    try:
        try:
            ip("link", "add", here, "type", "veth", "peer", "name", there)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no virtual cable can be made here: {error.output}")
        ip("link", "set", there, "netns", name)
        addresses = free_addresses()
        ip("address", "add", f"{addresses[0]}/30", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "address", "add", f"{addresses[1]}/30", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        yield Namespace(name, *addresses)
    finally:
        subprocess.run(["ip", "link", "delete", here], stderr=subprocess.DEVNULL)
        ip("netns", "delete", name)


@pytest.mark.nightly
def test_blackholed_connection(stack, clinic, deadlines, directory, folder, namespace, figures):
    """Packets arrive and no reply is sent: neither an error nor a close."""
    access = folder / "pg_hba.conf"
    access.write_text(f"local all all trust\nhost all all {namespace.here}/32 trust\n")
    access.chmod(0o644)
    far = Copy(stack, directory / "far", options=(f"listen_addresses={namespace.there}", f"hba_file={access}"),
               prefix=("ip", "netns", "exec", namespace.name))
    other = Stack(directory / "blackhole", WORKER_THREADS="4", **ports(), **deadlines.variables(),
                  DATABASE_URL=f"postgresql://postgres@{namespace.there}:5432/reengagement?sslmode=disable")
    try:
        for step in ("server-start", "nginx-start", "ready"):
            other.call(step)
        other.attach()
        with Load(other, clinic) as load:
            load.warm_up()
            began = time.monotonic()
            ip("-n", namespace.name, "route", "add", "blackhole", f"{namespace.here}/32")
            load.until(lambda: len([a for a in load.under_way_since(began + 1) if a.status == 503]) > 10, 20,
                       "nothing ends")
            healthy = time.monotonic()
            ip("-n", namespace.name, "route", "delete", "blackhole", f"{namespace.here}/32")
            back = time.monotonic()
            served = load.until_served_again(back, 15)
            load.until(lambda: len([a for a in load.begun_since(back + served) if a.status in (200, 201)]) > 50, 15,
                       "the workers did not recover")
            slowest, refused = refused_properly(load.under_way_since(began), deadlines.longest)
        assert refused > 0
        ledger.check(load, far.url)
        figures(ROW, blackhole_s=round(healthy - began, 1), blackhole_slowest_answer_s=round(slowest, 2),
                blackhole_served_again_after_s=round(served, 2))
    finally:
        other.down()
        far.stop()
