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
    SELECT entry_digest.run, entry_digest.month, entry_digest.organization_id, count(*),
        sha256(string_agg(entry_digest.digest, ''::bytea ORDER BY entry_digest.digest))
    FROM (SELECT width_bucket(entry.transaction, bounds) AS run, re.audit_month(entry.at) AS month,
            entry.organization_id, re.audit_entry_digest(entry) AS digest
        FROM re.audit entry
        WHERE entry.transaction >= audit_digests.from_transaction
            AND entry.transaction < audit_digests.to_transaction) entry_digest
    GROUP BY entry_digest.run, entry_digest.month, entry_digest.organization_id
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
    SELECT seal FROM re.audit_seal seal ORDER BY seal.number DESC LIMIT 1
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
        following := coalesce((SELECT greatest(entry.transaction,
                (SELECT later.transaction + 1 FROM re.audit later
                    WHERE later.transaction >= first ORDER BY later.transaction LIMIT 1))
            FROM re.audit entry WHERE entry.transaction >= first AND entry.transaction < horizon
            ORDER BY entry.transaction OFFSET 5000 LIMIT 1), horizon);
        remaining := following < horizon;
        FOR seal.month, seal.entries, seal.organizations, seal.numbers, seal.digests IN
            SELECT sealed.month, sum(sealed.entries),
                array_agg(sealed.organization_id ORDER BY sealed.organization_id COLLATE "C"),
                array_agg(sealed.entries ORDER BY sealed.organization_id COLLATE "C"),
                array_agg(sealed.digest ORDER BY sealed.organization_id COLLATE "C")
            FROM re.audit_digests('{}', first, following) sealed
            GROUP BY sealed.month ORDER BY sealed.month
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
    unsealed_seconds := coalesce((SELECT extract(epoch FROM clock_timestamp() - entry.at) FROM re.audit entry
        WHERE entry.transaction >= first ORDER BY entry.transaction LIMIT 1), 0);
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
    bounds bigint[] := ARRAY(SELECT DISTINCT seal.from_transaction FROM re.audit_seal seal
        WHERE seal.dropped IS NULL ORDER BY 1);
    sealed_to bigint := coalesce((SELECT max(seal.to_transaction) FROM re.audit_seal seal), 0);
BEGIN
    RETURN QUERY
    SELECT '', CASE
            WHEN link.number <> coalesce(link.number_before, 0) + 1
                THEN format('seals %s to %s are missing', coalesce(link.number_before, 0) + 1, link.number - 1)
            ELSE format('seal %s is not as it was made, or the one before it', link.number)
        END
    FROM (SELECT seal.number, seal.digest, lag(seal.number) OVER chain AS number_before,
            lag(seal.to_transaction) OVER chain AS to_before,
            lag(seal.from_transaction) OVER chain AS from_before, seal.from_transaction, seal.to_transaction,
            re.audit_seal_digest(seal, lag(seal.digest) OVER chain) AS made
        FROM re.audit_seal seal WINDOW chain AS (ORDER BY seal.number)) link
    WHERE link.digest <> link.made OR link.number <> coalesce(link.number_before, 0) + 1
        -- Several months of one seal have the same transactions.
        OR link.from_transaction NOT IN (coalesce(link.to_before, 0), coalesce(link.from_before, 0));

    RETURN QUERY
    WITH sealed AS (
        SELECT seal.number, width_bucket(seal.from_transaction, bounds) AS run, seal.month, seal.at,
            part.organization_id, part.entries, part.digest
        FROM re.audit_seal seal
        CROSS JOIN LATERAL unnest(seal.organizations, seal.numbers, seal.digests)
            AS part(organization_id, entries, digest)
        WHERE seal.dropped IS NULL
            AND NOT EXISTS (SELECT FROM re.audit_seal dropped
                WHERE dropped.dropped IS NOT NULL AND dropped.number > seal.number
                    AND seal.month = ANY (dropped.dropped))
    ), difference AS (
        SELECT coalesce(found.organization_id, seal.organization_id) AS organization_id,
            coalesce(found.month, seal.month) AS month, seal.number, seal.at,
            coalesce(seal.entries, 0) AS sealed, coalesce(found.entries, 0) AS there
        FROM sealed seal
        FULL JOIN re.audit_digests(bounds, -9223372036854775808, sealed_to) found
            ON (found.run, found.month) = (seal.run, seal.month)
                AND found.organization_id COLLATE "C" = seal.organization_id COLLATE "C"
        WHERE found.digest IS DISTINCT FROM seal.digest
    )
    SELECT difference.organization_id, format('%s: %s in %s', to_char(difference.month, 'YYYY-MM'), CASE
            WHEN sum(difference.there) < sum(difference.sealed)
                THEN format('of %s sealed entries %s are gone', sum(difference.sealed),
                    sum(difference.sealed) - sum(difference.there))
            WHEN sum(difference.there) > sum(difference.sealed)
                THEN format('%s entries were added later', sum(difference.there) - sum(difference.sealed))
            ELSE format('of %s sealed entries some were changed', sum(difference.sealed))
        END, coalesce('seals ' || min(difference.number) || ' to ' || max(difference.number) || ' of '
            || min(difference.at) || ' to ' || max(difference.at), 'no seal'))
    FROM difference
    GROUP BY difference.organization_id, difference.month
    ORDER BY difference.month, difference.organization_id;

    -- Such entries would never be sealed.
    RETURN QUERY
    SELECT entry.organization_id, format('%s entries are of transactions in the future', count(*))
    FROM re.audit entry WHERE entry.transaction >= greatest(sealed_to,
        re.audit_transaction(pg_snapshot_xmax(pg_current_snapshot())))
    GROUP BY entry.organization_id;

    RETURN QUERY
    SELECT '', format('%s is not logged: a crash empties it', month.oid::regclass)
    FROM pg_class month JOIN pg_inherits inheritance ON inheritance.inhrelid = month.oid
    WHERE inheritance.inhparent = 're.audit'::regclass AND month.relpersistence <> 'p';
END $$;

-- Seals the entries from before seals existed.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM re.audit_seal) AND EXISTS (SELECT FROM re.audit) THEN
        PERFORM re.seal_audit();
    END IF;
END $$;
