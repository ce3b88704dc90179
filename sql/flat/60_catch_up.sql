-- What a reader does that has found the organization not current. True: it has caught up, now holds the lock, and the
-- derived rows are what the source was at a moment after the read began. False: look again. Null: answer from the plain
-- views, because catching up would take longer, may not be done in this transaction, or has failed.
--
-- The plain answer needs no write, so nothing that keeps the derived data from being written may keep the answer from
-- being given: a full disk, a lock, a number that is too large. What was done by halves is rolled back, the lock with it.
-- Whoever asks is warned, by a code of its own and the error's in the detail. A server leaves such an organization alone
-- for a while, by reengagement.catch_up.
CREATE OR REPLACE FUNCTION re.catch_up(organization text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bound_to text := coalesce(current_setting('reengagement.organization', true), '');
    result boolean;
BEGIN
    -- With one snapshot for the whole transaction, a lock that another has released is an error (40001).
    IF current_setting('transaction_read_only') = 'on' OR current_setting('transaction_isolation') <> 'read committed'
        OR current_setting('reengagement.catch_up', true) = 'off' THEN
        RETURN NULL;
    END IF;
    IF bound_to <> organization AND re.is_bound() THEN
        RETURN NULL;
    END IF;
    BEGIN
        -- Whoever sees every organization may have one advanced, by functions that see the one named only.
        PERFORM set_config('reengagement.organization', organization, true);
        result := re.catch_up_in_time(organization);
        PERFORM set_config('reengagement.organization', bound_to, true);
        RETURN result;
    -- OTHERS leaves out two: the assertion, of a trigger of the site's own, and the cancellation, which has used up the time.
    EXCEPTION WHEN OTHERS OR assert_failure THEN
        -- The plain answer needs the zone too.
        IF SQLSTATE = 'REZON' THEN
            RAISE;
        END IF;
        RAISE WARNING USING
            ERRCODE = 'REREF',
            MESSAGE = format('the derived data of organization "%s" could not be brought up to date', organization),
            DETAIL = SQLSTATE || ': ' || SQLERRM,
            HINT = 'The answer is the plain one.';
        RETURN NULL;
    END;
END $$;

-- A patient takes an advance some 200 µs and a plain answer 10 µs or more, so up to a twentieth of the patients is
-- caught up with sooner than counted afresh. Another's advance is waited for as long as a plain answer would take, about;
-- by looking again, since a queue for the lock would make every waiter write. Nor is a lock on a table waited for, which
-- somebody may hold for hours while an index is built.
CREATE OR REPLACE FUNCTION re.catch_up_in_time(organization text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET lock_timeout = '200ms' AS $$
DECLARE
    patients bigint := (SELECT sum(c.number) FROM re.cell c
        WHERE c.organization_id = organization AND c.last_contact_day = '-infinity');
    most integer := least(greatest(200, patients / 20), 5000);
    looks integer := least(greatest(3, patients / 400), 250);
    advance record;
BEGIN
    IF NOT re.is_due_for_at_most(organization, most) THEN
        RETURN NULL;
    END IF;
    FOR look IN 1..looks LOOP
        advance := re.advance(organization, most);
        IF NOT advance.busy THEN
            RETURN NOT advance.remaining;
        END IF;
        PERFORM pg_sleep(0.004);
        IF re.is_current(organization) THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- False too for an organization that there has never been: it is empty, and nobody is to write rows for it.
CREATE OR REPLACE FUNCTION re.is_due_for_at_most(organization text, most integer) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    building_after text;
BEGIN
    SELECT CASE
            WHEN EXISTS (SELECT FROM re.dirty d
                WHERE d.organization_id = organization AND d.patient_id = '' AND NOT d.answers_only)
                OR re.day_or_null(re.now(), s.time_zone) IS NULL THEN ''
            ELSE s.building_after
        END
    INTO building_after
    FROM re.state_of(organization) s
    WHERE s.organization_id = organization;
    RETURN FOUND
        AND (building_after IS NULL OR cardinality(re.patients_after(organization, building_after, most + 1)) <= most)
        AND cardinality(re.due_patients(organization, most + 1)) <= most;
END $$;

-- For the background work: organizations that have something to do, the longest untouched first, but for those named. It
-- sees every organization's marks and bounds and nothing else.
CREATE OR REPLACE FUNCTION re.organizations_due(most integer, but text[] DEFAULT '{}') RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
    WITH clock AS MATERIALIZED (
        SELECT z.time_zone, n.now, re.day_or_null(n.now, z.time_zone) AS today
        FROM (SELECT DISTINCT s.time_zone FROM re.organization_state s) z
        CROSS JOIN (SELECT re.now() AS now OFFSET 0) n
    )
    SELECT s.organization_id::text
    FROM re.organization_state s
    JOIN clock k ON k.time_zone = s.time_zone
    WHERE s.organization_id <> ALL (but)
        AND (s.building_after IS NOT NULL OR s.valid_from > k.now OR s.valid_until <= k.now
            OR k.today IS NULL OR NOT k.today BETWEEN s.day_from AND s.day_until - 1
            OR (SELECT true FROM re.marks_behind(s.organization_id, re.floor_of(s.xmin, s.marks_from_by, s.marks_from),
                s.marks_from_patient, 1))
            OR s.marks_running <> '{}' AND (SELECT true FROM re.marks_of(s.organization_id, 1) LIMIT 1))
    ORDER BY s.advanced_at NULLS FIRST
    LIMIT most;
END $$;

-- For operators: how far each organization is.
CREATE OR REPLACE VIEW re.status AS
SELECT s.organization_id, s.generation,
    s.building_after IS NULL AS built, s.building_after,
    d.marks, d.oldest_mark, now() - d.oldest_mark AS oldest_mark_age,
    s.advanced_at, s.built_at, s.time_zone, c.patients
FROM re.organization_state s
CROSS JOIN LATERAL (
    SELECT count(*) AS marks, min(m.marked_at) AS oldest_mark
    FROM re.marks_of(s.organization_id, NULL) m
) d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(n.number), 0)::bigint AS patients FROM re.cell n
    WHERE n.organization_id = s.organization_id AND n.last_contact_day = '-infinity'
) c;
