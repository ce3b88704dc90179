"""A clinic's days and times are shown in its own zone. The device's clock decides nothing."""

import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

NEW_YORK, SYDNEY = "America/New_York", "Australia/Sydney"
# A clock that a test can set. The browser's own measurement of durations is unchanged.
CLOCK = """
window.shift = 0;
const OwnDate = Date;
window.Date = class extends OwnDate {
  constructor(...parts) { parts.length ? super(...parts) : super(OwnDate.now() + window.shift); }
  static now() { return OwnDate.now() + window.shift; }
};"""
LIMITED = """
window.interfere = async (path, answer) => {
  if (!path.includes('risk-metrics') || window.refused) return answer();
  window.refused = true;
  return new Response('{"detail": "Too many requests."}', { status: 429, headers: { 'Retry-After': '8' } });
};"""
ELSEWHERE = """
window.interfere = async (path, answer) => {
  const response = await answer();
  return path.endsWith('/dashboard') ? new Response((await response.text()).replace('"time_zone":"Australia/Sydney"',
      '%s')) : response;
};"""


@pytest.fixture
def viewer(page):
    """Sets the time zone of the viewer's device."""
    yield lambda zone: page.command("Emulation.setTimezoneOverride", timezoneId=zone)
    page.command("Emulation.setTimezoneOverride", timezoneId="")


def day(instant, zone):
    return instant.astimezone(ZoneInfo(zone)).strftime("%-d %b %Y").replace("Sep", "Sept")


def moment(instant, zone):
    return f"{day(instant, zone)}, {instant.astimezone(ZoneInfo(zone)):%H:%M}"


@pytest.fixture
def sydney(clinic):
    """One patient whose visits have different dates in New York and in Sydney."""
    last = (datetime.now(timezone.utc) - timedelta(days=60)).replace(hour=15, minute=30, second=0, microsecond=0)
    clinic.seen, clinic.booked = last, last + timedelta(days=90)
    clinic.add("ann", "Ann")
    with clinic.database.cursor() as cursor:
        cursor.execute("UPDATE organizations SET time_zone = %s WHERE id = %s", (SYDNEY, clinic.id))
        cursor.execute("UPDATE appointments SET starts_at = %s WHERE organization_id = %s", (last, clinic.id))
        cursor.execute(
            "INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES (%s, 'next', 'ann', %s, 'scheduled')",
            (clinic.id, clinic.booked),
        )
        cursor.execute("INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by, created_at) "
                       "VALUES (%s, 'ann', 'sms', 'no_response', 'user_1', %s)", (clinic.id, last))
    return clinic


def facts(page):
    return dict(
        page.run(
            "return [...document.querySelectorAll('.facts > div')].map((each) => [...each.children].map((one) => one.textContent))"
        )
    )


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("where, beside", [(NEW_YORK, f" {SYDNEY}"), (SYDNEY, "")])
def test_a_clinics_times_are_in_its_zone_which_is_named_where_it_is_not_the_viewers(
    page, api, sydney, viewer, where, beside
):
    viewer(where)
    page.open("#/patients/ann", token=api.signer.token(sydney.id), wait=".what-to-do")
    in_brackets = f" ({SYDNEY})" if beside else ""
    shown = facts(page)
    assert shown["Last visit"] == shown["Last contact"] == day(sydney.seen, SYDNEY) + beside
    assert shown["Last visit"] != day(sydney.seen, NEW_YORK) + beside
    assert shown["Next visit"] == moment(sydney.booked, SYDNEY) + in_brackets
    assert moment(sydney.seen, SYDNEY) + in_brackets in page.text(".history")
    page.click("[data-key='contact ann sms']")
    page.until(lambda: f"Last: SMS, no response, {moment(sydney.seen, SYDNEY)}{in_brackets}" in page.text("dialog"))
    page.click("dialog .quiet")
    assert page.run("return document.getElementById('as-of').textContent").endswith(in_brackets)
    assert (SYDNEY in page.text("#updated")) == bool(beside)
    page.go("#/patients", ".patients")
    assert facts(page)["Next visit"] == day(sydney.booked, SYDNEY) + beside
    page.go("#/trends", ".improvement")
    assert (SYDNEY in page.text(".improvement h2")) == bool(beside)
    # The zone is requested once. Its response contains patients, and each access to patients is in the audit.
    assert len(page.asked(f"/{sydney.id}/dashboard")) == 1


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("named", ['"time_zone":"Nowhere/Land"', '"time_zone":null', '"zone":null'])
def test_a_zone_that_the_browser_lacks_is_replaced_by_utc_and_named(page, api, sydney, viewer, named):
    viewer(NEW_YORK)
    page.before(ELSEWHERE % named)
    page.open("#/patients/ann", token=api.signer.token(sydney.id), wait=".what-to-do")
    assert facts(page)["Next visit"] == moment(sydney.booked, "UTC") + " (UTC)"


def test_another_organization_has_its_own_zone(page, api, sydney, viewer):
    viewer(NEW_YORK)
    page.open("#/patients/ann", token=api.signer.token(sydney.id), wait=".what-to-do")
    page.run("import('/dashboard/js/session.js').then(({ signIn }) => signIn(arguments[0]))",
             api.signer.token("org_without_rows"))
    page.allowed = ["404 (Not Found)"]
    page.go("#/performance", "#verdict")
    page.until(lambda: "(UTC)" in page.text("#updated"))


def test_a_clock_that_is_set_back_delays_no_request(page):
    page.before(CLOCK)
    page.before(LIMITED)
    page.allowed = ["429"]
    page.open(wait="#problem")
    page.run("window.shift = -300_000")
    # No request is allowed before Retry-After has passed. Then the page retries by itself.
    page.until(lambda: not page.all("#problem"))


def test_a_clock_that_is_set_back_does_not_extend_the_time_to_undo(page, api, clinic):
    page.before(CLOCK)
    clinic.add("ann", "Ann")
    page.open("#/patients", token=api.signer.token(clinic.id), wait=".patients")
    page.click("[data-key='contact ann sms']")
    page.find("dialog .contact-number")
    page.click("dialog [value=no_response]")
    page.click("dialog [type=submit]")
    page.find("[data-state=waiting]")
    page.run("window.shift = -300_000")
    assert page.run("""return new Promise((resolve) => { setTimeout(() => resolve(
        document.querySelector('.contact-seconds')?.textContent ?? '0 s'), 600) })""") in [
        f"{seconds} s" for seconds in range(8)
    ]
    page.find("[data-state=logged]")


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("shift", [86_400_000, -86_400_000])
def test_a_wrong_clock_refuses_no_token_that_the_server_accepts(page, api, clinic, shift):
    clinic.add("ann", "Ann")
    page.before(CLOCK.replace("shift = 0", f"shift = {shift}"))
    page.allowed = ["401 (Unauthorized)"]
    now = int(time.time())
    page.open("#/patients/ann", token=api.signer.token(clinic.id, exp=now - 60, iat=now - 120, nbf=now - 120),
              wait="#token")
    assert "expired" in page.text("#reason") and ("clock may be slow" in page.text("#reason")) == (shift < 0)
    page.find("#token").send_keys(api.signer.token(clinic.id))
    page.click(".sign-in [type=submit]")
    page.find(".what-to-do")
