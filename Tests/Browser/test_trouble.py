"""Failures: an unavailable database, too many requests, an expired token, no network."""

import time

import pytest

GUIDE = "Unable to load reengagement data"
LIMITED = """
window.interfere = async (path, answer) => {
  if (!path.includes('risk-metrics') || window.refused) return answer();
  window.refused = true;
  return new Response(JSON.stringify({ detail: 'Too many requests.', request_id: 'rid-9' }),
    { status: 429, headers: { 'Retry-After': '7', 'Content-Type': 'application/problem+json' } });
};"""


def test_without_the_database_the_page_shows_the_guides_fallback_and_recovers_by_itself(page, stack):
    page.allowed = ["503 (Service Unavailable)"]
    page.open()
    critical = page.number("[data-count=critical]")
    stack.call("postgres-stop")
    try:
        # Loaded data stays and shows its time.
        page.go("#/performance", "#problem")
        assert GUIDE in page.text("#problem") and "Request " in page.text("#problem")
        page.driver.refresh()
        page.go("#/", "#problem")
        assert [page.number(f"[data-count={level}]")
                for level in ("critical", "high", "medium", "low", "engaged")] == [0] * 5
        assert "placeholders, not your patients" in page.text("main")
        assert page.all("#retry:not(:disabled)")
    finally:
        stack.call("postgres-start")
    page.until(lambda: not page.all("#problem") and page.number("[data-count=critical]") == critical, 120)


def test_loaded_data_stays_when_a_reload_fails(page):
    page.allowed = ["ERR_INTERNET_DISCONNECTED"]
    page.open("#/performance", wait=".metrics")
    page.before("")
    page.command("Network.enable")
    page.command("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1,
                 uploadThroughput=-1)
    try:
        page.run("sessionStorage.setItem('x', '1'); location.hash = '#/performance?timeframe=last_7_days'")
        page.find("#problem")
        assert "cannot be reached" in page.text("#problem")
    finally:
        page.command("Network.emulateNetworkConditions",
                     offline=False,
                     latency=0,
                     downloadThroughput=-1,
                     uploadThroughput=-1)
    page.click("#retry")
    page.until(lambda: not page.all("#problem"))


def test_too_many_requests_is_not_retried_too_early(page):
    page.before(LIMITED)
    page.open(wait="#problem")
    assert "Too many requests" in page.text("#problem") and page.all("#retry:disabled")
    page.until(lambda: not page.all("#problem"))
    first, second = page.asked("risk-metrics")[:2]
    assert second["at"] - first["at"] >= 6900


def test_an_expired_token_is_renewed_where_the_set_up_can(page, api):
    page.allowed = ["401 (Unauthorized)"]
    now = int(time.time())
    page.open(token=api.signer.token("org_demo_2", exp=now - 60, iat=now - 120, nbf=now - 120))
    assert page.text(".organization option:checked") == "org_demo_2"


def test_an_expired_token_is_asked_for_in_any_other_set_up_and_the_page_continues(page, api, clinic):
    page.allowed = ["401 (Unauthorized)"]
    clinic.add("ann", "Ann")
    now = int(time.time())
    page.open("#/patients/ann",
              token=api.signer.token(clinic.id, exp=now - 60, iat=now - 120, nbf=now - 120),
              wait="#token")
    assert "expired" in page.text("#reason") and page.run("return document.activeElement.id") == "token"
    for wrong, words in (("nonsense", "not a session token"),
                         (api.signer.token(clinic.id, o=...), "no active organization")):
        page.find("#token").clear()
        page.find("#token").send_keys(wrong)
        page.click(".sign-in [type=submit]")
        assert words in page.text("#token-fault")
    # Only the server decides whether the token is still valid.
    page.find("#token").clear()
    page.find("#token").send_keys(api.signer.token(clinic.id, exp=now - 30, iat=now - 120, nbf=now - 120))
    page.click(".sign-in [type=submit]")
    page.until(lambda: page.all("#reason") and page.run("return document.getElementById('token').value") == "")
    assert "expired" in page.text("#reason")
    page.find("#token").clear()
    page.find("#token").send_keys(api.signer.token(clinic.id))
    page.click(".sign-in [type=submit]")
    page.find(".what-to-do")
    assert page.text("h1") == "Ann" and page.text(".who .organization") == clinic.id


def test_signing_out_forgets_the_token(page):
    page.open()
    page.click("[data-key='sign out']")
    page.find("#token")
    assert page.run("return sessionStorage.length") == 0


