"""Checks that the schema can be sharded by organization: every key begins with it, and only the scheduler sees two."""

from exactness import Wrong

SOURCE = ("organizations", "patients", "appointments", "conversations", "outreach_log")
# Functions that are not bound to one organization on purpose. They add pending changes after a TRUNCATE, find due
# organizations, write and seal audit entries, create the audit's months and count the entries outside of them. Others
# run as the tables' owner, like a foreign key, with one organization's keys: they delete a patient's attempts.
ACROSS = {"mark_everything", "organizations_due", "record_access", "record_write", "keep_refused_entry", "seal_audit",
          "make_audit_partitions", "audit_rest_entries", "forget_attempts_of_patient", "forget_attempts_of_organization"}
# Tables of the whole database: its record of migrations, and the proof of its audit.
WHOLE = {"migration", "foundation", "audit_seal", "audit_refused_entry"}

# The organization's column of each source and derived table.
SHARDED = """
    SELECT c.oid, c.oid::regclass::text AS name, a.attnum, a.atttypid, a.attcollation
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid
        AND a.attname = CASE WHEN c.relname = 'organizations' THEN 'id' ELSE 'organization_id' END
    WHERE c.relkind = 'r' AND (n.nspname = 're' AND c.relname <> ALL (%(whole)s) OR n.nspname = 'public' AND c.relname = ANY (%(source)s))"""

CHECKS = {
    "tables have the organization's column, all of one type and collation": f"""
        SELECT name, (atttypid, attcollation) = (SELECT atttypid, attcollation FROM ({SHARDED}) o WHERE o.oid = 'public.organizations'::regclass)
        FROM ({SHARDED}) t""",
    # The excluded index has numbers made of the organization and three characters. A seal covers all organizations'
    # entries of some transactions.
    "indexes, primary and unique keys included, begin with it": f"""
        SELECT i.indexrelid::regclass::text, i.indkey[0] = t.attnum OR i.indexrelid = 're.patient_search_by_piece'::regclass
            OR t.name ~ '^re[.]audit_' AND pg_get_indexdef(i.indexrelid) LIKE '%% (transaction)'
        FROM ({SHARDED}) t JOIN pg_index i ON i.indrelid = t.oid""",
    "foreign keys begin with it on both sides": f"""
        SELECT format('%%s of %%s', k.conname, t.name), k.conkey[1] = t.attnum AND k.confkey[1] = r.attnum
        FROM ({SHARDED}) t
        JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
        JOIN ({SHARDED}) r ON r.oid = k.confrelid""",
    "tables have row-level security": f"""
        SELECT t.name, c.relrowsecurity FROM ({SHARDED}) t JOIN pg_class c ON c.oid = t.oid""",
    "columns need no sequence": f"""
        SELECT format('%%s.%%s', t.name, a.attname), a.attidentity = '' AND coalesce(pg_get_expr(d.adbin, d.adrelid), '') NOT LIKE '%%nextval%%'
        FROM ({SHARDED}) t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum""",
    # Code that runs as a bound role can neither join nor lock a row of another organization.
    "functions with their owner's rights are bound to one organization, or only add pending changes": """
        SELECT p.oid::regprocedure::text, p.proname = ANY (%(across)s) OR EXISTS (
            SELECT FROM pg_auth_members m WHERE m.roleid = 'reengagement_bound'::regrole AND m.member = p.proowner)
            OR p.prorettype = 'trigger'::regtype AND NOT has_table_privilege(p.proowner, 're.pending_change', 'SELECT')
        FROM pg_proc p WHERE p.pronamespace = 're'::regnamespace AND p.prosecdef""",
}


def check_distribution(operator):
    """The number of objects in each check. Raises an exception if a check fails."""
    found = {}
    for what, sql in CHECKS.items():
        rows = operator.rows(sql, {"source": list(SOURCE), "across": list(ACROSS), "whole": list(WHOLE)})
        bad = sorted(name for name, holds in rows if not holds)
        if bad or not rows:
            raise Wrong(f"not ready to be distributed: {what}: {', '.join(bad) or 'none found'}")
        found[what] = len(rows)
    return found
