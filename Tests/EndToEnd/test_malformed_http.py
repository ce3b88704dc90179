"""Malformed HTTP gets a well-formed error or a closed connection, never a 500 and never a hang."""

import json
import re
import ssl
import time

import pytest

from asking import eventually

PATH = "/api/v1/reengagement/{org}/log-outreach"
BODY = json.dumps({"patient_id": "patient_123", "method": "sms", "outcome": "failed"})


def lines(*given, body=""):
    return ("\r\n".join(given) + "\r\n\r\n" + body).encode("latin-1")


def post(*headers, body=BODY, line="POST {path} HTTP/1.1"):
    return lines(line,
                 "Host: localhost",
                 "Authorization: Bearer {token}",
                 "Content-Type: application/json",
                 *headers,
                 "Connection: close",
                 body=body)


def get(line="GET /api/v1/reengagement/{org}/dashboard HTTP/1.1", *headers):
    return lines(line, "Host: localhost", "Authorization: Bearer {token}", "Connection: close", *headers)


# name: (request, allowed statuses). None is a connection closed without a response.
CASES = {
    "empty": (b"\r\n\r\n\r\n", {400, 408, None}),
    "a zero byte": (b"\x00", {400, None}),
    "garbage": (bytes(range(256)), {400, None}),
    "a TLS hello inside": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", {400, None}),
    "an SSH hello": (b"SSH-2.0-x\r\n\r\n", {400, None}),
    "HTTP/2 preface in clear": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505, None}),
    "no version": (get("GET /health"), {200, 400, None}),
    "version 0.9": (get("GET /health HTTP/0.9"), {400, 505}),
    "version 1.0": (get("GET /health HTTP/1.0"), {200}),
    "version 1.2": (get("GET /health HTTP/1.2"), {200, 505}),
    "version 2.0": (get("GET /health HTTP/2.0"), {505}),
    "version 3": (get("GET /health HTTP/3.0"), {505}),
    "version 9.9": (get("GET /health HTTP/9.9"), {505}),
    "version of many digits": (get("GET /health HTTP/11111111.1"), {400, 505}),
    "version text": (get("GET /health HTTP/x.y"), {400}),
    "another protocol": (get("GET /health FTP/1.1"), {400}),
    "lower-case method": (get("get /health HTTP/1.1"), {400, 405}),
    "method with a digit": (get("G3T /health HTTP/1.1"), {400, 405}),
    "no method": (get(" /health HTTP/1.1"), {400}),
    "method alone": (b"GET\r\n\r\n", {400, None}),
    "method of 1000 letters": (get("A" * 1000 + " /health HTTP/1.1"), {400, 405}),
    "TRACE": (get("TRACE /health HTTP/1.1"), {405}),
    "CONNECT": (get("CONNECT localhost:443 HTTP/1.1"), {400, 405}),
    "star": (get("OPTIONS * HTTP/1.1"), {200, 204, 400, 404}),
    "path without a slash": (get("GET health HTTP/1.1"), {400}),
    "path with a raw space": (get("GET /he alth HTTP/1.1"), {400, 404}),
    "two spaces": (get("GET  /health HTTP/1.1"), {200, 400}),
    "a tab between": (get("GET\t/health HTTP/1.1"), {400, 405}),
    "zero byte in the path": (get("GET /hea\x00lth HTTP/1.1"), {400}),
    "escaped zero byte": (get("GET /api/v1/reengagement/{org}/patients/a%00b HTTP/1.1"), {400, 404}),
    "broken escape": (get("GET /api/v1/reengagement/{org}/patients/%zz HTTP/1.1"), {400, 404}),
    "half an escape": (get("GET /api/v1/reengagement/{org}/patients/% HTTP/1.1"), {400, 404}),
    "control bytes in the path": (get("GET /\x01\x02\x1f HTTP/1.1"), {400, 404}),
    "bytes over 127": (get("GET /\xff\xfe\xe9 HTTP/1.1"), {400, 404}),
    "raw UTF-8 in the path": (get("GET /api/v1/reengagement/{org}/patients/\xc3\xa9 HTTP/1.1"), {400, 404}),
    "above the root": (get("GET /../../../../etc/passwd HTTP/1.1"), {400, 404}),
    "above the root, escaped": (get("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), {400, 404}),
    "above through a slash escaped": (get("GET /api/..%2f..%2f..%2fetc/passwd HTTP/1.1"), {400, 404}),
    "backslashes": (get("GET /..\\..\\windows HTTP/1.1"), {400, 404}),
    "a fragment": (get("GET /health#x HTTP/1.1"), {200, 400, 404}),
    "an absolute URI": (get("GET http://localhost/health HTTP/1.1"), {200, 400, 404}),
    "an absolute URI of another host": (get("GET http://evil.example/health HTTP/1.1"), {200, 400, 404}),
    "a scheme that is none": (get("GET javascript:alert(1) HTTP/1.1"), {400}),
    "a long path": (get("GET /" + "x" * 20000 + " HTTP/1.1"), {414}),
    "a long query": (get("GET /health?" + "x" * 20000 + " HTTP/1.1"), {414}),
    "many segments": (get("GET " + "/x" * 3000 + " HTTP/1.1"), {404}),
    "many slashes": (get("GET " + "/" * 7000 + "x HTTP/1.1"), {404, 400}),
    "no Host": (lines("GET /health HTTP/1.1", "Connection: close"), {400}),
    "two Hosts": (lines("GET /health HTTP/1.1", "Host: a", "Host: b", "Connection: close"), {400}),
    "an odd Host": (lines("GET /health HTTP/1.1", "Host: a/b\\c@d", "Connection: close"), {400}),
    "an empty Host": (lines("GET /health HTTP/1.1", "Host:", "Connection: close"), {200, 400}),
    "a foreign Host": (lines("GET /health HTTP/1.1", "Host: evil.example", "Connection: close"), {200, 400, 404, 421}),
    "header without a colon": (get("GET /health HTTP/1.1", "nonsense"), {200, 400}),
    "header without a name": (get("GET /health HTTP/1.1", ": x"), {200, 400}),
    "space before the colon": (get("GET /health HTTP/1.1", "X-A : b"), {200, 400}),
    "a folded header": (get("GET /health HTTP/1.1", "X-A: b", " c"), {200, 400}),
    "zero byte in a header": (get("GET /health HTTP/1.1", "X-A: a\x00b"), {400}),
    "a bare LF": (b"GET /health HTTP/1.1\nHost: localhost\nConnection: close\n\n", {200, 400}),
    "a bare CR in a header": (get("GET /health HTTP/1.1", "X-A: a\rX-B: b"), {200, 400}),
    "bytes over 127 in a header": (get("GET /health HTTP/1.1", "X-A: \xff\xfe"), {200, 400}),
    "many headers": (get("GET /health HTTP/1.1", *[f"X-{n}: y" for n in range(1500)]), {200, 400, 431}),
    "a very large header": (get("GET /health HTTP/1.1", "X-A: " + "y" * 100000), {431, 400}),
    "a long header name": (get("GET /health HTTP/1.1", "X" * 9000 + ": y"), {431, 400}),
    "headers with underscores": (get("GET /health HTTP/1.1", "HTTP_AUTHORIZATION: x", "X_Request_Id: y"), {200}),
    "Proxy header": (get("GET /health HTTP/1.1", "Proxy: http://evil.example"), {200}),
    "negative length": (post("Content-Length: -1"), {400}),
    "length text": (post("Content-Length: abc"), {400}),
    "length with a sign": (post("Content-Length: +5"), {400}),
    "length hex": (post("Content-Length: 0x10"), {400}),
    "length beyond 64 bits": (post("Content-Length: 99999999999999999999999"), {400, 413}),
    "length of a terabyte": (post("Content-Length: 1099511627776"), {413}),
    "two lengths": (post("Content-Length: 5", "Content-Length: 6"), {400}),
    "two lengths in one": (post("Content-Length: 5, 5"), {400}),
    "length empty": (post("Content-Length: "), {400, 411}),
    "a fractional length": (post("Content-Length: 5.5"), {400}),
    "no length": (post(), {400, 411}),
    "length shorter than the body": (post("Content-Length: 5"), {400}),
    "length and chunked": (post("Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"), {400}),
    "chunked twice": (post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="0\r\n\r\n"), {400, 501}),
    "another coding": (post("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"), {400, 501}),
    "identity": (post("Transfer-Encoding: identity", body=BODY), {400, 501}),
    "a coding that is none": (post("Transfer-Encoding: xchunked", body="0\r\n\r\n"), {400, 501}),
    "a chunk size that is none": (post("Transfer-Encoding: chunked", body="zz\r\n{}\r\n0\r\n\r\n"), {400}),
    "a negative chunk": (post("Transfer-Encoding: chunked", body="-1\r\n{}\r\n0\r\n\r\n"), {400}),
    "a chunk size beyond 64 bits": (post("Transfer-Encoding: chunked", body="fffffffffffffffff\r\n{}\r\n"), {400, 413}),
    "a giant chunk": (post("Transfer-Encoding: chunked", body="7fffffffffffffff\r\nx"), {400, 413}),
    "a chunk without its end": (post("Transfer-Encoding: chunked", body="2\r\n{}XX0\r\n\r\n"), {400}),
    "chunk extensions": (post("Transfer-Encoding: chunked", body=f"{len(BODY):x};a=b\r\n{BODY}\r\n0\r\n\r\n"), {201}),
    "trailers": (post("Transfer-Encoding: chunked", body=f"{len(BODY):x}\r\n{BODY}\r\n0\r\nX-A: b\r\n\r\n"), {201}),
    "chunked in HTTP/1.0": (post("Transfer-Encoding: chunked", body="0\r\n\r\n",
                                 line="POST {path} HTTP/1.0"), {400, 501, 411}),
    "smuggled request": (post("Content-Length: 0",
                              body="GET /api/v1/reengagement/org_other/dashboard HTTP/1.1\r\nHost: x\r\n\r\n"), {400}),
    "an encoded body": (post("Content-Encoding: gzip", f"Content-Length: {len(BODY)}"), {415}),
    "Expect unknown": (post("Expect: 200-ok", f"Content-Length: {len(BODY)}"), {201, 417}),
    "Expect 100": (post("Expect: 100-continue", f"Content-Length: {len(BODY)}"), {100, 201}),
    "Upgrade": (get("GET /health HTTP/1.1", "Upgrade: websocket", "Sec-WebSocket-Key: x"), {200, 400}),
    "a body on GET": (lines("GET /health HTTP/1.1",
                            "Host: localhost",
                            "Content-Length: 5",
                            "Connection: close",
                            body="hello"), {200, 400}),
    "Range": (get("GET /api/v1/reengagement/{org}/dashboard HTTP/1.1", "Range: bytes=0-1,5-900000"), {200, 206}),
    "conditional": (get("GET /api/v1/reengagement/{org}/dashboard HTTP/1.1", "If-None-Match: *",
                        "If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT"), {200}),
    "unmet condition": (get("GET /api/v1/reengagement/{org}/dashboard HTTP/1.1", "If-Match: \"x\"",
                            "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"), {200, 412}),
    "Accept that fits nothing": (get("GET /api/v1/reengagement/{org}/dashboard HTTP/1.1", "Accept: image/png"), {200}),
    "method override": (get("GET /api/v1/reengagement/{org}/dashboard HTTP/1.1",
                            "X-HTTP-Method-Override: DELETE"), {200}),
}


