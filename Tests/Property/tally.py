"""What a figure may be while writers are at work, and a gate that holds them off."""

import threading
from contextlib import contextmanager


class Tally:
    """A read shows every write acknowledged before it began, and none that begins after it ends."""

    def __init__(self, initial):
        self.lock = threading.Lock()
        self.begun, self.acknowledged = [initial, 0], [initial, 0]    # what adds, what takes away

    @contextmanager
    def change(self, by):
        """Around a write; an exception says that it did not happen."""
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
    """Any number pass, or one has it for himself."""

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
