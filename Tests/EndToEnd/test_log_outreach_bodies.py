"""The values a body may have. A refused body adds no row."""

import json

import pytest

from outreach import GOOD, accepted, logged
from problems import must_be_problem

WRONG_FIELDS = [
    ({"patient_id": 5}, ["patient_id"]),
    ({"patient_id": None}, ["patient_id"]),
    ({"patient_id": ...}, ["patient_id"]),
    ({"patient_id": ["patient_123"]}, ["patient_id"]),
    ({"patient_id": {"id": "patient_123"}}, ["patient_id"]),
    ({"patient_id": True}, ["patient_id"]),
    ({"patient_id": ""}, ["patient_id"]),
    ({"patient_id": "x" * 201}, ["patient_id"]),
    ({"method": "SMS"}, ["method"]),
    ({"method": "fax"}, ["method"]),
    ({"method": ""}, ["method"]),
    ({"method": None}, ["method"]),
    ({"method": ...}, ["method"]),
    ({"method": " sms"}, ["method"]),
    ({"method": "sms "}, ["method"]),
    ({"method": ["sms"]}, ["method"]),
    ({"method": 1}, ["method"]),
    ({"method": "sms\x00"}, ["method"]),
    ({"outcome": "Success"}, ["outcome"]),
    ({"outcome": "no response"}, ["outcome"]),
    ({"outcome": None}, ["outcome"]),
    ({"outcome": ...}, ["outcome"]),
    ({"outcome": False}, ["outcome"]),
    ({"notes": 5}, ["notes"]),
    ({"notes": ["x"]}, ["notes"]),
    ({"notes": {}}, ["notes"]),
    ({"notes": False}, ["notes"]),
    ({"notes": "a\x00b"}, ["notes"]),
    ({"notes": "\ud800"}, ["notes"]),
    ({"notes": "\udc00\ud800"}, ["notes"]),
    ({"notes": "x\udfff"}, ["notes"]),
    ({"notes": "\ud83d"}, ["notes"]),
    ({"patient_id": "a\x00"}, ["patient_id"]),
    ({"patient_id": "\ud800"}, ["patient_id"]),
    ({"notes": "x" * 4001}, ["notes"]),
    ({"notes": "e\u0301" * 2000 + "x"}, ["notes"]),
    ({"notes": "\U0001f600" * 4001}, ["notes"]),
    ({"opened": "true"}, ["opened"]),
    ({"opened": 1}, ["opened"]),
    ({"opened": 0}, ["opened"]),
    ({"opened": []}, ["opened"]),
    ({"opened": "false"}, ["opened"]),
    ({"method": "x", "outcome": "y"}, ["method", "outcome"]),
    ({"patient_id": 1, "method": 2, "outcome": 3, "notes": 4,
      "opened": 5}, ["method", "notes", "opened", "outcome", "patient_id"]),
]


@pytest.mark.parametrize("change, fields", WRONG_FIELDS)
def test_an_invalid_field_is_422_and_named(api, database, clinic, change, fields):
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    before = logged(database, clinic)
    problem = must_be_problem(api.post(clinic, json.dumps(body)), 422)
    assert sorted(error["field"] for error in problem["errors"]) == fields
    assert logged(database, clinic) == before


@pytest.mark.parametrize("patient_id", [".", "..", "prioritized"])
def test_an_id_that_no_path_can_have_is_refused(api, clinic, patient_id):
    assert api.post(clinic, {**GOOD, "patient_id": patient_id}).status in (404, 422)


@pytest.mark.parametrize("notes", [
    "x" * 4000, "é" * 4000, "e\u0301" * 2000, "\U0001f600" * 4000, "\U0010ffff" * 4000, "\x01" * 4000, "\u200d" * 4000,
    "\r\n" * 2000
])
@pytest.mark.parametrize("escaped", [True, False])
def test_notes_may_have_four_thousand_code_points(api, database, clinic, notes, escaped):
    body = json.dumps({**GOOD, "notes": notes}, ensure_ascii=escaped)
    answer = accepted(api.post(clinic, body.encode()))
    [row] = logged(database, clinic, "id = %s", answer["outreach_id"])
    assert row[5] == notes