def fill(request, api, organization):
    for name, value in (("{path}", PATH.format(org=organization)), ("{org}", organization),
                        ("{token}", api.signer.token(organization))):
        request = request.replace(name.encode(), value.encode())
    return request


def status_of(answer):
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else None


def dechunked(body):
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        if int(size, 16) == 0:
            break
        whole, body = whole + body[:int(size, 16)], body[int(size, 16) + 2:]
    return whole


def check_form(answer, title):
    """Asserts that the response has the right content type and that an error is a complete problem."""
    while answer.startswith(b"HTTP/1.1 100"):
        answer = answer.partition(b"\r\n\r\n")[2]
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = {
        k.strip().lower(): v.strip()
        for k, _, v in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    }
    if headers.get("transfer-encoding") == "chunked":
        body = dechunked(body)
    elif "content-length" in headers:
        body = body[:int(headers["content-length"])]
    status = int(head.split()[1])
    assert b"<html" not in answer.lower(), f"{title}: {answer[:300]}"
    if status >= 400 and status not in (412, 417):
        assert headers["content-type"].split(";")[0] == "application/problem+json", f"{title}: {answer[:300]}"
        problem = json.loads(body)
        assert problem["status"] == status and problem["request_id"] == headers["x-request-id"], f"{title}: {problem}"
        assert headers["cache-control"] == "no-store"


