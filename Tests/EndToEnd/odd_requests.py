"""Requests in complete and valid FastCGI records that nginx would never forward, with the allowed statuses."""

import json

ROOT, GOOD = "/api/v1/reengagement/{org}", {"patient_id": "patient_123", "method": "sms", "outcome": "failed"}

TARGETS = {
    "the root": ("/", {404}),
    "two slashes": ("//", {404}),
    "a slash at the end": ("/health/", {404}),
    "a slash too many": ("//health", {404}),
    "a dot segment": ("/./health", {404}),
    "above the root": ("/../health", {404}),
    "up and down again": ("/health/../metrics", {404}),
    "up, escaped": ("/%2e%2e/%2e%2e/etc/passwd", {404}),
    "a letter escaped": ("/%68ealth", {200, 404}),
    "an escaped zero byte": ("/health%00", {404}),
    "a line break": ("/health\n", {404}),
    "a header within": ("/health\r\nX-Evil: 1", {404}),
    "a percent sign alone": ("/%", {404}),
    "half an escape": ("/%2", {404}),
    "an escape that is none": ("/%zz", {404}),
    "not UTF-8": (b"/\xff\xfe", {404}),
    "overlong UTF-8": (ROOT + "/patients/%C0%AF", {404}),
    "UTF-8 cut short": (ROOT + "/patients/%F0%9F%98", {404}),
    "a surrogate in UTF-8": (ROOT + "/patients/%ED%A0%80", {404}),
    "a zero byte as id": (ROOT + "/patients/%00", {404}),
    "no organization": ("/api/v1/reengagement//dashboard", {404}),
    "an organization of a slash": ("/api/v1/reengagement/%2F/dashboard", {403}),
    "an organization of dots": ("/api/v1/reengagement/../dashboard", {403}),
    "the organization and a zero byte": (ROOT + "%00/dashboard", {404}),
    "the organization and a space": (ROOT + "%20/dashboard", {403}),
    "a slash after an endpoint": (ROOT + "/dashboard/", {404}),
    "an endpoint in capitals": (ROOT + "/DASHBOARD", {404}),
    "a fragment": ("/health#x", {404}),
    "a path parameter": ("/health;x=1", {404}),
    "a backslash": ("\\health", {404}),
    "a space before": (" /health", {404}),
    "an authority alone": ("localhost:443", {404}),
    "a scheme that is none": ("javascript:alert(1)", {404}),
    "a query alone": ("?x=1", {404}),
    "thousands of slashes": ("/" * 5000, {404}),
    "thousands of segments": ("/a" * 5000, {404}),
    "thousands of empty parameters": ("/health?" + "&" * 5000, {200}),
    "thousands of parameters": ("/health?" + "a=b&" * 5000, {200}),
    "limit 0": (ROOT + "/patients/prioritized?limit=0", {422}),
    "limit negative": (ROOT + "/patients/prioritized?limit=-1", {422}),
    "limit with a sign": (ROOT + "/patients/prioritized?limit=%2B5", {422}),
    "limit beyond 64 bits": (ROOT + "/patients/prioritized?limit=99999999999999999999", {422}),
    "limit in Arabic digits": (ROOT + "/patients/prioritized?limit=%D9%A3", {422}),
    "limit a zero byte": (ROOT + "/patients/prioritized?limit=%00", {422}),
    "limit twice": (ROOT + "/patients/prioritized?limit=1&limit=2", {422}),
    "limit not UTF-8": (ROOT + "/patients/prioritized?limit=%ff", {422}),
    "a cursor of zeros": (ROOT + "/patients/prioritized?cursor=%00%00", {422}),
    "a cursor of 5000 letters": (ROOT + "/patients/prioritized?cursor=" + "A" * 5000, {422}),
    "a cursor with a quotation mark": (ROOT + "/patients/prioritized?cursor='%20OR%201=1--", {422}),
    "a period with a line break": (ROOT + "/trends?period=7d%0d%0aX-Evil:%201", {422}),
    "metrics of commas": (ROOT + "/trends?metrics=,,,", {422}),
    "a thousand metrics": (ROOT + "/trends?metrics=" + "risk_levels," * 1000, {422}),
    "a timeframe that ends a statement": (ROOT + "/performance?timeframe=';DROP%20TABLE%20patients;--", {422}),
}

METHODS = {
    "a space after the method": ("GET ", {405}),
    "a small method": ("get", {405}),
    "a method with a line break": ("GET\r\nX-Evil: 1", {405}),
    "a method of 10,000 letters": ("A" * 10000, {405}),
    "a method that is not UTF-8": (b"\xff\xfe", {400, 405}),
    "TRACE": ("TRACE", {405}),
    "CONNECT": ("CONNECT", {405}),
}

