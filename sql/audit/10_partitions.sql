-- One partition a month (of UTC), made ahead, and one for what falls outside, so that no entry is ever refused.

-- Row triggers come from the parent; row-level security, its policy and what a TRUNCATE meets do not.
CREATE OR REPLACE FUNCTION re.guard_audit_partition(partition regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format($policy$CREATE POLICY one_organization ON %s FOR ALL TO PUBLIC
        USING (organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
            OR (SELECT NOT re.is_bound()))$policy$, partition);
    EXECUTE format('CREATE TRIGGER never_truncated BEFORE TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION re.refuse_audit_change()', partition);
    -- A list of 200 patients is long enough to be compressed; lz4 costs less than pglz, where this PostgreSQL has it.
    IF 'lz4' = ANY ((SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression')::text[]) THEN
        EXECUTE format('ALTER TABLE %s ALTER patient_ids SET COMPRESSION lz4', partition);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION re.make_rest_of_audit() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('re.audit_rest') IS NULL THEN
        CREATE TABLE re.audit_rest PARTITION OF re.audit DEFAULT;
        PERFORM re.guard_audit_partition('re.audit_rest');
    END IF;
END $$;

-- For the background work. It runs as the owner of the tables, whose it is to make another, and takes nothing from its
-- caller. Attaching waits for nobody who inserts and lets nobody wait; a month whose entries the rest holds already stays
-- there.
CREATE OR REPLACE FUNCTION re.make_audit_partitions() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' SET TimeZone = 'UTC' AS $$
DECLARE
    month timestamptz;
    following timestamptz;
    name text;
    made integer := 0;
BEGIN
    -- Several servers at once: the first one's will do.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('re.audit', 0)) THEN
        RETURN 0;
    END IF;
    FOR ahead IN 0..3 LOOP
        month := date_trunc('month', now()) + make_interval(months => ahead);
        following := month + interval '1 month';
        name := 'audit_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('re.' || name) IS NOT NULL
            OR EXISTS (SELECT FROM re.audit_rest r WHERE r.at >= month AND r.at < following);
        EXECUTE format('CREATE TABLE re.%I (LIKE re.audit INCLUDING DEFAULTS)', name);
        PERFORM re.guard_audit_partition(format('re.%I', name)::regclass);
        EXECUTE format('ALTER TABLE re.audit ATTACH PARTITION re.%I FOR VALUES FROM (%L) TO (%L)', name, month, following);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- For the operator: drops the months that lie wholly before a day and returns their names. Six years are what HIPAA asks
-- for (45 CFR 164.316(b)(2)(i)); less has to be said.
CREATE OR REPLACE FUNCTION re.drop_audit_before(day date, even_within_six_years boolean DEFAULT false) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET TimeZone = 'UTC' AS $$
DECLARE
    dropped text;
BEGIN
    IF NOT even_within_six_years AND day > now() - interval '6 years' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('%s is less than six years ago', day),
            HINT = 'HIPAA asks for six years; to drop entries sooner say re.drop_audit_before(day, true).';
    END IF;
    FOR dropped IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 're.audit'::regclass AND c.relname ~ '^audit_\d{4}_\d{2}$'
            AND to_date(c.relname, '"audit_"YYYY_MM') + interval '1 month' <= day
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE re.%I', dropped);
        RETURN NEXT dropped;
    END LOOP;
    -- What no month took goes when the last of it is old enough.
    IF (SELECT max(r.at) FROM re.audit_rest r) < day THEN
        DROP TABLE re.audit_rest;
        PERFORM re.make_rest_of_audit();
        RETURN NEXT 'audit_rest';
    END IF;
END $$;

DO $$
BEGIN
    PERFORM re.make_rest_of_audit();
    PERFORM re.make_audit_partitions();
END $$;
