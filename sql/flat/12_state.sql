-- The organization's row of re.organization_state. A snapshot contains at most one version of it. The index has the
-- greatest generation first, so the first visible version is the row, and older versions are not read. Without ORDER BY
-- a lookup would visit every version that an old snapshot protects from vacuum. xmin and tableoid identify the version
-- (95_probe).
CREATE OR REPLACE FUNCTION re.state_of(organization text)
RETURNS TABLE (
    organization_id text, generation bigint, building_after text, time_zone text, appointment_value numeric,
    valid_from timestamptz, valid_until timestamptz, day_from date, day_until date,
    floor_xid xid8, floor_patient text, floor_running xid8[], floor_written_by xid, xmin xid, tableoid oid)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT state.organization_id, state.generation, state.building_after, state.time_zone, state.appointment_value,
        state.valid_from, state.valid_until, state.day_from, state.day_until,
        state.floor_xid, state.floor_patient, state.floor_running, state.floor_written_by, state.xmin, state.tableoid
    FROM re.organization_state state
    WHERE state.organization_id = organization
    ORDER BY state.generation DESC
    LIMIT 1;
END;

-- The same row, if the build is finished, and now and today are within the validity interval of every patient. Otherwise
-- there is no row. An unknown time zone gives no today, and so no row either.
CREATE OR REPLACE FUNCTION re.valid_state(organization text)
RETURNS TABLE (
    organization_id text, generation bigint, floor_xid xid8, floor_patient text, floor_running xid8[],
    floor_written_by xid, xmin xid, tableoid oid, now timestamptz, today date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT state.organization_id, state.generation, state.floor_xid, state.floor_patient, state.floor_running,
        state.floor_written_by, state.xmin, state.tableoid, clock.now, clock.today
    FROM re.state_of(organization) state
    CROSS JOIN LATERAL (
        SELECT n.now, re.day_or_null(n.now, state.time_zone) AS today FROM (SELECT re.now() AS now OFFSET 0) n OFFSET 0
    ) clock
    WHERE state.organization_id = organization AND state.building_after IS NULL
        AND state.valid_from <= clock.now AND clock.now < state.valid_until
        AND state.day_from <= clock.today AND clock.today < state.day_until;
END;
