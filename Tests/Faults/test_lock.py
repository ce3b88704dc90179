"""Another session locks outreach_log: posts are refused in time, and stored once when they are retried."""

import time

import ledger
from load import refused_properly

ROW = "lock on outreach_log"


def test_posts_are_refused_in_time_and_written_once(stack, load, deadlines, figures):
    connection = stack.connect()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE outreach_log IN EXCLUSIVE MODE")
        began = time.monotonic()
        load.until(lambda: sum(a.status == 503 for a in load.begun_since(began) if a.kind == "POST") >= 4, 15,
                   "no post was refused")
        during = [a for a in load.begun_since(began) if a.kind == "POST"]
        assert not any(a.status in (200, 201) for a in during), "a post got past the lock"
        cursor.execute("ROLLBACK")
    released = time.monotonic()
    connection.close()
    served = load.until_served_again(released, 10)
    load.until(lambda: sum(a.status in (200, 201) for a in load.begun_since(released) if a.kind == "POST") > 20, 10,
               "posts do not go on")
    load.stop()
    slowest, refused = refused_properly(load.under_way_since(began), deadlines.longest)
    written = ledger.check(load)
    figures(ROW, slowest_answer_s=round(slowest, 2), refused=refused, served_again_after_s=round(served, 2),
            acknowledged_and_there=written)
