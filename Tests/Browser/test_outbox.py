"""A contact that is not logged yet belongs to one user of one clinic. No other user sends or sees it, and it is not
lost."""

import pytest

from browser import ESCAPE, RECORDER, must_have_no_violation
from test_contact import contact

# Simulates a server that accepts a request and never responds, until the page's own timeout.
HANGING = """
window.hanging = 0;
window.interfere = (path, answer, { signal }) => {
  if (!path.endsWith('log-outreach') || window.isOver) return answer();
  window.hanging += 1;
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
};"""
AWAY = """
window.interfere = async (path, answer) => {
  if (!path.endsWith('log-outreach')) return answer();
  return new Response(JSON.stringify({ detail: 'Not now.', errors: [] }),
    { status: %d, headers: { 'Retry-After': '600', 'Content-Type': 'application/problem+json' } });
};"""
HIDE = """
Object.defineProperty(document, 'hidden', { configurable: true, value: true });
document.dispatchEvent(new Event('visibilitychange'));
delete document.hidden;"""
KEPT = "return Object.values({ ...localStorage })"
ASKS = (
    "const event = new Event('beforeunload', { cancelable: true }); dispatchEvent(event); return event.defaultPrevented"
)
EVERYTHING = "return document.title + location.href + document.body.textContent"


def logged(clinic):
    with clinic.database.cursor() as cursor:
        cursor.execute("SELECT patient_id, logged_by FROM outreach_log WHERE organization_id = %s ORDER BY 1, 2",
                       (clinic.id, ))
        return cursor.fetchall()


def must_name_nobody(page):
    text = page.run(EVERYTHING)
    assert not [name for name in ("Ann", "Bob", "Archer", "Baker", "bob", "private") if name in text], text


def test_a_colleague_neither_sends_nor_sees_a_waiting_contact(desk, clinic):
    page = desk.open("#/patients/bob", desk.anna, ".what-to-do")
    contact(page, "bob", "phone", "no_response", "private")
    page.renew(page.expired, "#token")
    assert "1 contact is not logged yet" in page.text("#held")
    assert not page.all("#contacts :not(#held) > .contact-what") and "Bob" not in page.text("body")
    # The address in the page is a patient of the first user, so the colleague starts at the overview.
    page.sign_in(page.ben, ".top-list")
    contact(page, "ann", "sms", "success")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=logged]")
    page.until(lambda: page.run("return import('/dashboard/js/outbox.js').then((outbox) =>"
                                "outbox.contacts().every(({ state }) => state === 'failed' || state === 'logged'))"))
    assert logged(clinic) == [("ann", "user_ben")]
    assert "Bob" not in page.text("#contacts") and page.text("[data-contact-mark=bob]") == ""
    page.click("#held .quiet")
    page.until(lambda: not page.all("#held"))
    page.click("[data-key='sign out']")
    page.sign_in(page.anna, ".top-list")
    page.until(lambda: logged(clinic) == [("ann", "user_ben"), ("bob", "user_anna")])
    page.until(lambda: "Bob Baker" in page.text("[data-state=logged]") and "Bob Baker" in page.text("#announcer"))
    page.click("[data-key='sign out']")
    must_name_nobody(page)


def test_signing_out_waits_for_no_request_and_leaves_no_data(desk, clinic):
    desk.before(HANGING)
    page = desk.open("#/patients/bob", desk.anna, ".what-to-do")
    contact(page, "bob", "phone", "no_response", "private")
    page.click("[data-state=waiting] .quiet")
    page.until(lambda: page.run("return hanging") == 1)
    assert page.run(ASKS)
    contact(page, "bob", "sms", "success", "private")
    page.run(HIDE)
    page.until(lambda: len(page.run(KEPT)) == 2)
    page.click("[data-key='sign out']")
    page.find("#token")
    # Both requests are still in flight.
    assert page.run("return hanging") == 2
    must_name_nobody(page)
    assert page.run("return [sessionStorage.length, localStorage.length]") == [0, 0]
    assert "2 contacts are not logged yet" in page.text("#held") and page.run(ASKS)
    page.sign_in(page.ben, ".top-list")
    assert "Bob" not in page.text("#contacts")
    page.run("isOver = true")
    page.click("[data-key='sign out']")
    page.sign_in(page.anna, ".top-list")
    page.until(lambda: logged(clinic) == [("bob", "user_anna")] * 2, 120)


