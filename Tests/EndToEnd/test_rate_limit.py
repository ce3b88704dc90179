"""The server's own rate limit for each subject."""

import time

from asking import dashboard, eventually, token_headers
from problems import must_be_problem


def statuses(server, headers, organization, count):
    return [server.get(dashboard(organization), headers) for _ in range(count)]


def test_a_subject_above_its_rate_is_429_and_another_is_not_affected(server_with, stack):
    server = server_with(RATE_LIMIT="2")
    eager, calm = token_headers(stack, "o", sub="eager"), token_headers(stack, "o", sub="calm")
    began = time.monotonic()
    answers = statuses(server, eager, "o", 40)
    allowed = sum(a.status == 200 for a in answers)
    assert 4 <= allowed <= 4 + 2 * (time.monotonic() - began) + 1
    refused = [a for a in answers if a.status == 429]
    assert len(refused) + allowed == 40
    for answer in refused:
        must_be_problem(answer, 429)
    assert [a.status for a in statuses(server, calm, "o", 4)] == [200] * 4
    time.sleep(int(refused[-1].header("Retry-After")))
    assert server.get(dashboard("o"), eager).status == 200


def test_the_limit_counts_all_tokens_of_a_subject_and_precedes_403(server_with, stack):
    server = server_with(RATE_LIMIT="1")
    seen = []

    def is_refused():
        token = token_headers(stack, f"org{len(seen)}", sub="same", jti=str(len(seen)))
        seen.append(server.get(dashboard("o"), token).status)
        return 429 in seen

    # The test sends requests until the machine exceeds the limit.
    eventually(is_refused, every=0)
    assert seen[:2] == [403, 403] and 429 in seen and set(seen) == {403, 429}


def test_failed_authentication_uses_no_allowance(server_with, stack):
    server = server_with(RATE_LIMIT="2")
    for _ in range(30):
        assert server.get(dashboard("o"), token_headers(stack, "o", sub="victim", exp=1)).status == 401
        assert server.get(dashboard("o")).status == 401
    assert server.get(dashboard("o"), token_headers(stack, "o", sub="victim")).status == 200


def test_health_and_unknown_routes_are_never_limited(server_with, stack):
    server = server_with(RATE_LIMIT="1")
    assert {server.get("/health", token_headers(stack, "o")).status for _ in range(20)} == {200}
    assert {server.get("/nowhere", token_headers(stack, "o")).status for _ in range(20)} == {404}


def test_zero_is_no_limit(server_with, stack):
    server, headers = server_with(RATE_LIMIT="0"), token_headers(stack, "o")
    assert {a.status for a in statuses(server, headers, "o", 150)} == {200}
