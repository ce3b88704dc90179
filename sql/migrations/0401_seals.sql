-- Whether an entry was changed, taken out or put in afterwards can be seen: entries are sealed, and each seal holds the digest
-- of the one before (audit/40_seals.sql, docs/audit.md).

-- Numbers of transactions go on from what is there, where another cluster counts anew (audit/40_seals.sql).
CREATE FUNCTION re.audit_transaction(xid xid8) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN xid::text::bigint + 0;

-- 0 for what was there before. A column that is added later is null in older entries, or their seals fit no more.
ALTER TABLE re.audit ADD COLUMN transaction bigint NOT NULL DEFAULT 0;
ALTER TABLE re.audit ALTER COLUMN transaction SET DEFAULT re.audit_transaction(pg_current_xact_id());
CREATE INDEX audit_by_transaction ON re.audit (transaction);

CREATE TABLE re.audit_seal (
    -- From 1, without a gap.
    number bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    database_user text NOT NULL,
    -- It seals the entries of these transactions, the latter not included, that are of this month (of UTC).
    from_transaction bigint NOT NULL,
    to_transaction bigint NOT NULL,
    month date,
    entries bigint NOT NULL,
    -- Of each organization: its id, how many entries it has, and their digest.
    organizations text[] COLLATE "C" NOT NULL,
    numbers bigint[] NOT NULL,
    digests bytea[] NOT NULL,
    -- The months that were dropped then; such a seal has no entries.
    dropped date[],
    -- Of the digest before and all of this.
    digest bytea NOT NULL
);

ALTER TABLE re.audit_seal ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody_bound ON re.audit_seal FOR ALL TO PUBLIC USING ((SELECT NOT re.is_bound())) WITH CHECK ((SELECT NOT re.is_bound()));

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON re.audit_seal
    FOR EACH ROW EXECUTE FUNCTION re.refuse_audit_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON re.audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION re.refuse_audit_change();

-- What is dropped is noted in both (audit/10_partitions.sql).
DELETE FROM re.migration WHERE file IN ('audit/10_partitions.sql');