def test_a_waiting_contact_can_be_discarded_after_signing_out(desk, clinic, axe):
    desk.before(AWAY % 422)
    page = desk.open("#/patients", desk.anna, ".patients")
    contact(page, "bob", "phone", "no_response", "private")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=failed]")
    page.click("[data-key='sign out']")
    page.find("#held")
    must_name_nobody(page)
    page.click("#held .quiet")
    assert "cannot be undone" in page.text("#held")
    must_have_no_violation(page, axe, "signed out")
    page.click("#held .button")
    page.until(lambda: not page.all("#held"))
    page.sign_in(page.anna, ".patients, .top-list")
    assert not page.run(ASKS) and page.text("#contacts") == "" and logged(clinic) == []


@pytest.mark.nightly
def test_the_same_id_in_another_clinic_is_another_patient(desk, clinic, api, database):
    other = f"{clinic.id}_other"
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'Another')", (other, ))
    type(clinic)(database, other).add("bob", "Bodo", days=60)
    offered = [{"id": name, "token": api.signer.token(name, sub="user_anna")} for name in (clinic.id, other)]
    desk.before(
        HANGING
        + """
const hang = window.interfere;
window.interfere = (path, answer, options) => path === '/dev/tokens' ? Response.json({ organizations: %s }) : hang(path, answer, options);
"""
        % str(offered).replace("'", '"')
    )
    page = desk.open("#/patients", desk.anna, ".patients")
    contact(page, "bob", "phone", "no_response")
    page.click("[data-state=waiting] .quiet")
    assert page.text("[data-contact-mark=bob]") == "Being logged…"
    for name, patient, mark in ((other, "Bodo", ""), (clinic.id, "Bob Baker", "Being logged…")):
        page.run("const [select, name] = [document.querySelector('[data-key=organization]'), arguments[0]];"
                 "select.value = name; select.dispatchEvent(new Event('change'))", name)
        page.until(lambda: page.text("[data-patient=bob] h2") == patient)
        page.until(lambda: page.text("[data-contact-mark=bob]") == mark)
        assert ("Bob Baker" in page.text("#contacts")) == (mark != "")
        assert bool(page.all("#held")) == (mark == "")


def test_unsaved_input_is_never_discarded_without_a_question(desk, clinic, axe):
    desk.before(AWAY % 422)
    page = desk.open("#/patients", desk.anna, ".patients", undo_for=600_000)
    assert not page.run(ASKS)
    page.click("[data-key='contact bob phone']")
    page.click("dialog [value=success]")
    assert not page.run(ASKS)
    page.find("dialog [name=notes]").send_keys("private")
    assert page.run(ASKS)
    # The browser closes a dialog at the second Escape in a row, even if the page cancels the event.
    for _ in range(3):
        page.press(ESCAPE)
        page.until(lambda: "Discard the notes" in page.text("dialog[open]"))
    must_have_no_violation(page, axe, "the question")
    page.click("dialog .dialog-question .button")
    assert page.run("return document.activeElement.value") == "private" and "Discard the notes" not in page.text(
        "dialog"
    )
    page.undo_for(600_000)
    page.click("dialog [type=submit]")
    page.find("[data-state=waiting]")
    assert page.run(ASKS)
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=failed]")
    assert page.run(ASKS)
    page.click("[data-state=failed] .quiet")
    page.until(lambda: not page.all(".contact-notice"))
    assert not page.run(ASKS) and page.run(KEPT) == []
    page.click("[data-key='contact bob phone']")
    page.find("dialog [name=notes]").send_keys("private")
    page.click("dialog .dialog-buttons .quiet")
    page.click("dialog .dialog-question .quiet")
    page.until(lambda: not page.all("dialog"))
    assert not page.run(ASKS) and logged(clinic) == []


SEVEN = """
return import('/dashboard/js/outbox.js').then((outbox) => {
  for (let count = 0; count < 7; count += 1) {
    const entry = outbox.begin({ id: 'bob', name: 'Bob Baker' }, {});
    outbox.finish(entry, { method: 'sms', outcome: 'success', notes: '😀'.repeat(3000) });
  }
  if (arguments[0]) outbox.flush();
});"""


