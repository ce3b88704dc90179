-- Seals prove that no sealed entry was changed, removed or inserted afterwards.
--
-- A seal covers all transactions from the end of the previous seal to the oldest transaction that is still running.
-- None of them can add another entry, however many servers write and whenever they commit. For each organization it
-- contains the number of entries and their digest, and it contains the digest of the previous seal.

-- Transaction numbers start again in another cluster, into which a dump was restored. From here on they continue after
-- the highest known one. pg_upgrade and physical copies keep them.
DO $$
DECLARE
    offset_now bigint := re.audit_transaction('0'::xid8);
    sealed_to bigint := coalesce((SELECT max(to_transaction) FROM re.audit_seal), 0);
    highest bigint := coalesce((SELECT max(transaction) FROM re.audit), 0);
    running pg_snapshot := pg_current_snapshot();
BEGIN
    IF sealed_to > re.audit_transaction(pg_snapshot_xmin(running)) OR highest >= re.audit_transaction(pg_snapshot_xmax(running)) THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION re.audit_transaction(xid xid8) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
            RETURN xid::text::bigint + %s', greatest(sealed_to, highest + 1) - pg_snapshot_xmin(running)::text::bigint);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION re.audit_month(at timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_trunc('month', at AT TIME ZONE 'UTC')::date;

-- The digest of an entry as text, without trailing null columns, so that a column that is added later changes nothing.
CREATE OR REPLACE FUNCTION re.audit_entry_digest(entry re.audit) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(rtrim(entry::text, ',)'), 'UTF8'));

-- The digest of many entries, independent of their order.
CREATE OR REPLACE FUNCTION re.audit_seal_digest(seal re.audit_seal, before bytea) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET bytea_output = 'hex'
RETURN sha256(coalesce(before, ''::bytea) || convert_to(ROW(seal.number, seal.at, seal.database_user, seal.from_transaction,
    seal.to_transaction, seal.month, seal.entries, seal.organizations, seal.numbers, seal.digests, seal.dropped)::text, 'UTF8'));

-- The existing entries by seal, month and organization. The bounds are the first transactions of the seals, and the
-- entries are those of the transactions from the first argument up to the second.
CREATE OR REPLACE FUNCTION re.audit_digests(bounds bigint[], from_transaction bigint, to_transaction bigint,
    OUT run integer, OUT month date, OUT organization_id text, OUT entries bigint, OUT digest bytea) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET bytea_output = 'hex' SET jit = off AS $$
    SELECT d.run, d.month, d.organization_id, count(*), sha256(string_agg(d.digest, ''::bytea ORDER BY d.digest))
    FROM (SELECT width_bucket(e.transaction, bounds) AS run, re.audit_month(e.at) AS month, e.organization_id,
            re.audit_entry_digest(e) AS digest
        FROM re.audit e
        WHERE e.transaction >= audit_digests.from_transaction AND e.transaction < audit_digests.to_transaction) d
    GROUP BY d.run, d.month, d.organization_id
$$;

-- Adds a seal with the given entries to the chain.
CREATE OR REPLACE FUNCTION re.add_audit_seal(seal re.audit_seal, INOUT last re.audit_seal)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    seal.number := coalesce(last.number, 0) + 1;
    seal.at := clock_timestamp();
    seal.database_user := session_user;
    seal.digest := re.audit_seal_digest(seal, last.digest);
    INSERT INTO re.audit_seal SELECT seal.*;
    last := seal;
END $$;

-- The first transaction of the next seal. The lock excludes other writers of seals.
CREATE OR REPLACE FUNCTION re.last_audit_seal() RETURNS re.audit_seal
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s FROM re.audit_seal s ORDER BY s.number DESC LIMIT 1
$$;

-- For the background work: seals all entries that can be sealed, unless that was done within the pause, and about 5,000
-- entries at a time of a backlog. It takes no argument that selects data and runs as the owner of the tables, who alone
-- may read them. Returns the last seal, if one was added, with the number of entries that this call sealed, whether
-- more can be sealed at once, and for how long the oldest entry has been unsealed.
CREATE OR REPLACE FUNCTION re.seal_audit(pause interval DEFAULT '0', OUT number bigint, OUT digest text, OUT entries bigint,
    OUT remaining boolean, OUT unsealed_seconds double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last re.audit_seal;
    seal re.audit_seal;
    first bigint;
    following bigint;
    horizon bigint;
BEGIN
    remaining := false;
    entries := 0;
    -- Several servers at once: one seal is enough.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('re.audit_seal', 0)) THEN
        RETURN;
    END IF;
    last := re.last_audit_seal();
    first := coalesce(last.to_transaction, 0);
    horizon := re.audit_transaction(pg_snapshot_xmin(pg_current_snapshot()));
    IF horizon < first THEN
        RAISE 'the cluster''s transaction numbers have restarted, as after a restore: run migrate';
    END IF;
    IF coalesce(last.at < clock_timestamp() - pause, true) THEN
        following := coalesce((SELECT greatest(e.transaction,
                (SELECT l.transaction + 1 FROM re.audit l WHERE l.transaction >= first ORDER BY l.transaction LIMIT 1))
            FROM re.audit e WHERE e.transaction >= first AND e.transaction < horizon
            ORDER BY e.transaction OFFSET 5000 LIMIT 1), horizon);
        remaining := following < horizon;
        FOR seal.month, seal.entries, seal.organizations, seal.numbers, seal.digests IN
            SELECT d.month, sum(d.entries), array_agg(d.organization_id ORDER BY d.organization_id COLLATE "C"),
                array_agg(d.entries ORDER BY d.organization_id COLLATE "C"), array_agg(d.digest ORDER BY d.organization_id COLLATE "C")
            FROM re.audit_digests('{}', first, following) d
            GROUP BY d.month ORDER BY d.month
        LOOP
            seal.from_transaction := first;
            seal.to_transaction := following;
            last := re.add_audit_seal(seal, last);
            number := last.number;
            digest := encode(last.digest, 'hex');
            entries := entries + seal.entries;
        END LOOP;
        first := following;
    END IF;
    unsealed_seconds := coalesce((SELECT extract(epoch FROM clock_timestamp() - e.at) FROM re.audit e
        WHERE e.transaction >= first ORDER BY e.transaction LIMIT 1), 0);
