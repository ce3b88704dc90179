-- Whether a cached response is still valid: a server calls re.probe before it sends one.
--
-- The state is one text. A response belongs to the state that was probed in its own transaction, in a statement before
-- it. If a later probe returns the same state, the cached response, with the later probe's now in the place of its own,
-- is the response that would be computed:
--
--   1. The same state means the same version of the row in re.organization_state. xmin is the transaction that wrote
--      it, tableoid its table, and the postmaster's start time the server. So a restored backup or a promoted standby,
--      whose numbers may have gone back, has another state. A version that both probes see existed in between: nothing
--      was advanced (50_advance), and no derived row has changed.
--   2. The row is current at the last probe. Each write to the source inserts a pending change, and only an advance
--      deletes one. There is none and there was no advance. So nothing was written since the first probe, nor between
--      the first probe and the response. A search from the row's floor finds every pending change in the snapshot
--      (15_floor). A row that a dump has restored has the floor 0.
--   3. Both times now and today lie within the validity interval of every patient. Within it nothing depends on now but
--      today (30_fresh_state), which is part of the state. A response and its probe have the same now, that of their
--      transaction. So now may go back and forth.
--
-- The check needs neither a timeout nor a server's memory: each server's next probe sees the writes of the others. A row
-- that is not current gives no row here. A migration rewrites every row, so a new definition of a number changes the
-- state.
--
-- A caller may set reengagement.organization in the same statement: FROM (SELECT set_config(…) AS organization OFFSET
-- 0) bound CROSS JOIN LATERAL re.probe(bound.organization). Both tables are then read by the value that set_config
-- returns, and so after it. Otherwise row-level security would hide the row, and no cached response would ever be sent.
-- The function has no settings of its own, so that it is inlined into that statement.
CREATE OR REPLACE FUNCTION re.probe(organization text) RETURNS TABLE (now text, state text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT re.rfc3339(state.now), state.generation || ' ' || state.xmin || ' ' || state.tableoid || ' ' || state.today
        || ' ' || pg_postmaster_start_time()
    FROM re.current_state(organization) state;
END;
