"""The time for the check of a cached token, from the server's Server-Timing header."""

import http.client
import re
from statistics import median_high

import cells
from bodies import PREFIX
from loading import organization_of

REQUESTS = 2000
AUTHENTICATION = re.compile(r"auth;dur=([0-9.]+)")


def microseconds(bench):
    """An upper bound of the median, over one connection: the server rounds down to the microsecond."""
    organization = organization_of(bench.plan.first)
    connection = http.client.HTTPConnection("127.0.0.1", bench.site.ports[cells.UNCHANGED]["http"], timeout=20)
    path = f"{PREFIX}/{organization}/{cells.GETS['risk-metrics']}"
    headers = {"Authorization": f"Bearer {bench.tokens[organization]}"}
    try:
        told = [once(connection, path, headers) for _ in range(REQUESTS)]
    finally:
        connection.close()
    return round(median_high(told) * 1000) + 1


def once(connection, path, headers):
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"error: {path} answers {answer.status}")
    return float(AUTHENTICATION.match(answer.headers["Server-Timing"]).group(1))
