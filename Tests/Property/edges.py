"""Random instants for one organization. About half of them are on a border that the definitions set."""

from instants import DAY, HOUR, SECOND, changes_of_clock, day_of, midnight

# Ages in days at which a level, a score, a window or a period begins or ends.
AGES = (0, 0, 1, 2, 5, 6, 6, 7, 7, 8, 12, 13, 13, 14, 14, 15, 29, 29, 30, 30, 31, 44, 45, 46, 59, 60, 75, 88, 89, 89, 90, 90, 91,
        120, 181, 182, 364, 365, 366, 400)
WAITS = (-1, 0, 1, SECOND, HOUR, 5 * DAY, 14 * DAY - HOUR, 336 * HOUR - 1, 336 * HOUR, 336 * HOUR, 336 * HOUR + 1, 14 * DAY + HOUR)
NEAR = (-1, 0, 0, 1)
# Numbers of days after an event at whose midnight the event begins to count differently.
LATER = (0, 1, 6, 7, 13, 14, 15, 29, 30, 31, 44, 45, 89, 90, 91)


class Edges:
    def __init__(self, random, zone, now):
        self.random, self.zone, self.now, self.base = random, zone, now, now
        self.known, self.successes = [now], []

    def keep(self, at):
        self.known.append(at)
        return at

    def at_midnight(self, age):
        return midnight(day_of(self.now, self.zone) - age, self.zone)

    def event(self, chance_of_future=0.1):
        """Returns the time of an event, in the past or in the future."""
        return self.keep(self.future() if self.random.random() < chance_of_future else self.past())

    def past(self):
        r, kind = self.random, self.random.random()
        if kind < 0.35:
            return self.at_midnight(r.choice(AGES)) + r.choice(NEAR)
        if kind < 0.5:
            return r.choice(self.known[-40:]) + r.choice(NEAR)
        if kind < 0.6:
            changes = changes_of_clock(self.now // DAY, self.zone)
            if changes:
                return r.choice(changes) + r.choice((-HOUR, -HOUR // 2, -60 * SECOND, -1, 0, 1, HOUR // 2, HOUR, 2 * HOUR))
        if kind < 0.7:
            return self.now + r.choice((-1, 0))
        return self.now - r.randrange(r.choice((2, 20, 60, 100, 400)) * DAY)

    def future(self):
        r = self.random
        return r.choice((self.now + 1, self.now + SECOND, self.at_midnight(-1), self.at_midnight(-1) - 1, self.at_midnight(-8),
                         self.now + r.randrange(1, 60 * DAY)))

    def booking(self):
        """Returns when an appointment was booked, often at a border of the time after a successful attempt."""
        if self.successes and self.random.random() < 0.6:
            return self.keep(self.random.choice(self.successes[-30:]) + self.random.choice(WAITS))
        return self.event()

    def attempt(self, outcome):
        at = self.random.choice(self.successes) if self.successes and self.random.random() < 0.2 else self.event()
        if outcome == "success":
            self.successes.append(at)
        return at

    def jump(self):
        """Returns another now: at an event, at a midnight that changes how one counts, near now, or the first now."""
        r, kind = self.random, self.random.random()
        if kind < 0.35:
            to = r.choice(self.known) + r.choice((-1, 0, 1))
        elif kind < 0.7:
            to = midnight(day_of(r.choice(self.known), self.zone) + r.choice(LATER), self.zone) + r.choice((-1, 0, 1))
        elif kind < 0.85:
            to = self.now + r.choice((1, -1, SECOND, HOUR, -HOUR, DAY, -DAY, 30 * DAY))
        elif kind < 0.95:
            to = self.at_midnight(-1) + r.choice((-1, 0, 1))
        else:
            to = self.base
        return to if abs(to - self.base) < 500 * DAY else self.base
