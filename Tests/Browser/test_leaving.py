"""The session ends when nobody uses the page or the token expires. No patient data remains on the screen."""

import time

import pytest

from test_contact import contact
from test_outbox import AWAY, KEPT, fail_one, logged, must_name_nobody

# Both clocks of the device, which a test can advance. The monotonic clock stops while the device sleeps.
CLOCKS = """
window.slept = 0; window.awake = 0;
const [ownNow, OwnDate] = [performance.now.bind(performance), Date];
performance.now = () => ownNow() + window.awake;
window.Date = class extends OwnDate {
  constructor(...parts) { parts.length ? super(...parts) : super(Date.now()); }
  static now() { return OwnDate.now() + window.awake + window.slept; }
};"""
SETTINGS = """
window.interfere = async (path, answer) => (path === '/dashboard/settings' ? %s : answer());"""
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
SHOWN = ("return document.documentElement.outerHTML + location.href + [...document.querySelectorAll('input, "
         "textarea')].map((each) => each.value)")
TOKEN = "return import('/dashboard/js/session.js').then((session) => session.token())"


@pytest.fixture
def left(desk):
    """A patient's page that is then left unused."""
    desk.before(CLOCKS)
    return desk.open("#/patients/bob", desk.anna, ".what-to-do")


def must_show_nobody(page):
    must_name_nobody(page)
    text = page.run(SHOWN)
    assert not [name for name in ("Archer", "Baker", "bob", "private", "p@example.org") if name in text], text
    assert (
        not page.all("dialog, #leaving, #contacts > :not(#held)")
        and page.run("return document.getElementById('as-of').textContent") == ""
    )
    assert page.run(TOKEN) is None and page.run("return location.hash") == "#/"


def pass_by(page, minutes, slept=False):
    page.run(f"window.{'slept' if slept else 'awake'} += arguments[0] * 60000", minutes)


@pytest.mark.parametrize("slept, words", [(False, "nobody has used this page for 15 minutes"),
                                          (True, "has slept, or its clock was set")])
def test_an_unused_page_is_blanked_and_forgets_its_data_while_it_polls(left, slept, words):
    pass_by(left, 14, slept)
    # The page's own requests do not count as input.
    left.run("return import('/dashboard/js/zone.js')")
    left.find("#leaving") if not slept else None
    pass_by(left, 1, slept)
    left.find("#token")
    assert words in left.text("#reason")
    must_show_nobody(left)
    asked = len(left.run("return asked"))
    pass_by(left, 3)
    left.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(left.run("return asked")) == asked


def test_input_extends_the_session_and_removes_the_warning(left):
    pass_by(left, 14.5)
    left.find("#leaving")
    assert "signs out soon" in left.text("#leaving") and left.text(".leaving-seconds").endswith(" s")
    left.press("a")
    left.until(lambda: not left.all("#leaving"))
    pass_by(left, 14.5)
    left.find("#leaving")
    left.click("[data-key=stay]")
    left.until(lambda: not left.all("#leaving"))
    # Events created by a script do not count as input.
    pass_by(left, 14.5)
    left.find("#leaving")
    left.run("dispatchEvent(new KeyboardEvent('keydown', { key: 'a' })); document.body.click()")
    pass_by(left, 0.6)
    left.find("#token")


def hold(page, key, code, text):
    """Holds a key down, so that it repeats."""
    for is_repeated in (False, True, True):
        page.command("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text,
                     autoRepeat=is_repeated)


@pytest.mark.parametrize("place, key, code, text, caused", [("dialog [name=notes]", "x", 88, "x", "input"),
                                                            ("dialog .quiet", "Enter", 13, "\r", "click")])
def test_a_key_that_is_held_down_is_no_input(left, place, key, code, text, caused):
    """Neither the text it types nor the button it presses repeatedly counts as input."""
    left.click("[data-key='contact bob email']")
    left.find("dialog [name=notes]")
    left.run(
        """
        window.held = []; addEventListener(arguments[0], (event) => held.push(event.isTrusted), true);
        document.querySelector('dialog .quiet').addEventListener('click', (event) => event.stopImmediatePropagation(), true);
        document.querySelector(arguments[1]).focus();""",
        caused,
        place,
    )
    hold(left, key, code, text)
    assert left.run("return held") == [True, True, True]
    pass_by(left, 14.5)
    left.find("#leaving")
    left.command("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text,
                 autoRepeat=True)
    assert left.run("return held.length") == 4
    pass_by(left, 0.6)
    left.find("#token")
    must_show_nobody(left)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("slept", [False, True])
