"""CPU time of a process, its threads and descendants, and memory of a process."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def read(path):
    """Empty if the process or thread has just ended, or is not readable (PR_SET_DUMPABLE)."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def children_of(pid):
    return [int(child) for task in threads_of(pid) for child in read(f"/proc/{pid}/task/{task}/children").split()]


def threads_of(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []


def nanoseconds(schedstat):
    return int(schedstat.split()[0]) if schedstat else 0


def cpu_seconds(pid):
    """In nanoseconds for running processes. Ended ones are in their parent's account, in ticks."""
    status = read(f"/proc/{pid}/stat")
    if not status:
        return 0.0
    fields = status.rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / TICKS
    running = sum(nanoseconds(read(f"/proc/{pid}/task/{task}/schedstat")) for task in threads_of(pid))
    return running / 1e9 + ended + sum(cpu_seconds(child) for child in children_of(pid))


def memory_of(pid):
    """Resident and proportional megabytes of a process and its descendants."""
    pages = int((read(f"/proc/{pid}/statm").split() or [0, 0])[1])
    rss = pss = pages * os.sysconf("SC_PAGE_SIZE") // 1024  # if the process is not readable
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
        name, _, rest = line.partition(":")
        rss = int(rest.split()[0]) if name == "Rss" else rss
        pss = int(rest.split()[0]) if name == "Pss" else pss
    found = [(rss / 1024, pss / 1024)] + [memory_of(child) for child in children_of(pid)]
    return tuple(sum(each) for each in zip(*found))
