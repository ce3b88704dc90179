"""Asking the binary alone, as some tests do that start it with variables of their own."""

import json
import time

from client import PREFIX

GOOD = {"patient_id": "patient_123", "method": "sms", "outcome": "failed"}


def token_headers(stack, organization, signer=None, **claims):
    return {"Authorization": f"Bearer {(signer or stack.signer).token(organization, **claims)}"}


def dashboard(organization):
    return f"{PREFIX}/{organization}/dashboard"


def post(server, stack, organization, **fields):
    headers = {**token_headers(stack, organization), "Content-Type": "application/json"}
    return server.request("POST", f"{PREFIX}/{organization}/log-outreach", headers,
                          json.dumps({**GOOD, **fields}).encode())


def lines_of(log):
    """The lines of a log that are there whole: it is written by a thread of its own, while this reads."""
    return log.read_text().rpartition("\n")[0].splitlines()


def eventually(question, seconds=60, every=0.1):
    """Waits until the question is answered with something true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(every)
    assert answer
    return answer
