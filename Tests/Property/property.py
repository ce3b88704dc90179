"""Compares flat results with plain ones after random writes and at random times. ./run starts it on a new database."""

import itertools
import os
import subprocess
import sys
import time
from random import Random, SystemRandom

import directed
from crowd import Crowd
from generator import Generator
from generator_of_alerts import GeneratorOfAlerts
from replay import Player, report, shorten
from sessions import Sessions

STEPS = 60


class Failure(Exception):
    pass


class Run:
    def __init__(self, url, sql, seed, seconds, shrinking):
        self.url, self.sql, self.seed, self.seconds, self.shrinking = url, sql, seed, seconds, shrinking
        self.sessions = Sessions(url)
        if self.sessions.writer.run("SELECT FROM public.organizations LIMIT 1"):
            raise SystemExit("this database has organizations, and the test would delete them")
        self.player = Player(self.sessions)
        self.crowd = Crowd(url, self.sessions, self.player)
        self.began = time.monotonic()
        self.printed = 0

    def say(self, text, always=True):
        if always or time.monotonic() - self.printed > 10:
            self.printed = time.monotonic()
            elapsed, player = time.monotonic() - self.began, self.player
            print(f"{elapsed:7.1f} s  {player.steps} steps, {player.comparisons} comparisons; {text}", flush=True)

    def all(self):
        self.directed_cases()
        random = Random(self.seed)
        end = time.monotonic() + self.seconds
        for number in itertools.count():
            self.concurrent_round(random.getrandbits(64), min(5, self.seconds / 5))
            until = min(end, time.monotonic() + 20)
            while time.monotonic() < until:
                self.sequence(Generator, random.getrandbits(64))
                self.sequence(GeneratorOfAlerts, random.getrandbits(64))
            self.verify()
            if time.monotonic() >= end:
                return

    def directed_cases(self):
        for name, steps in directed.cases():
            self.play(steps, f"directed case: {name}")
        self.say("the directed cases are done")

    def sequence(self, generator, seed):
        self.play(list(generator(seed).steps(STEPS)), f"random sequence {seed} of {generator.__name__}")
        self.say("random sequences", always=False)

    def play(self, steps, name):
        found = self.player.first_failure(steps)
        if not found:
            return
        short, error = found
        self.say(f"{name} fails after {len(short)} steps: {error}")
        if self.shrinking:
            short, error = shorten(self.player, short, error, self.shrinking)
        raise Failure(f"{name}\n{report(short, error)}")

    def concurrent_round(self, seed, seconds):
        failure = self.crowd.round(seed, seconds)
        if failure:
            raise Failure(f"concurrent round {seed}\n{failure}")
        self.verify()
        self.say("a concurrent round is done")

    def verify(self):
        """Runs the operator's comparison of every state and counter, with the same now."""
        now = self.sessions.writer.run("SELECT re.now()::text")[0][0]
        environment = {**os.environ, "DATABASE_URL": self.url, "PGOPTIONS": f"-c reengagement.now={now.replace(' ', chr(92) + ' ')}"}
        done = subprocess.run([f"{self.sql}/verify"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        self.player.comparer.comparisons += 1
        if done.returncode:
            raise Failure(f"sql/verify at {now} ends with {done.returncode}:\n{done.stdout}{done.stderr}")


def main():
    seed = int(os.environ.get("SEED") or SystemRandom().getrandbits(48))
    print(f"SEED={seed}", flush=True)
    run = Run(os.environ["PROPERTY_DATABASE_URL"], os.environ["PROPERTY_SQL"], seed, float(os.environ.get("MINUTES") or 1) * 60,
              float(os.environ.get("SHRINK_SECONDS") or 60))
    try:
        run.all()
    except Failure as failure:
        print(failure)
        print(f"\nSEED={seed}: a mismatch after {run.player.steps} steps and {run.player.comparisons} comparisons")
        sys.exit(1)
    print(f"{run.player.steps} steps, {run.player.comparisons} comparisons, no mismatch")


if __name__ == "__main__":
    main()
