"""Clients that read and write through nginx during a fault, and record each response."""

import http.client
import itertools
import json
import threading
import time
import uuid
from collections import Counter, namedtuple

import registry
from client import API, Client

# `status` is 0 if there was no response. `began` and `ended` are seconds of the monotonic clock.
Answer = namedtuple("Answer", "kind began ended status retry_after key identifier detail")

READS = [endpoint.questions[0].path("p7") for endpoint in registry.READS]
BROKEN = (OSError, http.client.HTTPException)


class Deadlines(namedtuple("Deadlines", "acquire statement")):
    """The server's timeouts in seconds, and the limits that follow from them."""

    # Allowance for nginx, a busy machine and a Python client. nginx's own timeout is 20 s.
    MARGIN = 8
    # Full service must resume this soon after the database's return. docs/reliability.md has the measured times.
    BACK = 5

    def variables(self):
        return {
            "DB_ACQUIRE_TIMEOUT_MS": str(round(self.acquire * 1000)),
            "DB_STATEMENT_TIMEOUT_MS": str(round(self.statement * 1000))
        }

    @property
    def gap(self):
        """The longest time for a request while the database is away."""
        return self.acquire + self.MARGIN

    @property
    def longest(self):
        """The longest time for any request."""
        return self.acquire + self.statement + self.MARGIN


class Load:

    def __init__(self, stack, clinic, readers=4, writers=4, pause=0.004):
        self.stack, self.clinic, self.pause = stack, clinic, pause
        self.answers, self.lock, self.stopping = [], threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.read, args=(n, )) for n in range(readers)]
        self.threads += [threading.Thread(target=self.write) for _ in range(writers)]
        self.token = stack.api.authorization(clinic.organization)["Authorization"]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self.threads), "a request hangs"

    def client(self):
        return Client(int(self.stack.settings["HTTPS_PORT"]), self.stack.settings["CA_FILE"], timeout=25)

    def read(self, number):
        client, target = self.client(), API(None, None).target
        for path in itertools.islice(itertools.cycle(READS), number, None):
            if self.stopping.is_set():
                return
            self.ask(client, "GET", target(self.clinic.organization, path), {"Authorization": self.token})
            time.sleep(self.pause)

    def write(self):
        """Repeats each entry under the same key until it is acknowledged, as the contract asks of a client."""
        client, target = self.client(), API(None, None).target(self.clinic.organization, "log-outreach")
        for number in itertools.count():
            key = str(uuid.uuid4())
            headers = {"Authorization": self.token, "Content-Type": "application/json", "Idempotency-Key": key}
            patient = f"p{1 + number % self.clinic.patients}"
            body = json.dumps({"patient_id": patient, "method": "sms", "outcome": "success"})
            while True:
                if self.stopping.is_set():
                    return
                answer = self.ask(client, "POST", target, headers, body, key)
                time.sleep(self.pause)
                if answer.status in (200, 201):
                    break

    def ask(self, client, method, target, headers, body=None, key=None):
        began = time.monotonic()
        try:
            response = client.request(method, target, headers, body)
            status, retry_after = response.status, response.header("Retry-After")
            identifier = response.json()["outreach_id"] if key and status in (200, 201) else None
            detail = response.body.decode() if status >= 400 else ""
        except BROKEN as error:
            status, retry_after, identifier, detail = 0, None, None, repr(error)
            client.local.connection = None
            time.sleep(0.02)
        answer = Answer(method, began, time.monotonic(), status, retry_after, key, identifier, detail)
        with self.lock:
            self.answers.append(answer)
        return answer

    def all(self):
        with self.lock:
            return list(self.answers)

    def begun_since(self, instant):
        return [answer for answer in self.under_way_since(instant) if answer.began >= instant]

    def under_way_since(self, instant):
        """The requests that had not ended at that instant."""
        # They are appended when they end, so only the latest ones can match.
        with self.lock:
            late = list(itertools.takewhile(lambda answer: answer.ended >= instant - 1, reversed(self.answers)))
        return [answer for answer in reversed(late) if answer.ended >= instant]

    def acknowledged(self):
        return {answer.key: answer.identifier for answer in self.all() if answer.identifier}

    def warm_up(self, count=60, seconds=120):
        self.until(lambda: sum(a.status in (200, 201) for a in self.all()) >= count, seconds, "the clients get no responses")

    def until(self, condition, seconds, complaint):
        """Waits until the condition is true (four times as long, for a busy machine), and returns the seconds."""
        began, seconds = time.monotonic(), 4 * seconds
        while not condition():
            assert time.monotonic() - began < seconds, f"{complaint}: {Counter(a.status for a in self.all()[-50:])}"
            time.sleep(0.01)
        return time.monotonic() - began

    def until_served_again(self, since, seconds, of=("GET", "POST")):
        """Waits for a success of each kind of request, and returns the seconds from `since` to the last of them."""
        ended = {}

        def served():
            for answer in self.begun_since(since):
                if answer.status in (200, 201):
                    ended.setdefault(answer.kind, answer.ended)
            return all(kind in ended for kind in of)

        self.until(served, seconds, "no successful response")
        return max(ended.values()) - since


def refused_properly(answers, within, also=()):
    """Checks that each response is a success, or a 503 with Retry-After, within the time limit.

    Returns the slowest time and the number of refused requests.
    """
    allowed = {200, 201, 503, *also}
    odd = [answer for answer in answers if answer.status not in allowed]
    assert not odd, f"{len(odd)} of {len(answers)} have another status, such as {odd[0]}"
    refused = [answer for answer in answers if answer.status not in (200, 201)]
    mute = [answer for answer in refused if answer.status and int(answer.retry_after or 0) < 1]
    assert not mute, f"no Retry-After: {mute[0]}"
    slowest = max((answer.ended - answer.began for answer in answers), default=0)
    assert slowest <= within, f"a response took {slowest:.2f} s, more than {within}"
    return slowest, len(refused)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def latencies(stack, clinic, count=250):
    """The seconds of successive requests, each of which succeeded."""
    found = []
    for _ in range(count):
        began = time.monotonic()
        response = stack.api.get(clinic.organization, "risk-metrics")
        assert response.status == 200, response
        found.append(time.monotonic() - began)
    return found
