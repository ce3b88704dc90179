"""The paths of the API and the reading of their segments. Any other path is 404 before every other check."""

import pytest

from client import PREFIX
from problems import must_be_problem

UNKNOWN = ("/api", "/api/", "/api/v1", f"{PREFIX}", f"{PREFIX}/", f"{PREFIX}/O", f"{PREFIX}/O/",
           f"{PREFIX}/O/risk-metrics/", f"/{PREFIX}/O/risk-metrics", "/api//v1/reengagement/O/risk-metrics",
           f"{PREFIX}//O/risk-metrics", f"{PREFIX}/O//risk-metrics", f"{PREFIX}/O/risk-metrics//",
           f"{PREFIX}//risk-metrics", f"{PREFIX}/O/Risk-Metrics", f"{PREFIX}/O/risk_metrics", f"{PREFIX}/O/riskmetrics",
           f"{PREFIX}/O/risk-metrics/x", f"{PREFIX}/O/risk-metrics%2F", f"{PREFIX}/O%2Frisk-metrics",
           f"{PREFIX}/O/patients", f"{PREFIX}/O/patients/", f"{PREFIX}/O/patients//",
           f"{PREFIX}/O/patients/prioritized/", f"{PREFIX}/O/patients%2Fprioritized", f"{PREFIX}/O/patients/p/outreach",
           f"{PREFIX}/O/patients/p/", f"{PREFIX}/O/Patients/p", f"{PREFIX}/O/log-outreach/",
           "/API/v1/reengagement/O/dashboard", "/api/v2/reengagement/O/dashboard", "/api/v1/Reengagement/O/dashboard",
           "/api/v1/reengagement.O/dashboard", f"{PREFIX}/O/dashboard;x=1", f"{PREFIX}/O/dashboard%20",
           f"{PREFIX}/O/dashboard+", f"{PREFIX}/O/dashboard%3F", f"{PREFIX}/O/./dashboard",
           f"{PREFIX}/O/x/../dashboard", f"{PREFIX}/./O/dashboard", "/./health", "/x/../health", "/health/", "/Health",
           "//health", "/healthz", "/ready/", "/openapi.json/", "/openapi",
           "/favicon.txt", "/.git/config", "/index.php", "/%2e/health", f"{PREFIX}/O/%64ashboard%00".replace(
               "%00", "%01"), f"{PREFIX}/%ff/dashboard", f"{PREFIX}/O/patients/%ff", f"{PREFIX}/O/patients/%c3%28",
           f"{PREFIX}/O/patients/%ed%a0%80", f"{PREFIX}/O/patients/%f4%90%80%80", f"{PREFIX}/O/patients/%c0%af",
           f"{PREFIX}/O/%ff", "/%ff", f"{PREFIX}/%e0%80%80/log-outreach")


@pytest.mark.parametrize("target", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_404_before_method_and_token(api, clinic, target, method):
    target = target.replace("/O", f"/{clinic}")
    must_be_problem(api.client.request(method, target), 404)
    must_be_problem(api.client.request(method, target, api.authorization(clinic)), 404)


@pytest.mark.parametrize("path", [
    "risk%2Dmetrics", "%72isk-metrics", "r%69sk-metric%73", "patients/%70rioritized", "%70atients/prioritized",
    "patients/prioritize%64?x=1", "dashboard?", "dashboard?/", "dashboard?a/b"
])
def test_segments_are_percent_decoded_after_the_split(api, clinic, path):
    plain = path.replace("%2D", "-").replace("%72",
                                             "r").replace("%69",
                                                          "i").replace("%73",
                                                                       "s").replace("%70",
                                                                                    "p").replace("%64",
                                                                                                 "d").split("?")[0]
    got, expected = api.answer(clinic, path), api.answer(clinic, plain)
    assert set(got) == set(expected)


def test_the_organization_is_percent_decoded_too(api, clinic):
    encoded = "".join(f"%{byte:02X}" for byte in clinic.encode())
    response = api.client.request("GET", f"{PREFIX}/{encoded}/risk-metrics", api.authorization(clinic))
    assert response.status == 200 and response.json()["organization_id"] == clinic


@pytest.mark.parametrize("organization", [
    "org with space", "org/slash", "org%percent", "órg", "o\u0301rg", "組織", "🐨", "org?x#y", "a+b", "\"quoted\\\"",
    "o" * 200, "..a", "org\nline"
])
def test_an_organization_of_any_name_without_rows_gets_zeros(api, organization):
    answer = api.answer(organization, "risk-metrics")
    assert answer["organization_id"] == organization
    assert set(answer["risk_summary"].values()) == {0} and set(answer["alerts"].values()) == {0}


def test_composed_and_decomposed_organizations_are_two(api):
    response = api.get("o\u0301rg", "dashboard", headers=api.authorization("\u00f3rg"))
    must_be_problem(response, 403)
