"""The range that a figure may have while writers are active, and a gate that pauses them."""

import threading
from contextlib import contextmanager


class Tally:
    """The range in which a read must be: it shows each write acknowledged before it, and none begun after it."""

    def __init__(self, initial):
        self.lock = threading.Lock()
        self.begun, self.acknowledged = [initial, 0], [initial, 0]    # additions, removals

    @contextmanager
    def change(self, by):
        """Encloses a write. An exception means that it was not committed."""
        side = by < 0
        with self.lock:
            self.begun[side] += by
        try:
            yield
        except BaseException:
            with self.lock:
                self.begun[side] -= by
            raise
        with self.lock:
            self.acknowledged[side] += by

    def before(self):
        with self.lock:
            return tuple(self.acknowledged)

    def range_since(self, before):
        with self.lock:
            return before[0] + self.begun[1], self.begun[0] + before[1]


class Gate:
    """A lock that many threads share, or that one holds alone."""

    def __init__(self):
        self.condition, self.inside, self.closed = threading.Condition(), 0, False

    @contextmanager
    def passing(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.closed)
            self.inside += 1
        try:
            yield
        finally:
            with self.condition:
                self.inside -= 1
                self.condition.notify_all()

    @contextmanager
    def shut(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.closed)
            self.closed = True
            self.condition.wait_for(lambda: self.inside == 0)
        try:
            yield
        finally:
            with self.condition:
                self.closed = False
                self.condition.notify_all()
