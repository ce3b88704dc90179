"""The extent of a run: a full one, or a small one for continuous integration."""

import os
from dataclasses import dataclass

from variables import whole_number


@dataclass(frozen=True)
class Plan:
    small: bool
    sizes: tuple
    rounds: int  # of reads, each question three times a round
    plain_seconds: float  # the timeout of a plain query
    plain_runs: int
    write_rounds: int
    write_seconds: int
    import_rounds: int
    imported: int
    quiet_seconds: float  # of reads before the backlog, for comparison
    contacts: int  # logged one after the other under a held snapshot

    @property
    def largest(self):
        return self.sizes[-1]


def plan_from_environment():
    if os.environ.get("SMALL") == "1":
        return Plan(True, (1000, 5000), rounds=5, plain_seconds=20, plain_runs=3, write_rounds=2, write_seconds=1,
                    import_rounds=1, imported=5000, quiet_seconds=2, contacts=600)
    patients = whole_number("PATIENTS", 100_000, 1000, 10_000_000)
    sizes = tuple(size for size in (1000, 10_000, 100_000, 1_000_000) if size < patients) + (patients,)
    return Plan(False, sizes, rounds=70, plain_seconds=whole_number("PLAIN_SECONDS", 20, 1, 600), plain_runs=9,
                write_rounds=7, write_seconds=5,
                import_rounds=4, imported=min(100_000, patients), quiet_seconds=20, contacts=6000)