def test_a_pasted_token_that_was_not_submitted_is_forgotten(desk, slept):
    desk.before(CLOCKS)
    page = desk.open("#/", desk.anna, ".top-list")
    page.click("[data-key='sign out']")
    page.find("#token").send_keys(page.ben)
    pass_by(page, 14.5, slept)
    page.press(" ")
    pass_by(page, 14.5, slept)
    assert page.ben in page.run("dispatchEvent(new Event('focus')); return document.getElementById('token').value")
    pass_by(page, 0.6, slept)
    page.until(lambda: page.run("return document.getElementById('token').value") == "")
    assert "forgotten" in page.text("#reason")
    page.run("document.getElementById('token').focus(); document.execCommand('undo')")
    assert page.run("return document.getElementById('token').value") == ""


def content_of(file):
    try:
        return file.read_bytes()
    except FileNotFoundError:
        # The browser has just replaced the file.
        return b""


def test_typed_text_is_not_on_the_disk(desk, directory):
    """Chromium stores the content of fields for crash recovery except in fields that forbid it."""

    def is_on_disk(text):
        files = [file for file in (directory / "profile").rglob("*") if file.is_file()]
        return any(each in content for content in map(content_of, files)
                   for each in (text.encode(), text.encode("utf-16-le")))

    page = desk.open("#/patients/bob", desk.anna, ".what-to-do")
    page.click("[data-key='contact bob email']")
    page.find("dialog [name=notes]").send_keys("disclosing notes")
    page.run("document.querySelector('dialog form').after(document.createElement('textarea'))")
    page.find("dialog form + textarea").send_keys("as others do")
    page.until(lambda: is_on_disk("as others do"))
    assert not is_on_disk("disclosing notes")
    page.run("document.querySelector('dialog form + textarea').remove()")
    page.click("dialog .quiet")
    page.click("dialog .dialog-question .quiet")
    page.click("[data-key='sign out']")
    page.find("#token").send_keys("disclosing.token")
    page.run("document.querySelector('form.sign-in').after(document.createElement('textarea'))")
    page.find("form.sign-in + textarea").send_keys("as others do too")
    page.until(lambda: is_on_disk("as others do too"))
    assert not is_on_disk("disclosing.token")


def test_typed_text_is_sent_to_no_service_of_the_browser(left):
    left.click("[data-key='contact bob email']")
    left.find("dialog [name=notes]")
    assert (
        left.run("return [...document.querySelectorAll('textarea, [type=search]')].filter((each) => each.spellcheck)")
        == []
    )
    assert (
        left.run("return document.querySelector('dialog [name=notes]').getAttribute('writingsuggestions')") == "false"
    )


def test_typed_notes_are_announced_kept_encrypted_and_restored_to_their_author_alone(left, clinic):
    left.click("[data-key='contact bob email']")
    left.find("dialog [name=notes]").send_keys("private notes")
    pass_by(left, 14.5)
    left.find("dialog #leaving")
    left.until(lambda: "kept on this computer, sealed" in left.text("#leaving"))
    pass_by(left, 1)
    left.find("#token")
    must_show_nobody(left)
    left.until(lambda: len(left.run(KEPT)) == 1)
    assert "private" not in left.run(KEPT)[0] and "1 contact is not logged yet" in left.text("#held")
    left.sign_in(left.ben, ".top-list")
    assert not left.all("[data-state=draft]") and logged(clinic) == []
    left.click("[data-key='sign out']")
    left.sign_in(left.anna, ".top-list")
    left.click("[data-state=draft] .button")
    assert left.run("return document.querySelector('dialog [name=notes]').value") == "private notes"


def test_after_sleep_the_first_click_finds_a_blank_page(left):
    """No timer has run yet, so the click must have no effect."""
    left.run("""
        const own = window.setInterval; for (let id = 1; id < 100; id += 1) clearInterval(id);""")
    pass_by(left, 20, slept=True)
    left.all("[data-key='contact bob email']")[0].click()
    left.find("#token")
    must_show_nobody(left)


@pytest.mark.nightly
def test_after_sleep_the_first_key_types_nothing(left):
    left.click("[data-key='contact bob email']")
    left.find("dialog [name=notes]").send_keys("notes")
    pass_by(left, 20, slept=True)
    left.press("x")
    left.find("#token")
    must_show_nobody(left)
    assert left.run("return document.getElementById('token').value") == ""


