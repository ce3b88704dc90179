"""Headless Chromium and the dashboard page."""

import base64
import json
import time
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, NoSuchFrameException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

TIMEOUT = 60
# Runs in every document before its own scripts. It records errors and requests. It wraps the browser's functions, so
# that a test can drop a response or speed up the clock.
RECORDER = """
window.wrongs = [];
addEventListener('securitypolicyviolation', (e) => wrongs.push(`${e.violatedDirective}: ${e.blockedURI} ${e.sample}`));
addEventListener('error', (e) => wrongs.push(String(e.message)));
addEventListener('unhandledrejection', (e) => wrongs.push(String(e.reason?.stack ?? e.reason)));
window.asked = [];
const ownFetch = window.fetch;
window.fetch = async (address, options = {}) => {
  const path = new URL(address, location.href).pathname + new URL(address, location.href).search;
  const headers = new Headers(options.headers);
  asked.push({ path, method: options.method ?? 'GET', key: headers.get('Idempotency-Key'),
      by: headers.get('X-Asked-By'), at: Date.now() });
  const answer = () => ownFetch(address, options);
  return window.interfere ? window.interfere(path, answer, options) : answer();
};
"""


def chromium(profile):
    options = webdriver.ChromeOptions()
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                 "--disable-component-update", "--disable-default-apps", "--disable-sync", "--no-first-run",
                 "--hide-scrollbars", "--lang=en-US", "--force-color-profile=srgb", "--font-render-hinting=none",
                 f"--user-data-dir={profile}"]
    # Chromium's sandbox is not available to root and in many containers. The browser opens our own pages only and
    # resolves no other host.
    arguments += ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"]
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.set_capability("acceptInsecureCerts", True)
    options.set_capability("unhandledPromptBehavior", "accept")
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class Page:
    """One tab at one address. Each test has its own, with empty storage."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address
        self.allowed, self.scripts = [], []
        self.look()
        self.before(RECORDER)

    def before(self, script):
        """Runs a script in each document before the page's own scripts."""
        self.scripts.append(self.command("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"])

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def look(self, width=1280, height=900, mobile=False, dark=False, still=False):
        self.command("Emulation.setDeviceMetricsOverride",
                     width=width,
                     height=height,
                     deviceScaleFactor=1,
                     mobile=mobile)
        features = [("prefers-color-scheme", "dark" if dark else "light"),
                    ("prefers-reduced-motion", "reduce" if still else "no-preference")]
        self.command("Emulation.setEmulatedMedia", features=[{"name": n, "value": v} for n, v in features])

    def open(self, fragment="#/", token=None, wait=".heading h1", undo_for=None):
        """Loads the page with empty storage, signed in with the token or, without one, by the local set-up."""
        self.driver.get(self.address + "/dashboard/icon.svg")
        self.run("localStorage.clear(); sessionStorage.clear()")
        return self.load(fragment, token, wait, undo_for)

    def load(self, fragment="#/", token=None, wait=".heading h1", undo_for=None):
        """Loads the page with the storage of the earlier visit."""
        self.driver.get(self.address + "/dashboard/icon.svg")
        if token:
            self.run("sessionStorage.setItem('reengagement.token', arguments[0])", token)
        self.driver.get(f"{self.address}/{fragment}")
        if wait:
            self.find(wait)
        if undo_for:
            self.undo_for(undo_for)
        return self

    def sign_in(self, token, wait=".heading h1"):
        """Enters a token in the sign-in form."""
        self.find("#token").clear()
        self.find("#token").send_keys(token)
        self.click(".sign-in [type=submit]")
        return self.find(wait)

    def renew(self, token, wait=".heading h1"):
        """Replaces the token while the page is open, as Clerk's sign-in would."""
        self.run("import('/dashboard/js/session.js').then((session) => session.signIn(arguments[0]))", token)
        return self.find(wait)

    def go(self, fragment, wait=".heading h1"):
        self.run("location.hash = arguments[0]", fragment)
        self.until(lambda: not self.all("main[aria-busy], .skeleton"))
        return self.find(wait)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, question, seconds=TIMEOUT, what=None):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if answer := question():
                    return answer
            except (StaleElementReferenceException, NoSuchElementException, NoSuchFrameException):
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {seconds} s: {what or question}\n{self.text('body')[:2000]}")
            time.sleep(0.05)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def find(self, selector):
        return self.until(lambda: self.all(selector), what=selector)[0]

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)", selector)

    def number(self, selector):
        self.find(selector)
        return int(self.text(selector).replace(",", ""))

    def click(self, selector):
        """Clicks as a person does, and waits while another element covers the target."""
        self.until(lambda: self.clicked(selector), what=f"{selector} to click")

    def undo_for(self, milliseconds):
        """Sets the time to undo a contact. The default of seven seconds is too short on a busy machine."""
        self.run(
            """
            window.ownTimeout ??= window.setTimeout;
            const lasting = arguments[0];
            window.setTimeout = (what, delay, ...rest) => ownTimeout(what, delay === 7000 ? lasting : delay, ...rest);""",
            milliseconds,
        )

    def clicked(self, selector):
        for element in self.all(selector)[:1]:
            self.run("arguments[0].scrollIntoView({ block: 'center' })", element)
            element.click()
            return True

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.run("return document.activeElement.innerText || document.activeElement.ariaLabel || ''").strip()

    def asked(self, part, method="GET"):
        return [each for each in self.run("return asked") if part in each["path"] and each["method"] == method]

    def save(self, path, height=None):
        """Takes a screenshot. The caller compresses it."""
        whole = self.run("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": whole[0], "height": min(whole[1], height or whole[1]), "scale": 1}
        data = self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def must_be_clean(self):
        """Asserts that the page had no error and requested nothing from another host."""
        wrongs = [each for each in self.run("return window.wrongs ?? []")]
        messages = [entry["message"] for entry in self.driver.get_log("browser")
                    if entry["level"] in ("SEVERE", "WARNING")]
        wrongs += [each for each in messages if not any(part in each for part in self.allowed)]
        assert not wrongs, "errors in the console, or violations of the policy:\n" + "\n".join(wrongs)
        names = self.run("return performance.getEntriesByType('resource').map((each) => each.name)")
        assert all(name.startswith((self.address, "data:")) for name in names), names

    def close(self):
        for identifier in self.scripts:
            self.command("Page.removeScriptToEvaluateOnNewDocument", identifier=identifier)
        self.driver.get("about:blank")
        self.driver.get_log("browser")


TAB, ENTER, SPACE, ESCAPE = Keys.TAB, Keys.ENTER, Keys.SPACE, Keys.ESCAPE


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def must_have_no_violation(page, axe, where):
    page.run("if (!window.axe) { const module = undefined, define = undefined; %s\n}" % axe)
    found = page.driver.execute_async_script("""
        const done = arguments[0];
        axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(violations.map((each) =>
            `${each.id}: ${each.help}\\n` + each.nodes.slice(0, 3)
                .map((node) => `    ${node.html} ${node.failureSummary}`).join('\\n'))),
            (error) => done([String(error)]));""")
    assert not found, f"{where}:\n" + "\n".join(found)
