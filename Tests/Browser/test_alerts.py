"""Alerts on the page: bell, list, notices, the shared stream, and polling without a stream."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from browser import ENTER, ESCAPE, RECORDER, TAB, must_have_no_violation

# A stream that the test writes, for what the server does rarely or late.
STREAM = """
window.openings = []; window.streams = []; window.aborted = 0; window.streamStatus = 200; window.retryAfter = 1;
const withoutStream = window.fetch;
window.fetch = (address, options = {}) => {
  if (!String(address).endsWith('/alerts/live')) return withoutStream(address, options);
  const headers = new Headers(options.headers);
  openings.push({ at: performance.now(), after: headers.get('Last-Event-ID'), token: headers.get('Authorization') });
  options.signal.addEventListener('abort', () => { aborted += 1; });
  if (streamStatus !== 200) {
    return Promise.resolve(new Response('{}', { status: streamStatus, headers: { 'Retry-After': String(retryAfter) } }));
  }
  const body = new ReadableStream({ start(controller) {
    streams.push(controller);
    options.signal.addEventListener('abort', () => { try { controller.error(options.signal.reason); } catch { } });
  } });
  return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }));
};
"""
SAY = "streams.at(-1).enqueue(new TextEncoder().encode(`data: ${JSON.stringify(arguments[0])}\\n\\n`))"
# The clock runs ten times as fast.
FAST = """
const [ownTimeout, ownSpan] = [setTimeout.bind(window), performance.now.bind(performance)];
performance.now = () => ownSpan() * 10;
window.setTimeout = (what, delay, ...rest) => ownTimeout(what, delay / 10, ...rest);
"""
NOTIFICATIONS = """
window.notices = []; window.permissions = 0; window.granted = 'default';
window.Notification = class {
  constructor(title, options) { notices.push(JSON.stringify([title, options])); }
  close() { this.onclose?.(); }
  static get permission() { return granted; }
  static async requestPermission() { permissions += 1; granted = 'granted'; return granted; }
};"""


def counts(kind, sequence, critical, open):
    return {"type": kind, "sequence": sequence, "critical": critical, "new_today": 0, "open": open}


def notice(sequence, number=1):
    return {
        "type": "notice", "sequence": sequence, "kind": "critical", "cause": "change", "day": "2026-01-01",
        "number": number
    }


@pytest.fixture
def clinic(clinic):
    """Ann and Bob have been critical for a few days, Cleo would be without her last visit."""
    clinic.add("ann", "Ann Archer", days=46).add("bob", "Bob Baker", days=48).add("cleo", "Cleo Carter", days=47)
    with clinic.database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, created_at) "
            "VALUES (%s, 'last', 'cleo', now() - interval '3 days', 'completed', now() - interval '9 days')", (clinic.id, ))
    clinic.turn_critical = lambda: run(clinic, "DELETE FROM appointments WHERE organization_id = %s AND id = 'last'")
    return clinic


def run(clinic, statement):
    with clinic.database.cursor() as cursor:
        cursor.execute(statement, (clinic.id, ))


@pytest.fixture
def open_page(page, api, clinic):
    """Opens a page of the clinic, by default with the server's stream."""

    def open_page(fragment="#/", wait=".heading h1", script="", **claims):
        page.before(script)
        return page.open(fragment, token=api.signer.token(clinic.id, sub="user_anna", **claims), wait=wait)

    return open_page


@pytest.fixture
def scripted(open_page, api, clinic):
    """A page with a stream that the test writes. Its clock runs ten times as fast."""
    sequence = api.answer(clinic.id, "alerts")["sequence"]
    page = open_page(script=STREAM + FAST)
    page.until(lambda: page.run("return streams.length") == 1)
    page.run(SAY, counts("hello", sequence, critical=2, open=2))
    page.until(lambda: page.text(".bell-number") == "2")
    page.sequence = sequence
    return page