HEADERS = {
    "no token": ({"HTTP_AUTHORIZATION": ""}, {401}),
    "a scheme alone": ({"HTTP_AUTHORIZATION": "Bearer"}, {401}),
    "another scheme": ({"HTTP_AUTHORIZATION": "Basic dXNlcjpwYXNz"}, {401}),
    "a token with a line break": ({"HTTP_AUTHORIZATION": "Bearer a\r\nX-Evil: 1"}, {401}),
    "a token of 60,000 letters": ({"HTTP_AUTHORIZATION": "Bearer " + "a" * 60000}, {401}),
    "a token that is not UTF-8": ({"HTTP_AUTHORIZATION": b"Bearer \xff.\xff.\xff"}, {401}),
    "a token that is a tab": ({"HTTP_AUTHORIZATION": "Bearer\t\t"}, {401}),
    "an origin that is a star": ({"HTTP_ORIGIN": "*"}, {200}),
    "an origin null": ({"HTTP_ORIGIN": "null"}, {200}),
    "an origin of 60,000 letters": ({"HTTP_ORIGIN": "https://" + "a" * 60000}, {200}),
    "an origin that is not UTF-8": ({"HTTP_ORIGIN": b"https://\xff"}, {200}),
    "a request id that is not UTF-8": ({"HTTP_X_REQUEST_ID": b"\xff\xfe"}, {200}),
    "a request id of 60,000 letters": ({"HTTP_X_REQUEST_ID": "a" * 60000}, {200}),
    "a request id with a quotation mark": ({"HTTP_X_REQUEST_ID": "\"},{\""}, {200}),
}

BODIES = {
    "no body": (b"", {400}),
    "a brace": (b"{", {400}),
    "zero bytes": (bytes(100), {400}),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), {400}),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), {400}),
    "not UTF-8": (json.dumps(GOOD).replace("failed", "\xff").encode("latin-1"), {400}),
    "a list": (json.dumps([GOOD]).encode(), {400}),
    "two objects": (json.dumps(GOOD).encode() * 2, {400}),
    "nested 30,000 deep": (b"[" * 30000, {400}),
    "nested in a field": (json.dumps({**GOOD, "x": 0}).replace("0", "[" * 20000 + "]" * 20000).encode(), {400}),
    "a lone surrogate": (json.dumps({**GOOD, "notes": "\ud800"}).encode(), {422}),
    "U+0000": (json.dumps({**GOOD, "patient_id": "a\0"}).encode(), {422}),
    "a field twice": (json.dumps(GOOD)[:-1].encode() + b', "method": "email"}', {422}),
    "a field twice, once escaped": (json.dumps(GOOD)[:-1].encode() + b', "\\u006dethod": "email"}', {422}),
    "an infinite number": (json.dumps({**GOOD, "opened": 1}).replace("1}", "1e999}").encode(), {422}),
    "NaN": (json.dumps({**GOOD, "opened": float("nan")}).encode(), {400}),
    "single quotes": (str(GOOD).encode(), {400}),
    "a comment": (b"/* */" + json.dumps(GOOD).encode(), {400}),
    "64 KiB and a byte": (json.dumps({**GOOD, "notes": "x" * 65536}).encode(), {413}),
    "a megabyte": (b" " * (1 << 20), {413}),
}

POSTS = {
    "a type that is not UTF-8": ({"CONTENT_TYPE": b"application/json; x=\xff"}, {201, 400, 415}),
    "a type of another kind": ({"CONTENT_TYPE": "text/plain"}, {415}),
    "a form": ({"CONTENT_TYPE": "multipart/form-data; boundary=x"}, {415}),
    "no type": ({"CONTENT_TYPE": ""}, {415}),
    "a type with a comma": ({"CONTENT_TYPE": "application/json, text/plain"}, {415}),
    "a length too long": ({"CONTENT_LENGTH": "5000"}, {201, 400, None}),
    "a length too short": ({"CONTENT_LENGTH": "5"}, {201, 400, None}),
    "a key of 10,000 letters": ({"HTTP_IDEMPOTENCY_KEY": "a" * 10000}, {422}),
    "a key that is not ASCII": ({"HTTP_IDEMPOTENCY_KEY": "é"}, {422}),
    "a key with a line break": ({"HTTP_IDEMPOTENCY_KEY": "a\r\nb"}, {422}),
    "an empty key": ({"HTTP_IDEMPOTENCY_KEY": ""}, {201, 422}),
}


def all_requests():
    """Returns name: (method, target, parameters, body, allowed statuses). None is a closed connection."""
    log, read, kind = ROOT + "/log-outreach", ROOT + "/risk-metrics", {"CONTENT_TYPE": "application/json"}
    good = json.dumps(GOOD).encode()
    made = {f"target: {name}": ("GET", target, {}, b"", allowed) for name, (target, allowed) in TARGETS.items()}
    made |= {f"method: {name}": (method, read, {}, b"", allowed) for name, (method, allowed) in METHODS.items()}
    made |= {f"header: {name}": ("GET", read, more, b"", allowed) for name, (more, allowed) in HEADERS.items()}
    made |= {f"body: {name}": ("POST", log, kind, body, allowed) for name, (body, allowed) in BODIES.items()}
    return made | {f"post: {name}": ("POST", log, {**kind, **more}, good, allowed)
                   for name, (more, allowed) in POSTS.items()}
