-- Called by a reader that finds the derived data outdated. The result is one of
--
--   refreshed   the data are current as of a moment after the read began, and this transaction holds the organization's
--               lock
--   changed     another session has refreshed them meanwhile, and the caller tries again
--   unavailable the caller uses the plain query: a refresh would take longer, is not allowed in this transaction, or has
--               failed
--
-- The plain query writes nothing. So an error that prevents a refresh, such as a full disk, a lock or a numeric
-- overflow, does not prevent the response. A half-finished refresh is rolled back together with its lock. The caller
-- receives a warning with an SQLSTATE of its own, and the error's SQLSTATE in the detail. After a failure a server sets
-- reengagement.refresh_on_read to off for such an organization, for a while. Servers of the version before set
-- reengagement.catch_up, which the next release no longer reads.
CREATE OR REPLACE FUNCTION re.refresh_on_read(organization text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bound_to text := coalesce(current_setting('reengagement.organization', true), '');
    result text;
BEGIN
    -- With one snapshot for the whole transaction, a lock that another session has released is an error (40001).
    IF current_setting('transaction_read_only') = 'on' OR current_setting('transaction_isolation') <> 'read committed'
        OR 'off' IN (current_setting('reengagement.refresh_on_read', true), current_setting('reengagement.catch_up', true))
    THEN
        RETURN 'unavailable';
    END IF;
    IF bound_to <> organization AND re.is_bound() THEN
        RETURN 'unavailable';
    END IF;
    BEGIN
        -- A caller that may see all organizations may have one refreshed. The functions see only the organization that
        -- is set.
        PERFORM set_config('reengagement.organization', organization, true);
        result := re.refresh_in_time(organization);
        PERFORM set_config('reengagement.organization', bound_to, true);
        RETURN result;
    -- OTHERS leaves out two: an assertion, which a site's trigger may raise, and a cancellation, which has used up the
    -- time.
    EXCEPTION WHEN OTHERS OR assert_failure THEN
        -- The plain query needs the zone too.
        IF SQLSTATE = 'REZON' THEN
            RAISE;
        END IF;
        RAISE WARNING USING
            ERRCODE = 'REREF',
            MESSAGE = format('the derived data of organization "%s" could not be brought up to date', organization),
            DETAIL = SQLSTATE || ': ' || SQLERRM,
            HINT = 'The answer is the plain one.';
        RETURN 'unavailable';
    END;
END $$;

-- A refresh takes about 200 µs for a patient, the plain query 10 µs or more. So a refresh of up to a twentieth of the
-- patients is faster than the plain query. Another session's advance is awaited about as long as the plain query would
-- take. The wait is a loop, since a queue for the lock would make every waiter write. lock_timeout limits the wait for
-- a lock on a table, which a session that builds an index may hold for hours.
-- The planner settings are those of re.advance: a session that reads and advances keeps one plan of each statement.
CREATE OR REPLACE FUNCTION re.refresh_in_time(organization text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET lock_timeout = '200ms' AS $$
DECLARE
    patients bigint := (SELECT sum(counter.number) FROM re.patient_count counter
        WHERE counter.organization_id = organization AND counter.last_contact_day = '-infinity');
    most integer := least(greatest(200, patients / 20), 5000);
    attempts integer := least(greatest(3, patients / 400), 250);
    advance record;
BEGIN
    IF NOT re.is_due_for_at_most(organization, most) THEN
        RETURN 'unavailable';
    END IF;
    FOR attempt IN 1..attempts LOOP
        advance := re.advance(organization, most);
        IF NOT advance.busy THEN
            RETURN CASE WHEN advance.remaining THEN 'changed' ELSE 'refreshed' END;
        END IF;
        PERFORM pg_sleep(0.004);
        IF re.is_current(organization) THEN
            RETURN 'changed';
        END IF;
    END LOOP;
    RETURN 'unavailable';
END $$;

-- False for an organization that has never existed too: its responses are empty, and no row is to be written for it.
CREATE OR REPLACE FUNCTION re.is_due_for_at_most(organization text, most integer) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    building_after text;
BEGIN
    SELECT CASE
            WHEN EXISTS (SELECT FROM re.pending_change change
                WHERE change.organization_id = organization AND change.patient_id = '' AND NOT change.responses_only)
                OR re.day_or_null(re.now(), state.time_zone) IS NULL THEN ''
            ELSE state.building_after
        END
    INTO building_after
    FROM re.state_of(organization) state
    WHERE state.organization_id = organization;
    RETURN FOUND
        AND (building_after IS NULL OR cardinality(re.patients_after(organization, building_after, most + 1)) <= most)
        AND cardinality(re.due_patients(organization, most + 1)) <= most;
END $$;

-- The organizations for which the background work has something to do, the least recently advanced first, except those
-- given. It reads the pending changes and validity intervals of all organizations and nothing else.
CREATE OR REPLACE FUNCTION re.organizations_due(most integer, but text[] DEFAULT '{}') RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
    WITH clock AS MATERIALIZED (
        SELECT zone.time_zone, n.now, re.day_or_null(n.now, zone.time_zone) AS today
        FROM (SELECT DISTINCT state.time_zone FROM re.organization_state state) zone
        CROSS JOIN (SELECT re.now() AS now OFFSET 0) n
    )
    SELECT state.organization_id::text
    FROM re.organization_state state
    JOIN clock ON clock.time_zone = state.time_zone
    WHERE state.organization_id <> ALL (but)
        AND (state.building_after IS NOT NULL OR state.valid_from > clock.now OR state.valid_until <= clock.now
            OR clock.today IS NULL OR clock.today < state.day_from OR clock.today >= state.day_until
            OR (SELECT true FROM re.pending_changes_from(state.organization_id,
                re.floor_of(state.xmin, state.floor_written_by, state.floor_xid), state.floor_patient, 1))
            OR state.floor_running <> '{}' AND (SELECT true FROM re.pending_changes(state.organization_id, 1) LIMIT 1))
    ORDER BY state.advanced_at NULLS FIRST
    LIMIT most;
END $$;

-- For operators: the progress of each organization.
CREATE OR REPLACE VIEW re.status AS
SELECT state.organization_id, state.generation,
    state.building_after IS NULL AS built, state.building_after,
    pending.number AS pending_changes, pending.oldest AS oldest_pending_change,
    now() - pending.oldest AS oldest_pending_change_age,
    state.advanced_at, state.built_at, state.time_zone, total.patients
FROM re.organization_state state
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(change.recorded_at) AS oldest
    FROM re.pending_changes(state.organization_id, NULL) change
) pending
CROSS JOIN LATERAL (
    SELECT coalesce(sum(counter.number), 0)::bigint AS patients FROM re.patient_count counter
    WHERE counter.organization_id = state.organization_id AND counter.last_contact_day = '-infinity'
) total;
