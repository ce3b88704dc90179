-- Whether a cached response is still valid: a server calls re.probe before it sends one.
--
-- docs/design.md ("Why an equal state is enough") has the proof.
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
