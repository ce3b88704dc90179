"""The oracle reproduces the contract's worked example before other tests rely on it."""

from fractions import Fraction
from pathlib import Path

import pytest

import rows
from client import strict_json
from measures import one_decimal, recency
from openapi import example_of
from oracle import Oracle
from registry import PATIENT, READS

EXAMPLE = Path(__file__).parent / "example"
ORGANIZATION = "org_2abc123"
# Which request each file of the contract's example is the response to.
# The OpenAPI document has the examples of the other endpoints, unchanged.
FILES = {
    "patients.prioritized": "patients/prioritized", "trends.30d": "trends?period=30d",
    "trends.7d.risk_levels": "trends?period=7d&metrics=risk_levels"
}


def from_file(name):
    answer = strict_json((EXAMPLE / f"{name}.json").read_text())
    if name == "patients.prioritized":
        # Additions that the contract's example lacks.
        answer["summary"]["total"] = 6
        since = {"patient_123": "2025-06-28", "patient_456": "2025-06-23", "patient_502": "2025-06-24"}
        for patient in answer["patients"]:
            patient["critical_since"] = since.get(patient["id"])
    return answer


# The example responses by path: the contract's or, for other endpoints, the OpenAPI document's.
EXAMPLES = {FILES.get(file.stem, file.stem): from_file(file.stem) for file in sorted(EXAMPLE.glob("*.json"))}
SHOWN = {endpoint.path.replace(PATIENT, "patient_123"): example_of(endpoint.template) for endpoint in READS}
EXAMPLES |= {path: shown for path, shown in SHOWN.items() if path not in {known.partition("?")[0] for known in EXAMPLES}}


@pytest.fixture(scope="module")
def example():
    found = rows.parse_inserts((EXAMPLE / "rows.sql").read_text())
    assert [len(getattr(found, t)) for t in rows.TABLES] == [1, 7, 11, 1, 6]
    return Oracle(found, ORGANIZATION, rows.instant("2025-06-30T12:00:00Z"))


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_oracle_returns_the_example_response(example, path):
    assert example.answer_to(path) == EXAMPLES[path]


def test_rounding_is_half_away_from_zero():
    halves = {
        Fraction(25, 100): "0.3",
        Fraction(35, 100): "0.4",
        Fraction(-25, 100): "-0.3",
        Fraction(-5, 100): "-0.1",
        Fraction(4, 100): "0.0",
        Fraction(200, 3): "66.7"
    }
    assert {k: str(one_decimal(k)) for k in halves} == halves


def test_recency_never_decreases_and_has_no_gap_at_any_limit():
    values = [recency(d) for d in range(120)]
    assert values == sorted(values)
    assert [recency(d) for d in (0, 6, 7, 13, 14, 29, 30, 44, 45, 47, 89, 90)] == \
        [0, 25, 30, 42, 45, 59, 60, 74, 75, 75, 89, 90]
