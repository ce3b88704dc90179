"""Random steps that make alerts and end them, with a comparison of the notices and the acknowledgements after most.

They compare no response, so many more are played than of generator.py.
"""

import rows
from generator import Generator
from instants import literal
from rows import METHODS, uuid
from steps import Advance, Check, Write, quoted
from writes import NAMES, PATIENTS

# Ages in days of a last contact that falls due today, near today, or long ago.
DUE = (40, 43, 44, 44, 44, 45, 45, 45, 46, 47, 60, 90)
# A notice tells of at most 20 patients by name.
CROWDS = (3, 19, 20, 20, 21, 21, 22)


class GeneratorOfAlerts(Generator):
    def contents(self, clinic):
        yield Write("writer", tuple(rows.patient(clinic.id, id, self.due(clinic)) for id in PATIENTS[:8]))
        clinic.patients = list(PATIENTS[:8])
        yield Write("writer", tuple(self.contact(clinic) for _ in range(4)))

    def steps(self, number):
        yield from self.beginning()
        kinds = ((self.time, 5), (self.say, 5), (self.attempt, 4), (self.one_patient, 4), (self.crowd, 3), (self.write, 3), (self.transaction, 1),
                 (self.second_session, 1), (self.background, 2), (self.post, 1), (self.zone, 1), (self.refresh_of_all, 1), (self.derived, 1.5),
                 (self.rare, 0.3))
        for _ in range(number):
            [kind] = self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
            yield from kind(self.random.choice(self.clinics))
            if self.random.random() < 0.2:
                yield from self.background(self.random.choice(self.clinics))
            if self.random.random() < 0.7:
                yield from self.alerts()
        if self.is_other_busy:
            yield Write("other", ("COMMIT",))
        yield from self.alerts()
        for clinic in self.clinics:
            yield Check(clinic.id, "deep", ())

    def due(self, clinic):
        """Returns an instant on a day that falls due about now, often at its beginning or end."""
        r = self.random
        return clinic.edges.keep(clinic.edges.at_midnight(r.choice(DUE)) + r.choice((-1, 0, 1, r.randrange(20 * 3600 * 1_000_000))))

    def time(self, clinic):
        """Yields another now: over midnights, a few days back or forwards, or to an instant that decides something."""
        r, edges = self.random, clinic.edges
        kind = r.random()
        if kind < 0.5:
            to = edges.at_midnight(-r.choice((1, 1, 1, 2, 3, 7, 30))) + r.choice((-1, 0, 0, 1))
        elif kind < 0.65:
            to = edges.at_midnight(r.choice((0, 0, 1, 2, 10))) + r.choice((-1, 0, 1))
        elif kind < 0.85:
            to = r.choice(edges.known[-30:]) + r.choice((-1, 0, 1))
        else:
            to = edges.jump()
        yield self.to(to if abs(to - edges.base) < 500 * 24 * 3600 * 1_000_000 else edges.base)

    def contact(self, clinic):
        return rows.conversation(clinic.id, f"c{clinic.new('conversations')}", clinic.some_patient(), self.due(clinic))

    def one_patient(self, clinic):
        """Yields a change of one patient: a contact comes, goes or moves to another patient, or the patient is archived or comes back."""
        r, here = self.random, f"organization_id = {quoted(clinic.id)}"
        one, two = quoted(clinic.some_patient()), quoted(clinic.some_patient())
        now = literal(clinic.edges.keep(clinic.edges.now))
        yield Write("writer", (r.choice((
            self.contact(clinic),
            rows.conversation(clinic.id, f"c{clinic.new('conversations')}", clinic.some_patient(), clinic.edges.now),
            rows.appointment(clinic.id, f"a{clinic.new('appointments')}", clinic.some_patient(), clinic.edges.event(0.3), "completed", clinic.edges.now),
            f"UPDATE public.appointments SET status = {r.choice(('completed', 'no_show'))!r} WHERE {here} AND patient_id = {one}",
            f"DELETE FROM public.conversations WHERE {here} AND patient_id = {one}",
            f"UPDATE public.conversations SET patient_id = {two} WHERE {here} AND patient_id = {one}",
            f"UPDATE public.patients SET archived_at = {r.choice(('NULL', now))} WHERE {here} AND id = {one}",
            f"DELETE FROM public.patients WHERE {here} AND id = {one}",
            rows.patient(clinic.id, clinic.some_patient(), self.due(clinic)),
            rows.patient(clinic.id, clinic.some_patient(), self.due(clinic)))),))

    def zone(self, clinic):
        yield Write("writer", (self.set_organization(clinic),))

    def crowd(self, clinic):
        """Yields a write that makes about 20 patients due at once or on one day, or due no longer."""
        r, here = self.random, f"organization_id = {quoted(clinic.id)} AND id LIKE 'due%'"
        now = literal(clinic.edges.keep(clinic.edges.now))
        created = self.due(clinic)
        insert = ("INSERT INTO public.patients (organization_id, id, name, created_at) "
                  f"SELECT {quoted(clinic.id)}, 'due{r.randrange(3)}_' || i, 'Due', {literal(created)} "
                  f"FROM generate_series(1, {r.choice(CROWDS)}) i ON CONFLICT DO NOTHING")
        yield Write("writer", (r.choice((
            insert, insert,
            f"DELETE FROM public.patients WHERE {here}",
            f"UPDATE public.patients SET archived_at = {r.choice(('NULL', now))} WHERE {here}",
            "INSERT INTO public.conversations (organization_id, id, patient_id, occurred_at) "
            f"SELECT organization_id, 'call{r.randrange(3)}' || id, id, {now} FROM public.patients WHERE {here} ON CONFLICT DO NOTHING",
            f"DELETE FROM public.conversations WHERE organization_id = {quoted(clinic.id)} AND id LIKE 'call%'")),))

    def talked_of(self, clinic):
        """Returns one of two patients mostly, so that several words and attempts meet in one alert."""
        return self.random.choice((*PATIENTS[:2] * 2, clinic.some_patient()))

    def attempt(self, clinic):
        """Yields an attempt, mostly without a contact, so that the alert goes on. Two may have one instant."""
        r, edges = self.random, clinic.edges
        at = r.choice((edges.now, edges.at_midnight(0) + r.choice((-1, 0)), r.choice(edges.known[-20:]) + r.choice((-1, 0, 0, 1))))
        outcome = r.choice(("failed", "failed", "no_response", "success"))
        id = uuid(r.randrange(1, 2**40))
        statement = rows.outreach(clinic.id, id, self.talked_of(clinic), r.choice(METHODS), outcome, edges.keep(at))
        yield Write("writer", (statement.replace("'user_1'", f"'user_{r.randrange(3)}'"),))

    def say(self, clinic):
        """Yields a word on the alert that a patient has or will have, or on one of a day near it."""
        r, id, edges = self.random, self.talked_of(clinic), clinic.edges
        action, until, note = r.choice(("acknowledge", "acknowledge", "reopen")), "NULL", "''"
        if action == "acknowledge":
            day = f"re.day_of({literal(r.choice((edges.now, r.choice(edges.known))))}, {quoted(clinic.zone)})"
            until = r.choice(("NULL", f"{day} + {r.choice((-1, 0, 1, 1, 2, 7))}"))
            note = quoted(r.choice(("", *NAMES)))
        at = edges.keep(r.choice((edges.now, edges.now, r.choice(edges.known[-20:]) + r.choice((-1, 0, 0, 1)))))
        here = f"organization_id = {quoted(clinic.id)} AND patient_id = {quoted(id)}"
        if r.random() < 0.1:
            yield Write("writer", (f"DELETE FROM re.alert_acknowledgement WHERE {here}",))
        else:
            yield Write("writer", (
                "INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, action, until, note, logged_by, created_at) "
                f"SELECT organization_id, patient_id, last_contact_day + {r.choice((45, 45, 45, 45, 45, 44, 46))}, {quoted(action)}, {until}, {note}, "
                f"'user_{r.randrange(3)}', {literal(at)} FROM public.patient_reengagement_master_view WHERE {here}",))

    def background(self, clinic):
        yield Advance(clinic.id, self.random.choice((1, 2, 3, 7, 19, 20, 21, 1000)), self.random.choice((1, 1, 2, 50)))
