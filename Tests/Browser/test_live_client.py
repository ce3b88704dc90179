"""The clients of docs/live.md in JavaScript, run as they are written there, in a page of another origin."""

import time

import pytest

from asking import eventually
from documents import code_blocks
from stack import connect

EVENTS, SOCKET = code_blocks("live.md", "js")

# Imports a module from its text, and keeps what the client tells in `told`.
RUN = """
const [text, setting, done] = arguments;
const module = await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
window.told = [];
const tell = (message) => { told.push(message); };
"""
LISTEN = RUN + """
window.ended = new AbortController();
window.token = setting.token;
module.listen({ address: setting.address, getToken: async () => window.token, signal: ended.signal,
                onNotice: tell, onList: () => tell('list') });
done();
"""
OPEN = RUN + """
window.socket = module.open({ address: setting.address, token: setting.token, onMessage: tell,
                              onClose: (code) => tell({ type: 'closed', code }) });
done();
"""


class Told:
    """A client in a page, and what it has told."""

    def __init__(self, driver, origin, script, text, setting):
        self.driver = driver
        driver.set_script_timeout(300)
        driver.get(f"{origin}/blank.html")
        driver.execute_async_script(f"(async function () {{ {script} }}).apply(null, arguments);", text, setting)

    def run(self, script, *values):
        return self.driver.execute_script(script, *values)

    def messages(self, kind):
        return [each for each in self.run("return told") if kind == (each if each == "list" else each["type"])]


@pytest.fixture
def told(driver, guide_origin, stack, clinic, api):
    """Starts a client in the page."""
    assert api.get(clinic.id, "dashboard").status == 200
    address = f"http://localhost:{stack.settings['HTTP_PORT']}{api.target(clinic.id, 'alerts/live')}"

    def start(script, text, **claims):
        token = api.signer.token(clinic.id, **claims)
        return Told(driver, guide_origin, script, text, {"address": address, "token": token})

    yield start
    driver.get("about:blank")
    driver.get_log("browser")


def notices(stack, clinic):
    with connect(stack.settings["DATABASE_URL"]) as database, database.cursor() as cursor:
        cursor.execute("SELECT sequence, kind, cause, day::text, number FROM re.notice WHERE organization_id = %s "
                       "ORDER BY sequence", (clinic.id, ))
        rows = cursor.fetchall()
    database.close()
    return [dict(zip(("type", "sequence", "kind", "cause", "day", "number"), ("notice", *row))) for row in rows]


def heard(stack, clinic, told, count):
    eventually(lambda: len(told.messages("notice")) >= count, 120)
    assert told.messages("notice") == notices(stack, clinic)


def test_the_page_hears_the_notices_of_the_table_through_a_restart_and_tokens_that_expire(told, stack, clinic, api):
    client = told(LISTEN, EVENTS, exp=int(time.time()) + 4)
    eventually(lambda: client.messages("list"))
    client.run("window.token = arguments[0]", api.signer.token(clinic.id))
    clinic.add("bob", "Bob Baker", days=60)
    stack.restart_server()
    clinic.add("cas", "Cas Carter", days=60)
    heard(stack, clinic, client, 2)
    assert len(client.messages("list")) == 1
    client.run("ended.abort()")


def test_a_websocket_of_a_page_hears_the_notices_and_renews_its_token(told, stack, clinic, api):
    exp = int(time.time()) + 5
    client = told(OPEN, SOCKET, exp=exp)
    eventually(lambda: client.messages("hello"))
    client.run("socket.renew(arguments[0])", api.signer.token(clinic.id))
    clinic.add("bob", "Bob Baker", days=60)
    heard(stack, clinic, client, 1)
    eventually(lambda: time.time() > exp + 5 + 3)
    clinic.add("cas", "Cas Carter", days=60)
    heard(stack, clinic, client, 2)
    assert not client.messages("bye") and not client.messages("closed")
    client.run("socket.renew('no token')")
    eventually(lambda: client.messages("closed"))
    assert [each["code"] for each in client.messages("closed")] == [1008]
