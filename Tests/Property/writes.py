"""Random statements that write rows, which may or may not exist."""

import rows
from edges import Edges
from instants import ZONES, literal
from rows import METHODS, OUTCOMES, STATUSES, uuid
from steps import quoted

NAMES = ("John Smith", "Liam O'Brien", "陳美玲", "👩‍⚕️🐨", "back\\slash", "line\nbreak", " ", "ŠMITH", "Óbríen 100%", "Smi\u0301th",
         "smith" * 60, "smith" * 60 + " jr", "Ἀθηνᾶ Σμιθ_ς", "(030) 555-01 99", "+1 555 0199 77", "SMITH@example.com")
# As the server forwards them: without blanks around them, and not empty without accents.
SEARCHES = ("smith", "SMÍTH", "o'b", "陳美玲", "ck\\", "ne\nb", "00%", "%", "___", "σμιθ_Σ", "mith jr", "0199", "555-01", "+1 (555)", "example.com",
            "line", "a patient")
PATIENTS = ("p1", "p2", "p3", "p4", "p5", "p10", "P1", "é", "e\u0301", "🐨", "a/b", "\uffff")
TABLES = ("patients", "appointments", "conversations", "outreach_log")
STAMPS = {"patients": ("created_at", "archived_at"), "appointments": ("starts_at", "created_at"),
          "conversations": ("occurred_at",), "outreach_log": ("created_at",)}


class Clinic:
    """One organization, and the ids that have been inserted into it. Later steps may have deleted their rows."""

    def __init__(self, random, id, zone, now):
        self.random, self.id, self.zone, self.edges = random, id, zone, Edges(random, zone, now)
        self.patients, self.numbers = list(PATIENTS[:3]), {table: 0 for table in TABLES}

    def new(self, table):
        """Returns the number of a row: mostly the next one, sometimes one that may exist already."""
        if self.numbers[table] and self.random.random() < 0.15:
            return self.old(table)
        self.numbers[table] += 1
        return self.numbers[table]

    def old(self, table):
        return self.random.randint(max(1, self.numbers[table] - 30), max(1, self.numbers[table]))

    def key(self, table, number):
        return quoted(uuid(number) if table == "outreach_log" else f"{table[0]}{number}")

    def some_patient(self):
        return self.random.choice(self.patients)