SHAPELESS = """
window.interfere = async (path, answer) => (window.mended || path.endsWith('/dashboard') ? answer() : new Response('{}'));"""
VIEWS = {"#/": ".risk-cards", "#/alerts": ".choice", "#/patients": ".patients", "#/patients/ann": ".what-to-do",
         "#/performance": ".metrics", "#/trends": ".charts"}


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("view", VIEWS)
def test_a_response_that_a_view_cannot_show_ends_in_the_banner_and_a_retry_shows_it(page, api, clinic, view):
    clinic.add("ann", "Ann")
    page.before(SHAPELESS)
    page.allowed = ["TypeError"]
    page.open(view, token=api.signer.token(clinic.id), wait="#problem")
    assert GUIDE in page.text("#problem") and not page.all(".skeleton, main[aria-busy]")
    page.run("window.mended = true")
    page.click("#retry")
    page.until(lambda: not page.all("#problem") and page.all(f"main {VIEWS[view]}"))


def without(page, *patterns):
    """Blocks requests that match these patterns."""
    page.command("Network.enable")
    page.command("Network.setCacheDisabled", cacheDisabled=bool(patterns))
    page.command("Network.setBlockedURLs", urls=[f"*{pattern}*" for pattern in patterns])


@pytest.fixture
def lost(page):
    page.allowed = ["ERR_BLOCKED_BY_CLIENT", "dynamically imported module"]
    yield lambda *patterns: without(page, *patterns)
    without(page)


def test_charts_that_could_not_be_loaded_are_loaded_by_a_retry(page, lost):
    page.open()
    lost("/dashboard/chart.js")
    page.run("location.hash = '#/trends'")
    page.find("#problem")
    assert "What draws the charts could not be loaded" in page.text("#problem") and not page.all(".skeleton")
    page.click("#retry")
    tries = ("return performance.getEntriesByType('resource').map((each) => each.name).filter((each) => "
             "each.includes('chart.js'))")
    page.until(lambda: len(page.run(tries)) > 1)
    page.find("#problem")
    lost()
    page.click("#retry")
    page.until(lambda: not page.all("#problem")
               and page.run("return globalThis.Chart && Object.keys(Chart.instances).length === 5"))
    # Some browsers cache the failure of an address.
    assert len(set(page.run(tries))) == len(page.run(tries)) > 2


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("module", ["main.js", "parts.js", "views/trends.js"])
def test_a_lost_module_is_reported_and_loaded_by_a_retry(page, lost, module):
    lost(f"/dashboard/js/{module}")
    page.open(wait="#problem")
    assert "This page could not be loaded" in page.text("#problem")
    lost()
    page.click("#retry")
    page.find(".risk-cards")


def test_a_chart_that_cannot_be_drawn_ends_in_the_banner(page):
    page.allowed = ["no canvas today"]
    page.open("#/trends", wait="canvas")
    page.until(lambda: page.run("return globalThis.Chart && Object.keys(Chart.instances).length === 5"))
    page.run(
        "HTMLCanvasElement.prototype.getContext = () => { throw new Error('no canvas today'); }; location.hash = '#/trends?period=7d'"
    )
    page.find("#problem")
    assert not page.all("canvas")


@pytest.mark.parametrize("name",
                         ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf", "patient", "nothing"])
def test_an_unknown_address_shows_the_overview(page, name):
    page.open(f"#/{name}", wait=".risk-cards")
    assert page.text("#pages [aria-current]") == "Overview"


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("address", ["#/patients/", "#/patients//", "#/patients/?level=critical"])
def test_an_address_without_a_patient_shows_the_list(page, address):
    page.open(address, wait=".patients")
    assert page.text("h1") == "Patients"


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("answer", ["{ organizations: 3 }", "{ organizations: [null] }"])
def test_a_failed_start_is_reported_and_retried(page, answer):
    page.allowed = ["TypeError"]
    page.before(
        "window.interfere = (path, answer) => path === '/dev/tokens' && !sessionStorage.getItem('mended') ? Response.json(%s) : answer();"
        % answer
    )
    page.open(wait="#problem")
    page.run("sessionStorage.setItem('mended', '1')")
    page.click("#retry")
    page.find(".risk-cards")


@pytest.mark.parametrize("address, wanted",
                         [("#/performance?timeframe=constructor", ".metrics"), ("#/trends?period=toString", ".charts"),
                                             ("#/patients?level=__proto__", ".patients")])
def test_an_invalid_parameter_gets_the_default(page, address, wanted):
    page.open(address, wait=wanted)
    assert not page.all("#problem")
