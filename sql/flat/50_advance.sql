-- Whether the derived rows say of this moment what the source says: built, now between the bounds of every patient,
-- today between theirs (hence not where the zone of the rows is no longer known), and no mark. Of the statement that asks, since a STABLE function sees its snapshot. A caller that
-- has caught up (re.catch_up) and so holds the organization's lock may leave later marks to later readers.
CREATE OR REPLACE FUNCTION re.is_current(organization text, caught_up boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM re.state_of(organization) s
        CROSS JOIN LATERAL (SELECT t.now, re.day_or_null(t.now, s.time_zone) AS today FROM (SELECT re.now() AS now OFFSET 0) t OFFSET 0) k
        WHERE s.organization_id = organization AND s.building_after IS NULL
            AND s.valid_from <= k.now AND k.now < s.valid_until AND s.day_from <= k.today AND k.today < s.day_until
            AND (caught_up OR (
                    SELECT true FROM re.marks_behind(organization, re.floor_of(s.xmin, s.marks_from_by, s.marks_from),
                        s.marks_from_patient, 1)) IS NULL
                AND (s.marks_running = '{}' OR (SELECT true FROM re.marks_of(organization, 1) LIMIT 1) IS NULL))
    );
END $$;

-- At most so many of the patients that are marked, or whose state does not hold now. Each by the first entries of an
-- index; today is the state's, in the zone that it was computed with. Of the marks the first, so that the floor rises as
-- they are taken; some more than patients are wanted, since one may have several.
CREATE OR REPLACE FUNCTION re.due_patients(organization text, most integer) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashagg = off AS $$
DECLARE
    now timestamptz := re.now();
    today date := (SELECT re.day_or_null(re.now(), s.time_zone) FROM re.state_of(organization) s);
BEGIN
    RETURN ARRAY(
        (SELECT m.patient_id
            FROM (SELECT d.patient_id, row_number() OVER () AS nr FROM re.marks_of(organization, 4 * most) d
                WHERE d.patient_id <> '') m
            GROUP BY m.patient_id ORDER BY min(m.nr) LIMIT most)
        UNION
        (SELECT s.patient_id FROM re.patient_state s
            WHERE s.organization_id = organization AND s.valid_until < 'infinity' AND s.valid_until <= now
            ORDER BY s.valid_until LIMIT most)
        UNION
        (SELECT s.patient_id FROM re.patient_state s
            WHERE s.organization_id = organization AND s.valid_from > now ORDER BY s.valid_from DESC LIMIT most)
        UNION
        (SELECT s.patient_id FROM re.patient_state s
            WHERE s.organization_id = organization AND s.day_until < 'infinity' AND s.day_until <= today
            ORDER BY s.day_until LIMIT most)
        UNION
        (SELECT s.patient_id FROM re.patient_state s
            WHERE s.organization_id = organization AND s.day_from > today ORDER BY s.day_from DESC LIMIT most)
        LIMIT most);
END $$;

-- The next patients of a build: those of the source, those of the log alone, and those that the source has no more.
CREATE OR REPLACE FUNCTION re.patients_after(organization text, patient text, most integer) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashagg = off AS $$
BEGIN
    RETURN ARRAY(
        (SELECT p.id FROM public.patients p
            WHERE p.organization_id = organization AND p.id > patient ORDER BY p.id LIMIT most)
        UNION
        (SELECT DISTINCT o.patient_id FROM public.outreach_log o
            WHERE o.organization_id = organization AND o.patient_id > patient ORDER BY o.patient_id LIMIT most)
        UNION
        (SELECT s.patient_id FROM re.patient_state s
            WHERE s.organization_id = organization AND s.patient_id > patient ORDER BY s.patient_id LIMIT most)
        ORDER BY 1 LIMIT most);
END $$;

