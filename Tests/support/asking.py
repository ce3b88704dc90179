"""Requests to the binary alone, for tests that start it with their own variables."""

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
    """The complete lines of a log, which the server may be writing at the moment."""
    return log.read_text().rpartition("\n")[0].splitlines()


def eventually(question, seconds=60, every=0.1):
    """Waits until the question returns a true value, and returns that value."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(every)
    assert answer
    return answer
