"""Nothing is decided by the clock of the device."""

import time

import pytest

# A clock that a test can set; what the browser itself measures spans by stays.
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
  window.shift -= 300_000;
  return new Response('{"detail": "Too many requests."}', { status: 429, headers: { 'Retry-After': '2' } });
};"""

def test_a_clock_that_is_put_back_keeps_nothing_waiting(page):
    page.before(CLOCK)
    page.before(LIMITED)
    page.allowed = ["429"]
    page.open(wait="#problem")
    # Forbidden until Retry-After is over, and asked again by itself soon after.
    page.until(lambda: not page.all("#problem"), 30)


def test_a_clock_that_is_put_back_does_not_lengthen_the_time_to_undo(page, api, clinic):
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
        document.querySelector('.contact-seconds')?.textContent ?? '0 s'), 600) })""") in [f"{seconds} s" for seconds in range(8)]
    page.find("[data-state=logged]")


@pytest.mark.parametrize("shift", [86_400_000, -86_400_000])
def test_a_wrong_clock_refuses_no_token_that_the_server_takes(page, api, clinic, shift):
    clinic.add("ann", "Ann")
    page.before(CLOCK.replace("shift = 0", f"shift = {shift}"))
    page.allowed = ["401 (Unauthorized)"]
    now = int(time.time())
    page.open("#/patients/ann", token=api.signer.token(clinic.id, exp=now - 60, iat=now - 120, nbf=now - 120), wait="#token")
    assert "expired" in page.text("#reason") and ("clock may be slow" in page.text("#reason")) == (shift < 0)
    page.find("#token").send_keys(api.signer.token(clinic.id))
    page.click(".sign-in [type=submit]")
    page.find(".what-to-do")
