"""How nginx serves the pages: headers, policy, the local token, the production snippets, and /docs."""

import json
from pathlib import Path

import pytest

from browser import Page
from problems import must_be_problem
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(str(path.relative_to(ROOT / "nginx"))
               for path in (ROOT / "nginx/dashboard").rglob("*.*")) + ["dashboard/chart.js"]


def policy_of(response):
    parts = [part.split() for part in response.header("Content-Security-Policy").split(";")]
    return {part[0]: part[1:] for part in parts}


def test_the_page_has_a_strict_policy_and_the_other_headers(stack):
    response = stack.client.request("GET", "/")
    assert response.status == 200 and response.header("Content-Type") == "text/html; charset=utf-8"
    policy = policy_of(response)
    assert policy["default-src"] == ["'none'"] and policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["connect-src"] == ["'self'"] and policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert "unsafe" not in response.header("Content-Security-Policy")
    for name, value in (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
                        ("Cross-Origin-Opener-Policy", "same-origin"), ("Cache-Control", "no-cache")):
        assert response.header(name) == value
    text = response.body.decode()
    assert "style=" not in text and "onclick" not in text and "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize("path", FILES)
def test_every_file_is_served_as_what_it_is(stack, path):
    response = stack.client.request("GET", f"/{path}")
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert response.status == 200 and response.body
    assert response.header("Content-Type") == f"{kinds[path.rpartition('.')[2]]}; charset=utf-8"
    assert "Content-Security-Policy" in dict(response.headers)
    again = stack.client.request("GET", f"/{path}", {"If-None-Match": response.header("ETag")})
    assert again.status == 304


@pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/js/", "/dashboard/nothing.js", "/docs/nothing", "/dashboard/../keys/private.pem", "/dev/", "/dev"])
def test_there_is_nothing_else(stack, path):
    must_be_problem(stack.client.request("GET", path), 404)


def test_the_page_is_for_reading_alone(stack):
    must_be_problem(stack.client.request("POST", "/", {}, "x"), 405)


def test_the_local_token_is_for_pages_of_this_address_alone(stack):
    for client in (stack.client, stack.plain):
        answer = client.request("GET", "/dev/tokens", {"Origin": "http://localhost:3000"})
        assert answer.status == 200 and not answer.all("Access-Control-Allow-Origin")
        assert answer.header("Cache-Control") == "no-store"
        offered = answer.json()["organizations"]
        assert [each["id"] for each in offered] == ["org_demo_1", "org_demo_2", "org_demo_3"]
        for each in offered:
            headers = {"Authorization": f"Bearer {each['token']}"}
            assert stack.api.get(each["id"], "dashboard", headers=headers).status == 200
        must_be_problem(client.request("GET", "/dev/tokens", {"Host": "rebound.example"}), 404)


@pytest.fixture(scope="module")
def production(stack, directory):
    made = Stack(directory / "production",
                 DATABASE_URL=stack.settings["DATABASE_URL"],
                 STACK_NGINX="production",
                 STACK_PAGES="1")
    try:
        made.call("server-start")
        made.call("nginx-start")
        yield made.attach()
    finally:
        made.down()


def test_in_production_the_page_takes_a_pasted_token_and_there_is_none_to_be_had(production, driver):
    must_be_problem(production.client.request("GET", "/dev/tokens"), 404)
    # "localhost" alone makes the page look for one; its 404 is this test's doing.
    page = Page(driver, f"https://localhost:{production.settings['HTTPS_PORT']}")
    page.allowed = ["/dev/tokens"]
    try:
        page.open(wait="#token")
        page.find("#token").send_keys(production.signer.token("org_demo_1"))
        page.click(".sign-in [type=submit]")
        page.find(".risk-cards")
        assert page.all(".organization select") == [] and page.text(".who .organization") == "org_demo_1"
        assert "max-age" in production.client.request("GET", "/").header("Strict-Transport-Security")
        page.must_be_clean()
    finally:
        page.close()


def test_docs_show_the_description_and_try_it_with_a_token(page, api):
    page.driver.get(page.address + "/docs")
    page.find(".opblock")
    described = json.loads(page.run("return JSON.stringify(ui.specSelectors.specJson().toJS())"))
    assert "/api/v1/reengagement/{org_id}/risk-metrics" in described["paths"]
    shown = page.run("return document.querySelectorAll('.opblock').length")
    methods = {"get", "post", "put", "delete", "patch", "head", "options"}
    assert shown == sum(len(methods & set(path)) for path in described["paths"].values())
    page.click(".btn.authorize")
    page.find(".auth-container input").send_keys(api.signer.token("org_demo_1"))
    page.click(".auth-btn-wrapper .authorize")
    page.click(".auth-btn-wrapper .btn-done")
    page.click("#operations-Risk-getRiskMetrics .opblock-summary-control")
    page.find("#operations-Risk-getRiskMetrics .parameters input").clear()
    page.find("#operations-Risk-getRiskMetrics .parameters input").send_keys("org_demo_1")
    page.click("#operations-Risk-getRiskMetrics .execute")
    page.until(lambda: "risk_summary" in page.text("#operations-Risk-getRiskMetrics .live-responses-table"))


def test_docs_have_a_policy_of_their_own(stack):
    for path in ("/docs", "/docs/"):
        policy = policy_of(stack.client.request("GET", path))
        assert policy["default-src"] == ["'none'"] and policy["script-src"] == policy["connect-src"] == ["'self'"]