@pytest.mark.nightly
def test_more_contacts_than_keepalive_allows_are_all_logged(desk, clinic):
    page = desk.open("#/patients", desk.anna, ".patients")
    page.run(SEVEN, True)
    page.until(lambda: len(logged(clinic)) == 7)
    # The page started no request beyond the browser's limit for keepalive requests.
    assert len(page.asked("log-outreach", "POST")) == 7
    page.until(lambda: len(page.all("[data-state=logged]")) == 7)
    # The browser ends requests without keepalive together with the page.
    page.run(
        "window.interfere = (path, answer, { keepalive, method }) => (method !== 'POST' || keepalive ? answer() : new Promise(() => {}))"
    )
    page.run(SEVEN, False)
    page.click("h1")
    page.driver.get(page.address + "/dashboard/icon.svg")
    page.until(lambda: len(logged(clinic)) == 12)
    assert len(page.run(KEPT)) == 7
    page.load("#/patients", page.anna, ".patients")
    page.until(lambda: page.run(KEPT) == [])
    assert logged(clinic) == [("bob", "user_anna")] * 14


def test_a_closed_tab_loses_no_contact_and_shows_it_to_its_user_alone(desk, clinic):
    page = desk.open("#/", desk.anna, ".top-list")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.command("Page.addScriptToEvaluateOnNewDocument", source=RECORDER + AWAY % 503)
        page.load("#/patients", page.anna, ".patients")
        contact(page, "bob", "phone", "no_response", "private")
        page.click("[data-state=waiting] .quiet")
        page.until(lambda: len(page.run(KEPT)) == 1)
        assert not [part for part in ("private", "Bob", "bob", "phone") if part in page.run(KEPT)[0]]
        page.driver.get(page.address + "/dashboard/icon.svg")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    assert logged(clinic) == [] and len(page.run(KEPT)) == 1
    # Only the API decides whether a token is valid. This one has an invalid signature.
    head, body, _ = page.anna.split(".")
    page.renew(f"{head}.{body}.AAAA", "#token")
    assert "1 contact is not logged yet" in page.text("#held")
    must_name_nobody(page)
    page.sign_in(page.ben, ".top-list")
    page.click("[data-key='sign out']")
    page.sign_in(page.anna, ".top-list")
    page.until(lambda: logged(clinic) == [("bob", "user_anna")])
    page.until(lambda: page.run(KEPT) == [])


ONCE_AWAY = """
window.interfere = async (path, answer) => {
  if (!path.endsWith('log-outreach') || (window.refused = (window.refused ?? 0) + 1) > %d) return answer();
  return new Response(JSON.stringify({ detail: 'Not now.', errors: [] }),
    { status: 503, headers: { 'Content-Type': 'application/problem+json', ...%s } });
};"""


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize(("refused", "headers"), [(1, "{ 'Retry-After': '600' }"), (4, "{}")])
@pytest.mark.parametrize("leave", ["#sign-out", "/dashboard/icon.svg"])
def test_leaving_the_page_sends_a_contact_that_waits_for_a_retry(desk, clinic, refused, headers, leave):
    page = desk.open("#/patients", desk.anna, ".patients")
    page.run(ONCE_AWAY % (refused, headers))
    contact(page, "bob", "phone", "no_response", "private")
    page.click("[data-state=waiting] .quiet")
    page.until(lambda: len(page.asked("log-outreach", "POST")) == refused)
    page.find("[data-state=failed]" if refused == 4 else "[data-state=sending]")
    if leave == "#sign-out":
        page.click("[data-key='sign out']")
        page.until(lambda: not page.all("#held"))
    else:
        page.driver.get(page.address + leave)
    page.until(lambda: logged(clinic) == [("bob", "user_anna")])


@pytest.mark.nightly
def test_a_contact_that_one_tab_holds_is_not_taken_by_another(desk, clinic):
    page = desk.open("#/patients", desk.anna, ".patients")
    page.click("[data-key='contact bob phone']")
    page.find("dialog [name=notes]").send_keys("private")
    page.run(HIDE)
    page.until(lambda: len(page.run(KEPT)) == 1)
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.load("#/patients", page.anna, ".patients")
        # A tab takes all free contacts at once, so the first logged one proves that it has taken them.
        contact(page, "ann", "phone", "no_response")
        page.click("[data-state=waiting] .quiet")
        page.find("[data-state=logged]")
        assert not page.all("[data-state=draft]") and not page.all("#held")
        second = page.driver.current_window_handle
        page.driver.switch_to.window(first)
        page.driver.get(page.address + "/dashboard/icon.svg")
        page.driver.switch_to.window(second)
        # Closing the tab frees the contact.
        page.find("[data-state=draft]")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)


AGED = """
for (const [name, text] of Object.entries({ ...localStorage })) {
  localStorage.setItem(name, JSON.stringify({ ...JSON.parse(text), made: Date.now() - arguments[0] * 3600000 }));
}"""