def number_of(page):
    """The number on the bell, for screen readers, in the title and in the icon."""
    icon = page.run("return document.querySelector('link[rel=icon]').href").rpartition("/dashboard/")[2]
    title = page.driver.title.partition(" ")[0]
    return page.text(".bell-number"), page.find("#bell").accessible_name, title if title.startswith("(") else "", icon


def shown(number):
    return str(number), f"Alerts: {number} open", f"({number})", f"icons/{number}.svg"


def words(clinic):
    """What was said about alerts, the latest last."""
    with clinic.database.cursor() as cursor:
        cursor.execute(
            "SELECT patient_id, action, until::text, note, logged_by FROM re.alert_acknowledgement "
            "WHERE organization_id = %s ORDER BY number", (clinic.id, ))
        return cursor.fetchall()


def test_a_patient_who_becomes_critical_by_a_deleted_row_shows_at_once(open_page, clinic):
    page = open_page()
    page.until(lambda: number_of(page) == shown(2))
    assert page.number("[data-count=critical]") == 2 and not page.all(".toast")
    clinic.turn_critical()
    page.find(".toast")
    assert page.text(".toast p") == "New critical patient: Cleo Carter"
    page.until(lambda: page.text("#announcer") == "New critical patient: Cleo Carter")
    page.until(lambda: number_of(page) == shown(3) and page.number("[data-count=critical]") == 3)
    # The reader's focus stays where it was, and no request was a person's.
    assert page.run("return document.activeElement.tagName") == "BODY"
    assert {each["by"] for each in page.asked("/alerts?limit=1") + page.asked("/alerts/events")} == {"timer"}
    page.click(".toast a")
    page.find(".what-to-do")
    assert page.text("#critical-since") == f"Critical since {day(-2)}"


def day(number):
    moved = datetime.now(timezone.utc).date() + timedelta(days=number)
    return moved.strftime("%-d %b %Y").replace("Sep", "Sept")


def test_an_alert_is_acknowledged_snoozed_and_opened_again(open_page, clinic):
    page = open_page("#/alerts", ".alert-row")
    assert page.texts(".alert-row h2") == ["Ann Archer", "Bob Baker"]
    assert f"Critical since {day(-1)}" in page.text("[data-alert-of=ann]")
    page.click("[data-alert-of=ann] .alert-main")
    page.until(lambda: page.texts(".alert-row h2") == ["Bob Baker"])
    assert page.text(".toast p") == "Ann Archer is acknowledged."
    page.until(lambda: number_of(page) == shown(1))
    page.click("[data-alert-of=bob] [data-key^=snooze]")
    page.click("dialog [value=day]")
    page.click("dialog [type=submit]")
    assert "Choose a day from" in page.text("#alert-fault")
    wanted = datetime.now(timezone.utc).date() + timedelta(days=12)
    page.run("document.querySelector('dialog [name=day]').value = arguments[0]", wanted.isoformat())
    page.find("dialog [name=note]").send_keys("On holiday – שלום")
    page.click("dialog [type=submit]")
    page.find(".empty")
    assert words(clinic) == [("ann", "acknowledge", None, "", "user_anna"),
                             ("bob", "acknowledge", wanted.isoformat(), "On holiday – שלום", "user_anna")]
    page.until(lambda: number_of(page) == ("", "Alerts: 0 open", "", "icon.svg"))
    page.click("[data-key='State acknowledged']")
    page.until(lambda: len(page.all(".alert-row")) == 2)
    assert "Acknowledged by you, " in page.text("[data-alert-of=ann]")
    snoozed = page.text("[data-alert-of=bob]")
    assert f"Snoozed until {day(12)} by you, " in snoozed and "On holiday – שלום" in snoozed
    page.click("[data-alert-of=bob] .alert-main")
    page.until(lambda: page.texts(".alert-row h2") == ["Ann Archer"])
    page.click("[data-key='State open']")
    page.until(lambda: page.texts(".alert-row h2") == ["Bob Baker"])
    assert words(clinic)[2][:2] == ("bob", "reopen")


