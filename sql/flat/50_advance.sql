-- True if the derived data are current in the snapshot of the calling statement, which a STABLE function shares.
CREATE OR REPLACE FUNCTION re.is_current(organization text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN EXISTS (SELECT FROM re.current_state(organization));
END $$;

-- The same without regard to pending changes. It suffices for a caller that has refreshed the data and still holds the
-- lock of the organization's row: later pending changes may wait for later readers (docs/design.md).
CREATE OR REPLACE FUNCTION re.is_valid_now(organization text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN EXISTS (SELECT FROM re.valid_state(organization));
END $$;

-- At most `most` patients who have a pending change or whose state is not valid now. Each branch reads the first
-- entries of one index. today is computed in the zone of the states. The pending changes are read from the first one
-- on, so that the floor rises as they are applied. A patient may have several, so four times as many are read.
CREATE OR REPLACE FUNCTION re.due_patients(organization text, most integer) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now timestamptz := re.now();
    today date := (SELECT re.day_or_null(re.now(), state.time_zone) FROM re.state_of(organization) state);
BEGIN
    RETURN ARRAY(
        (SELECT change.patient_id
            FROM (
                SELECT pending.patient_id, row_number() OVER () AS number
                FROM re.pending_changes(organization, 4 * most) pending
                WHERE pending.patient_id <> ''
            ) change
            GROUP BY change.patient_id ORDER BY min(change.number) LIMIT most)
        UNION
        (SELECT state.patient_id FROM re.patient_state state
            WHERE state.organization_id = organization AND state.valid_until < 'infinity' AND state.valid_until <= now
            ORDER BY state.valid_until LIMIT most)
        UNION
        (SELECT state.patient_id FROM re.patient_state state
            WHERE state.organization_id = organization AND state.valid_from > now
            ORDER BY state.valid_from DESC LIMIT most)
        UNION
        (SELECT state.patient_id FROM re.patient_state state
            WHERE state.organization_id = organization AND state.day_until < 'infinity' AND state.day_until <= today
            ORDER BY state.day_until LIMIT most)
        UNION
        (SELECT state.patient_id FROM re.patient_state state
            WHERE state.organization_id = organization AND state.day_from > today
            ORDER BY state.day_from DESC LIMIT most)
        LIMIT most);
END $$;

-- The next patients of a build: those of the source, those of the outreach log alone, and those who have a state or have
-- been told of but are no longer in the source.
CREATE OR REPLACE FUNCTION re.patients_after(organization text, patient text, most integer) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(
        SELECT next.id
        FROM (
            (SELECT stored.id FROM public.patients stored
                WHERE stored.organization_id = organization AND stored.id > patient
                ORDER BY stored.id LIMIT most)
            UNION
            (SELECT DISTINCT attempt.patient_id FROM public.outreach_log attempt
                WHERE attempt.organization_id = organization AND attempt.patient_id > patient
                ORDER BY attempt.patient_id LIMIT most)
            UNION
            (SELECT state.patient_id FROM re.patient_state state
                WHERE state.organization_id = organization AND state.patient_id > patient
                ORDER BY state.patient_id LIMIT most)
            UNION
            (SELECT told.patient_id FROM re.told_patient told
                WHERE told.organization_id = organization AND told.patient_id > patient
                ORDER BY told.patient_id LIMIT most)
        ) next
        ORDER BY next.id LIMIT most);
END $$;

-- Refreshes at most `most` of the patients that are due. remaining: others are due, or have become due meanwhile. busy:
-- another session holds the lock of the organization's row, or the organization does not exist. Then there is no change.
--
-- The planner settings apply to all functions that it calls. They keep each plan at lookups by index, whatever the
-- statistics. Without any setting, an advance of 500 patients took more than 25 s instead of 0.6 s in an organization
-- of 20,000 that had just been filled, while the statistics were those of 200 patients.
CREATE OR REPLACE FUNCTION re.advance(
    organization text, most integer, OUT refreshed integer, OUT remaining boolean, OUT busy boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    state re.organization_state;
    announced_day date;
    today date;
    is_past_midnight boolean;
    any_change boolean;
    is_whole boolean;
    due text[];
    next text[];
    room integer;
    seen record;
BEGIN
    refreshed := 0;
    remaining := false;
    -- By its whole key (12_state). If the row has another generation by now, another session has just advanced.
    SELECT * INTO state FROM re.organization_state locked
    WHERE locked.organization_id = organization
        AND locked.generation = (SELECT newest.generation FROM re.state_of(organization) newest)
    FOR NO KEY UPDATE SKIP LOCKED;
    busy := NOT FOUND;
    IF busy THEN
        RETURN;
    END IF;
    PERFORM re.require_known_zone(organization);

    SELECT clock.today INTO today FROM re.clock_of(organization) clock;
    SELECT announcement.announced_day INTO announced_day
    FROM re.announcement announcement WHERE announcement.organization_id = organization;
    IF NOT FOUND THEN
        INSERT INTO re.announcement (organization_id, announced_day) VALUES (organization, today);
        announced_day := today;
        state.building_after := '';
    END IF;
    IF today < announced_day THEN
        -- A transaction that began before midnight still has yesterday's date. It is not today that has gone back.
        busy := re.present_day(organization) >= announced_day;
        IF busy THEN
            RETURN;
        END IF;
        PERFORM re.announce_clock(organization, today);
        announced_day := today;
    END IF;

    -- Each statement from here on has a snapshot no older than that of the one before. So the source is read no earlier
    -- than its pending changes are deleted, and a later write inserts a pending change that remains.
    WITH applied AS (
        DELETE FROM re.pending_change change
        WHERE change.organization_id = organization AND change.patient_id = ''
        RETURNING change.responses_only
    )
    SELECT count(*) > 0, coalesce(bool_or(NOT applied.responses_only), false) INTO any_change, is_whole FROM applied;
    -- A state computed in a zone that PostgreSQL no longer knows is computed again in the organization's present zone.
    is_whole := is_whole OR re.day_or_null(re.now(), state.time_zone) IS NULL;
    IF is_whole THEN
        -- All patients are read again from here on, which applies all pending changes of this moment.
        DELETE FROM re.pending_change change WHERE change.organization_id = organization;
        state.building_after := '';
    END IF;

    due := re.due_patients(organization, most);
    room := most - cardinality(due);
    IF state.building_after IS NOT NULL AND room > 0 THEN
        next := re.patients_after(organization, state.building_after, room);
        state.building_after := next[room];
        due := due || next;
    END IF;
    IF next IS NULL AND due = '{}' AND NOT any_change AND announced_day = today
        AND state.day_from <= today AND today < state.day_until
    THEN
        RETURN;
    END IF;

    seen := re.refresh(organization, due);
    refreshed := cardinality(due);
    PERFORM re.announce_changes(organization, announced_day, due);
    -- Midnight is announced when each patient's state is of today. Until then the states are changed at the same day.
    IF announced_day < today AND state.building_after IS NULL AND room > 0 AND seen.complete THEN
        PERFORM re.announce_days(organization, announced_day, today);
    END IF;
    PERFORM re.drop_old_notices(organization);
    PERFORM re.record_advance(organization, seen.time_zone, seen.appointment_value, state.building_after);
    remaining := NOT seen.complete OR NOT re.is_valid_now(organization);
END $$;

-- Writes the result of an advance into the organization's row: the validity interval that all patients share, read from
-- the ends of four indexes, and the floor of the pending changes (15_floor). The data are valid on the announced day
-- alone, so that the first read of a day announces its midnight.
CREATE OR REPLACE FUNCTION re.record_advance(organization text, zone text, value numeric, built_up_to text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written_by xid;
    written bigint;
BEGIN
    IF built_up_to IS NULL THEN
        UPDATE re.announcement announcement SET is_first_build = false
        WHERE announcement.organization_id = organization AND announcement.is_first_build;
    END IF;
    UPDATE re.organization_state state
    SET generation = state.generation + 1, time_zone = zone, appointment_value = value, building_after = built_up_to,
        advanced_at = now(),
        built_at = CASE WHEN built_up_to IS NULL THEN coalesce(state.built_at, now()) END,
        valid_from = coalesce((SELECT patient.valid_from FROM re.patient_state patient
            WHERE patient.organization_id = organization
            ORDER BY patient.valid_from DESC LIMIT 1), '-infinity'),
        valid_until = coalesce((SELECT patient.valid_until FROM re.patient_state patient
            WHERE patient.organization_id = organization AND patient.valid_until < 'infinity'
            ORDER BY patient.valid_until LIMIT 1), 'infinity'),
        day_from = greatest((SELECT patient.day_from FROM re.patient_state patient
            WHERE patient.organization_id = organization
            ORDER BY patient.day_from DESC LIMIT 1), announced.day),
        day_until = least((SELECT patient.day_until FROM re.patient_state patient
            WHERE patient.organization_id = organization AND patient.day_until < 'infinity'
            ORDER BY patient.day_until LIMIT 1), announced.day + 1),
        (floor_xid, floor_patient, floor_running, floor_written_by) = (
            SELECT least(transactions.horizon, first.xid),
                CASE WHEN first.xid < transactions.horizon THEN first.patient_id ELSE '' END,
                transactions.running,
                pg_current_xact_id()::xid
            FROM re.transaction_horizon() transactions
            LEFT JOIN (
                SELECT change.xid, change.patient_id FROM re.pending_changes(organization, 1) change LIMIT 1
            ) first ON true)
    FROM (
        SELECT announcement.announced_day AS day FROM re.announcement announcement
        WHERE announcement.organization_id = organization
        OFFSET 0
    ) announced
    WHERE state.organization_id = organization
        AND state.generation = (SELECT newest.generation FROM re.state_of(organization) newest)
    RETURNING state.xmin, state.generation INTO written_by, written;
    -- After a savepoint the row's xmin is that of the subtransaction.
    IF written_by <> pg_current_xact_id()::xid THEN
        UPDATE re.organization_state state SET floor_written_by = written_by
        WHERE state.organization_id = organization AND state.generation = written;
    END IF;
END $$;