def test_on_another_day_the_user_decides_and_after_a_week_no_contact_is_left(desk, clinic):
    desk.before(AWAY % 503)
    page = desk.open("#/patients", desk.anna, ".patients")
    for hours, rest in ((24, 1), (7 * 24 + 1, 0)):
        contact(page, "bob", "phone", "no_response", "private")
        page.click("[data-state=waiting] .quiet")
        page.until(lambda: len(page.run(KEPT)) == 1)
        page.driver.get(page.address + "/dashboard/icon.svg")
        page.run(AGED, hours)
        page.load("#/patients", page.anna, ".patients")
        page.until(lambda: len(page.run(KEPT)) == rest)
        if rest:
            page.until(lambda: "the log would hold the time of sending" in page.text("[data-state=failed]"))
            assert page.asked("log-outreach", "POST") == []
            page.run("window.interfere = null")
            page.click("[data-state=failed] .button")
            page.find("[data-state=logged]")
            page.run(AWAY % 503)
    assert logged(clinic) == [("bob", "user_anna")] and not page.all("[data-state=failed]")


@pytest.mark.nightly
def test_a_hidden_page_keeps_a_contact_until_it_is_undone(desk, clinic):
    page = desk.open("#/patients", desk.anna, ".patients")
    contact(page, "bob", "phone", "no_response", "private")
    assert page.run(KEPT) == []
    page.until(lambda: page.run(HIDE + KEPT))
    page.click("[data-state=waiting] .button")
    page.until(lambda: page.run(KEPT) == [])
    assert logged(clinic) == []


def test_typed_notes_wait_for_their_author(desk, clinic):
    page = desk.open("#/patients/bob", desk.anna, ".what-to-do")
    page.click("[data-key='contact bob email']")
    page.click("dialog [value=success]")
    page.click("dialog [name=opened]")
    page.find("dialog [name=notes]").send_keys("private notes")
    page.renew(page.expired, "#token")
    assert not page.all("dialog") and "private" not in page.run(EVERYTHING)
    # The page is unloaded too, as on a phone.
    page.driver.get(page.address + "/dashboard/icon.svg")
    page.load("#/patients/bob", page.anna, ".what-to-do", undo_for=600_000)
    page.click("[data-state=draft] .button")
    assert page.run("return document.querySelector('dialog [name=notes]').value") == "private notes"
    page.click("dialog [type=submit]")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=logged]")
    assert clinic.logged() == [("bob", "email", "success", True, "private notes")]


