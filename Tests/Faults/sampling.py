"""Samples the resources of a server once a second."""

import threading
import time
from collections import namedtuple

from processes import backends, descriptors, resident_kilobytes

Sample = namedtuple("Sample", "at memory descriptors connections answers")


class Sampler:
    """Takes a sample each second until the context ends."""

    def __init__(self, stack, load):
        self.stack, self.load, self.samples = stack, load, []
        self.stopping, self.thread = threading.Event(), threading.Thread(target=self.run)
        self.failure = None

    def __enter__(self):
        self.began, self.pid = time.monotonic(), self.stack.server_pid
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        self.thread.join(30)
        if self.failure and not kind:
            raise self.failure

    def run(self):
        before = len(self.load.all())
        try:
            while not self.stopping.wait(1):
                now, count = time.monotonic() - self.began, len(self.load.answers)
                held = resident_kilobytes(self.pid), descriptors(self.stack), self.connections()
                self.samples.append(Sample(now, *held, count - before))
                before = count
        except Exception as error:  # noqa: BLE001
            self.failure = error

    def connections(self):
        """Connections to the database, or the previous number while it is away."""
        try:
            connection = self.stack.connect()
            try:
                return len(backends(connection))
            finally:
                connection.close()
        except Exception:  # noqa: BLE001
            return self.samples[-1].connections if self.samples else 0


def slope(samples, name):
    """The slope per second, by least squares."""
    pairs = [(sample.at, getattr(sample, name)) for sample in samples]
    mean_at = sum(at for at, _ in pairs) / len(pairs)
    mean = sum(value for _, value in pairs) / len(pairs)
    spread = sum((at - mean_at)**2 for at, _ in pairs)
    return sum((at - mean_at) * (value - mean) for at, value in pairs) / spread if spread else 0
