"""What a schema cannot say of two values: without it, no request with them could be expected to be taken."""

import base64
import json
import uuid

import schemathesis
from schemathesis.core.parameters import ParameterLocation


@schemathesis.hook
def before_call(context, case, kwargs):
    if "Idempotency-Key" in (case.headers or {}) and is_sound(case, ParameterLocation.HEADER):
        # A key stands for one attempt: with another body it is refused.
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if "cursor" in (case.query or {}) and is_sound(case, ParameterLocation.QUERY):
        # Opaque, and of this organization and filter alone.
        case.query["cursor"] = cursor(case.path_parameters["org_id"], case.query.get("risk_level", "all"))


def is_sound(case, location):
    """Whether these values are meant to be taken."""
    return case.meta is None or not case.meta.is_negative_at(location)


def cursor(organization, risk_level):
    place = ["1", organization, risk_level, 1, 85, 47, "patient_123"]
    text = json.dumps(place, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
