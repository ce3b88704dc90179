"""SIGHUP reads the keys again without a pause. SIGQUIT stops like SIGTERM. Other signals have no effect."""

import json
import signal
import threading

import pytest

from asking import dashboard, eventually, post, token_headers
from tokens import Signer, generate_key, jwks

AGAIN = "signing keys were read again, as SIGHUP asks"
MEANINGLESS = [signal.SIGPIPE, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGXFSZ,
               signal.SIGRTMIN, signal.SIGRTMIN + 5, signal.SIGRTMAX, 16]


def lines(server, message):
    return [line for line in map(json.loads, server.log_lines()) if line["message"].startswith(message)]


class Load:
    """Clients that read and write without a pause, and the responses."""

    def __init__(self, server, stack, clinic):
        self.server, self.stack, self.clinic = server, stack, clinic
        self.reads, self.posts, self.broken, self.over = [], [], [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n, )) for n in range(4)]

    def run(self, number):
        headers = token_headers(self.stack, self.clinic)
        while not self.over.is_set():
            try:
                if number % 2:
                    answer, kind = self.server.get(dashboard(self.clinic), headers), self.reads
                else:
                    answer, kind = post(self.server, self.stack, self.clinic, notes="under load"), self.posts
            except OSError as error:
                if not self.over.is_set():
                    self.broken.append(repr(error))
                return
            kind.append(answer)
            if answer.status not in (200, 201):
                self.broken.append(answer)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually(lambda: len(self.reads) > 20 and len(self.posts) > 20, 120)
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(120)


def audited(database, clinic):
    with database.cursor() as cursor:
        cursor.execute("SELECT route LIKE '%%dashboard', count(*) FROM re.audit WHERE organization_id = %s GROUP BY 1",
                       (clinic, ))
        return dict(cursor.fetchall())


def must_be_whole(load, database, clinic):
    """Asserts that each response has its entry in the audit and each 201 its row."""
    entries = audited(database, clinic)
    assert not load.broken and entries.get(True, 0) == len(load.reads), (entries, len(load.reads), load.broken)
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outreach_log WHERE organization_id = %s AND notes = 'under load'",
                       (clinic, ))
        assert cursor.fetchone()[0] == len(load.posts)


def test_sighup_many_times_under_load_fails_no_request_and_loses_no_audit_entry(server_with, stack, database, clinic):
    server = server_with()
    with Load(server, stack, clinic) as load:
        for count in range(50):
            server.process.send_signal(signal.SIGHUP)
            before = len(load.reads)
            eventually(lambda: len(load.reads) > before or load.broken)
        for sign in MEANINGLESS:
            server.process.send_signal(sign)
        after = len(load.reads), len(load.posts)
        eventually(lambda: len(load.reads) > after[0] + 20 and len(load.posts) > after[1] + 20)
    assert server.logged("nothing to read again") and server.process.poll() is None
    assert server.stop() == 0
    must_be_whole(load, database, clinic)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("sign", [signal.SIGQUIT, signal.SIGTERM, signal.SIGXCPU, signal.SIGPWR])
def test_a_stop_under_load_loses_no_audit_entry(server_with, stack, database, clinic, sign):
    server = server_with()
    with Load(server, stack, clinic) as load:
        load.over.set()
        assert server.stop(sign) == 0
    must_be_whole(load, database, clinic)
    assert [line["signal"] for line in lines(server, "stopping")] == [sign.name]


def test_sighup_reads_the_keys_of_a_file_again_and_logs_the_result(server_with, stack, clinic, folder):
    keys = {name: generate_key() for name in ("first", "second")}
    signers = [Signer(key, stack.settings["ISSUER"], name) for name, key in keys.items()]
    path = folder / "jwks.json"
    path.write_text(jwks({"first": keys["first"]}))
    server = server_with(CLERK_JWT_KEY=None, CLERK_JWKS_FILE=str(path))

    def status(signer):
        return server.get(dashboard(clinic), token_headers(stack, clinic, signer)).status

    def hang_up(message=AGAIN):
        before = len(lines(server, message))
        server.process.send_signal(signal.SIGHUP)
        return eventually(lambda: lines(server, message)[before:])[0]

    assert (status(signers[0]), status(signers[1])) == (200, 401)
    line = hang_up()
    assert (line["keys"], line["changed"], line["source"]) == ("1", "false", "CLERK_JWKS_FILE")
    path.write_text(jwks(keys))
    hang_up()
    assert (status(signers[0]), status(signers[1])) == (200, 200)
    path.write_text("{")
    for _ in range(2):
        assert "JWKS" in hang_up("no signing keys to be had")["reason"]
    assert (status(signers[0]), status(signers[1])) == (200, 200)
    assert server.stop() == 0
