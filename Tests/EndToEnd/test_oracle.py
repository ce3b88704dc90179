"""The oracle reproduces the contract's worked example, before it may judge anything else."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

import rows
from measures import one_decimal, recency
from oracle import Oracle
from fractions import Fraction

EXAMPLE = Path(__file__).parent / "example"
ORGANIZATION = "org_2abc123"


def answers(oracle):
    return {
        "risk-metrics": oracle.risk_metrics(),
        "dashboard": oracle.dashboard(),
        "performance.last_30_days": oracle.performance("last_30_days"),
        "patients.prioritized": oracle.prioritized(),
        "patients.patient_123": oracle.patient("patient_123"),
        "trends.30d": oracle.trends("30d"),
        "trends.7d.risk_levels": oracle.trends("7d", ["risk_levels"]),
    }


def expected(name):
    answer = json.loads((EXAMPLE / f"{name}.json").read_text(), parse_float=Decimal)
    if name == "patients.prioritized":
        answer["summary"]["total"] = 6  # an addition that the contract's example does not show
    return answer


@pytest.fixture(scope="module")
def example():
    found = rows.parse_inserts((EXAMPLE / "rows.sql").read_text())
    assert [len(getattr(found, t)) for t in rows.TABLES] == [1, 7, 11, 1, 6]
    return answers(Oracle(found, ORGANIZATION, rows.instant("2025-06-30T12:00:00Z")))


@pytest.mark.parametrize("name", [p.stem for p in sorted(EXAMPLE.glob("*.json"))])
def test_the_oracle_gives_the_example_answer(example, name):
    assert example[name] == expected(name)


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


def test_recency_never_falls_and_joins_at_every_edge():
    values = [recency(d) for d in range(120)]
    assert values == sorted(values)
    assert [recency(d) for d in (0, 6, 7, 13, 14, 29, 30, 44, 45, 47, 89, 90)] == \
        [0, 25, 30, 42, 45, 59, 60, 74, 75, 75, 89, 90]