def test_the_notice_of_a_settled_alert_has_undo(open_page, clinic):
    page = open_page("#/alerts", ".alert-row")
    page.click("[data-alert-of=ann] .alert-main")
    page.click(".toast .button:not(.quiet)")
    page.until(lambda: page.text(".toast p") == "Ann Archer is open again.")
    page.until(lambda: page.texts(".alert-row h2") == ["Ann Archer", "Bob Baker"])
    assert [word[1] for word in words(clinic)] == ["acknowledge", "reopen"]
    page.run("document.querySelector('.toast .quiet').focus()")
    page.press(ENTER)
    assert page.run("return document.activeElement.id") == "bell" and not page.all(".toast")


@pytest.mark.parametrize("choice, until", [("Until tomorrow", lambda today: today + timedelta(days=1)),
                                           ("Until next week", lambda today: today + timedelta(days=7 - today.weekday())),
                                           ("For good", lambda today: None)])
def test_the_quick_choices_of_a_snooze(open_page, clinic, choice, until):
    page = open_page("#/alerts", ".alert-row")
    page.click("[data-alert-of=bob] [data-key^=snooze]")
    place = page.texts("dialog .outcome strong").index(choice)
    page.until(lambda: page.all("dialog .outcome input")[place].click() or True)
    page.click("dialog [type=submit]")
    page.until(lambda: page.texts(".alert-row h2") == ["Ann Archer"])
    wanted = until(datetime.now(timezone.utc).date())
    assert words(clinic)[0][2] == (wanted and wanted.isoformat())


def test_a_colleagues_word_and_a_logged_contact_show_on_the_open_page(open_page, api, clinic):
    page = open_page("#/alerts?state=all", ".alert-row")
    page.until(lambda: page.text(".bell-number") == "2")
    since = (datetime.now(timezone.utc).date() - timedelta(days=3)).isoformat()
    headers = {**api.authorization(clinic.id, sub="user_ben"), "Content-Type": "application/json"}
    answer = api.client.request("POST", api.target(clinic.id, "alerts/acknowledge"), headers,
                                json.dumps({"patient_id": "bob", "critical_since": since}).encode())
    assert answer.status == 200, answer
    page.until(lambda: "Acknowledged by user_ben, " in page.text("[data-alert-of=bob]"))
    page.until(lambda: page.text(".bell-number") == "1")


def test_an_alert_that_is_over_is_explained_and_the_list_is_requested_again(open_page, clinic):
    page = open_page("#/alerts", ".alert-row", script=STREAM)
    page.allowed = ["409 (Conflict)"]
    run(clinic, "UPDATE appointments SET starts_at = now() - interval '1 day' WHERE organization_id = %s AND id = 'visit_ann'")
    page.click("[data-alert-of=ann] .alert-main")
    page.until(lambda: "Ann Archer is no longer critical since that day" in page.text(".toast p"))
    page.until(lambda: page.texts(".alert-row h2") == ["Bob Baker"])


def test_the_list_has_pages(open_page, clinic):
    with clinic.database.cursor() as cursor:
        cursor.execute("INSERT INTO patients (organization_id, id, name, created_at) SELECT %s, 'more' || number, "
                       "'Patient ' || number, now() - interval '47 days' FROM generate_series(1, 60) number", (clinic.id, ))
    page = open_page("#/alerts", ".alert-row")
    assert page.text("#range") == "1–50 of 62"
    first = page.texts(".alert-row h2")
    page.click("[data-key=next]")
    page.until(lambda: page.text("#range") == "51–62 of 62")
    assert not set(first) & set(page.texts(".alert-row h2")) and page.all("[data-key=next]:disabled")
    page.click("[data-key=previous]")
    page.until(lambda: page.texts(".alert-row h2") == first)