NOT_AN_OBJECT = [
    b"", b" ", b"null", b"[]", b"[{}]", b"\"x\"", b"5", b"true", b"{", b"}", b"{}}", b"{} {}", b"{}x", b"{'a': 1}",
    b"{\"a\": 1,}", b"{\"a\": NaN}", b"{\"a\": Infinity}", b"{\"a\": 01}", b"{\"a\": +1}", b"{\"a\": 1.}",
    b"{\"a\": .5}", b"{\"a\": 0x1}", b"{\"a\": 1e}", b"{a: 1}", b"{\"a\" 1}", b"{\"a\":}", b"{,}",
    b"{\"a\": \"\\x41\"}", b"{\"a\": \"\\u12\"}", b"{\"a\": \"tab\there\"}", b"{\"a\": \"line\nbreak\"}",
    b"{\"a\": \"open}", b"// c\n{}", b"{/* c */}", b"{\"a\": tru}", b"{\"a\": nulll}", b"{\"a\": \"\xff\"}",
    b"{\"a\": \"\xc3\x28\"}", b"{\"a\": \"\xed\xa0\x80\"}", b"{\"a\": \"\xf4\x90\x80\x80\"}", b"{\"a\": \"\xc0\xaf\"}",
    b"\x00", b"{}\x00", b"{\"a\": \"\x00\"}", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), "{}".encode("utf-32"),
    b"\xff\xfe", b"a=1&b=2", b"<xml/>", b"[" * 30000, b"{\"a\":" * 10000, b"\x0b{}", b"\xc2\xa0{}",
    b"{\"a\": '\\u0000'}", b"undefined", b"{\"a\": -}", b"{\"a\": 1 2}", b"{\"a\"}", b"{\"a\": 1 \"b\": 2}", b"{1: 2}"
]


@pytest.mark.parametrize("body", NOT_AN_OBJECT)
def test_a_body_that_is_no_json_object_in_utf8_is_400(api, clinic, body):
    must_be_problem(api.post(clinic, body), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"{\"patient_id\": \"patient_123\", \"patient_id\": \"patient_456\", \"method\": \"sms\", \"outcome\": \"failed\"}",
        b"{\"patient_id\": \"patient_123\", \"method\": \"sms\", \"outcome\": \"failed\", \"x\": 1, \"x\": 2}",
        b"{\"method\": \"fax\", \"method\": \"sms\", \"patient_id\": \"patient_123\", \"outcome\": \"failed\", \"\\u006dethod\": \"fax\"}",
    ],
)
def test_a_repeated_name_never_makes_a_mixed_row(api, clinic, body):
    assert api.post(clinic, body).status in (201, 400, 422)


def test_deep_and_huge_values_in_unknown_fields_do_no_harm(api, clinic):
    start = json.dumps(GOOD)[:-1] + ", \"x\": "
    for value in ("[" * 20000 + "]" * 20000, "{\"a\":" * 8000 + "1" + "}" * 8000, "1" * 40000, "1e999999999",
                  "-1e-999999999", "0." + "1" * 30000, "\"" + "\\u0041" * 9000 + "\""):
        assert api.post(clinic, start + value + "}").status in (201, 400, 422)


def test_exactly_64_kib_is_accepted_and_a_byte_more_is_413(api, database, clinic):
    for filler in (lambda n: json.dumps({**GOOD, "x": ""})[:-2] + "x" * n + "\"}",
                   lambda n: json.dumps({**GOOD, "x": ""}) + " " * n):
        room = 65536 - len(filler(0))
        accepted(api.post(clinic, filler(room)))
        before = logged(database, clinic)
        must_be_problem(api.post(clinic, filler(room + 1)), 413)
        assert logged(database, clinic) == before


def chunked(body, size):
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_chunked_upload_is_read_completely_and_bounded_too(api, clinic, size):
    headers = {**api.authorization(clinic), "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    accepted(api.post(clinic, chunked(json.dumps(GOOD).encode(), size), headers=headers))
    whole = json.dumps({**GOOD, "x": ""})[:-2].encode()
    exact = whole + b"x" * (65536 - len(whole) - 2) + b"\"}"
    if size > 1:
        accepted(api.post(clinic, chunked(exact, size), headers=headers, fresh=True))
        must_be_problem(api.post(clinic, chunked(exact + b" ", size), headers=headers, fresh=True), 413)
