-- The floor: the position at which the search for an organization's pending changes begins. The index entries of deleted
-- rows remain until a vacuum removes them, and no vacuum can while any session holds an old snapshot. A search from the
-- beginning of the index would visit all of them.
--
-- docs/design.md ("The floor") has the proof that no search misses a pending change.

CREATE OR REPLACE FUNCTION re.floor_of(xmin xid, floor_written_by xid, floor_xid xid8) RETURNS xid8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN xmin = floor_written_by THEN floor_xid ELSE '0'::xid8 END;

-- The horizon in the snapshot of the calling statement, and the transactions below it that still run. Without the
-- latter one long transaction would keep the floor down, and deleted entries would gather above it. Only transactions
-- older than the last 100 are listed, and at most 8 of them: each costs a search of its own.
CREATE OR REPLACE FUNCTION re.transaction_horizon(OUT horizon xid8, OUT running xid8[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH snapshot AS MATERIALIZED (
        SELECT pg_snapshot_xmax(snapshot)::text::bigint AS end_number, snapshot FROM pg_current_snapshot() AS snapshot
    ), old AS MATERIALIZED (
        SELECT running.xid
        FROM snapshot, pg_snapshot_xip(snapshot.snapshot) AS running(xid)
        WHERE running.xid::text::bigint < snapshot.end_number - 100
        ORDER BY running.xid
        LIMIT 8
    )
    SELECT least(pg_snapshot_xmax(snapshot.snapshot), pg_current_xact_id(), (
            SELECT running.xid FROM pg_snapshot_xip(snapshot.snapshot) AS running(xid)
            WHERE running.xid NOT IN (SELECT old.xid FROM old) ORDER BY running.xid LIMIT 1)),
        ARRAY(SELECT old.xid FROM old)
    FROM snapshot;
END;

-- The pending changes at or above a floor, in their order. With the limit the planner uses the index, regardless of its
-- row estimate.
CREATE OR REPLACE FUNCTION re.pending_changes_from(organization text, floor_xid xid8, floor_patient text, most bigint)
RETURNS TABLE (xid xid8, patient_id text, responses_only boolean, recorded_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT change.xid, change.patient_id, change.responses_only, change.recorded_at
    FROM re.pending_change change
    WHERE change.organization_id = organization AND (change.xid, change.patient_id) >= (floor_xid, floor_patient)
    ORDER BY change.organization_id, change.xid, change.patient_id
    LIMIT most;
END;

-- All pending changes, in their order: first those of the transactions in floor_running, which are below the floor. At
-- most `most` of each.
CREATE OR REPLACE FUNCTION re.pending_changes(organization text, most bigint)
RETURNS TABLE (xid xid8, patient_id text, responses_only boolean, recorded_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pending.xid, pending.patient_id, pending.responses_only, pending.recorded_at
    FROM re.state_of(organization) state
    CROSS JOIN LATERAL (
        SELECT re.floor_of(state.xmin, state.floor_written_by, state.floor_xid) AS xid OFFSET 0
    ) bottom
    CROSS JOIN LATERAL (
        SELECT below.xid, below.patient_id, below.responses_only, below.recorded_at
        FROM unnest(state.floor_running) AS running(xid)
        CROSS JOIN LATERAL (
            SELECT change.xid, change.patient_id, change.responses_only, change.recorded_at
            FROM re.pending_change change
            WHERE change.organization_id = organization AND change.xid = running.xid AND change.xid < bottom.xid
            ORDER BY change.organization_id, change.xid, change.patient_id
            LIMIT most
        ) below
        UNION ALL
        SELECT above.xid, above.patient_id, above.responses_only, above.recorded_at
        FROM re.pending_changes_from(organization, bottom.xid, state.floor_patient, most) above
    ) pending
    WHERE state.organization_id = organization;
END;

-- The organization's row, if the derived data are current in the snapshot of the calling statement. They are if they are
-- valid (12_state) and there is no pending change. The search stops at the first index entry, regardless of the
-- planner's row estimate.
CREATE OR REPLACE FUNCTION re.current_state(organization text)
RETURNS TABLE (generation bigint, xmin xid, tableoid oid, now timestamptz, today date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT state.generation, state.xmin, state.tableoid, state.now, state.today
    FROM re.valid_state(organization) state
    WHERE (SELECT true FROM re.pending_changes_from(state.organization_id,
            re.floor_of(state.xmin, state.floor_written_by, state.floor_xid), state.floor_patient, 1)) IS NULL
        AND (state.floor_running = '{}'
            OR (SELECT true FROM re.pending_changes(state.organization_id, 1) LIMIT 1) IS NULL);
END;
