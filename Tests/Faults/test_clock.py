"""The server's clock is set back or forward while it runs: no token lives longer for it, and no deadline hangs."""

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
    """libfaketime reads its offset anew each time; the monotonic clock is nobody's to set."""

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
    # A clock set back by days puts each token's end too far ahead, which is refused; here it is deadlines that matter.
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
        """A token that has been of use, and its end; on a busy machine one may be over before."""
        end = int(time.time()) + 10
        token = stack.signer.token(clinic.organization, exp=end)
        return (token, end) if ask(stack, clinic, token) == 200 else None

    ending, end = eventually(used)
    # Back by two hours: what has ended stays so, remembered or not, and what is good stays good.
    clock.set("-2h")
    assert [ask(stack, clinic, t) for t in (lasting, ended)] == [200, 401]
    deadline = end + LEEWAY
    while time.time() <= deadline:
        time.sleep(0.1)
    assert ask(stack, clinic, ending) == 401, "it outlived its exp by more than the leeway"
    # Forward by two hours: a token of an hour has ended; set right, it is good again.
    clock.set("+2h")
    eventually(lambda: ask(stack, clinic, lasting) == 401)
    clock.set("+0")
    eventually(lambda: ask(stack, clinic, lasting) == 200)
    assert ask(stack, clinic, ended) == 401
    figures(ROW, set_back="2 h", set_forward="2 h", outlived_by_more_than_the_leeway=0)


@pytest.mark.nightly
def test_no_deadline_hangs(stack, clinic, clock, deadlines, figures):
    """A lock makes statements run into theirs, while the clock jumps by days in both directions."""
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
