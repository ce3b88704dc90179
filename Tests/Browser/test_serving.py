"""How nginx serves the pages: headers, policy, the local token, the production snippets and /docs."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from browser import Page
from problems import must_be_problem
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(str(path.relative_to(ROOT / "pages"))
               for path in (ROOT / "pages/dashboard").rglob("*.*")) + ["dashboard/chart.js"]


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
def test_every_file_has_the_right_content_type(stack, path):
    response = stack.client.request("GET", f"/{path}")
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert response.status == 200 and response.body
    assert response.header("Content-Type") == f"{kinds[path.rpartition('.')[2]]}; charset=utf-8"
    assert "Content-Security-Policy" in dict(response.headers)
    again = stack.client.request("GET", f"/{path}", {"If-None-Match": response.header("ETag")})
    assert again.status == 304


@pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/js/", "/dashboard/nothing.js", "/docs/nothing",
                                  "/docs/.requirements.txt", "/dashboard/../keys/private.pem", "/dev/", "/dev"])
def test_no_other_path_exists(stack, path):
    must_be_problem(stack.client.request("GET", path), 404)


def test_the_page_allows_read_methods_only(stack):
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
    production = Stack(directory / "production", DATABASE_URL=stack.settings["DATABASE_URL"], STACK_NGINX="production",
                       STACK_PAGES="dashboard docs")
    with production.started("server-start", "nginx-start") as made:
        yield made


def test_in_production_the_page_accepts_a_pasted_token_and_no_token_is_served(production, driver):
    must_be_problem(production.client.request("GET", "/dev/tokens"), 404)
    # The page requests a token only on "localhost". Its 404 is expected here.
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


@pytest.fixture
def docs(page):
    """Opens /docs and switches to the frame that contains Swagger UI."""
    page.driver.get(page.address + "/docs")
    page.driver.switch_to.frame(page.find("iframe"))
    page.find(".opblock")
    yield page
    page.driver.switch_to.default_content()


def ask_by_hand(page, url, **options):
    """Sends a request from the frame to the surrounding page."""
    return page.driver.execute_async_script(
        "ask(arguments[0], { method: 'GET', ...arguments[1] })"
        ".then(async (answer) => ({ status: answer.status, text: await answer.text() }), (error) => ({ error: error.message })).then(arguments[2])",
        url,
        options,
    )


def test_docs_show_the_document_and_try_it_with_a_token(docs, api):
    page = docs
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
    page.driver.switch_to.default_content()
    assert page.run("return location.hash") == "#/Risk/getRiskMetrics"
    # The address leads to the same operation after a reload.
    page.driver.refresh()
    page.driver.switch_to.frame(page.find("iframe"))
    page.find("#operations-Risk-getRiskMetrics.is-open")


def test_unused_docs_forget_the_token_and_the_responses(docs, api):
    page = docs
    page.click(".btn.authorize")
    page.find(".auth-container input").send_keys(api.signer.token("org_demo_1"))
    page.click(".auth-btn-wrapper .authorize")
    page.click(".auth-btn-wrapper .btn-done")
    page.find(".btn.authorize.locked")
    page.press("a")
    page.run("document.documentElement.dataset.mark = 'old'; const own = performance.now.bind(performance);"
             "performance.now = () => own() + (window.awake ?? 0); window.awake = 14.5 * 60000")
    page.run("return new Promise((done) => setTimeout(done, 1500))")
    assert page.run("return document.documentElement.dataset.mark") == "old"
    # Events created by a script do not count as input.
    page.run("dispatchEvent(new KeyboardEvent('keydown', { key: 'a' })); window.awake += 36000")
    page.until(lambda: has_new_frame(page) and page.all(".btn.authorize.unlocked"))


def has_new_frame(page):
    """Returns whether the frame was replaced. It looks the frame up at each call, because a replaced one is invalid."""
    page.driver.switch_to.default_content()
    page.driver.switch_to.frame(page.find("iframe"))
    return page.all(".opblock") and page.run("return document.documentElement.dataset.mark ?? null") is None


def test_scripts_of_docs_cannot_reach_the_hosts_storage(docs):
    """Swagger UI has an opaque origin, even in a frame without the sandbox attribute."""
    page = docs
    for _ in range(2):
        assert page.run("return self.origin") == "null" and page.all(".opblock")
        for reach in ("localStorage", "sessionStorage", "document.cookie", "indexedDB.open('reengagement')",
                      "parent.document.body", "top.location.href"):
            assert (
                page.run(f"try {{ {reach}; return 'reached'; }} catch (error) {{ return error.name; }}")
                == "SecurityError"
            ), reach
        page.driver.switch_to.default_content()
        page.run("""const frame = document.createElement('iframe');
            frame.src = '/docs/ui.html';
            document.getElementById('docs').replaceChildren(frame);""")
        page.driver.switch_to.frame(page.find("iframe:not([sandbox])"))
        page.find(".opblock")


@pytest.mark.parametrize("path", ["/dev/tokens", "/api/v1/../../dev/tokens",
                                  "/api/v1/reengagement/..%2f..%2f..%2f..%2fdev/tokens",
                                  "/api/v1/reengagement/%2e%2e/%2E%2E/%2e%2e/dev/tokens", "/", "/dashboard/js/main.js",
                                  "https://other.example/health",
                                  "//other.example/health", "/health/../dev/tokens"])
def test_docs_request_documented_paths_only(docs, path):
    assert "no address of the API" in ask_by_hand(docs, path).get("error", ""), path


def test_docs_send_requests_through_the_page_alone(docs, stack):
    page = docs
    page.allowed += ["has been blocked by CORS policy", "net::ERR_FAILED"]
    assert json.loads(ask_by_hand(page, "/health")["text"])["status"] == "ok"
    for path in ("/health", "/dev/tokens", "/openapi.json", "/api/v1/reengagement/org_demo_1/dashboard"):
        assert (
            page.driver.execute_async_script(
                "fetch(arguments[0]).then(() => 'read', (error) => error.name).then(arguments[1])", path
            )
            == "TypeError"
        )
    assert stack.client.request("GET", "/openapi.json", {"Origin": "null"}).all("Access-Control-Allow-Origin") == []


def test_every_file_of_docs_is_named_with_its_digest(stack):
    for path in ("/docs", "/docs/ui.html"):
        text = stack.client.request("GET", path).body.decode()
        tags = re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", text)
        assert len(tags) == text.count("<script") + text.count("stylesheet") >= 2
        for tag in tags:
            name, digest = re.search(r'(?:src|href)="([^"]+)"',
                                     tag)[1], re.search(r'integrity="sha384-([^"]+)"', tag)[1]
            assert (
                base64.b64encode(hashlib.sha384(stack.client.request("GET", name).body).digest()).decode() == digest
            ), name


def test_a_changed_file_of_docs_does_not_run(page, stack):
    site = (Path(stack.settings["NGINX_CONFIGURATION"]).parent / "site/pages.conf").read_text()
    bundle = Path(re.search(r"root (.*);", site)[1]) / "docs/swagger-ui-bundle.js"
    before = bundle.read_bytes()
    page.allowed += ["Failed to find a valid digest", "SwaggerUIBundle is not defined"]
    try:
        bundle.write_bytes(before + b"\n")
        page.driver.get(page.address + "/docs")
        page.driver.switch_to.frame(page.find("iframe"))
        page.until(lambda: page.run("return document.readyState") == "complete")
        assert page.run("return typeof SwaggerUIBundle") == "undefined" and not page.all(".opblock")
        page.driver.switch_to.default_content()
    finally:
        bundle.write_bytes(before)


def test_docs_have_policies_of_their_own(stack):
    for path in ("/docs", "/docs/"):
        policy = policy_of(stack.client.request("GET", path))
        assert policy["default-src"] == ["'none'"] and policy["script-src"] == policy["connect-src"] == policy[
            "style-src"
        ] == ["'self'"]
        assert policy["frame-ancestors"] == ["'none'"] and policy["require-trusted-types-for"] == ["'script'"]
    frame = policy_of(stack.client.request("GET", "/docs/ui.html"))
    assert frame["sandbox"] == ["allow-scripts", "allow-forms"] and frame["frame-ancestors"] == ["'self'"]
