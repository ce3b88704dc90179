"""Runs writers, rollbacks, background refreshes and readers at once, each in its own thread and session."""

import threading
import time
import traceback
from random import Random

import psycopg2

import rows
from asking import Mismatch, difference
from crowd_readers import Reading, advancing, following
from crowd_writers import BUSY, NOW, PATIENTS, QUIET, writing
from instants import DAY, literal
from sessions import Reader, Session
from steps import ALL, USUAL, Alerts, Check, Everywhere, Write
from tally import Gate, Tally

WRITERS, ADVANCERS, READERS = 4, 2, 3


class Round:
    """State that the threads share."""

    def __init__(self, url, role, seed):
        self.url, self.role, self.seed = url, role, seed
        self.gate, self.over = Gate(), threading.Event()
        self.tallies = {"attempts": Tally(0), "patients": Tally(len(PATIENTS)), "missed": Tally(0)}
        self.lock, self.sessions, self.failures, self.comparisons, self.writes = threading.Lock(), [], [], 0, 0
        self.current, self.notices = 0, 0

    def fail(self, text):
        with self.lock:
            self.failures.append(text)
        self.over.set()

    def count(self, what):
        with self.lock:
            setattr(self, what, getattr(self, what) + 1)

    def count_notices(self, number):
        with self.lock:
            self.notices += number

    def session(self, now=NOW, **settings):
        return self.at(Session(self.url, **settings), now)

    def reader(self, now=NOW):
        return self.at(Reader(self.url, self.role), now)

    def at(self, session, now):
        with self.lock:
            self.sessions.append(session)
        session.run(f"SET reengagement.now = {literal(now)}")
        return session


class Crowd:
    def __init__(self, url, sessions, player):
        self.url, self.sessions, self.player = url, sessions, player

    def round(self, seed, seconds):
        """Returns the errors, or None."""
        random, shared = Random(seed), Round(self.url, self.sessions.role, seed)
        self.player.begin()
        for step in beginning():
            self.player.run(step)
        # Sometimes one reader has another now.
        clocks = [NOW] * (READERS - 1) + [random.choice((NOW, NOW, NOW + DAY, NOW - 1))]
        jobs = [(writing, number) for number in range(WRITERS)] + [(advancing, number) for number in range(ADVANCERS)] + \
            [(following, organization) for organization in (BUSY, QUIET)] + [(Reading.loop, clock) for clock in clocks]
        threads = [threading.Thread(target=guarded, args=(shared, *job, Random(random.getrandbits(64))), daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        self.look_in(shared, random, seconds)
        shared.over.set()
        for thread in threads:
            thread.join(40)
        if any(thread.is_alive() for thread in threads):
            shared.fail("a session hangs")
        else:
            for session in shared.sessions:
                session.close()
        self.player.steps += shared.writes
        self.player.comparer.comparisons += shared.comparisons
        if not shared.failures:
            self.final(shared)
        return "\n".join(shared.failures) or None

    def look_in(self, shared, random, seconds):
        """Pauses the writers from time to time to compare. Refreshes and readers with another now continue."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not shared.over.wait(0.2):
            with shared.gate.shut():
                self.check(shared, Check(random.choice((BUSY, QUIET)), "dispatcher", tuple(random.sample(USUAL, 4))))

    def final(self, shared):
        for organization in (BUSY, QUIET):
            self.check(shared, Alerts(organization))
            self.check(shared, Check(organization, "both", ALL))
            self.check(shared, Check(organization, "deep", ()))
        if shared.notices == 0:
            shared.fail("the round has told of nobody")
        if shared.current == 0:
            shared.fail("the derived rows were current in no snapshot of the round")

    def check(self, shared, check):
        error = self.player.failure(check)
        if error:
            shared.fail(f"with paused writers: {error}\n{difference(getattr(error, 'flat', ''), getattr(error, 'plain', ''))}")


def beginning():
    yield Everywhere(f"SET reengagement.now = {literal(NOW)}")
    for id, zone in ((BUSY, "Australia/Sydney"), (QUIET, "Europe/London")):
        yield Write("writer", (rows.organization(id, zone),))
        for number, patient in enumerate(PATIENTS):
            yield Write("writer", (rows.patient(id, patient, NOW - 100 * DAY), rows.conversation(id, f"c{number}", patient, NOW - number * DAY)))


def guarded(shared, job, argument, random):
    try:
        job(shared, argument, random)
    except Mismatch as error:
        shared.fail(f"{error}: {error.flat}")
    except psycopg2.Error as error:
        shared.fail(f"{job.__qualname__}: {error.pgcode} {error}in {getattr(error, 'statement', '')}")
    except Exception:
        shared.fail(traceback.format_exc())
