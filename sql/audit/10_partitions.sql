-- One partition per month (UTC), created ahead, and a default partition, so that no entry is ever refused.

-- Row triggers are inherited from the parent. Row-level security, its policy and the TRUNCATE trigger are not.
CREATE OR REPLACE FUNCTION re.guard_audit_partition(partition regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format($policy$CREATE POLICY one_organization ON %s FOR ALL TO PUBLIC
        USING (organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
            OR (SELECT NOT re.is_bound()))$policy$, partition);
    EXECUTE format('CREATE TRIGGER never_truncated BEFORE TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION re.refuse_audit_change()', partition);
    -- A list of 200 patients is long enough to be compressed. lz4 needs a quarter of pglz's time, if this PostgreSQL
    -- has it. docs/operating.md, "Another PostgreSQL", describes a change to one without it.
    IF 'lz4' = ANY ((SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression')::text[]) THEN
        EXECUTE format('ALTER TABLE %s ALTER patient_ids SET COMPRESSION lz4', partition);
    END IF;
END $$;

-- Creates a table like the partitions, with another table's entries from one time up to a second. It is filled before
-- it is attached, so that no trigger or rule of the audit changes the entries.
CREATE OR REPLACE FUNCTION re.make_audit_partition(name text, source regclass, first timestamptz, following timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entries bigint;
BEGIN
    EXECUTE format('CREATE TABLE re.%I (LIKE re.audit INCLUDING DEFAULTS)', name);
    PERFORM re.guard_audit_partition(format('re.%I', name)::regclass);
    EXECUTE format('INSERT INTO re.%I SELECT e.* FROM %s e WHERE e.at >= $1 AND e.at < $2', name, source) USING first, following;
    GET DIAGNOSTICS entries = ROW_COUNT;
    EXECUTE format('ALTER TABLE re.audit ATTACH PARTITION re.%I FOR VALUES FROM (%L) TO (%L)', name, first, following);
    RETURN entries;
END $$;

CREATE OR REPLACE FUNCTION re.make_rest_of_audit() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('re.audit_rest') IS NULL THEN
        CREATE TABLE re.audit_rest PARTITION OF re.audit DEFAULT;
        PERFORM re.guard_audit_partition('re.audit_rest');
    END IF;
END $$;

-- For the background work. It runs as the owner of the tables, who alone can create one, and takes no argument from its
-- caller. Attaching neither waits for inserts nor blocks them. A month with entries in the rest stays there until an
-- operator moves the rest.
CREATE OR REPLACE FUNCTION re.make_audit_partitions() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' SET TimeZone = 'UTC' AS $$
DECLARE
    month timestamptz;
    following timestamptz;
    name text;
    made integer := 0;
BEGIN
    -- Several servers at once: one partition is enough.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('re.audit', 0)) THEN
        RETURN 0;
    END IF;
    FOR ahead IN 0..3 LOOP
        month := date_trunc('month', now()) + make_interval(months => ahead);
        following := month + interval '1 month';
        name := 'audit_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('re.' || name) IS NOT NULL
            OR EXISTS (SELECT FROM re.audit_rest r WHERE r.at >= month AND r.at < following);
        PERFORM re.make_audit_partition(name, 're.audit_rest', month, following);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- The number of entries in the rest, for the server's metric, since the server may not read them. Beyond some thousands
-- the exact number does not matter.
CREATE OR REPLACE FUNCTION re.audit_rest_entries() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM (SELECT FROM re.audit_rest LIMIT 10000) r);
END $$;

-- Locks the audit before entries move with their table: no entry is added from here on, and all added ones are visible.
CREATE OR REPLACE FUNCTION re.hold_audit() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE feature_not_supported USING
            MESSAGE = format('the audit''s tables cannot be dropped or moved in a transaction that is %s',
                upper(current_setting('transaction_isolation'))),
            HINT = 'Use READ COMMITTED, which sees every entry that has been written.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('re.audit', 0));
    LOCK TABLE re.audit IN ACCESS EXCLUSIVE MODE;
END $$;

-- For the operator: creates partitions for the entries of the rest and returns them. It neither changes nor deletes an
-- entry. The remaining ones are copied to a new rest, and the old table is dropped after every entry has been counted
-- in its new place. Entries without a possible month (before 1970, after 9999, or a month whose name another table has)
-- stay in the rest.
CREATE OR REPLACE FUNCTION re.move_audit_rest(OUT partition text, OUT entries bigint) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET TimeZone = 'UTC' AS $$
DECLARE
    month timestamptz;
    moved timestamptz[] := '{}';
    missing bigint;
BEGIN
    PERFORM re.hold_audit();
    IF NOT EXISTS (SELECT FROM re.audit_rest) THEN
        RETURN;
    END IF;
    ALTER TABLE re.audit DETACH PARTITION re.audit_rest;
    ALTER TABLE re.audit_rest RENAME TO audit_rest_before;
    missing := (SELECT count(*) FROM re.audit_rest_before);
    FOR month IN
        SELECT DISTINCT date_trunc('month', b.at) FROM re.audit_rest_before b
        WHERE b.at >= '1970-01-01' AND b.at < '10000-01-01'
        ORDER BY 1
        -- A wrong clock may have created many months. The next call moves the others.
        LIMIT 120
    LOOP
        partition := 'audit_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('re.' || partition) IS NOT NULL;
        entries := re.make_audit_partition(partition, 're.audit_rest_before', month, month + interval '1 month');
        missing := missing - entries;
        moved := moved || month;
        RETURN NEXT;
    END LOOP;
    CREATE TABLE re.audit_rest (LIKE re.audit INCLUDING DEFAULTS);
    PERFORM re.guard_audit_partition('re.audit_rest');
    INSERT INTO re.audit_rest SELECT b.* FROM re.audit_rest_before b WHERE date_trunc('month', b.at) <> ALL (moved);
    GET DIAGNOSTICS entries = ROW_COUNT;
    IF missing <> entries THEN
        RAISE '% entries of re.audit_rest would be in no table', missing - entries;
    END IF;
    DROP TABLE re.audit_rest_before;
    ALTER TABLE re.audit ATTACH PARTITION re.audit_rest DEFAULT;
END $$;

-- For the operator: drops the months that end before a day and returns their names. The current and future months are
-- never dropped. HIPAA requires six years (45 CFR 164.316(b)(2)(i)), so a shorter retention needs an explicit argument.
CREATE OR REPLACE FUNCTION re.drop_audit_before(day date, even_within_six_years boolean DEFAULT false) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET TimeZone = 'UTC' AS $$
DECLARE
    first_kept date := least(day, date_trunc('month', now())::date);
    dropped text;
    months date[] := '{}';
    number bigint;
    entries bigint := 0;
BEGIN
    IF NOT even_within_six_years AND day > now() - interval '6 years' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('%s is less than six years ago', day),
            HINT = 'HIPAA requires six years. To drop entries sooner, call re.drop_audit_before(day, true).';
    END IF;
    PERFORM re.hold_audit();
    FOR dropped IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 're.audit'::regclass AND c.relname ~ '^audit_\d{4}_\d{2}$'
            AND to_date(c.relname, '"audit_"YYYY_MM') + interval '1 month' <= first_kept
        ORDER BY 1
    LOOP
        EXECUTE format('SELECT count(*) FROM re.%I', dropped) INTO number;
        EXECUTE format('DROP TABLE re.%I', dropped);
        entries := entries + number;
        months := months || to_date(dropped, '"audit_"YYYY_MM');
        RETURN NEXT dropped;
    END LOOP;
    -- The rest is dropped when its newest entry is old enough.
    IF (SELECT max(r.at) FROM re.audit_rest r) < first_kept THEN
        entries := entries + (SELECT count(*) FROM re.audit_rest);
        months := months || ARRAY(SELECT DISTINCT re.audit_month(r.at) FROM re.audit_rest r ORDER BY 1);
        DROP TABLE re.audit_rest;
        PERFORM re.make_rest_of_audit();
        RETURN NEXT 'audit_rest';
    END IF;
    IF months <> '{}' THEN
        PERFORM re.note_dropped_audit(months, entries);
    END IF;
END $$;

DO $$
BEGIN
    PERFORM re.make_rest_of_audit();
    PERFORM re.make_audit_partitions();
END $$;