def test_without_a_stream_the_page_polls_and_shows_it_too(open_page, clinic):
    page = open_page(script=STREAM + FAST + "streamStatus = 429; retryAfter = 6000;")
    page.until(lambda: number_of(page) == shown(2))
    clinic.turn_critical()
    page.find(".toast")
    assert page.text(".toast p") == "New critical patient: Cleo Carter"
    page.until(lambda: number_of(page) == shown(3) and page.number("[data-count=critical]") == 3)
    assert page.run("return openings.length") == 1, "before Retry-After"


def test_a_silent_stream_is_opened_again_after_its_last_notice(scripted):
    page = scripted
    page.run(SAY, notice(page.sequence + 5))
    page.until(lambda: page.run("return openings.length") == 2)
    first, second = page.run("return openings")
    assert second["at"] - first["at"] >= 40_000
    assert first["after"] is None and second["after"] == str(page.sequence + 5)


def test_a_stream_that_ends_is_opened_again_and_the_page_polls_meanwhile(scripted):
    page = scripted
    page.run(SAY, {"type": "bye", "reason": "shutting_down", "retry_ms": 20_000})
    page.run("streams.at(-1).close()")
    page.until(lambda: page.run("return openings.length") == 2)
    first, second = page.run("return openings")
    assert second["at"] - first["at"] >= 20_000
    page.run("streamStatus = 503; streams.at(-1).close()")
    page.until(lambda: page.asked("/alerts?limit=1"))
    page.run("streamStatus = 200")
    page.until(lambda: page.run("return streams.length") == 3)


def test_messages_may_arrive_in_any_parts(page):
    page.open()
    for size in (1, 7, 1000):
        read = page.run("""return import('/dashboard/js/event-stream.js').then(({ Messages }) => {
            const text = ': comment\\n\\nid: 3\\r\\ndata: {"a": 1}\\r\\n\\r\\nevent: x\\n\\ndata:{"b":\\ndata: 2}\\n\\ndata: {"c"';
            const messages = new Messages();
            return Array.from({ length: Math.ceil(text.length / arguments[0]) }, (_, index) =>
              messages.feed(text.slice(index * arguments[0], (index + 1) * arguments[0]))).flat();
        })""", size)
        assert read == [{"a": 1}, {"b": 2}], size


def test_after_a_reset_the_page_is_requested_again(scripted, clinic):
    page = scripted
    clinic.turn_critical()
    page.run(SAY, {"type": "reset", "sequence": page.sequence + 1_000_000})
    page.until(lambda: page.number("[data-count=critical]") == 3)
    assert not page.all(".toast") and not page.asked("/alerts/events")


def test_with_a_stream_no_timer_asks_every_half_minute(scripted):
    page = scripted
    before = len(page.asked("risk-metrics"))
    opened = page.run("return performance.now()")
    while page.run("return performance.now()") < opened + 75_000:
        page.run(SAY, counts("heartbeat", page.sequence, critical=2, open=2))
        time.sleep(0.5)
    assert len(page.asked("risk-metrics")) == before and page.run("return openings.length") == 1
    # Another number is a change.
    page.run(SAY, counts("heartbeat", page.sequence, critical=2, open=1))
    page.until(lambda: len(page.asked("risk-metrics")) > before)


def test_a_renewed_token_opens_the_stream_anew(scripted, api, clinic):
    page = scripted
    token = api.signer.token(clinic.id, sub="user_anna", exp=int(time.time()) + 500)
    page.renew(token)
    page.until(lambda: page.run("return openings.length") == 2)
    first, second = page.run("return openings")
    assert second["token"] == f"Bearer {token}" != first["token"] and second["after"] == str(page.sequence)
    assert page.run("return aborted") == 1


