"""Contact buttons: a contact is logged once after the time to undo it, and the page shows its effect at once."""

import json

import pytest

from browser import ENTER, ESCAPE, SPACE, TAB

LOST = """
window.interfere = async (path, answer, options) => {
  if (!path.endsWith('log-outreach') || window.lost >= 2) return answer();
  window.lost = (window.lost ?? 0) + 1;
  await answer();
  throw new TypeError('network');
};"""
REFUSED = """
window.interfere = async (path, answer, options) => {
  if (!path.endsWith('log-outreach') || window.refused) return answer();
  window.refused = true;
  return new Response(JSON.stringify({ detail: '%s', request_id: 'rid-1', errors: [] }),
    { status: %d, headers: { 'Retry-After': '2', 'Content-Type': 'application/problem+json' } });
};"""


@pytest.fixture
def list_page(page, api, clinic):
    clinic.add("ann", "Ann", days=100).add("bob", "Bob", days=60).add("eve", "Eve", days=46)
    page.token = api.signer.token(clinic.id)
    return page


def contact(page, patient, method, outcome, notes="", undo_for=600_000):
    """Makes a contact. It is logged when the test continues it or when the time to undo it is over."""
    page.undo_for(undo_for)
    page.click(f"[data-key='contact {patient} {method}']")
    page.click(f"dialog [value={outcome}]")
    if notes:
        page.find("dialog [name=notes]").send_keys(notes)
    page.click("dialog [type=submit]")


def test_an_undone_contact_is_never_sent_and_any_other_is_logged_once(list_page, clinic):
    page = list_page.open("#/patients", list_page.token, ".patients")
    contact(page, "bob", "email", "no_response")
    page.until(lambda: page.focused() == "Undo")
    page.click("[data-state=waiting] button")
    page.until(lambda: not page.all(".contact-notice"))
    contact(page, "ann", "sms", "success", "will book \u2013 שלום 👍", undo_for=7000)
    assert "waiting to be logged" in page.text("[data-patient=ann]")
    assert clinic.logged() == [] and page.asked("log-outreach", "POST") == []
    page.find("[data-state=logged]")
    # The undone contact would have been sent by this time.
    assert clinic.logged() == [("ann", "sms", "success", False, "will book \u2013 שלום 👍")]
    made, = page.asked("log-outreach", "POST")
    opened = page.run("return performance.timeOrigin")
    assert made["at"] - opened > 5000


def test_its_effect_shows_at_once(list_page, clinic, api):
    page = list_page.open("#/", list_page.token, ".top-list")
    assert page.number("[data-count=critical]") == 3 and page.number("[data-count=engaged]") == 0
    contact(page, "ann", "phone", "success")
    page.click("[data-state=waiting] .quiet")
    page.until(lambda: "risk level is now Engaged; it was Critical" in page.text("#contacts"))
    page.until(lambda: page.number("[data-count=critical]") == 2)
    assert page.number("[data-count=engaged]") == 1
    assert page.number("#immediate-actions") == api.answer(clinic.id, "risk-metrics")["immediate_actions_required"]
    page.go("#/performance", ".metrics")
    assert "1 reached of 1 attempts" in page.text(".metrics")
    page.go("#/patients/ann", ".history")
    assert "Phone Reached" in page.text(".history") and "user_test" in page.text(".history")


def test_after_a_lost_response_the_request_is_retried_with_the_same_key(list_page, clinic):
    list_page.before(LOST)
    page = list_page.open("#/patients/bob", list_page.token, ".what-to-do")
    contact(page, "bob", "email", "no_response")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=logged]")
    assert len({each["key"] for each in page.asked("log-outreach", "POST")}) == 1
    assert len(page.asked("log-outreach", "POST")) == 3
    assert clinic.logged() == [("bob", "email", "no_response", False, "")]
    page.find("[data-outreach]")


def test_too_many_requests_waits_for_retry_after(list_page, clinic):
    list_page.before(REFUSED % ("Slow down.", 429))
    page = list_page.open("#/patients/bob", list_page.token, ".what-to-do")
    contact(page, "bob", "sms", "failed")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=logged]")
    first, second = page.asked("log-outreach", "POST")
    assert second["at"] - first["at"] >= 1990 and first["key"] == second["key"]
    assert len(clinic.logged()) == 1


