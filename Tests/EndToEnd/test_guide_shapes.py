"""A frontend written from the guide finds every field of its examples with the right type."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from client import PREFIX, strict_json
from openapi import description, schema_of

GUIDE = Path(__file__).parent / "guide"
PATHS = {
    "risk-metrics": "risk-metrics", "performance": "performance?timeframe=last_30_days",
    "patients-prioritized": "patients/prioritized?risk_level=critical&limit=20", "trends": "trends?period=30d",
    "dashboard": "dashboard"
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
NULLABLE = {
    "phone", "email", "last_appointment_date", "next_scheduled_appointment", "previous_response_rate",
    "attendance_rate_percent", "next_cursor"
}


def kind(name, value):
    if value is None or name in NULLABLE:
        return "nullable"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, Decimal)):
        return "whole number" if isinstance(value, int) else "number"
    if isinstance(value, str):
        return "time" if TIME.fullmatch(value) else "date" if DATE.fullmatch(value) else "text"
    return type(value).__name__


def properties(schema):
    """Returns the schema's properties by name."""
    return {name: inner for part in description.parts(schema) for name, inner in part.get("properties", {}).items()}


def compare(example, answer, schema, path):
    """The fields that the API has added to the guide's example are those of the document that it lacks."""
    schema = description.resolved(schema)
    if isinstance(example, dict):
        documented = properties(schema)
        assert set(example) <= set(answer) <= set(documented), f"{path}: {sorted(set(example) ^ set(answer))}"
        assert set(example) <= set(documented), f"{path}: {sorted(set(example) - set(documented))}"
        for name in example:
            assert kind(name,
                        example[name]) == kind(name,
                                               answer[name]), f"{path}.{name}: {example[name]!r} and {answer[name]!r}"
            compare(example[name], answer[name], documented[name], f"{path}.{name}")
    elif isinstance(example, list):
        assert answer, f"{path} is empty"
        for number, item in enumerate(answer):
            compare(example[0], item, schema["items"], f"{path}[{number}]")


@pytest.mark.parametrize("name", PATHS)
def test_a_response_has_the_fields_of_the_guides_example_and_the_documented_additions_alone(api, clinic, name):
    example = strict_json((GUIDE / f"{name}.json").read_text())
    schema = schema_of(f"{PREFIX}/{{org_id}}/{PATHS[name].partition('?')[0]}", "get", "200")
    compare(example, api.answer(clinic, PATHS[name]), schema, name)


def test_the_guides_own_post_is_accepted(api, clinic):
    response = api.post(clinic, (GUIDE / "log-outreach.json").read_text())
    assert response.status == 201 and response.json()["success"] is True


def test_fields_have_the_order_of_the_guide(api, clinic):
    """JSON needs no order, but people read it."""
    for name, path in PATHS.items():
        example, answer = strict_json((GUIDE / f"{name}.json").read_text()), api.answer(clinic, path)
        assert [k for k in answer if k in example] == list(example)


def test_rates_and_averages_are_written_with_one_decimal(api, clinic):
    for path in ("performance", "dashboard", "trends?metrics=success_rates,channel_performance",
                 "patients/prioritized"):
        text = api.get(clinic, path).body.decode()
        found = re.findall(r'"(\w*(?:rate|avg_\w+|change_pct|conversion|percent|industry\w+))":\s*(-?[0-9.eE+-]+)',
                           text)
        assert found and all(re.fullmatch(r"-?\d+\.\d", value) for _, value in found), found


def test_text_is_returned_in_utf8_unchanged(api, database, clinic):
    names = [
        "Ana Ōtaki", "\"quoted\" \\ / \b\f\n\r\t", "\x01\x1f\x7f\x85\u2028\u2029\ufeff", "👩‍⚕️",
        "\U0010ffff\uffff\ue000", "</script><!--", "a\u0301 á"
    ]
    with database.cursor() as cursor:
        for number, name in enumerate(names):
            cursor.execute("INSERT INTO patients (organization_id, id, name, treatment_notes) VALUES (%s, %s, %s, %s)",
                           (clinic, f"named{number}", name, name))
    for number, name in enumerate(names):
        response = api.get(clinic, f"patients/named{number}")
        answer = json.loads(response.body.decode("utf-8", "strict"))
        assert (answer["name"], answer["treatment_notes"]) == (name, name)
