"""The rules for every response and every error."""

import re

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
NEVER_TOLD = re.compile(
    r"SELECT|INSERT|pg_|psql|libpq|SQLSTATE|relation \"|Fatal error|\.swift|/usr/|/tmp/|connection to server")


def must_be_answer(response, status):
    """Asserts the rules for all responses of the application and of nginx."""
    assert response.status == status, response
    assert REQUEST_ID.fullmatch(response.header("X-Request-Id") or ""), response
    assert response.header("Cache-Control") == "no-store", response
    return response


def must_be_problem(response, status):
    """Asserts a problem of RFC 9457 with the members of the definitions, and returns it."""
    must_be_answer(response, status)
    assert response.header("Content-Type").split(";")[0] == "application/problem+json", response
    problem = response.json()
    assert set(problem) >= {"type", "title", "status", "detail", "request_id"}, problem
    assert all(isinstance(problem[name], str) and problem[name] for name in ("type", "title", "detail")), problem
    assert re.fullmatch(r"/problems/[a-z0-9-]+", problem["type"]), problem
    assert type(problem["status"]) is int and problem["status"] == status, problem
    assert problem["request_id"] == response.header("X-Request-Id")
    assert not NEVER_TOLD.search(response.body.decode()), problem
    if status == 422:
        assert problem["errors"] and all(
            set(e) == {"field", "message"} and e["field"] and e["message"] for e in problem["errors"]), problem
    if status in (429, 503):
        assert int(response.header("Retry-After")) >= 1
    if status == 401:
        assert response.header("WWW-Authenticate").startswith("Bearer"), response
    if status == 405:
        assert response.header("Allow"), response
    return problem