@pytest.mark.nightly
def test_returning_to_the_page_continues_a_waiting_contact(desk, clinic):
    page = desk.open("#/patients", desk.anna, ".patients")
    page.run(AWAY % 503)
    contact(page, "bob", "phone", "no_response", "private")
    page.click("[data-state=waiting] .quiet")
    page.until(lambda: len(page.run(KEPT)) == 1)
    page.click("[data-key='contact ann sms']")
    page.find("dialog [name=notes]").send_keys("private")
    # Encryption takes a moment, and a page that is being left can store encrypted contacts only.
    page.until(
        lambda: page.run(
            "return import('/dashboard/js/outbox.js').then((outbox) => outbox.contacts().every(({ sealed }) => sealed))"
        )
    )
    # The events that the browser sends when a page enters its back/forward cache and when it leaves it.
    page.run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    page.until(lambda: len(page.run(KEPT)) == 2)
    page.run("window.interfere = null; dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    page.until(lambda: logged(clinic) == [("bob", "user_anna")])
    assert not page.all("[data-state=draft]")
    page.click("dialog [value=success]")
    page.click("dialog [type=submit]")
    page.click("[data-state=waiting] .quiet")
    page.until(lambda: logged(clinic) == [("ann", "user_anna"), ("bob", "user_anna")] and page.run(KEPT) == [])
    page.until(lambda: not page.run(ASKS))


def test_signing_out_reaches_every_tab_of_the_user_and_of_no_other(desk, clinic):
    page = desk.open("#/patients/bob", desk.anna, ".what-to-do")
    assert page.run("return sessionStorage.length + localStorage.length + document.cookie.length") == 0
    page.click("[data-key='contact bob phone']")
    page.find("dialog [name=notes]").send_keys("private")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    second = page.driver.current_window_handle
    try:
        page.load("#/", page.ben, ".top-list")
        page.click("[data-key='sign out']")
        page.find("#token")
        page.load("#/", page.anna, ".top-list")
        page.driver.switch_to.window(first)
        assert page.all("dialog[open]")
        page.driver.switch_to.window(second)
        page.click("[data-key='sign out']")
        page.find("#token")
        page.driver.switch_to.window(first)
        page.find("#token")
        assert "in another tab" in page.text("#reason") and "1 contact is not logged yet" in page.text("#held")
        must_name_nobody(page)
        assert page.run("return sessionStorage.length + localStorage.length") == 0
        page.sign_in(page.anna, ".top-list")
        page.click("[data-state=draft] .button")
        assert page.run("return document.querySelector('dialog [name=notes]').value") == "private"
    finally:
        page.driver.switch_to.window(second)
        page.driver.close()
        page.driver.switch_to.window(first)


def fail_one(page, patient="bob"):
    """Makes one contact that the server refuses. The page keeps it."""
    page.run(AWAY % 422)
    contact(page, patient, "phone", "no_response", "private")
    page.click("[data-state=waiting] .quiet")
    page.until(lambda: len(page.run(KEPT)) == 1)


@pytest.mark.nightly
def test_signing_out_forgets_waiting_contacts_in_every_clinic_of_the_user(desk, clinic, api):
    page = desk.open("#/patients", desk.anna, ".patients")
    fail_one(page)
    page.allowed.append("404 (Not Found)")
    page.renew(api.signer.token("org_without_rows", sub="user_anna"))
    page.until(lambda: page.all("#held"))
    page.click("[data-key='sign out']")
    page.find("#token")
    must_name_nobody(page)
    assert page.run(KEPT) == [] and page.run(ASKS)
    assert "goes on when you sign in again. Closing this tab loses it" in page.text("#held")
    page.run(HIDE)
    page.run("interfere = null")
    page.sign_in(page.anna, ".top-list")
    page.click("[data-state=failed] .button")
    page.until(lambda: logged(clinic) == [("bob", "user_anna")])


@pytest.mark.nightly
def test_signing_out_in_another_tab_makes_a_failed_contact_ask_before_leaving(desk, clinic):
    """Without messages between tabs, the stored data shows that the user has signed out in another one."""
    desk.before("delete window.BroadcastChannel;")
    page = desk.open("#/patients", desk.anna, ".patients")
    fail_one(page)
    assert "kept on this computer" in page.text("[data-state=failed]")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.load("#/", page.anna, ".top-list")
        page.click("[data-key='sign out']")
        page.find("#token")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    page.until(lambda: "in this tab alone" in page.text("[data-state=failed]"))
    assert page.run(ASKS)
    page.run(HIDE)
    assert page.run(KEPT) == []
    page.run("interfere = null")
    page.click("[data-state=failed] .button")
    page.until(lambda: logged(clinic) == [("bob", "user_anna")])


REFUSED = "{ get() { throw new DOMException('denied', 'SecurityError'); } }"
LACKING = {
    "storage": f"for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) Object.defineProperty(window, "
               f"name, {REFUSED});",
    "databases": "indexedDB.open = () => { throw new DOMException('denied', 'InvalidStateError'); };",
    "room": "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };",
    "channel": "delete window.BroadcastChannel;",
    "locks": "Object.defineProperty(navigator, 'locks', { value: undefined });",
    "cryptography": "Object.defineProperty(crypto, 'subtle', { value: undefined });",
}


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("lacking", LACKING)
def test_without_storage_the_page_works_and_reports_it(desk, clinic, lacking):
    page = desk
    # The other documents belong to the test itself.
    page.before("if (location.pathname === '/') {%s}" % LACKING[lacking])
    page.allowed += ["A contact cannot be kept on this computer.", "A key could not be deleted."]
    page.open("#/")
    page.renew(page.anna, ".top-list")
    page.until(lambda: page.all("[data-patient=bob]"))
    page.run(AWAY % 422)
    contact(page, "bob", "phone", "no_response", "private")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=failed]")
    kept = lacking == "channel"
    page.until(lambda: ("in this tab alone" in page.text("[data-state=failed]")) != kept)
    assert page.run(ASKS)
    page.run(HIDE)
    page.click("[data-key='sign out']")
    page.find("#held")
    must_name_nobody(page)
    page.run("interfere = null")
    page.sign_in(page.anna, ".top-list")
    page.click("[data-state=failed] .button")
    page.until(lambda: logged(clinic) == [("bob", "user_anna")])
