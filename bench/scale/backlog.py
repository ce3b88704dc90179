"""Reads of another organization, and exactness of the imported one, while the server processes a large import."""

import itertools
import statistics
import threading
import time

from database import Database
from exactness import Wrong, check_flat
from loading import organization_of
from questions import figures, questions
from reading import summary
from stack import say
from writing import IMPORT, forget_import, import_size

PAUSE = 0.01  # between two reads of the undisturbed clinic: a busy clinic, not a flood
TIMEOUT = 900  # seconds until a backlog must be processed
LOOKS = 200  # probes for a pending change, of which the median counts


class Reader(threading.Thread):
    """Reads one organization at a steady rate until it is stopped. Each sample has its time."""

    def __init__(self, connection, asked):
        super().__init__(daemon=True)
        self.connection, self.asked = connection, asked
        self.samples, self.failure, self.stopped = [], None, threading.Event()

    def run(self):
        try:
            for question in itertools.cycle(self.asked):
                if self.stopped.wait(PAUSE):
                    return
                answer = self.connection.get(question.path)
                if answer.status != 200:
                    raise Wrong(f"{question.name} of an organization without an import returns {answer.status}")
                self.samples.append((time.monotonic(), answer.milliseconds))
        except Exception as error:
            self.failure = error

    def stop(self):
        self.stopped.set()
        self.join()
        if self.failure:
            raise self.failure

    def between(self, since, until):
        return summary([ms for at, ms in self.samples if since <= at < until])


def has_marks(operator, organization):
    return operator.value("SELECT EXISTS (SELECT FROM re.pending_change WHERE organization_id = %s)", (organization,))


def wait_until_worked_off(operator, organization):
    deadline = time.monotonic() + TIMEOUT
    while has_marks(operator, organization):
        if time.monotonic() > deadline:
            raise Wrong(f"the backlog of {organization} is not processed in {TIMEOUT} s")
        time.sleep(0.1)
    return time.monotonic()


def state_of(operator, organization):
    return operator.value("SELECT generation FROM re.organization_state WHERE organization_id = %s", (organization,))


def neighbour_during(plan, operator, connection, loaded):
    """Another organization's reads: before the statement, during it, and during its backlog."""
    neighbour = organization_of(plan.sizes[0])
    reads = [q for q in questions(neighbour, {"cursor": None, "place": (None,) * 4, "patient": "patient_2"})
             if q.name in ("risk-metrics", "dashboard", "list of 50", "trends 30 d", "performance 30 d")]
    wait_until_worked_off(operator, loaded)
    reader = Reader(connection, reads)
    reader.start()
    began = time.monotonic()
    time.sleep(plan.quiet_seconds)
    loading = time.monotonic()
    before = state_of(operator, loaded)
    operator.execute(IMPORT, (loaded, "backlog", plan.imported))
    loaded_at = time.monotonic()
    done = wait_until_worked_off(operator, loaded)
    reader.stop()
    return {"undisturbed": reader.between(began, loading), "during_statement": reader.between(loading, loaded_at),
            "during_backlog": reader.between(loaded_at, done), "statement_seconds": loaded_at - loading,
            "backlog_seconds": done - loaded_at, "transactions": state_of(operator, loaded) - before}


def plain_figures(database, question):
    return question.found(database.call(f"plain_{question.function}", question.types, question.arguments)[0])


def check_beside_plain(database, connection, question, tries=5):
    """One read of the imported organization: right, timed out, or wrong. Time passes between the two reads."""
    for _ in range(tries):
        before = plain_figures(database, question)
        answer = connection.get(question.path)
        if answer.status == 503:
            return "not answered", answer.milliseconds
        if answer.status != 200:
            raise Wrong(f"{question.name} of the imported organization returns {answer.status}")
        got = figures(answer.json())
        if got == before or got == plain_figures(database, question):
            return "exact", answer.milliseconds
    raise Wrong(f"{question.name} of the imported organization differs from the plain views")