def test_there_are_many_kinds():
    assert len(CASES) >= 100


SLOW = ("empty", "length of a terabyte")  # nginx waits for more, or for the client to stop


@pytest.mark.parametrize("way, title", [(way, title) for way in ("tls", "clear")
                                        for title in CASES if way == "tls" or title not in SLOW])
def test_a_malformed_request_gets_a_well_formed_error_or_none(api, plain_client, clinic, title, way):
    request, allowed = CASES[title]
    client, began = (api.client if way == "tls" else plain_client), time.monotonic()
    answer = client.raw(fill(request, api, clinic),
                        timeout=60,
                        half_close=way == "clear" and title in ("a zero byte", "garbage"))
    if answer.startswith(b"{"):  # HTTP/0.9 has no head
        return
    assert status_of(answer) in allowed, f"{title}: {answer[:500]}"
    assert time.monotonic() - began < 45
    if answer:
        check_form(answer, title)
    assert b"org_other" not in answer.replace(b"reengagement/org_other", b"")


def is_closed(channel):
    """Returns whether the peer has closed the connection or sent a response. TLS records of its own do not count."""
    channel.setblocking(False)
    try:
        channel.recv(1)
        return True
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True


def test_an_unfinished_request_delays_no_other_client(api, clinic):
    """Slow and unfinished requests wait in nginx and never reach the server."""
    import socket
    unfinished = [
        b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: l",
        fill(post("Content-Length: 500"), api, clinic),
        fill(post("Transfer-Encoding: chunked", body="5\r\nab"), api, clinic)
    ]

    def answered_meanwhile():
        held, answered = [], 0
        try:
            for request in unfinished * 8:
                channel = api.client.context.wrap_socket(socket.create_connection(("127.0.0.1", api.client.port)),
                                                         server_hostname="localhost")
                channel.sendall(request)
                held.append(channel)
            while answered < 20 and not any(is_closed(channel) for channel in held):
                assert api.get(clinic, "risk-metrics", fresh=True).status == 200
                answered += 1
        finally:
            for channel in held:
                channel.close()
        return answered

    # nginx drops the unfinished requests after 10 s. On a busy machine the last one may not have arrived by then, so
    # there are several attempts.
    eventually(lambda: answered_meanwhile() > 1, 120)


def test_pipelined_requests_are_answered_in_order(api, clinic, second_clinic):
    """Each has its own permissions and its own response."""
    request = "GET /api/v1/reengagement/{o}/risk-metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: {t}\r\n{c}\r\n"
    parts = [(clinic, clinic), (second_clinic, clinic), (second_clinic, second_clinic), (clinic, second_clinic),
             (clinic, clinic)]
    text = "".join(
        request.format(o=o, t=api.authorization(t)["Authorization"], c="Connection: close\r\n" if n == 4 else "")
        for n, (o, t) in enumerate(parts))
    answer = api.client.raw(text.encode())
    assert [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3})", answer)] == [200, 403, 200, 403, 200]
    assert re.findall(rb'"organization_id":\s*"([^"]+)"',
                      answer) == [o.encode() for o in (clinic, second_clinic, clinic)]