@pytest.mark.parametrize("end", ["sign out", "expiry", "idle"])
def test_the_end_of_the_session_closes_the_stream_and_forgets_the_alerts(scripted, api, clinic, end):
    page = scripted
    clinic.turn_critical()
    page.run(SAY, notice(api.answer(clinic.id, "alerts")["sequence"]))
    page.find(".toast")
    page.allowed = ["401 (Unauthorized)"]
    if end == "sign out":
        page.click("[data-key='sign out']")
    elif end == "expiry":
        page.renew(api.signer.token(clinic.id, sub="user_anna", exp=1, iat=0, nbf=0), "#token")
    else:
        page.run("const fast = performance.now.bind(performance); performance.now = () => fast() + 16 * 60_000;")
    page.find("#token")
    page.until(lambda: page.run("return aborted") == page.run("return openings.length"))
    opened = page.run("return openings.length")
    assert not page.all(".toast") and page.driver.title == "Sign in – Reengagement"
    assert page.run("return document.querySelector('link[rel=icon]').href").endswith("/dashboard/icon.svg")
    assert "Cleo" not in page.run("return document.documentElement.outerHTML")
    page.run("dispatchEvent(new Event('online'))")
    time.sleep(1)
    assert page.run("return openings.length") == opened


HIDDEN = """
Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true });
document.dispatchEvent(new Event('visibilitychange'));"""


def test_a_hidden_tab_shows_the_number_and_requests_no_patient_until_it_is_visible(scripted, api, clinic):
    page = scripted
    page.run(HIDDEN, True)
    clinic.turn_critical()
    sequence = api.answer(clinic.id, "alerts")["sequence"]
    before = len([each for each in page.run("return asked") if "/reengagement/" in each["path"]])
    page.run(SAY, notice(sequence))
    page.run(SAY, counts("heartbeat", sequence, critical=3, open=3))
    page.until(lambda: number_of(page) == shown(3))
    time.sleep(1)
    assert len([each for each in page.run("return asked") if "/reengagement/" in each["path"]]) == before
    page.run(HIDDEN, False)
    page.find(".toast")
    assert page.text(".toast p") == "New critical patient: Cleo Carter"


def test_a_notification_of_the_browser_is_asked_for_by_a_click_and_names_nobody(page, open_page, clinic):
    page.before(NOTIFICATIONS)
    open_page("#/alerts", ".alert-row")
    page.until(lambda: page.text(".bell-number") == "2")
    assert page.run("return permissions") == 0 and not page.all("[data-key=notify]:checked")
    page.click("[data-key=notify]")
    page.until(lambda: page.run("return permissions") == 1 and page.all("[data-key=notify]:checked"))
    clinic.turn_critical()
    page.find(".toast")
    page.until(lambda: page.run("return notices.length") == 1)
    text = page.run("return notices[0]")
    assert "A patient has become critical." in text
    assert not [part for part in ("Cleo", "Carter", "cleo", clinic.id) if part in text]
    page.click("[data-key=notify]")
    assert page.run("return localStorage.length") == 0


def test_blocked_notifications_are_explained(page, open_page):
    page.before(NOTIFICATIONS + "granted = 'denied';")
    open_page("#/alerts", ".alert-row")
    assert page.all("[data-key=notify]:disabled:not(:checked)")
    assert "This browser blocks notifications of this page" in page.text("#notify-hint")


def test_a_browser_that_allows_it_shows_the_notification(page, open_page, clinic):
    """The browser's own Notification, with its permission granted by the browser."""
    page.command("Browser.grantPermissions", permissions=["notifications"], origin=page.address)
    try:
        page.before("""
            window.shown = [];
            const own = Notification;
            window.Notification = class extends own {
              constructor(...parts) { super(...parts); shown.push(this.title + ' ' + this.body); }
            };""")
        open_page("#/alerts", ".alert-row")
        page.until(lambda: page.text(".bell-number") == "2")
        page.click("[data-key=notify]")
        page.until(lambda: page.all("[data-key=notify]:checked"))
        clinic.turn_critical()
        page.until(lambda: page.run("return shown") == ["Reengagement A patient has become critical."])
    finally:
        page.command("Browser.resetPermissions")


