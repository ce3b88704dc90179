-- Functions that an earlier version calls, for as long as one may run beside this one. The next release drops them.
-- This file is the first, so that no later one finds two candidates for re.is_current(organization). The bodies are
-- plpgsql, which does not look up the later files' functions before a call.

-- A server of 0.3.0 runs until the next one takes over its socket. It calls the list with these parameters, and names
-- the columns that it reads.
CREATE OR REPLACE FUNCTION re.prioritized_patients(
    organization text, wanted_level text, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_id text)
RETURNS SETOF re.list_row
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT list.*
    FROM re.prioritized_patients(organization, wanted_level, NULL, NULL, NULL, NULL, 'priority', false, row_limit,
        after_priority, after_score, after_days, NULL, after_id) list;
END $$;

-- An endpoint's function that waits for the migration's locks still has its former body (90_dispatch), which calls
-- these.
CREATE OR REPLACE FUNCTION re.is_current(organization text, caught_up boolean) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN caught_up THEN re.is_valid_now(organization) ELSE re.is_current(organization) END;
END $$;

CREATE OR REPLACE FUNCTION re.catch_up(organization text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE re.refresh_on_read(organization) WHEN 'refreshed' THEN true WHEN 'changed' THEN false END;
END $$;
