"""Measures how long the server holds its locks under a mixed load with writes."""

import os
import re
import signal
import subprocess
from collections import defaultdict
from pathlib import Path
from shlex import quote

import cells
from load import end, errors_of, finished, wrk
from loading import organization_of

SOURCE = Path(__file__).parent / "locks.c"
SECONDS, WARM_UP = 3, 3
# Each endpoint has its own connections. Together they are enough for all workers.
CONNECTIONS = {"risk-metrics": 1, "list of 50": 1, "patient": 1, cells.POST: 1}
SOURCE_FILE = re.compile(r"/Sources/\w+/(\w+)\.swift:")
# Frames on the path to every lock, which do not identify the lock.
BETWEEN = re.compile(r"/Sources/Threads/|<compiler-generated>")
# Rarer locks, by requests or by holds, are not part of a worker's normal path.
RARELY = 100


def instrumented(directory, binary):
    """A script that executes the binary with the library loaded, and the path of the library's output."""
    library, script, output = directory / "locks.so", directory / "server-with-locks", directory / "locks"
    subprocess.run(["clang", "-O2", "-Wall", "-Werror", "-fPIC", "-shared", "-ftls-model=initial-exec", "-o", library,
                    SOURCE], check=True)
    script.write_text(f"#!/bin/sh\nLD_PRELOAD={quote(str(library))} LOCKS={quote(str(output))} exec {quote(binary)}\n")
    script.chmod(0o755)
    return script, output


def measured(stack, directory, bench):
    """Starts the stack's server with the library, sends the load, and stops it."""
    binary = stack.where()["SERVER_BINARY"]
    script, output = instrumented(directory, binary)
    stack.call("server-stop")
    # With the default response cache, and with a rate limit that is never reached, so that its lock is taken too.
    stack.call("server-start", SERVER_BINARY=str(script), ANSWER_CACHE_BYTES="", RATE_LIMIT="1000000")
    try:
        server = int(stack.where()["SERVER_PID"])
        # Excludes work at the start, such as creating Swift's tables, and at the stop.
        mixed_load(bench, WARM_UP)
        os.kill(server, signal.SIGRTMIN)
        requests = mixed_load(bench, SECONDS)
        os.kill(server, signal.SIGRTMIN)
    finally:
        # It writes its output when it ends.
        stack.call("server-stop")
    empty, *lines = output.read_text().splitlines()
    return {"requests": requests, "empty_ns": float(empty),
            "locks": summed([Seat(line) for line in lines], float(empty), requests, names(lines))}


def mixed_load(bench, seconds):
    """The number of requests."""
    size, running = bench.plan.first, {}
    try:
        for endpoint, count in CONNECTIONS.items():
            url = bench.url(cells.Cell(endpoint, cells.COMPUTED, "http", size))
            running[endpoint] = url, wrk(url, bench.tokens[organization_of(size)], seconds, count,
                                         bench.ids[size] if endpoint == cells.POST else None)
        found = [finished(process, url, seconds) for url, process in running.values()]
    finally:
        for _, process in running.values():
            end(process)
    for endpoint, each in zip(running, found):
        if errors_of(each):
            bench.errors.append(f"{endpoint}, while locks were measured: {errors_of(each)} errors")
    return sum(each["requests"] for each in found)


class Seat:
    """A line of the library's output: one mutex and one thread."""

    def __init__(self, line):
        figures, *self.frames = line.split("\t")
        _, self.mutex, *numbers, exponents = figures.split()
        self.holds, self.nanoseconds, self.waited, self.interrupted = map(int, numbers)
        self.exponents = [int(each) for each in exponents.split(",")]
        self.all = self.holds + self.waited + self.interrupted


def names(lines):
    """The source locations of each frame of a program or library, innermost first."""
    wanted = defaultdict(set)
    for line in lines:
        for frame in line.split("\t")[1:]:
            file, address, _ = frame.split("|")
            wanted[file].add(address)
    return {(file, address): places for file, addresses in wanted.items()
            for address, places in places_of(file, sorted(addresses)).items()}


def places_of(file, addresses):
    output = subprocess.run(["addr2line", "-a", "-i", "-e", file, *addresses], check=True, capture_output=True,
                            text=True).stdout
    found = re.split(r"^0x0*([0-9a-f]+)\n", output, flags=re.MULTILINE)[1:]
    return {f"0x{address}": places.splitlines() for address, places in zip(found[::2], found[1::2])}


def owner(seat, places):
    """The source file of the server that took the lock. Otherwise the library or Swift's runtime, with the function."""
    for frame in seat.frames:
        file, address, symbol = frame.split("|")
        if os.path.basename(file) == "locks.so":
            continue
        for place in places[file, address]:
            if BETWEEN.search(place):
                continue
            found = SOURCE_FILE.search(place)
            return found.group(1) if found else f"{os.path.basename(file)}: {symbol}" if symbol else "Swift's runtime"
    return "unknown"


def summed(seats, empty, requests, places):
    """A row for each owner, the longest holds first."""
    owned = defaultdict(list)
    for seat in seats:
        owned[owner(seat, places)].append(seat)
    rows = [row(name, each, empty, requests) for name, each in owned.items()]
    return sorted((each for each in rows if each["per_request"] * RARELY >= 1), key=lambda each: -each["mean_ns"])


def row(name, seats, empty, requests):
    found = {part: sum(getattr(seat, part) for seat in seats)
             for part in ("all", "holds", "nanoseconds", "waited", "interrupted")}
    mean = found["nanoseconds"] / max(found["holds"], 1) - empty
    return {"lock": name, "threads": threads(seats), "per_request": found["all"] / requests,
            "waited": found["waited"] / found["all"], "interrupted": found["interrupted"] / found["all"],
            "mean_ns": max(mean, 0), "most_below_ns": most_below(seats, found["holds"])}


def threads(seats):
    """The number of threads that take the same mutex, without those that rarely do."""
    taken = defaultdict(list)
    for seat in seats:
        taken[seat.mutex].append(seat.all)
    return max(sum(each * RARELY >= sum(counts) for each in counts) for counts in taken.values())


def most_below(seats, holds):
    """The power of two that 99 of 100 holds are below, the measurement's share included."""
    reached = 0
    for exponent, counts in enumerate(zip(*(seat.exponents for seat in seats))):
        reached += sum(counts)
        if reached >= 0.99 * holds:
            return 1 << exponent


def worst(found):
    """The lock with the longest mean hold, of those that several workers use."""
    return max((lock for lock in found["locks"] if lock["threads"] > 1), key=lambda lock: lock["mean_ns"])