@pytest.mark.parametrize("event", ["window.dispatchEvent(new Event('focus'))",
                                   "document.dispatchEvent(new Event('visibilitychange'))",
                                   "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"])
def test_a_page_that_is_shown_again_after_sleep_is_blank_at_once(left, event):
    assert left.run(f"window.slept += 20 * 60000; {event}; return Boolean(document.querySelector('#token'))")
    must_show_nobody(left)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("is_away", [False, True])
def test_an_expired_token_ends_the_session_without_a_response_and_under_a_dialog(desk, api, clinic, is_away):
    desk.before(CLOCKS)
    token = api.signer.token(clinic.id, sub="user_anna", exp=int(time.time()) + 600)
    page = desk.open("#/patients/bob", token, ".what-to-do")
    page.allowed.append("ERR_INTERNET_DISCONNECTED")
    page.click("[data-key='contact bob sms']")
    page.find("dialog [name=notes]").send_keys("private notes")
    page.command("Network.enable")
    if is_away:
        page.command("Network.emulateNetworkConditions", **OFFLINE)
    try:
        pass_by(page, 9.2)
        page.find("dialog #leaving[data-kind=expiry]")
        page.press("a")
        page.until(lambda: page.all("#leaving"))
        pass_by(page, 1)
        page.find("#token")
        assert "Your session has expired" in page.text("#reason")
        must_show_nobody(page)
        page.until(lambda: len(page.run(KEPT)) == 1)
    finally:
        page.command("Network.emulateNetworkConditions", **{**OFFLINE, "offline": False})
    # The same user continues on the same page.
    page.sign_in(page.anna, ".what-to-do")
    assert page.run("return location.hash") == "#/patients/bob"
    page.find("[data-state=draft]")


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("shift", [86_400_000, -86_400_000])
def test_a_wrong_clock_neither_ends_nor_extends_a_session(desk, api, clinic, shift):
    desk.before(CLOCKS + f"window.slept = {shift};")
    page = desk.open("#/patients/bob", api.signer.token(clinic.id, exp=int(time.time()) + 600), ".what-to-do")
    page.run("return new Promise((done) => setTimeout(done, 2500))")
    assert page.all(".what-to-do") and not page.all("#leaving")
    page.press("a")
    pass_by(page, 10.1)
    page.find("#token")
    assert "expired" in page.text("#reason")


@pytest.mark.nightly
def test_a_clock_that_was_set_back_hides_no_sleep(left):
    """Some devices set their clock from the network only some time after the start."""
    left.run("window.slept -= 120 * 60000; dispatchEvent(new Event('focus'))")
    assert left.all(".what-to-do")
    left.run("window.slept += 20 * 60000; dispatchEvent(new Event('focus'))")
    assert left.all("#token")
    must_show_nobody(left)


def in_second_tab(page, first, work):
    second = page.driver.current_window_handle
    page.driver.switch_to.window(first)
    found = work()
    page.driver.switch_to.window(second)
    return found


def test_input_in_one_tab_counts_for_all_tabs_of_the_user_and_leaving_ends_them_all(left):
    page, first = left, left.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    second = page.driver.current_window_handle
    try:
        page.before(CLOCKS)
        page.load("#/", page.anna, ".top-list")
        in_second_tab(page, first, lambda: pass_by(page, 14.5))
        page.press("a")
        in_second_tab(page, first, lambda: page.until(lambda: not page.all("#leaving")))
        in_second_tab(page, first, lambda: pass_by(page, 0.6))
        page.run("return new Promise((done) => setTimeout(done, 2500))")
        assert in_second_tab(page, first, lambda: page.all(".what-to-do"))
        for each in (first, second):
            page.driver.switch_to.window(each)
            pass_by(page, 15)
        for each in (first, second):
            page.driver.switch_to.window(each)
            page.find("#token")
    finally:
        page.driver.switch_to.window(second)
        # The script belongs to this tab, and closing the tab removes it.
        page.scripts.pop()
        page.driver.close()
        page.driver.switch_to.window(first)


@pytest.mark.nightly
def test_input_of_another_user_does_not_count(left):
    page, first = left, left.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.load("#/", page.ben, ".top-list")
        in_second_tab(page, first, lambda: pass_by(page, 14.5))
        page.press("a")
        in_second_tab(page, first, lambda: pass_by(page, 0.6))
        in_second_tab(page, first, lambda: page.find("#token"))
        assert page.all(".top-list")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)


