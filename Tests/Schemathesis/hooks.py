"""Repairs relations between two values, which a schema cannot express.

Without this, the server would refuse nearly every generated request with a key, a search text or a cursor.
"""
import base64
import hashlib
import re
import uuid

import schemathesis
from schemathesis.core.parameters import ParameterLocation


@schemathesis.hook
def before_call(context, case, kwargs):
    query, body = case.query or {}, case.body if isinstance(case.body, dict) else {}
    # The server refuses a key that it knows with another body, and a header that differs from the body's key.
    key = uuid.uuid4().hex
    if "Idempotency-Key" in (case.headers or {}) and is_sound(case, ParameterLocation.HEADER):
        case.headers["Idempotency-Key"] = key
    if isinstance(body.get("idempotency_key"), str) and is_sound(case, ParameterLocation.BODY):
        body["idempotency_key"] = key
    if is_sound(case, ParameterLocation.QUERY):
        repair(query, case.path_parameters)
    if case.path.endswith("/patients/search") and is_sound(case, ParameterLocation.BODY):
        repair(body, case.path_parameters)


def repair(values, path_parameters):
    """Makes the search text and the cursor of a request for the list valid."""
    if isinstance(values.get("q"), str) and not re.sub("[\u0300-\u036f]", "", values["q"]).strip(" "):
        values["q"] = "smith"       # without its accents, the generated text is empty
    if isinstance(values.get("cursor"), str):
        # A cursor is opaque, and valid for one organization, filter and order.
        values["cursor"] = cursor(path_parameters["org_id"], values)


def is_sound(case, location):
    """Returns whether the values at this location are meant to be valid."""
    return case.meta is None or not case.meta.is_negative_at(location)


def cursor(organization, values):
    q, order = values.get("q"), values.get("sort") or "priority"
    belongs_to = [organization, values.get("risk_level") or "all", values.get("engagement_status"),
                  text_of(values.get("action_priority")), values.get("risk_tier"), q and q.strip(" "), order]
    digest = encoded(hashlib.sha256(written(belongs_to)).digest()[:16])
    return encoded(written(["2", digest,
                            *(["a name", "patient_123"] if order == "name" else [1, 85, 47, "patient_123"])]))


def text_of(number):
    return None if number is None else str(int(number))


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def written(values):
    """Returns JSON in the server's notation: a cursor contains a digest of it."""
    def one(value):
        if isinstance(value, str):
            return '"' + re.sub(r'[\x00-\x1f"\\]', escape, value) + '"'
        return "null" if value is None else str(value)

    return f"[{','.join(map(one, values))}]".encode()


def escape(found):
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    return short.get(found[0]) or f"\\u{ord(found[0]):04x}"
