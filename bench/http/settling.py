"""Deletes the rows that the rounds wrote, and refreshes derived data before the next read."""

import time

from loading import BUILD_CHUNK, organization_of

LONGEST = 120  # seconds
# The subject of the token. The clinic's own rows have other subjects.
SUBJECT = "user_demo"


def settle(operator, server_role, sizes):
    for size in sizes:
        organization = organization_of(size)
        operator.execute("DELETE FROM public.outreach_log WHERE organization_id = %s AND logged_by = %s",
                         (organization, SUBJECT))
        make_current(server_role, organization)
    # Replaces autovacuum, so that it does not run during a measurement.
    for table in ("public.outreach_log", "re.pending_change", "re.patient_state", "re.outreach_day", "re.patient_count", "re.risk_day"):
        operator.execute(f"VACUUM (ANALYZE) {table}")


def make_current(server_role, organization):
    server_role.bind(organization)
    deadline = time.monotonic() + LONGEST
    while True:
        remaining = server_role.value("SELECT remaining FROM re.advance(%s, %s)", (organization, BUILD_CHUNK))
        if not remaining and server_role.value("SELECT re.is_current(%s)", (organization,)):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"error: {organization} does not become current")


def write_ids(operator, directory, sizes):
    """Writes, for each size, a file of patients for log-outreach."""
    files = {}
    for size in sizes:
        rows = operator.rows(
            "SELECT id FROM public.patients WHERE organization_id = %s AND archived_at IS NULL "
            "ORDER BY md5(id) LIMIT 2000",
            (organization_of(size),))
        files[size] = directory / f"patients-{size}"
        files[size].write_text("".join(f"{row[0]}\n" for row in rows))
    return files
