-- Who was answered what about whom: append-only, by month, and read by nobody but whom an operator lets (docs/audit.md).
-- No foreign keys: an entry outlives the patient and the organization that it speaks of.

CREATE TABLE re.audit (
    -- The machine's clock, never the clinic's reengagement.now.
    at timestamptz NOT NULL,
    status smallint NOT NULL,
    -- Empty where a token speaks for no organization.
    organization_id text COLLATE "C" NOT NULL,
    -- The token's sub, sid, role and act.sub.
    subject text NOT NULL,
    session_id text,
    role text,
    actor text,
    address text,
    request_id text,
    method text NOT NULL,
    route text NOT NULL,
    -- What was asked for, and which patients the answer showed; null where it shows none by name.
    filter jsonb,
    patient_ids text[] COLLATE "C",
    outreach_id uuid
) PARTITION BY RANGE (at);

-- No index by patient: it would make a list of 200 cost 200 index entries. An organization's entries are searched.
CREATE INDEX audit_by_organization ON re.audit (organization_id, at);

ALTER TABLE re.audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON re.audit FOR ALL TO PUBLIC
    USING (organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
        OR (SELECT NOT re.is_bound()))
    WITH CHECK (organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
        OR (SELECT NOT re.is_bound()));

-- Its owner too: what is to go goes by the month (re.drop_audit_before).
CREATE FUNCTION re.refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE insufficient_privilege USING
        MESSAGE = format('%s is append-only: no %s', TG_TABLE_NAME, TG_OP),
        HINT = 'Months past their retention are dropped by re.drop_audit_before().';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON re.audit
    FOR EACH ROW EXECUTE FUNCTION re.refuse_audit_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON re.audit
    FOR EACH STATEMENT EXECUTE FUNCTION re.refuse_audit_change();

-- The entry of an outreach attempt is written with it, so what its function is told has grown.
DROP FUNCTION IF EXISTS re.log_outreach(text, text, text, text, boolean, text, text, text);
DELETE FROM re.migration WHERE file = 'endpoints/log_outreach.sql';
