"""How much is measured: a full run, or a smoke test."""

from dataclasses import dataclass

from variables import whole_number

CONNECTIONS = 64
SMALL_CLINIC = 1000


@dataclass(frozen=True)
class Plan:
    small: bool
    sizes: tuple  # patients of the two organizations
    rounds: int
    seconds: int  # of each measurement
    warm_up: int  # seconds

    @property
    def first(self):
        return self.sizes[0]


def plan_from_environment():
    rounds, seconds = whole_number("ROUNDS", 3, 1, 100), whole_number("DURATION", 2, 1, 60)
    if rounds * seconds == 1:
        return Plan(True, (SMALL_CLINIC, 2000), rounds, seconds, warm_up=0)
    patients = whole_number("PATIENTS", 100_000, SMALL_CLINIC + 1, 10_000_000)
    return Plan(False, (SMALL_CLINIC, patients), rounds, seconds, warm_up=1)
