"""Checks that all applications return the same responses."""

import http.client
import json
import ssl
import time

from cells import COMPUTED, GETS, OTHERS, POST, UNCHANGED

PREFIX = "/api/v1/reengagement"
# The time of the request, and the id of the new row.
ASIDE = {"last_updated", "timestamp", "outreach_id", "logged_at"}
ATTEMPT = {"patient_id": "patient_2", "method": "sms", "outcome": "success", "notes": "left a message"}
TRIES = 5


class Wrong(Exception):
    """A wrong response."""


def without_moments(value):
    if isinstance(value, dict):
        return {key: without_moments(member) for key, member in value.items() if key not in ASIDE}
    return [without_moments(member) for member in value] if isinstance(value, list) else value


class Asker:

    def __init__(self, where, ports, tokens):
        self.context = ssl.create_default_context(cafile=where["CA_FILE"])
        self.ports, self.tokens = ports, tokens

    def ask(self, who, organization, path, body=None, token=None):
        connection = http.client.HTTPSConnection("localhost", self.ports[who]["https"], timeout=20,
                                                 context=self.context)
        headers = {"Authorization": f"Bearer {token or self.tokens[organization]}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request("GET" if body is None else "POST", f"{PREFIX}/{organization}/{path}",
                               None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, who, organization, path):
        status, body = self.ask(who, organization, path)
        if status != 200:
            raise Wrong(f"{who}, {path}: status {status}: {body[:300]!r}")
        return body

    def refusals(self, who, organization, other):
        """Every application must check tokens and parameters, because the checks are part of a request's cost."""
        own = self.tokens[organization]
        middle = len(own) - 20
        forged = own[:middle] + ("A" if own[middle] != "A" else "B") + own[middle + 1:]
        for token, expected in ((forged, 401), (self.tokens[other], 403)):
            status, _ = self.ask(who, organization, GETS["risk-metrics"], token=token)
            if status != expected:
                raise Wrong(f"{who} returns {status} in place of {expected}")


def same(asker, organization, who, path):
    """Compares twice, because time passes between two responses and a patient may have become due."""
    for _ in range(TRIES):
        expected = without_moments(json.loads(asker.get(COMPUTED, organization, path)))
        if without_moments(json.loads(asker.get(who, organization, path))) == expected:
            return
        time.sleep(0.2)
    raise Wrong(f"{who}, {organization}, {path}: the response differs from the server's")


def check_gets(asker, organization, everybody):
    for path in GETS.values():
        same(asker, organization, UNCHANGED, path)
    if everybody:
        for who in OTHERS:
            for endpoint in ("risk-metrics", "list of 50", "list of 200"):
                same(asker, organization, who, GETS[endpoint])


def check_posts(asker, organization):
    """Each application writes one attempt and returns it."""
    expected = None
    for who in (COMPUTED, *OTHERS):
        status, body = asker.ask(who, organization, POST, ATTEMPT)
        if status != 201:
            raise Wrong(f"{who}, {POST}: status {status}: {body[:300]!r}")
        answer = json.loads(body)
        if not answer["outreach_id"] or not answer["logged_at"]:
            raise Wrong(f"{who}, {POST}: {answer}")
        expected = expected or without_moments(answer)
        if without_moments(answer) != expected:
            raise Wrong(f"{who}, {POST}: {answer}")


def lengths(asker, organization):
    return {endpoint: len(asker.get(COMPUTED, organization, path)) for endpoint, path in GETS.items()}