def test_the_idle_timeout_is_the_servers_setting(desk, stack):
    assert stack.client.request("GET", "/dashboard/settings").json() == {"idle_logoff_min": 15}
    desk.before(CLOCKS)
    desk.before(SETTINGS % "Response.json({ idle_logoff_min: 2 })")
    page = desk.open("#/patients/bob", desk.anna, ".what-to-do")
    pass_by(page, 2)
    page.find("#token")
    assert "for 2 minutes" in page.text("#reason")


def test_nothing_is_shown_before_the_timeout_is_known(desk):
    desk.before(SETTINGS % "window.mended ? answer() : new Response('{}', { status: 503 })")
    page = desk.open("#/patients/bob", desk.anna, "#problem")
    must_name_nobody(type("", (),
                          {"run": lambda _, script: page.run(script).replace(page.run("return location.href"), "")})())
    page.run("window.mended = true")
    page.click("#retry")
    page.find(".what-to-do")


@pytest.mark.parametrize("answer",
                         ["null", "[]", "{}", *(f"{{ idle_logoff_min: {each} }}"
                                                for each in ("0", "-1", "0.01", "1e300", "true", "'15'", "null"))])
def test_a_missing_or_implausible_timeout_shows_no_patient(desk, answer):  # noqa: F811
    desk.before(SETTINGS % f"Response.json({answer})")
    desk.allowed += ["name no time", "of null"]
    desk.open("#/patients", desk.anna, "#problem")
    must_name_nobody(desk)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("status, stays", [(403, False), (404, False), (503, True)])
def test_refused_or_missing_data_is_no_longer_shown(desk, status, stays):
    page = desk.open("#/patients/bob", desk.anna, ".what-to-do")
    page.run(
        """
        window.interfere = async (path, answer) => (path.includes('/patients/bob') ? new Response(JSON.stringify({ detail: 'No.' }),
            { status: arguments[0], headers: { 'Content-Type': 'application/problem+json' } }) : answer());
        const own = performance.now.bind(performance);
        performance.now = () => own() + 60000;
        document.dispatchEvent(new Event('visibilitychange'));""".replace("arguments[0]", str(status))
    )
    page.find("#problem")
    assert ("Baker" in page.text("main")) == stays and bool(page.all(".what-to-do")) == stays


def test_an_ended_session_releases_its_contacts(desk, clinic):
    page = desk.open("#/patients", desk.anna, ".patients")
    fail_one(page)
    page.renew(page.expired, "#token")
    page.until(lambda: page.run("return navigator.locks.query().then(({ held }) => held.length === 0)"))
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.load("#/", page.anna, ".top-list")
        page.until(lambda: logged(clinic) == [("bob", "user_anna")])
        assert page.run(KEPT) == []
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    page.until(lambda: not page.all("#held"))


def test_after_signing_out_the_history_leads_to_no_patient(desk):
    page = desk.open("#/patients", desk.anna, ".patients")
    page.go("#/patients/bob", ".what-to-do")
    page.go("#/", ".top-list")
    page.click("[data-key='sign out']")
    page.find("#token")
    page.driver.back()
    page.until(lambda: page.run("return location.hash") == "#/")
    must_name_nobody(page)
    page.sign_in(page.ben, ".top-list")
    assert page.run("return location.hash") == "#/"


@pytest.mark.nightly
def test_a_long_wait_for_a_retry_ends_with_the_session(desk, clinic):
    desk.before(AWAY % 503)
    page = desk.open("#/patients", desk.anna, ".patients")
    contact(page, "bob", "phone", "no_response", "private")
    page.click("[data-state=waiting] .quiet")
    page.until(lambda: len(page.run(KEPT)) == 1)
    page.click("[data-key='sign out']")
    page.find("#token")
    page.sign_in(page.anna, ".top-list")
    # The page does not report the contact as being sent, and a user may send or discard it.
    page.find("[data-state=failed]")
    asked = len(page.asked("log-outreach", "POST"))
    page.run("window.interfere = null")
    page.click("[data-state=failed] .button")
    page.find("[data-state=logged]")
    assert logged(clinic) == [("bob", "user_anna")] and len(page.asked("log-outreach", "POST")) == asked + 1


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("shift", [10 * 86_400_000, -10 * 86_400_000])
def test_a_wrong_device_clock_discards_nothing(desk, clinic, shift):
    page = desk.open("#/patients", desk.anna, ".patients")
    fail_one(page)
    page.before(CLOCKS + f"window.slept = {shift};")
    page.driver.get(page.address + "/dashboard/icon.svg")
    page.load("#/", page.anna, ".top-list")
    page.until(lambda: logged(clinic) == [("bob", "user_anna")])
