"""Accessibility: axe, the keyboard, narrow screens and reduced motion."""

import pytest

from browser import ENTER, TAB, must_have_no_violation

VIEWS = {
    "overview": "#/", "alerts": "#/alerts?state=all", "patients": "#/patients?level=high", "performance": "#/performance",
    "trends": "#/trends?period=90d",
    "patient": "#/patients/patient_40"
}


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_reports_nothing_in_any_view(page, axe, dark):
    page.driver.set_script_timeout(300)
    page.look(dark=dark, still=True)
    page.open(undo_for=600_000)
    for name, view in VIEWS.items():
        page.go(view)
        if name == "trends":
            page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            page.find("tbody tr")
        must_have_no_violation(page, axe, name)
    page.click("[data-key^='contact'][data-key$='email']")
    page.until(lambda: page.all("dialog .contact-address a, dialog .contact-address small"))
    must_have_no_violation(page, axe, "dialog")
    page.click("dialog [value=no_response]")
    page.click("dialog [type=submit]")
    must_have_no_violation(page, axe, "waiting")
    page.click("[data-state=waiting] button")


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_reports_nothing_on_a_phone_signed_out_or_with_an_error(page, axe, dark):
    page.look(390, 844, mobile=True, dark=dark, still=True)
    page.allowed = ["404 (Not Found)"]
    page.open()
    for view in ("#/", "#/patients", "#/patients/nobody"):
        page.go(view, ".heading h1, #problem")
        must_have_no_violation(page, axe, view)
    page.click("[data-key='sign out']")
    page.find("#token")
    must_have_no_violation(page, axe, "signed out")


def test_the_keyboard_reaches_everything_in_order(page):
    page.open()
    page.run("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    page.press(TAB)
    assert page.focused() == "Skip to the content"
    page.press(ENTER)
    assert page.run("return document.activeElement.id") == "content"
    reachable = page.run(
        "return [...document.querySelectorAll('main a, main button, main summary, main select')].length"
    )
    seen = []
    for _ in range(reachable):
        page.press(TAB)
        seen.append(page.run("return document.activeElement.dataset.key ?? document.activeElement.innerText"))
        assert page.run("return document.activeElement.matches(':focus-visible') &&"
                        "getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen[:3] == ["critical alert", "immediate actions", "card critical"] and len(seen) == len(set(seen))
    page.run("document.querySelector(\"[data-key='page trends']\").focus()")
    page.press(ENTER)
    page.find(".chart")
    assert page.run("return document.activeElement.id") == "content" and "Trends – " in page.driver.title


def test_the_focus_stays_while_the_page_is_updated(page, api, clinic):
    clinic.add("ann", "Ann", days=100).add("bob", "Bob", days=60)
    page.open("#/patients", token=api.signer.token(clinic.id), wait=".patients")
    page.run("document.querySelector(\"[data-key='patient bob']\").focus()")
    assert api.post(clinic.id, {"patient_id": "ann", "method": "sms", "outcome": "success"}).status == 201
    page.run(
        "const now = performance.now.bind(performance); performance.now = () => now() + 60_000; document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.until(lambda: page.texts(".patient h2") == ["Bob", "Ann"])
    assert page.run("return document.activeElement.dataset.key") == "patient bob"


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_every_view_fits_a_phone(page, view):
    page.look(360, 740, mobile=True)
    page.open(view)
    page.until(lambda: not page.all(".skeleton"))
    assert page.run("return document.documentElement.scrollWidth") <= 360
    small = page.run("""return [...document.querySelectorAll('main button, main .choice a')].filter((each) => {
        const box = each.getBoundingClientRect(); return box.height < 36 || box.width < 36; }).length""")
    assert small == 0


def test_the_colour_scheme_follows_the_readers_preference(page):
    brightness = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    page.look(dark=True)
    page.open("#/trends?period=7d", wait="canvas")
    assert max(page.run(brightness)) < 60
    page.look(dark=False)
    page.until(lambda: min(page.run(brightness)) > 220)


def test_reduced_motion_is_respected(page):
    page.look(still=True)
    page.open(undo_for=600_000)
    page.click("[data-key^='contact']")
    page.click("dialog [value=failed]")
    page.click("dialog [type=submit]")
    page.find("[data-state=waiting]")
    assert page.run("return document.getAnimations().length") == 0
    page.click("[data-state=waiting] button")
