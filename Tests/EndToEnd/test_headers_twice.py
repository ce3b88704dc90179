"""Repeated single-value headers over HTTP/1.1 and HTTP/2, and the texts of the 400 responses."""

import json

import pytest

import http2
from asking import GOOD
from problems import must_be_problem

BODY = json.dumps(GOOD)
JSON_TYPE = ("Content-Type", "application/json")


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def post(request, api, clinic):
    """Posts to log-outreach with a token, a content type and further headers."""

    def ask(*more, body=BODY, kind=(JSON_TYPE, ), path="log-outreach"):
        headers = [*api.authorization(clinic).items(), *kind, *more]
        if request.param == "HTTP/1.1":
            return api.client.request("POST", api.target(clinic, path), headers, body, fresh=True)
        return http2.ask(api.client, "POST", api.target(clinic, path), headers, body)

    return ask


@pytest.mark.parametrize("name, values", [("Content-Type", ("application/json", "application/json")),
                                          ("Content-Type", ("application/json", "text/plain")),
                                          ("Content-Type", ("text/plain", "application/json")),
                                          ("Idempotency-Key", ("k", "k")), ("Idempotency-Key", ("k", "l")),
                                          ("Origin", ("http://localhost:3000", "http://localhost:3000")),
                                          ("Origin", ("http://localhost:3000", "null"))])
def test_a_repeated_header_that_the_server_reads_is_422_and_logs_nothing(post, database, clinic, name, values):
    kind = () if name == "Content-Type" else (JSON_TYPE, )
    problem = must_be_problem(post(*((name, value) for value in values), kind=kind), 422)
    assert problem["errors"] == [{"field": name, "message": "is given more than once; give it once"}]
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM outreach_log WHERE organization_id = %s AND created_at > now() - interval '1 minute'",
            (clinic,),
        )
        assert cursor.fetchone()[0] == 0


def test_a_repeated_header_is_422_in_a_search_and_in_a_read(post, api, clinic):
    assert must_be_problem(post(JSON_TYPE, body="{}", path="patients/search"),
                           422)["errors"][0]["field"] == "Content-Type"
    headers = [*api.authorization(clinic).items(), ("Origin", "a"), ("Origin", "b")]
    response = api.client.request("GET", api.target(clinic, "risk-metrics"), headers, fresh=True)
    assert must_be_problem(response, 422)["errors"][0]["field"] == "Origin"


@pytest.mark.parametrize("name",
                         ["User-Agent", "Referer", "Date", "Cookie", "Accept", "X-Anything", "Content-Language"])
def test_a_repeated_header_that_the_server_does_not_read_is_ignored(post, name):
    assert post((name, "a"), (name, "b")).status == 201


@pytest.mark.parametrize("more, word", [((("Authorization", "Bearer x"), ), "Authorization is there twice"),
                                        ((("Content-Length", str(len(BODY))), ) * 2, "Content-Length"),
                                        ((("If-None-Match", "a"), ) * 2, "is there twice"),
                                        ((("Content-Length", str(len(BODY))), ("Transfer-Encoding", "chunked")),
                                         "Content-Length and Transfer-Encoding are both there"),
                                        ((("Content-Length", "x"), ), "Content-Length is not a whole number")])
def test_the_400_of_nginx_names_the_header(post, more, word):
    assert word in must_be_problem(post(*more), 400)["detail"]


def test_the_400_of_nginx_names_two_hosts(api):
    answer = api.client.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert "Host" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] and b" 400 " in answer
    assert "Host" in must_be_problem(http2.ask(api.client, "GET", "/health", [("host", "other")]), 400)["detail"]


@pytest.mark.parametrize("length", [5, len(BODY) - 1, len(BODY) + 1, 500])
def test_over_http2_a_wrong_content_length_is_reported(api, clinic, length):
    headers = [*api.authorization(clinic).items(), JSON_TYPE, ("Content-Length", str(length))]
    problem = must_be_problem(http2.ask(api.client, "POST", api.target(clinic, "log-outreach"), headers, BODY), 400)
    assert problem["detail"] == "The body is shorter or longer than Content-Length says."
    without = http2.ask(api.client, "POST", api.target(clinic, "log-outreach"), headers)
    assert "The body is shorter or longer than Content-Length says" in must_be_problem(without, 400)["detail"]


def test_malformed_chunks_are_reported(api, clinic):
    head = "\r\n".join(f"{name}: {value}" for name, value in api.authorization(clinic).items())
    answer = api.client.raw(
        (
            f"POST {api.target(clinic, 'log-outreach')} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n"
        ).encode()
    )
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "The chunks of the body are malformed."


@pytest.mark.parametrize("title, headers, path, status", [
    ("the server's own refusal of a token", [("authorization", "Bearer " + "x" * 11000)], "risk-metrics", 401),
    ("the server's own refusal of a longer token", [("authorization", "Bearer " + "x" * 30000)], "risk-metrics", 401),
    ("cookies in pieces", [("cookie", f"a{n}=" + "x" * 3000) for n in range(4)], "risk-metrics", 401),
    ("a header that is too long", [("x-long", "x" * 11000)], "risk-metrics", 431),
    ("a header that is longer", [("x-long", "x" * 40000)], "risk-metrics", 431),
    ("a header that is far too long", [("x-long", "x" * 64000)], "risk-metrics", 431),
    ("many headers", [(f"x-{n}", "x" * 7000) for n in range(8)], "risk-metrics", 431),
    ("thousands of headers", [("a", "")] * 8000, "risk-metrics", 431),
    ("a long address", [], "risk-metrics?" + "x" * 12000, 414),
])
def test_over_http2_too_long_headers_affect_one_request_only(api, clinic, database, title, headers, path, status):
    """Another request on the same connection is in flight and then gets its response."""
    with http2.Connection(api.client) as connection, database.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE outreach_log IN SHARE MODE")
        slow = connection.send("POST", api.target(clinic, "log-outreach"),
                               [*api.authorization(clinic).items(), JSON_TYPE], BODY)
        try:
            must_be_problem(connection.answer(connection.send("GET", api.target(clinic, path), headers)), status)
        finally:
            cursor.execute("COMMIT")
        assert connection.answer(slow).status == 201


def test_two_request_ids_are_reduced_to_one(post):
    """The result is the first id, or a new one where nginx joins them (from 1.23 on). The id decides nothing else."""
    response = post(("X-Request-Id", "first"), ("X-Request-Id", "second"))
    assert response.status == 201 and len(response.all("X-Request-Id")) == 1
    assert response.header("X-Request-Id") == "first" or len(response.header("X-Request-Id")) == 32