-- Works off what is due for at most so many patients. remaining: there is more, or has come meanwhile; busy: another
-- holds the organization's lock, or there is no such organization, and nothing was done.
CREATE OR REPLACE FUNCTION re.advance(
    organization text, most integer, OUT refreshed integer, OUT remaining boolean, OUT busy boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    state re.organization_state;
    marked boolean;
    whole boolean;
    due text[];
    next text[];
    room integer;
    seen record;
BEGIN
    refreshed := 0;
    remaining := false;
    -- By its whole key (12_state); if it has another by now, somebody else has advanced just then.
    SELECT * INTO state FROM re.organization_state s
    WHERE s.organization_id = organization AND s.generation = (SELECT c.generation FROM re.state_of(organization) c)
    FOR NO KEY UPDATE SKIP LOCKED;
    busy := NOT FOUND;
    IF busy THEN
        RETURN;
    END IF;
    PERFORM re.require_known_zone(organization);

    -- Every statement from here on sees what the one before saw, and more. So a mark is taken no later than the source
    -- that it speaks of is read, and what is written in between leaves a mark that stays.
    WITH taken AS (
        DELETE FROM re.dirty d WHERE d.organization_id = organization AND d.patient_id = '' RETURNING d.answers_only
    )
    SELECT count(*) > 0, coalesce(bool_or(NOT t.answers_only), false) INTO marked, whole FROM taken t;
    -- What was computed in a zone that is no longer known is computed anew in the one that has come instead.
    whole := whole OR re.day_or_null(re.now(), state.time_zone) IS NULL;
    IF whole THEN
        -- Everything is read again from here on, which settles all that is marked now.
        DELETE FROM re.dirty d WHERE d.organization_id = organization;
        state.building_after := '';
    END IF;

    due := re.due_patients(organization, most);
    room := most - cardinality(due);
    IF state.building_after IS NOT NULL AND room > 0 THEN
        next := re.patients_after(organization, state.building_after, room);
        state.building_after := next[room];
        due := due || next;
    END IF;
    IF next IS NULL AND due = '{}' AND NOT marked THEN
        RETURN;
    END IF;

    seen := re.refresh(organization, due);
    refreshed := cardinality(due);
    PERFORM re.settle(organization, seen.time_zone, seen.appointment_value, state.building_after);
    remaining := NOT seen.complete OR NOT re.is_current(organization, true);
END $$;

-- Writes down what an advance has reached: the narrowest bounds of all patients, by the ends of four indexes; and where
-- the marks begin that it has left (15_floor).
CREATE OR REPLACE FUNCTION re.settle(organization text, zone text, value numeric, built_up_to text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    written_by xid;
    written bigint;
BEGIN
    UPDATE re.organization_state o
    SET generation = o.generation + 1, time_zone = zone, appointment_value = value, building_after = built_up_to, advanced_at = now(),
        built_at = CASE WHEN built_up_to IS NOT NULL THEN NULL ELSE coalesce(o.built_at, now()) END,
        valid_from = coalesce((SELECT s.valid_from FROM re.patient_state s
            WHERE s.organization_id = organization ORDER BY s.valid_from DESC LIMIT 1), '-infinity'),
        valid_until = coalesce((SELECT s.valid_until FROM re.patient_state s
            WHERE s.organization_id = organization AND s.valid_until < 'infinity' ORDER BY s.valid_until LIMIT 1), 'infinity'),
        day_from = coalesce((SELECT s.day_from FROM re.patient_state s
            WHERE s.organization_id = organization ORDER BY s.day_from DESC LIMIT 1), '-infinity'),
        day_until = coalesce((SELECT s.day_until FROM re.patient_state s
            WHERE s.organization_id = organization AND s.day_until < 'infinity' ORDER BY s.day_until LIMIT 1), 'infinity'),
        (marks_from, marks_from_patient, marks_running, marks_from_by) = (
            SELECT least(h.horizon, m.xid), CASE WHEN m.xid < h.horizon THEN m.patient_id ELSE '' END,
                h.running, pg_current_xact_id()::xid
            FROM re.mark_horizon() h
            LEFT JOIN (SELECT d.xid, d.patient_id FROM re.marks_of(organization, 1) d LIMIT 1) m ON true)
    WHERE o.organization_id = organization AND o.generation = (SELECT c.generation FROM re.state_of(organization) c)
    RETURNING o.xmin, o.generation INTO written_by, written;
    -- Behind a savepoint a row is of the subtransaction.
    IF written_by <> pg_current_xact_id()::xid THEN
        UPDATE re.organization_state o SET marks_from_by = written_by
        WHERE o.organization_id = organization AND o.generation = written;
    END IF;
END $$;
