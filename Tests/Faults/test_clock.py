"""The system clock is set back or forward while the server runs: tokens still expire and no timeout is missed."""

import time
from pathlib import Path

import pytest

from asking import eventually
from load import Load, refused_properly
from processes import Wrapped

ROW = "clock"
LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
LEEWAY = 5


class Clock:
    """libfaketime rereads its offset from a file. It leaves the monotonic clock alone, which no program can set."""

    def __init__(self, folder):
        self.file = folder / "offset"
        self.set("+0")

    def set(self, offset):
        self.file.write_text(f"{offset}\n")

    def variables(self):
        return {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"
        }


@pytest.fixture
def clock(stack, folder):
    assert LIBRARY, "libfaketime is not installed: scripts/install test"
    made = Clock(folder)
    # With a clock set back by days, `exp` is beyond TOKEN_MAX_LIFETIME. This test is about timeouts, so that limit is off.
    stack.restart_server(TOKEN_MAX_LIFETIME="0",
                         **Wrapped(stack, folder, "exec BINARY", **made.variables()).environment())
    yield made
    stack.restart_server()


def ask(stack, clinic, token):
    return stack.api.get(clinic.organization, "risk-metrics", headers={"Authorization": f"Bearer {token}"}).status


def test_no_token_outlives_its_end(stack, clinic, clock, figures):
    now = int(time.time())
    lasting = stack.signer.token(clinic.organization)
    ended = stack.signer.token(clinic.organization, iat=now - 600, nbf=now - 600, exp=now - 60)
    assert [ask(stack, clinic, t) for t in (lasting, ended)] == [200, 401]

    def used():
        """A token that was accepted, and its expiry. On a busy machine a token may expire before its first use."""
        end = int(time.time()) + 10
        token = stack.signer.token(clinic.organization, exp=end)
        return (token, end) if ask(stack, clinic, token) == 200 else None

    ending, end = eventually(used)
    # Two hours back: an expired token stays refused, cached or not, and a valid one stays accepted.
    clock.set("-2h")
    assert [ask(stack, clinic, t) for t in (lasting, ended)] == [200, 401]
    deadline = end + LEEWAY
    while time.time() <= deadline:
        time.sleep(0.1)
    assert ask(stack, clinic, ending) == 401, "it was accepted after its exp and the leeway"
    # Two hours forward: a token of one hour has expired. When the clock is right again, the token is valid again.
    clock.set("+2h")
    eventually(lambda: ask(stack, clinic, lasting) == 401)
    clock.set("+0")
    eventually(lambda: ask(stack, clinic, lasting) == 200)
    assert ask(stack, clinic, ended) == 401
    figures(ROW, set_back="2 h", set_forward="2 h", outlived_by_more_than_the_leeway=0)


@pytest.mark.nightly
def test_no_deadline_hangs(stack, clinic, clock, deadlines, figures):
    """A lock makes statements time out while the clock jumps by days in both directions."""
    with Load(stack, clinic, readers=2, writers=2) as load:
        load.warm_up()
        connection = stack.connect()
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE outreach_log IN EXCLUSIVE MODE")
            began = time.monotonic()
            for offset in ("-3d", "+0", "-1d"):
                clock.set(offset)
                time.sleep(0.8)
            cursor.execute("ROLLBACK")
        connection.close()
        load.until_served_again(time.monotonic(), 10)
        load.stop()
        slowest, _ = refused_properly(load.under_way_since(began), deadlines.longest)
        reads = [a for a in load.under_way_since(began) if a.kind == "GET" and a.status != 200]
        assert not reads, reads[0]
    figures(ROW, slowest_answer_while_it_jumps_s=round(slowest, 2))
