"""Phase 1 of the guide: cards by risk, the critical alert, the urgent counter and the sections below them."""

import pytest

COLORS = {"critical": "#DC2626", "high": "#EA580C", "medium": "#CA8A04", "low": "#16A34A", "engaged": "#059669"}
ACTIONS = {"critical": "Immediate contact required", "high": "Contact within 24 hours"}


def rgb(color):
    return f"rgb({', '.join(str(int(color[i:i + 2], 16)) for i in (1, 3, 5))})"


def test_the_numbers_are_the_apis(page, api):
    page.open()
    risk, dashboard = api.answer("org_demo_1", "risk-metrics"), api.answer("org_demo_1", "dashboard")
    for level, number in risk["risk_summary"].items():
        assert page.number(f"[data-count={level}]") == number
    assert page.number("#immediate-actions") == risk["immediate_actions_required"]
    for alert, number in risk["alerts"].items():
        assert page.number(f"[data-alert={alert}]") == number
    assert page.text("#total-patients") == f"{dashboard['summary']['total_patients']} patients"
    critical = risk["risk_summary"]["critical"]
    assert page.text(".alert.level-critical strong") == f"Critical Risk: {critical} patients"
    assert f"score {dashboard['summary']['risk_breakdown']['critical']['avg_score']}" in page.text(
        ".risk-card.level-critical")


def test_the_first_patients_and_their_order_are_the_apis(page, api):
    page.open()
    top = api.answer("org_demo_1", "dashboard")["top_priority_patients"]
    assert page.texts(".top-list h3 bdi") == [patient["name"] for patient in top]
    first = page.text(".top-list li")
    for part in (f"{top[0]['days_since_contact']} days no contact", f"score {top[0]['risk_score']}", top[0]["action"]):
        assert part in first


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("dark", [False, True])
def test_the_cards_have_the_guides_colours_and_actions(page, dark):
    page.look(dark=dark)
    page.open()
    for level, color in COLORS.items():
        drawn = page.run("const card = document.querySelector(arguments[0]);"
                         "return [getComputedStyle(card).borderTopColor,"
                         "getComputedStyle(card.querySelector('.dot')).backgroundColor]", f".risk-card.level-{level}")
        assert drawn == [rgb(color)] * 2
        assert page.text(f".risk-card.level-{level} .risk-action")
    for level, action in ACTIONS.items():
        assert page.text(f".risk-card.level-{level} .risk-action") == action


def test_a_card_leads_to_its_patients(page, api):
    page.open()
    page.click(".risk-card.level-high")
    page.find(".patients")
    number = api.answer("org_demo_1", "risk-metrics")["risk_summary"]["high"]
    assert page.text("#range").endswith(f"of {number}")
    assert page.text(".choice [aria-current]").split()[0] == "High"


def test_contact_success_is_compared_with_the_industry(page, api):
    page.open()
    metrics = api.answer("org_demo_1", "performance")
    text = page.text(".stack .panel:last-child")
    assert f"{metrics['reengagement_metrics']['contact_success_rate']}%" in text
    assert f"industry average of {metrics['benchmark_comparison']['industry_avg_contact_rate']}%" in text


def test_an_organization_without_patients_gets_an_explanation(page):
    page.open()
    page.run("const s = document.querySelector('.organization select'); s.value = 'org_demo_3';"
             "s.dispatchEvent(new Event('change'))")
    page.until(lambda: "No patients yet" in page.text("main"))
    page.go("#/patients", ".empty")
    assert "No patients yet" in page.text("main")
    page.go("#/performance", ".empty")
    page.go("#/trends?period=7d", ".chart")


WITHOUT_STREAM = """
window.interfere = (path, answer) => (path.endsWith('/alerts/live')
  ? new Response('{}', { status: 429, headers: { 'Retry-After': '100000' } }) : answer());"""


def test_without_a_stream_the_page_polls_every_half_minute_while_visible_and_not_while_hidden(page):
    page.before(WITHOUT_STREAM)
    # The clock runs thirty times as fast, so half a minute takes a second.
    page.before("""
        const realNow = Date.now.bind(Date), start = realNow(), realTimeout = setTimeout.bind(window);
        Date.now = () => start + (realNow() - start) * 30;
        const realSpan = performance.now.bind(performance);
        performance.now = () => realSpan() * 30;
        window.setTimeout = (what, delay, ...rest) => realTimeout(what, delay / 30, ...rest);
        AbortSignal.timeout = () => new AbortController().signal;
        window.hide = (hidden) => {
          Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        };""")
    page.open()
    page.until(lambda: len(page.asked("risk-metrics")) >= 3)
    # Each request of a view that a timer has caused is marked for the audit. A request that a user has caused is not.
    assert [each["by"] for each in page.asked("risk-metrics")][:3] == [None, "timer", "timer"]
    # The filter excludes the page's settings, whose path contains "dashboard" too.
    assert [each["by"] for each in page.asked("/dashboard") if "/reengagement/" in each["path"]][:2] == [None, "timer"]
    times = [each["at"] for each in page.asked("risk-metrics")]
    assert all(later - earlier >= 29_000 for earlier, later in zip(times, times[1:])), times
    page.run("hide(true)")
    before = len(page.asked("risk-metrics"))
    page.until(lambda: page.run("return Date.now() - asked.at(-1).at > 90_000"))
    assert len(page.asked("risk-metrics")) <= before + 1  # one may have been in flight
    seen = len(page.asked("risk-metrics"))
    page.run("hide(false)")
    page.until(lambda: len(page.asked("risk-metrics")) > seen)
    assert page.asked("risk-metrics")[seen]["by"] is None, "the user has returned to the page"
