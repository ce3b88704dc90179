"""What a schema cannot say of two values: without it, no request with them could be expected to be taken."""

import base64
import hashlib
import re
import uuid

import schemathesis
from schemathesis.core.parameters import ParameterLocation


@schemathesis.hook
def before_call(context, case, kwargs):
    query, body = case.query or {}, case.body if isinstance(case.body, dict) else {}
    # A key stands for one attempt: with another body it is refused, and one of the header is that of the body.
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
    """Values of the list that are meant to be taken."""
    if isinstance(values.get("q"), str) and not re.sub("[\u0300-\u036f]", "", values["q"]).strip(" "):
        values["q"] = "smith"       # no letter is left of it without accents
    if isinstance(values.get("cursor"), str):
        # Opaque, and of this organization, filter and order alone.
        values["cursor"] = cursor(path_parameters["org_id"], values)


def is_sound(case, location):
    """Whether these values are meant to be taken."""
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
    """JSON as the server writes it."""
    def one(value):
        if isinstance(value, str):
            return '"' + re.sub(r'[\x00-\x1f"\\]', escape, value) + '"'
        return "null" if value is None else str(value)

    return f"[{','.join(map(one, values))}]".encode()


def escape(found):
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    return short.get(found[0]) or f"\\u{ord(found[0]):04x}"