def test_two_tabs_share_one_stream_and_the_other_goes_on_when_one_is_closed(open_page, page, api, clinic):
    own = page.driver.current_window_handle
    page.driver.switch_to.new_window("window")
    first = page.driver.current_window_handle
    page.command("Page.addScriptToEvaluateOnNewDocument", source=RECORDER)
    page.load(token=api.signer.token(clinic.id, sub="user_anna"))
    page.until(lambda: number_of(page) == shown(2))
    page.driver.switch_to.window(own)
    open_page()
    page.until(lambda: number_of(page) == shown(2))
    clinic.turn_critical()
    page.find(".toast")
    page.until(lambda: number_of(page) == shown(3))
    assert not page.asked("/alerts/live")
    page.driver.switch_to.window(first)
    assert len(page.asked("/alerts/live")) == 1
    page.until(lambda: number_of(page) == shown(3))
    page.must_be_clean()
    page.driver.close()
    page.driver.switch_to.window(own)
    page.until(lambda: page.asked("/alerts/live"))
    run(clinic, "DELETE FROM appointments WHERE organization_id = %s AND id = 'visit_ann'")
    page.until(lambda: number_of(page) == shown(2))


def test_the_keyboard_alone_settles_an_alert(open_page, clinic):
    page = open_page()
    page.until(lambda: page.text(".bell-number") == "2")
    page.run("document.querySelector('#bell').focus()")
    page.press(ENTER)
    page.find(".alert-row")
    tab_to(page, lambda: "Acknowledge" == page.focused())
    page.press(ENTER)
    # The next alert has the focus.
    page.until(lambda: page.texts(".alert-row h2") == ["Bob Baker"])
    page.until(lambda: page.run("return document.activeElement.dataset.key ?? ''").startswith("acknowledge bob"))
    page.press(TAB, ENTER)
    page.find("dialog[open]")
    page.press(ESCAPE)
    page.until(lambda: not page.all("dialog"))
    assert page.run("return document.activeElement.dataset.key").startswith("snooze bob")
    page.press(ENTER)
    tab_to(page, lambda: page.run("return document.activeElement.name") == "note")
    page.press("Called", ESCAPE)
    page.until(lambda: page.focused() == "Keep writing")
    page.press(ENTER)
    tab_to(page, lambda: page.focused() == "Save")
    page.press(ENTER)
    # After the last alert the bell has the focus.
    page.find(".empty")
    page.until(lambda: page.run("return document.activeElement.id") == "bell")
    assert [word[3] for word in words(clinic)] == ["", "Called"]


def tab_to(page, is_there):
    for _ in range(40):
        page.press(TAB)
        if is_there():
            return
    raise AssertionError("not reached by the keyboard")


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("look", [{}, {"dark": True}, {"width": 390, "height": 844, "mobile": True},
                                  {"width": 360, "height": 740, "mobile": True, "dark": True}],
                         ids=["light", "dark", "phone", "dark phone"])
def test_axe_reports_nothing_and_a_phone_fits(page, open_page, axe, clinic, look):
    page.look(**look, still=True)
    open_page("#/alerts", ".alert-row")
    page.until(lambda: page.text(".bell-number") == "2")
    clinic.turn_critical()
    page.find(".toast")
    page.until(lambda: len(page.all(".alert-row")) == 3)
    assert page.run("return document.getAnimations().length") == 0
    must_have_no_violation(page, axe, "open")
    page.click("[data-alert-of=bob] [data-key^=snooze]")
    must_have_no_violation(page, axe, "dialog")
    page.click("dialog [type=submit]")
    page.click("[data-alert-of=ann] .alert-main")
    page.click("[data-key='State all']")
    page.until(lambda: len(page.all(".alert-settled")) == 2)
    must_have_no_violation(page, axe, "all")
    if "width" in look:
        assert page.run("return document.documentElement.scrollWidth") <= look["width"]
        assert page.run("""return [...document.querySelectorAll('main button, #bell')].filter((each) => {
            const box = each.getBoundingClientRect(); return box.height < 36 || box.width < 36; }).length""") == 0
