-- Whether an answer that was computed earlier would be computed again: what a server asks before it sends a kept one.
--
-- The state is one text. An answer belongs to the state that was probed in its own transaction, in a statement before it.
-- If a later probe gives the same state, that answer with the probe's now in the place of its own is what would be
-- computed, because:
--
--   1. Same state, same row of re.organization_state: xmin names the transaction that wrote it, tableoid its table, and
--      the start of the postmaster the server, so that neither a restored backup nor a promoted standby, whose numbers
--      may have gone back, passes for the one that was probed. A row that was there at the first probe and is at the
--      last was there in between: nothing was advanced (50_advance), and no derived row has changed.
--   2. Current at the last probe, with the advances of the first: whatever was written to the source since the first
--      has left a mark, and only an advance takes marks away. There is none, so there was none, and nothing was written.
--      A look from the row's floor on finds every mark of the snapshot that has the row, however much later it was left
--      (15_floor); a row that a dump has brought has no floor.
--      That goes for what the answer itself has seen, later than the first probe, too.
--   3. Nothing fell due: both times now and today lie between the bounds of every patient. Between them nothing depends
--      on now but today (30_fresh_state), which is in the state. An answer and its probe have one now, their
--      transaction's. So now may go back and forth as it likes.
--
-- Nothing in this counts seconds, and nothing is a server's own: what one server writes, every other's next probe sees.
-- A row that is not current gives no row here. New definitions of the numbers (../migrate) write every row anew.
--
-- A caller may bind itself in the same statement, by the setting's own function: FROM (SELECT set_config(…) AS
-- organization OFFSET 0) b CROSS JOIN LATERAL re.probe(b.organization). Both tables are then looked up by what that
-- returns, hence after it; were it otherwise, row-level security would hide the organization's row, and no kept answer
-- would ever be sent. The function has no settings of its own, so that it becomes part of that statement.
CREATE OR REPLACE FUNCTION re.probe(organization text) RETURNS TABLE (now text, state text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT re.rfc3339(k.now),
        s.generation || ' ' || s.xmin || ' ' || s.tableoid || ' ' || k.today || ' ' || pg_postmaster_start_time()
    FROM re.state_of(organization) s
    CROSS JOIN LATERAL (SELECT t.now, re.day_or_null(t.now, s.time_zone) AS today FROM (SELECT re.now() AS now OFFSET 0) t OFFSET 0) k
    WHERE s.organization_id = organization AND s.building_after IS NULL
        AND s.valid_from <= k.now AND k.now < s.valid_until AND s.day_from <= k.today AND k.today < s.day_until
        -- The first mark by the index, whatever the planner believes of their number.
        AND (SELECT true FROM re.marks_behind(s.organization_id, re.floor_of(s.xmin, s.marks_from_by, s.marks_from),
            s.marks_from_patient, 1)) IS NULL
        AND (s.marks_running = '{}' OR (SELECT true FROM re.marks_of(s.organization_id, 1) LIMIT 1) IS NULL);
END;