def test_a_refusal_is_explained_and_can_be_retried(list_page, clinic):
    list_page.before(REFUSED % ("The notes are too long.", 422))
    page = list_page.open("#/patients/bob", list_page.token, ".what-to-do")
    contact(page, "bob", "sms", "success", "x")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=failed]")
    assert "not logged: The notes are too long." in page.text("#contacts") and "rid-1" in page.text("#contacts")
    assert clinic.logged() == []
    page.click("[data-state=failed] .button")
    page.find("[data-state=logged]")
    assert len(clinic.logged()) == 1


def test_an_expired_session_is_renewed_and_the_contact_is_sent(list_page, clinic, api):
    list_page.allowed = ["401 (Unauthorized)"]
    page = list_page.open("#/patients/bob", list_page.token, ".what-to-do")
    contact(page, "bob", "phone", "no_response")
    page.renew(api.signer.token(clinic.id, exp=1, iat=0, nbf=0), "#token")
    assert page.all("[data-state=held]") and clinic.logged() == []
    page.sign_in(list_page.token, ".what-to-do")
    page.find("[data-state=logged]")
    assert clinic.logged() == [("bob", "phone", "no_response", False, "")]


def test_the_dialog_asks_for_the_outcome_and_shows_the_address(list_page, clinic):
    page = list_page.open("#/patients", list_page.token, ".patients", undo_for=600_000)
    page.click("[data-key='contact ann email']")
    page.until(lambda: "p@example.org" in page.text("dialog"))
    assert page.find("dialog").accessible_name == "Email to Ann"
    assert page.find("dialog a").get_attribute("href") == "mailto:p@example.org"
    page.click("dialog [type=submit]")
    assert "Choose what came of it" in page.text("dialog")
    page.click("dialog [name=opened]")
    page.click("dialog [value=no_response]")
    page.run("document.querySelector('dialog [name=notes]').value = '😀'.repeat(4001)")
    page.click("dialog [type=submit]")
    assert "4000" in page.text("dialog [role=alert]")
    page.run("document.querySelector('dialog [name=notes]').value = '😀'.repeat(4000)")
    page.click("dialog [type=submit]")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=logged]")
    assert clinic.logged() == [("ann", "email", "no_response", True, "😀" * 4000)]


def test_a_cancelled_dialog_logs_nothing_and_restores_the_focus(list_page, clinic):
    page = list_page.open("#/patients", list_page.token, ".patients")
    for way in (lambda: page.press(ESCAPE), lambda: page.click("dialog .dialog-buttons .quiet")):
        page.click("[data-key='contact bob phone']")
        page.find("dialog")
        way()
        page.until(lambda: not page.all("dialog"))
        assert page.run("return document.activeElement.dataset.key") == "contact bob phone"
    assert page.all(".contact-notice") == [] and clinic.logged() == []


def test_the_keyboard_alone_logs_and_undoes(list_page, clinic):
    page = list_page.open("#/patients", list_page.token, ".patients", undo_for=600_000)
    page.run("document.querySelector(\"[data-key='contact eve sms']\").focus()")
    page.press(ENTER)
    page.find("dialog")
    page.until(lambda: page.run("return document.activeElement.name") == "outcome" or page.press(TAB))
    page.press(SPACE)
    page.until(lambda: page.run("return document.activeElement.type") == "submit" or page.press(TAB))
    page.press(ENTER)
    page.until(lambda: page.focused() == "Undo")
    page.press(ENTER)
    page.until(lambda: page.run("return document.activeElement.dataset.key") == "contact eve sms")
    page.until(lambda: "Nothing was logged for Eve" in page.text("#announcer"))
    assert clinic.logged() == []


def test_a_contact_is_sent_when_the_page_is_left(list_page, clinic):
    page = list_page.open("#/patients", list_page.token, ".patients")
    contact(page, "ann", "sms", "no_response")
    page.driver.get(page.address + "/dashboard/icon.svg")
    page.until(lambda: clinic.logged() == [("ann", "sms", "no_response", False, "")])


def test_a_token_is_in_no_address_and_no_log(list_page, stack):
    page = list_page.open("#/patients", list_page.token, ".patients")
    assert page.token not in json.dumps(page.run("return asked")) + page.run("return location.href")
    for name in ("NGINX_ACCESS_LOG", "SERVER_LOG"):
        with open(stack.settings[name], encoding="utf-8") as log:
            assert page.token not in log.read()
