"""A frontend's client class in a page of another origin: every call works, and every error response is readable."""

import os
import signal
from pathlib import Path

import pytest

from asking import eventually
from stack import ORIGINS, Stack


@pytest.fixture
def setting(stack, clinic, api):
    clinic.add("patient_123", "John Smith", days=47)
    return {
        "base": f"http://localhost:{stack.settings['HTTP_PORT']}", "organization": clinic.id,
        "token": api.signer.token(clinic.id), "patient": "patient_123", "key": "one click"
    }


@pytest.fixture
def call(driver, guide_origin):
    """Calls a function of frontend.mjs in a page of the other origin."""

    def call(name, setting, origin=guide_origin):
        driver.set_script_timeout(300)
        driver.get(f"{origin}/blank.html")
        return driver.execute_async_script(
            """
            const [name, setting, done] = arguments;
            import('/frontend.mjs').then((frontend) => frontend[name](setting))
              .then(done, (error) => done({ error: String(error?.stack ?? error) }));""", name, setting)

    yield call
    driver.get("about:blank")
    driver.get_log("browser")


def test_every_call_works_with_the_headers_of_the_frontend(call, setting, clinic):
    answers = call("everything", setting)
    assert "error" not in answers, answers
    assert [answer["status"] for answer in answers] == [200] * 6 + [201, 200, 200]
    assert all(answer["requestID"] for answer in answers)
    assert answers[0]["body"]["organization_id"] == clinic.id and answers[3]["body"]["name"] == "John Smith"
    assert clinic.logged() == [("patient_123", "sms", "success", False, "from a page")]


def test_the_page_can_read_error_responses(call, setting, driver):
    answers = call("troubles", setting)
    assert "error" not in answers, answers
    wrong = [(answer["status"], answer["body"]["type"]) for answer in answers]
    assert wrong == [(404, "/problems/no-such-route"), (404, "/problems/no-such-route"),
                     (404, "/problems/no-such-patient"),
                     (401, "/problems/token-invalid"), (403, "/problems/other-organization"),
                     (422, "/problems/bad-parameter"),
                     (422, "/problems/bad-field"), (405, "/problems/method-not-allowed"),
                     (413, "/problems/body-too-large")]
    assert all(answer["requestID"] == answer["body"]["request_id"] for answer in answers)
    assert not [entry for entry in driver.get_log("browser") if "CORS" in entry["message"]]


def test_a_page_of_an_unlisted_origin_can_read_nothing(call, setting, guide_origin):
    answers = call("everything", setting, guide_origin.replace("localhost", "127.0.0.1"))
    assert "Failed to fetch" in answers["error"]


def reload(nginx):
    """Reloads the configuration and waits for the end of the old workers. A fetch through one of them may fail."""
    children = Path(f"/proc/{nginx}/task/{nginx}/children")
    old = set(children.read_text().split())
    assert old
    os.kill(nginx, signal.SIGHUP)
    eventually(lambda: not old & set(children.read_text().split()), 60)


def test_the_page_can_read_the_rate_limit_by_address(call, setting, stack, directory, guide_origin):
    """The response is nginx's own. Only the production configuration has limits by address."""
    origins = ",".join((*ORIGINS, guide_origin))
    production = Stack(directory / "production", STACK_NGINX="production", DATABASE_URL=stack.settings["DATABASE_URL"],
                       CORS_ALLOWED_ORIGINS=origins)
    with production.started("server-start", "nginx-start") as made:
        base = f"https://localhost:{made.settings['HTTPS_PORT']}"
        # A busy machine may never send 100 requests a second.
        limits = Path(made.settings["NGINX_CONFIGURATION"]).parent / "snippets/limits/rate-limits.conf"
        shipped = limits.read_text()
        assert "rate=100r/s" in shipped
        limits.write_text(shipped.replace("rate=100r/s", "rate=1r/m"))
        reload(int(made.settings["NGINX_PID"]))
        refused = call("flood", {**setting, "base": base, "token": "not.a.token"})
    assert refused and "error" not in refused, refused
    assert refused["status"] == 429 and refused["body"]["type"] == "/problems/address-rate-limited"
    assert int(refused["retryAfter"]) >= 1
