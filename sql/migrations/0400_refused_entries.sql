-- Entries that the audit will not have, each refused alone while others were taken (docs/audit.md): as append-only as the
-- audit, and read by nobody whom an operator has not let.
CREATE TABLE re.audit_refused_entry (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The login that wrote it.
    database_user text NOT NULL DEFAULT session_user,
    -- PostgreSQL's code, or the server's name for what went wrong.
    reason text NOT NULL,
    -- JSON as text: a value that no column takes, a NUL among them, stands in it escaped.
    entry text NOT NULL
);

ALTER TABLE re.audit_refused_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody_bound ON re.audit_refused_entry FOR ALL TO PUBLIC USING ((SELECT NOT re.is_bound())) WITH CHECK ((SELECT NOT re.is_bound()));

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON re.audit_refused_entry
    FOR EACH ROW EXECUTE FUNCTION re.refuse_audit_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON re.audit_refused_entry
    FOR EACH STATEMENT EXECUTE FUNCTION re.refuse_audit_change();