END $$;

-- A dropped month is a link of the chain and an entry too. ./10_partitions.sql locks the audit meanwhile.
CREATE OR REPLACE FUNCTION re.note_dropped_audit(months date[], number_of_entries bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last re.audit_seal;
    seal re.audit_seal;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('re.audit_seal', 0));
    last := re.last_audit_seal();
    seal.from_transaction := coalesce(last.to_transaction, 0);
    seal.to_transaction := seal.from_transaction;
    seal.entries := 0;
    seal.organizations := '{}';
    seal.numbers := '{}';
    seal.digests := '{}';
    seal.dropped := months;
    PERFORM re.add_audit_seal(seal, last);
    INSERT INTO re.audit (at, status, organization_id, subject, method, route, filter)
    VALUES (clock_timestamp(), 200, '', session_user, 'DROP', 're.drop_audit_before',
        jsonb_build_object('months', array_to_string(months, ' '), 'entries', number_of_entries::text));
END $$;

-- Checks that the chain is complete and that every sealed entry is unchanged. Returns each difference and its
-- organization. The function is STABLE, so it uses one snapshot, and sealing may continue. It reads the whole audit.
CREATE OR REPLACE FUNCTION re.audit_faults() RETURNS TABLE (organization_id text, fault text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bounds bigint[] := ARRAY(SELECT DISTINCT s.from_transaction FROM re.audit_seal s WHERE s.dropped IS NULL ORDER BY 1);
    sealed_to bigint := coalesce((SELECT max(s.to_transaction) FROM re.audit_seal s), 0);
BEGIN
    RETURN QUERY
    SELECT '', CASE
            WHEN c.number <> coalesce(c.number_before, 0) + 1 THEN format('seals %s to %s are missing', coalesce(c.number_before, 0) + 1, c.number - 1)
            ELSE format('seal %s is not as it was made, or the one before it', c.number)
        END
    FROM (SELECT s.number, s.digest, lag(s.number) OVER w AS number_before, lag(s.to_transaction) OVER w AS to_before,
            lag(s.from_transaction) OVER w AS from_before, s.from_transaction, s.to_transaction,
            re.audit_seal_digest(s, lag(s.digest) OVER w) AS made
        FROM re.audit_seal s WINDOW w AS (ORDER BY s.number)) c
    WHERE c.digest <> c.made OR c.number <> coalesce(c.number_before, 0) + 1
        -- Several months of one seal have the same transactions.
        OR c.from_transaction NOT IN (coalesce(c.to_before, 0), coalesce(c.from_before, 0));

    RETURN QUERY
    WITH sealed AS (
        SELECT s.number, width_bucket(s.from_transaction, bounds) AS run, s.month, s.at, o.organization_id, o.entries, o.digest
        FROM re.audit_seal s
        CROSS JOIN LATERAL unnest(s.organizations, s.numbers, s.digests) AS o(organization_id, entries, digest)
        WHERE s.dropped IS NULL
            AND NOT EXISTS (SELECT FROM re.audit_seal d WHERE d.dropped IS NOT NULL AND d.number > s.number AND s.month = ANY (d.dropped))
    ), difference AS (
        SELECT coalesce(f.organization_id, s.organization_id) AS organization_id, coalesce(f.month, s.month) AS month, s.number, s.at,
            coalesce(s.entries, 0) AS sealed, coalesce(f.entries, 0) AS there
        FROM sealed s
        FULL JOIN re.audit_digests(bounds, -9223372036854775808, sealed_to) f
            ON (f.run, f.month) = (s.run, s.month) AND f.organization_id COLLATE "C" = s.organization_id COLLATE "C"
        WHERE f.digest IS DISTINCT FROM s.digest
    )
    SELECT d.organization_id, format('%s: %s in %s', to_char(d.month, 'YYYY-MM'), CASE
            WHEN sum(d.there) < sum(d.sealed) THEN format('of %s sealed entries %s are gone', sum(d.sealed), sum(d.sealed) - sum(d.there))
            WHEN sum(d.there) > sum(d.sealed) THEN format('%s entries were added later', sum(d.there) - sum(d.sealed))
            ELSE format('of %s sealed entries some were changed', sum(d.sealed))
        END, coalesce('seals ' || min(d.number) || ' to ' || max(d.number) || ' of ' || min(d.at) || ' to ' || max(d.at), 'no seal'))
    FROM difference d
    GROUP BY d.organization_id, d.month
    ORDER BY d.month, d.organization_id;

    -- Such entries would never be sealed.
    RETURN QUERY
    SELECT e.organization_id, format('%s entries are of transactions in the future', count(*))
    FROM re.audit e WHERE e.transaction >= greatest(sealed_to, re.audit_transaction(pg_snapshot_xmax(pg_current_snapshot())))
    GROUP BY e.organization_id;

    RETURN QUERY
    SELECT '', format('%s is not logged: a crash empties it', c.oid::regclass)
    FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE i.inhparent = 're.audit'::regclass AND c.relpersistence <> 'p';
END $$;

-- Seals the entries from before seals existed.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM re.audit_seal) AND EXISTS (SELECT FROM re.audit) THEN
        PERFORM re.seal_audit();
    END IF;
END $$;
