"""Clients choose the number, length and claims of their tokens. The server limits its memory nevertheless."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from asking import dashboard, eventually, token_headers

TOKENS = 6000
# Caching the complete tokens below with their claims would need some 90 MB.
MOST_GROWTH = 40 << 20


def metrics(server):
    lines = server.get("/metrics").body.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}


def resident(server):
    return metrics(server)["process_resident_memory_bytes"]


def ask_with_long_tokens(server, stack, tokens):
    """Sends one token per subject, each valid and as long as nginx allows. Another organization's path gets a quick
    403."""

    def ask(_):
        unique = uuid.uuid4().hex
        claims = {name: unique + "é" * 223 for name in ("sub", "sid")}
        headers = token_headers(stack, "o", act={"sub": unique}, pad="x" * 2500, **claims)
        assert 7000 < len(headers["Authorization"]) < 8192
        return server.get(dashboard("other"), headers).status

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(tokens))) == {403}


@pytest.mark.nightly
def test_thousands_of_long_tokens_stay_within_the_cache_limit(server_with, stack):
    server = server_with(RATE_LIMIT="50")
    ask_with_long_tokens(server, stack, 300)
    before = resident(server)
    ask_with_long_tokens(server, stack, TOKENS)
    eventually(lambda: metrics(server)["reengagement_audit_waiting"] == 0)
    assert resident(server) - before < MOST_GROWTH
    figures = metrics(server)
    assert figures["reengagement_token_cache_bytes"] <= 10_000 * 840
    assert figures["reengagement_token_cache_tokens"] > 1000
