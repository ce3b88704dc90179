"""Mixed load with random faults: checks that resource use is constant and that every acknowledged write is stored.

MINUTES (1) is the duration. SEED (default: the day's) selects the faults and their times. SAVE=1 saves the figures and
draws docs/bench/soak.svg.
"""

import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import uuid
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import figures  # noqa: E402
import ledger  # noqa: E402
import plot  # noqa: E402
from ledger import Clinic  # noqa: E402
from load import Load, percentile  # noqa: E402
from processes import KILLS, backends, kill, ports  # noqa: E402
from sampling import Sampler, slope  # noqa: E402
from stack import Stack  # noqa: E402

# The growth allowed after the warm-up, for the whole run. A leak exceeds it in half an hour.
MEMORY_KB, DESCRIPTORS, CONNECTIONS = 8192, 16, 4


def end_sessions(stack):
    connection = stack.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE application_name = 'reengagement-api'")
    connection.close()


def stop_database(stack):
    stack.call("postgres-stop")
    time.sleep(1)
    stack.call("postgres-start")


def lock_log(stack):
    connection = stack.connect()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE outreach_log IN EXCLUSIVE MODE")
        time.sleep(1.5)
        cursor.execute("ROLLBACK")
    connection.close()


def freeze_sessions(stack):
    connection = stack.connect()
    frozen = backends(connection)
    for pid in frozen:
        kill(pid, 19)
    time.sleep(1.5)
    for pid in frozen:
        kill(pid, 18)
    connection.close()


def restart_nginx(stack):
    stack.call("nginx-stop")
    stack.call("nginx-start")


# The server survives all of these, because the test observes its memory. Tests/Faults kills the server.
FAULTS = {
    "sessions ended": end_sessions, "database stopped": stop_database, "log locked": lock_log,
    "sessions frozen": freeze_sessions, "nginx restarted": restart_nginx, "backend killed": KILLS["backend"],
    "postgres killed": KILLS["postgres"], "nginx killed": KILLS["nginx"]
}


def run(stack, minutes, seed):
    chance, ends = random.Random(seed), time.monotonic() + 60 * minutes
    clinic = Clinic.make(stack, f"soak_{uuid.uuid4().hex[:8]}", patients=1000)
    events, pid = [], stack.server_pid
    with Load(stack, clinic, readers=4, writers=2) as load:
        load.warm_up()
        with Sampler(stack, load) as sampler:
            # The first third is without faults: the server's working memory is not a leak.
            time.sleep(min(20, 20 * minutes))
            while (left := ends - time.monotonic()) > 12:
                name = chance.choice(sorted(FAULTS))
                events.append((time.monotonic() - sampler.began, name))
                FAULTS[name](stack)
                load.until_served_again(time.monotonic(), 30)
                time.sleep(min(chance.uniform(2, 12), max(0, left - 12)))
            time.sleep(max(0, ends - time.monotonic()))
    assert stack.server_pid == pid and stack.is_running(pid), "the server was restarted or has ended"
    return load, sampler.samples, events


def verdict(load, samples, events):
    """Returns the violated limits and the measured figures."""
    # Excludes the warm-up and the faults, during which connections close and open.
    calm = [s for s in samples[len(samples) // 4:] if not any(e - 1 <= s.at <= e + 6 for e, _ in events)]
    calm = calm if len(calm) >= 8 else samples[len(samples) // 4:]
    seconds = samples[-1].at
    growth = {name: slope(calm, name) * seconds for name in ("memory", "descriptors", "connections")}
    bounds = {"memory": MEMORY_KB, "descriptors": DESCRIPTORS, "connections": CONNECTIONS}
    # The slope decides over a long run. Over a short run its noise would be scaled up.
    wrong = [f"{name} grows by {growth[name]:.0f} in the run" for name in bounds if growth[name] > bounds[name]]
    odd = [a for a in load.all() if a.status not in (0, 200, 201, 502, 503, 504)]
    wrong += [f"an unexpected response: {odd[0]}"] if odd else []
    slow = [a for a in load.all() if a.ended - a.began > 15]
    wrong += [f"a response took {slow[0].ended - slow[0].began:.1f} s"] if slow else []
    written = ledger.check(load)
    answers = load.all()
    good = [a.ended - a.began for a in answers if a.status in (200, 201)]
    return wrong, {
        "minutes": round(seconds / 60, 1), "answers": len(answers), "faults_caused": len(events),
        "not_answered_well": len(answers) - len(good), "acknowledged_and_there_once": written,
        "p99_of_the_good_ms": round(percentile(good, 0.99) * 1000, 1),
        "memory_at_the_end_kb": calm[-1].memory, "memory_growth_kb": round(growth["memory"]),
        "descriptors_growth": round(growth["descriptors"], 1), "connections_growth": round(growth["connections"], 1)
    }


def main():
    minutes, seed = float(os.environ.get("MINUTES") or 1), int(os.environ.get("SEED") or date.today().toordinal())
    print(f"soak: {minutes:g} minutes, SEED={seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="soak."))
    directory.chmod(0o755)
    # The server's default timeouts.
    stack = Stack(directory / "main", WORKER_THREADS="4", DB_ACQUIRE_TIMEOUT_MS="2000", DB_STATEMENT_TIMEOUT_MS="5000",
                  **ports())
    try:
        load, samples, events = run(stack.up(), minutes, seed)
        wrong, measured = verdict(load, samples, events)
    except Exception:
        traceback.print_exc()
        print(Path(stack.settings["SERVER_LOG"]).read_text()[-4000:] if stack.settings else "")
        raise
    finally:
        stack.down()
        shutil.rmtree(directory, ignore_errors=True)
    for name, value in measured.items():
        print(f"{figures.title(name):36} {value}")
    if os.environ.get("SAVE") == "1":
        plot.draw(samples, events, figures.ROOT / "docs/bench/soak.svg")
        figures.save({"soak": {**measured, "seed": str(seed)}})
    print(f"soak: {'; '.join(wrong) or 'flat, and nothing was lost'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
