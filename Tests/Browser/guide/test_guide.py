"""The integration guide's JavaScript runs unchanged under node and in a page of another origin."""

import json
import subprocess
from pathlib import Path

import pytest

from stack import clean_environment

HERE = Path(__file__).parent
COLORS = ["#DC2626", "#EA580C", "#CA8A04", "#16A34A", "#059669", "#6B7280"]
FALLBACK = {
    "error": True, "message": "Unable to load reengagement data", "fallback_data": {
        "risk_summary": {"critical": 0, "high": 0, "medium": 0, "low": 0, "engaged": 0}
    }
}
PATHS = [
    "risk-metrics", "performance?timeframe=last_30_days", "patients/prioritized?risk_level=critical&limit=20",
    "trends?period=30d&metrics=risk_levels"
]


@pytest.fixture
def setting(stack, clinic, api):
    clinic.add("patient_123", "John Smith", days=47).add("second", "Jane Doe", days=52)
    for method in ("sms", "email", "phone"):
        assert api.post(clinic.id, {"patient_id": "second", "method": method, "outcome": "failed"}).status == 201
    return {
        "base": f"http://localhost:{stack.settings['HTTP_PORT']}", "organization": clinic.id,
        "token": api.signer.token(clinic.id), "patient": "patient_123"
    }


def under_node(setting):
    done = subprocess.run(["node", HERE / "run.mjs", json.dumps(setting)],
                          env=clean_environment(NO_PROXY="localhost"),
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_the_browser(driver, origin, setting):
    driver.set_script_timeout(300)
    driver.get(f"{origin}/blank.html")
    return driver.execute_async_script(
        """
        const [setting, done] = arguments;
        Promise.all([import('/harness.mjs'), fetch('/integration-guide.md').then((answer) => answer.text())])
          .then(([harness, markdown]) => harness.everything(markdown, setting))
          .then(done, (error) => done({ error: String(error?.stack ?? error) }));""", setting)


def must_be_right(result, setting, clinic, api):
    assert "error" not in result, result
    assert [each["status"] for each in result["read"]] == [200] * 4
    assert all(each["requestID"] for each in result["read"])
    prefix = f"{setting['base']}/api/v1/reengagement/{clinic.id}/"
    assert [each["url"] for each in result["read"]] == [prefix + path for path in PATHS]
    assert result["absent"] == ["ChannelCard phone responseRate", "ChannelCard phone totalSent"]
    assert result["missing"] == [] and result["colors"] == COLORS
    assert [answer["success"] for answer in result["written"]] == [True] * 10
    rows = [row for row in clinic.logged() if row[0] == "patient_123"]
    assert [row[1:3] for row in rows[:9]] == [(method, outcome) for method in ("sms", "email", "phone")
                                              for outcome in ("success", "no_response", "failed")]
    assert rows[9] == ("patient_123", "sms", "success", False, "Appointment reminder sent") and len(rows) == 10
    assert result["good"]["organization_id"] == clinic.id
    assert result["refused"] == result["invalid"] == FALLBACK


def test_every_block_runs_under_node(setting, clinic, api):
    before = [json.loads(api.get(clinic.id, path).body) for path in PATHS]
    result = under_node(setting)
    must_be_right(result, setting, clinic, api)
    for wanted, got in zip(before, result["read"]):
        for document in (wanted, got["data"]):
            document.pop("last_updated", None), document.pop("timestamp", None)
        assert got["data"] == wanted


def test_every_block_runs_in_a_page_of_another_origin(driver, guide_origin, setting, clinic, api):
    result = in_the_browser(driver, guide_origin, setting)
    must_be_right(result, setting, clinic, api)
    complaints = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    # The two refused requests of the error handling.
    assert sorted(part for text in complaints for part in ("401", "422", "CORS") if part in text) == ["401", "422"]


def test_a_page_of_an_origin_that_is_not_listed_gets_the_fallback(driver, guide_origin, setting):
    stranger = guide_origin.replace("localhost", "127.0.0.1")
    driver.set_script_timeout(300)
    driver.get(f"{stranger}/blank.html")
    result = driver.execute_async_script(
        """
        const [setting, done] = arguments;
        Promise.all([import('/harness.mjs'), fetch('/integration-guide.md').then((answer) => answer.text())])
          .then(([harness, markdown]) => harness.guarded(markdown, setting, 'dashboard'))
          .then(done, (error) => done(String(error)));""", setting)
    assert result == FALLBACK
    assert any("CORS" in entry["message"] for entry in driver.get_log("browser"))
