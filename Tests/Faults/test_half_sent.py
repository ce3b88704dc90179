"""Incomplete FastCGI records: each holds a worker for at most a second, and the service recovers."""

import threading
import time

import pytest

import fastcgi
from load import latencies, percentile

ROW = "half-sent FastCGI records"
# The second, and an allowance for a busy machine. Without the limit, the sender would decide.
HELD = 1 + 9

HALVES = {
    "half a header": fastcgi.begin()[:5],
    "a header without its content": fastcgi.begin()[:8],
    "parameters without an end": fastcgi.begin(keep=True) + fastcgi.record(
        fastcgi.PARAMS, fastcgi.parameters(fastcgi.environment("GET", "/health"))),
    "half of the parameters": fastcgi.begin(keep=True) + fastcgi.record(fastcgi.PARAMS, b"x" * 10, length=5000),
}


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("title", HALVES)
def test_half_sent_records_hold_a_worker_for_a_second_at_most(stack, clinic, figures, title):
    """With one such record for each worker, the next request waits for at most that second."""
    held = []
    try:
        for _ in range(4):
            held.append(fastcgi.Connection(stack.socket))
            held[-1].send(HALVES[title])
        time.sleep(0.05)
        began = time.monotonic()
        assert stack.api.get(clinic.organization, "risk-metrics").status == 200
        waited = time.monotonic() - began
    finally:
        for connection in held:
            connection.socket.close()
    assert waited < HELD, f"{waited:.2f} s"
    after = latencies(stack, clinic, 50)
    assert percentile(after, 0.5) < 1, "it did not recover"
    figures(ROW, **{title.replace(" ", "_") + "_next_waited_s": round(waited, 2)})


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("through", ["parameters", "body"])
def test_a_trickled_record_holds_a_worker_no_longer(stack, clinic, figures, through):
    """A byte every 0.4 s never lets a single read time out. The second limits all reads together."""
    values = fastcgi.environment("POST", f"/api/v1/reengagement/{clinic.organization}/log-outreach",
                                 CONTENT_LENGTH="400", CONTENT_TYPE="application/json",
                                 HTTP_AUTHORIZATION=stack.api.authorization(clinic.organization)["Authorization"])
    whole = fastcgi.request(values, b" " * 400)
    start = 30 if through == "parameters" else len(whole) - 300
    stopping, held = threading.Event(), [fastcgi.Connection(stack.socket) for _ in range(4)]

    def send(connection):
        connection.send(whole[:start])
        for byte in whole[start:]:
            if stopping.wait(0.4) or not connection.send(bytes([byte])):
                return

    threads = [threading.Thread(target=send, args=(connection, )) for connection in held]
    try:
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        began = time.monotonic()
        assert stack.api.get(clinic.organization, "risk-metrics").status == 200
        waited = time.monotonic() - began
    finally:
        stopping.set()
        for thread in threads:
            thread.join(10)
        for connection in held:
            connection.socket.close()
    assert waited < HELD, f"{waited:.2f} s"
    figures(ROW, **{f"trickled_{through}_next_waited_s": round(waited, 2)})