def loaded_during(plan, operator, url, options, connection, loaded):
    """Deletes the import, which causes another backlog, and reads the organization until the backlog is processed."""
    database = Database(url, options)
    database.bind(loaded)
    asked = questions(loaded, {"cursor": None, "place": (None,) * 4, "patient": "patient_2"})
    reads = [q for q in asked if q.name in ("risk-metrics", "dashboard", "performance 30 d", "list of 50", "patient")]
    results, times = {"exact": 0, "not answered": 0}, []
    forget_import(operator, loaded, "backlog")
    for question in itertools.cycle([q for q in reads if q.has_flat]):
        if not has_marks(operator, loaded):
            break
        verdict, milliseconds = check_beside_plain(database, connection, question)
        results[verdict] += 1
        times.append(milliseconds)
    for question in asked:
        check_flat(database, question, plan.plain_seconds)
    return {**results, "latency": summary(times) if times else None}


def look(url, options, organization):
    """Pages and ms of the first statement of each read, the probe for pending changes."""
    database = Database(url, options)
    database.rows("SET enable_seqscan = off")
    database.bind(organization)
    statement = "SELECT p.state, p.now FROM re.probe(%s) p"
    samples = []
    for _ in range(LOOKS):
        _, milliseconds = database.call("probe", ("text",), (organization,))
        samples.append(milliseconds)
    plan = database.value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {statement}", (organization,))[0]["Plan"]
    database.connection.close()
    return {"pages": plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], "ms": statistics.median(samples)}


# Each iteration logs an attempt and reads, which refreshes the derived data, in separate transactions.
CONTACTS = """
    DO $$
    BEGIN
        FOR i IN 1..{number} LOOP
            INSERT INTO public.outreach_log (organization_id, patient_id, method, outcome, logged_by)
            VALUES ('{organization}', 'patient_' || 1 + i % {patients}, 'phone', 'success', 'bench');
            COMMIT;
            PERFORM re.risk_metrics('{organization}');
            COMMIT;
        END LOOP;
    END $$"""


def log_contacts(url, organization, patients, number):
    staff = Database(url)
    staff.bind(organization)
    staff.execute(CONTACTS.format(organization=organization, patients=patients, number=number))
    staff.connection.close()


def looks(url, options, loaded, small):
    return {"loaded": look(url, options, loaded), "small": look(url, options, small)}


def measure_backlog(plan, operator, url, options, connections):
    size = import_size(plan)
    loaded, small = organization_of(size), organization_of(plan.sizes[0])
    # So that later rows do not hide the state after a load.
    operator.execute("ALTER TABLE re.pending_change SET (autovacuum_enabled = off)")
    operator.execute("VACUUM re.pending_change")
    quiet = looks(url, options, loaded, small)
    found = {"rows": plan.imported, "patients": size,
             "neighbour": neighbour_during(plan, operator, connections[plan.sizes[0]], loaded)}
    say(f"  backlog processed in {found['neighbour']['backlog_seconds']:.1f} s by the running server")
    found["looks"] = {"before": quiet, "right after the load": looks(url, options, loaded, small)}
    snapshot = Database(url)
    with snapshot.one_snapshot():
        snapshot.rows("SELECT count(*) FROM re.pending_change")
        found["loaded"] = loaded_during(plan, operator, url, options, connections[size], loaded)
        found["looks"]["and a second one, under a held snapshot"] = looks(url, options, loaded, small)
        log_contacts(url, small, plan.sizes[0], plan.contacts)
        found["looks"][f"and {plan.contacts:,} contacts of the small one, one by one"] = looks(
            url, options, loaded, small
        )
    operator.execute("ALTER TABLE re.pending_change RESET (autovacuum_enabled)")
    say(f"  the imported organization meanwhile: {found['loaded']['exact']} reads exact")
    return found
