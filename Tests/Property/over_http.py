"""Compares the HTTP responses of servers that cache them with the results of plain queries.

Plays the same sequences as ./property on two servers with one database. Each question is asked more than once, so that
the servers cache responses and return cached ones. ./run starts this with OVER_HTTP=1.
"""

import itertools
import json
import os
import sys
import tempfile
import time
from decimal import Decimal
from random import Random, SystemRandom

import psycopg2

import directed
from answers import expected, path_of, plain_arguments, rows_of
from asking import TYPES, Mismatch
from generator import Generator
from replay import Player, report
from servers import NotAsPromised, Servers, parsed
from sessions import Sessions
from steps import EVERYBODY, FIRST, PERFORMANCE, SUMMARIES, TRENDS, Check, Everywhere, Question

STEPS = 40
# Questions of every comparison. The servers return cached responses to them if nothing has changed since the last one.
ALWAYS = SUMMARIES + PERFORMANCE[1:2] + TRENDS[:1] + (
    EVERYBODY.page(2, FIRST), Question("patient_detail", ("p1",)),
    Question("patient_detail", ("p2",)))


class HTTPPlayer(Player):
    def __init__(self, sessions, servers):
        super().__init__(sessions)
        self.servers, self.asked, self.last = servers, 0, None

    @property
    def comparisons(self):
        return self.asked

    def begin(self):
        # The servers' background refreshes continue, and may lock the same tables in another order.
        for attempt in range(5):
            try:
                super().begin()
                break
            except psycopg2.errors.DeadlockDetected:
                if attempt == 4:
                    raise
        self.last = None
        self.servers.set_now("'2025-06-30 12:00:00Z'")

    def advance(self, step):
        """The servers refresh at the same time, so the notices of one step cannot be observed."""
        return self.sessions.reader.advance(step.organization, step.most)[1]

    def alerts(self, step):
        pass

    def run(self, step):
        if isinstance(step, Check):
            self.steps += 1
            self.look(step)
            self.last = step
            return
        super().run(step)
        if isinstance(step, Everywhere) and step.statement.startswith("SET reengagement.now = "):
            self.servers.set_now(step.statement.partition(" = ")[2])
            # Nothing is written in between, so the moved now alone must invalidate the cached responses.
            if self.last:
                self.look(self.last._replace(questions=()), times=1)

    def look(self, check, times=3):
        # After a write, the first question refreshes the organization. So another question is the first each time.
        turn = self.steps % len(ALWAYS)
        others = [q for q in check.questions if q.function not in ("walk", "from_recorded")]
        others = Random(self.steps).sample(others, min(2, len(others)))
        for question in dict.fromkeys([*ALWAYS[turn:], *ALWAYS[:turn], *others]):
            path = path_of(check.organization, question)
            if path is None:
                continue
            plain = self.plain(check.organization, question)
            # The servers take turns to be the first. The first is asked again, for its cached response.
            first = self.asked % len(self.servers.running)
            for which in (first, 1 - first, first)[:times]:
                self.compare(check, question, path, plain, which)

    def compare(self, check, question, path, plain, which):
        status, body = self.servers.ask(which, check.organization, path)
        self.asked += 1
        if status == 404 and question.function == "patient_detail":
            found = ([], None)
        elif status == 200:
            found = rows_of(question, parsed(body))
        else:
            raise NotAsPromised(f"{status} for {path}: {body[:500]}")
        if found != plain:
            raise Mismatch(check.organization, f"server {which}", question, text(found), text(plain))

    def plain(self, organization, question):
        function = question.function if question.function == "patient_detail" else "plain_" + question.function
        arguments = (organization, *plain_arguments(question))
        types = TYPES[question.function]
        parameters = ", ".join(f"${number + 1}" for number in range(len(types)))
        [(rows,)] = self.sessions.writer.execute_prepared(
            f"rows_of_{question.function}", f"SELECT coalesce(json_agg(f), '[]')::text FROM re.{function}({parameters}) f",
            f"({', '.join(types)})", arguments)
        return expected(question, json.loads(rows, parse_float=Decimal))


def text(answer):
    return "\n".join(json.dumps(row, default=str, sort_keys=True) for row in [*answer[0], answer[1]])


def play(player, seed, seconds):
    """Yields directed cases, the short ones first so that most are played, and random sequences between and after them."""
    random, end = Random(seed), time.monotonic() + seconds
    cases = sorted(directed.cases(), key=lambda case: len(case[1]), reverse=True)
    for turn in itertools.count(1):
        if time.monotonic() > end:
            return
        if turn % 4 and cases:
            title, steps = cases.pop()
            yield f"directed case: {title}", steps
        else:
            number = random.getrandbits(64)
            yield f"random sequence {number}", list(Generator(number).steps(STEPS))


def main():
    seed = int(os.environ.get("SEED") or SystemRandom().getrandbits(48))
    print(f"SEED={seed}", flush=True)
    url, began = os.environ["PROPERTY_DATABASE_URL"], time.monotonic()
    sessions = Sessions(url)
    [(database,)] = sessions.writer.run("SELECT current_database()::text")
    with tempfile.TemporaryDirectory() as directory:
        servers = Servers(os.environ["PROPERTY_SERVER"], url, database, directory, 2, sessions.writer)
        player = HTTPPlayer(sessions, servers)
        try:
            for name, steps in play(player, seed, float(os.environ.get("MINUTES") or 1) * 60):
                found = player.first_failure(steps)
                if found:
                    print(f"{name} fails after {len(found[0])} steps: {found[1]}\n{report(*found)}")
                    print(f"\nSEED={seed}: a mismatch after {player.steps} steps and {player.comparisons} comparisons")
                    sys.exit(1)
            hits, misses = (servers.figure(f"reengagement_kept_answers_{name}_total") for name in ("hits", "misses"))
        finally:
            servers.stop()
    # A cache that is never used passes every comparison.
    if not 0.2 < hits / (hits + misses):
        sys.exit(f"only {hits} of {hits + misses} responses were cached ones, which is too few to test the cache")
    print(f"{player.steps} steps, {player.comparisons} responses, {hits} of them cached, no mismatch in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