class Writes:
    """Methods that return one statement each. The generator sets self.random and self.clinics."""

    def one_write(self, clinic):
        return self.random.choices(
            (self.insert_patient, self.insert_appointment, self.insert_conversation, self.insert_outreach, self.update, self.delete,
             self.move, self.many, self.archive, self.set_organization, self.upsert),
            (2, 5, 3, 5, 7, 3, 4, 3, 3, 2, 2))[0](clinic)

    def insert_patient(self, clinic):
        r = self.random
        id = r.choice(PATIENTS)
        clinic.patients = (clinic.patients + [id])[-9:]
        return rows.patient(clinic.id, id, clinic.edges.event(), clinic.edges.event(0.5) if r.random() < 0.1 else None, r.choice(NAMES))

    def insert_appointment(self, clinic, conflict=""):
        r, number = self.random, clinic.new("appointments")
        status = r.choice(STATUSES)
        return rows.appointment(clinic.id, f"a{number}", clinic.some_patient(), clinic.edges.event(0.7 if status == "scheduled" else 0.1), status,
                                clinic.edges.booking(), r.choice((None, None, "0.00", "95.50", "99999999.99")), conflict)

    def insert_conversation(self, clinic):
        return rows.conversation(clinic.id, f"c{clinic.new('conversations')}", clinic.some_patient(), clinic.edges.event(),
                                 self.random.choice((None, "positive")))

    def insert_outreach(self, clinic, conflict=""):
        r, outcome = self.random, self.random.choice(OUTCOMES)
        return rows.outreach(clinic.id, uuid(clinic.new("outreach_log")), clinic.some_patient(), r.choice(METHODS), outcome,
                             clinic.edges.attempt(outcome), r.random() < 0.4, r.choice(("", *NAMES)), conflict)

    def change(self, clinic, table):
        """Returns a random SET of one column."""
        r = self.random
        column = r.choice({"patients": ("name", "name", "phone", "email", "treatment_notes", "created_at", "archived_at"),
                           "appointments": ("starts_at", "created_at", "status", "status", "value"),
                           "conversations": ("occurred_at", "occurred_at", "sentiment"),
                           "outreach_log": ("method", "outcome", "outcome", "opened", "notes", "created_at", "logged_by")}[table])
        values = {"status": STATUSES, "method": METHODS, "outcome": OUTCOMES, "opened": (True, False), "value": (None, "1.25", "70.00"),
                  "sentiment": (None, "negative"), "archived_at": (None,)}.get(column, NAMES)
        stamped = column in STAMPS[table] and (column != "archived_at" or r.random() < 0.5)
        value = quoted(r.choice(values))
        if stamped:
            value = literal(clinic.edges.booking() if (table, column) == ("appointments", "created_at") else clinic.edges.event())
        return f"{column} = {value}"

    def one_row(self, clinic, table):
        id = quoted(clinic.some_patient()) if table == "patients" else clinic.key(table, clinic.old(table))
        return f"organization_id = {quoted(clinic.id)} AND id = {id}"

    def update(self, clinic):
        table = self.random.choice(TABLES)
        return f"UPDATE public.{table} SET {self.change(clinic, table)} WHERE {self.one_row(clinic, table)}"

    def delete(self, clinic):
        table = self.random.choice(TABLES[1:] * 3 + TABLES[:1])
        return f"DELETE FROM public.{table} WHERE {self.one_row(clinic, table)}"

    def move(self, clinic):
        """Moves a row to another patient, sometimes one of another organization, or changes its id."""
        r, table, to = self.random, self.random.choice(TABLES[1:]), self.random.choice(self.clinics)
        if r.random() < 0.75:
            change = f"patient_id = {quoted(clinic.some_patient())}"
        elif r.random() < 0.7:
            change = f"organization_id = {quoted(to.id)}, patient_id = {quoted(to.some_patient())}"
        else:
            change = f"id = {clinic.key(table, clinic.old(table))}"
        return f"UPDATE public.{table} SET {change} WHERE {self.one_row(clinic, table)}"

    def archive(self, clinic):
        r = self.random
        at = r.choice(("NULL", literal(clinic.edges.keep(clinic.edges.now)), literal(clinic.edges.event(0.5))))
        return f"UPDATE public.patients SET archived_at = {at} WHERE {self.one_row(clinic, 'patients')}"

    def set_organization(self, clinic):
        r, here = self.random, f"WHERE id = {quoted(clinic.id)}"
        kind = r.random()
        if kind < 0.4:
            return f"UPDATE public.organizations SET appointment_value = {r.choice(('0.00', '87.65', '99999999.99'))} {here}"
        if kind < 0.6:
            return f"UPDATE public.organizations SET name = {quoted(r.choice(NAMES))} {here}"
        clinic.zone = clinic.edges.zone = r.choice(ZONES)
        return f"UPDATE public.organizations SET time_zone = {quoted(clinic.zone)} {here}"

    def upsert(self, clinic):
        if self.random.random() < 0.5:
            return self.insert_appointment(clinic, " ON CONFLICT (organization_id, id) DO UPDATE SET patient_id = excluded.patient_id, "
                                                   "status = excluded.status, created_at = excluded.created_at")
        return self.insert_outreach(clinic, " ON CONFLICT (organization_id, id) DO UPDATE SET outcome = excluded.outcome, "
                                            "created_at = excluded.created_at")

    def many(self, clinic):
        """Returns one statement that writes several rows."""
        r, here, table = self.random, f"organization_id = {quoted(clinic.id)}", self.random.choice(TABLES)
        one, two = quoted(clinic.some_patient()), quoted(clinic.some_patient())
        stamp = r.choice([name for name in STAMPS[table]])
        return r.choice((
            f"UPDATE public.{table} SET {self.change(clinic, table)} WHERE {here}",
            f"UPDATE public.{table} SET {self.change(clinic, table)}",
            f"UPDATE public.{table} SET {stamp} = {stamp} + interval '{r.choice((-24, -1, 1, 24, 336))} hours' WHERE {here}",
            f"UPDATE public.{r.choice(TABLES[1:])} SET patient_id = {one} WHERE {here} AND patient_id = {two}",
            f"DELETE FROM public.{r.choice(TABLES[1:])} WHERE {here} AND patient_id = {one}",
            f"MERGE INTO public.appointments a USING (VALUES ('a1'), ('a2')) s(id) ON a.organization_id = {quoted(clinic.id)} AND a.id = s.id "
            f"WHEN MATCHED AND a.status = 'no_show' THEN DELETE WHEN MATCHED THEN UPDATE SET {self.change(clinic, 'appointments')} "
            f"WHEN NOT MATCHED THEN INSERT (organization_id, id, patient_id, starts_at, status) VALUES ({quoted(clinic.id)}, s.id, {one}, "
            f"{literal(clinic.edges.event())}, 'completed')",
            f"WITH gone AS (DELETE FROM public.conversations WHERE {here} AND patient_id = {two} RETURNING organization_id, id, occurred_at) "
            f"INSERT INTO public.appointments (organization_id, id, patient_id, starts_at, status, created_at) "
            f"SELECT organization_id, 'from_' || id, {one}, occurred_at, 'completed', occurred_at FROM gone"))

    def bulk_appointments(self, clinic):
        r, number = self.random, self.random.choice((20, 150, 400))
        starts, booked = literal(clinic.edges.event()), literal(clinic.edges.event())
        return ("INSERT INTO public.appointments (organization_id, id, patient_id, starts_at, status, created_at) "
                f"SELECT p.organization_id, 'bulk{r.randrange(1000)}_' || i || p.id, p.id, "
                f"{starts}::timestamptz - i * interval '{r.choice((1, 7, 24))} hours', "
                "(ARRAY['completed', 'no_show', 'scheduled', 'cancelled'])[1 + i % 4], "
                f"{booked}::timestamptz - i * interval '5 hours' "
                f"FROM public.patients p, generate_series(1, {number // 4}) i "
                f"WHERE p.organization_id = {quoted(clinic.id)} AND p.id <> 'p1' LIMIT {number} ON CONFLICT DO NOTHING")

    def bulk_patients(self, clinic):
        if self.random.random() < 0.5:
            return f"DELETE FROM public.patients WHERE organization_id = {quoted(clinic.id)} AND id LIKE 'bulk%'"
        return ("INSERT INTO public.patients (organization_id, id, name, created_at) "
                f"SELECT {quoted(clinic.id)}, 'bulk' || i, 'B', {literal(clinic.edges.event())}::timestamptz - i * interval '9 hours' "
                f"FROM generate_series(1, {self.random.choice((30, 300))}) i ON CONFLICT DO NOTHING")

    def copy(self, clinic):
        lines = [f"{clinic.id}\tc{clinic.new('conversations')}\t{clinic.some_patient()}\t{literal(clinic.edges.event())[1:-1]}"
                 for _ in range(self.random.choice((1, 5, 40)))]
        return "COPY public.conversations (organization_id, id, patient_id, occurred_at) FROM STDIN\n" + "\n".join(lines) + "\n"
