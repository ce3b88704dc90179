"""kill -9 of each process under load: every acknowledged write is stored exactly once."""

import random
import time

import ledger
from processes import KILLS

ROW = "kill -9"


def test_every_201_is_in_the_table_exactly_once(stack, load, long, figures):
    chance = random.Random(5)
    kinds = [kind for kind in KILLS for _ in range(12 if long else 1)]
    chance.shuffle(kinds)
    for kind in kinds:
        time.sleep(chance.uniform(0.05, 0.3))
        KILLS[kind](stack)
        load.until_served_again(time.monotonic(), 20)
    load.stop()
    odd = [a for a in load.all() if a.status not in (0, 200, 201, 502, 503, 504)]
    assert not odd, odd[0]
    unanswered = [a for a in load.all() if a.status not in (200, 201)]
    assert unanswered, "no request was in progress during a kill, so the test would prove nothing"
    written = ledger.check(load)
    figures(ROW, kills=len(kinds), acknowledged_and_there_once=written, broken_or_refused=len(unanswered))
