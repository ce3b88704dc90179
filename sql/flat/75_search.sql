-- The patients who match a search (25_search_pieces), and the next ones in the order of names.

CREATE OR REPLACE FUNCTION re.matches(
    folded_name text, folded_email text, phone_digits text, term text, digits text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(strpos(folded_name, term) > 0, false) OR coalesce(strpos(folded_email, term) > 0, false)
    OR coalesce(strpos(phone_digits, digits) > 0, false);

-- At most `most` of the bound organization's patients who match the term, of at least three characters, or the digits,
-- and whose last contact lies in their risk group's interval of days. The function runs as a role that may read all
-- organizations' pieces, and of all other tables the bound organization's rows alone (0231_list_flat).
--
-- The first OFFSET 0 makes the planner begin with the index of the pieces. Without it the organization's condition,
-- which is a plain comparison, comes first, and all its pieces are read. The second one has each candidate looked up by
-- its key.
CREATE OR REPLACE FUNCTION re.search(
    organization text, term text, digits text, first_days date[], last_days date[], most integer)
RETURNS TABLE (patient_id text, risk_group smallint, last_contact_day date)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_term integer[] := re.search_pieces(organization, term, NULL, NULL);
    of_digits integer[] := re.search_pieces(organization, NULL, NULL, digits);
    of_long_text integer[] := ARRAY[re.search_piece(organization, 0, '')];
    of_long_number integer[] := CASE WHEN digits IS NOT NULL THEN ARRAY[re.search_piece(organization, 1, '')] END;
BEGIN
    IF organization IS DISTINCT FROM nullif(current_setting('reengagement.organization', true), '') THEN
        RETURN;
    END IF;
    -- Without pieces all patients would be candidates.
    IF of_term = '{}' OR digits IS NOT NULL AND of_digits = '{}' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a search takes three characters';
    END IF;
    IF digits IS NULL THEN
        of_digits := NULL;
    END IF;
    RETURN QUERY
    SELECT patient.patient_id, patient.risk_group, patient.last_contact_day
    FROM (
        SELECT stored.organization_id, stored.patient_id
        FROM re.patient_search stored
        WHERE stored.pieces @> of_term OR stored.pieces @> of_digits
            OR stored.pieces @> of_long_text OR stored.pieces @> of_long_number
        OFFSET 0
    ) candidate
    CROSS JOIN LATERAL (
        SELECT state.patient_id, state.risk_group, state.last_contact_day, state.folded_name, state.folded_email,
            state.phone_digits
        FROM re.patient_state state
        WHERE state.organization_id = organization AND state.patient_id = candidate.patient_id
            AND state.risk_group IS NOT NULL
        OFFSET 0
    ) patient
    WHERE candidate.organization_id = organization
        AND patient.last_contact_day BETWEEN first_days[patient.risk_group + 1] AND last_days[patient.risk_group + 1]
        AND re.matches(patient.folded_name, patient.folded_email, patient.phone_digits, term, digits)
    LIMIT most;
END $$;

-- The same, read from all patients whose last contact is within the intervals. Without a term all of them match.
CREATE OR REPLACE FUNCTION re.flat_matches(
    organization text, term text, digits text, first_days date[], last_days date[], most integer)
RETURNS TABLE (patient_id text, risk_group smallint, last_contact_day date)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT patient.patient_id, patient.risk_group, patient.last_contact_day
    FROM (
        SELECT (number - 1)::smallint AS risk_group, first_day, last_day
        FROM unnest(first_days, last_days) WITH ORDINALITY AS days(first_day, last_day, number)
        OFFSET 0
    ) wanted
    CROSS JOIN LATERAL (
        SELECT state.patient_id, state.risk_group, state.last_contact_day, state.folded_name, state.folded_email,
            state.phone_digits
        FROM re.patient_state state
        WHERE state.organization_id = organization AND state.risk_group = wanted.risk_group
            AND state.last_contact_day BETWEEN wanted.first_day AND wanted.last_day
        OFFSET 0
    ) patient
    WHERE term IS NULL OR re.matches(patient.folded_name, patient.folded_email, patient.phone_digits, term, digits)
    LIMIT most;
END $$;

-- The next patients in the order of names, read from the index of that order, at most `budget` patients far. Names of
-- more than 200 characters are rare. They are in a second index, by their first 200 characters.
CREATE OR REPLACE FUNCTION re.flat_names(
    organization text, term text, digits text, first_days date[], last_days date[], row_limit integer, budget integer,
    from_name text, from_id text)
RETURNS TABLE (patient_id text, risk_group smallint, last_contact_day date, sort_name text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY
    SELECT named.*
    FROM (
        (SELECT patient.patient_id, patient.risk_group, patient.last_contact_day, patient.short_name AS name
        FROM (
            SELECT state.patient_id, state.risk_group, state.last_contact_day, state.short_name
            FROM re.patient_state state
            WHERE state.organization_id = organization AND state.risk_group IS NOT NULL AND state.short_name IS NOT NULL
                AND (state.short_name, state.patient_id) > (from_name, from_id)
            ORDER BY state.short_name, state.patient_id
            LIMIT budget
        ) patient
        WHERE patient.last_contact_day BETWEEN first_days[patient.risk_group + 1] AND last_days[patient.risk_group + 1]
            -- A subquery, so that without a term the index alone is read.
            AND (term IS NULL OR (
                SELECT re.matches(state.folded_name, state.folded_email, state.phone_digits, term, digits)
                FROM re.patient_state state
                WHERE state.organization_id = organization AND state.patient_id = patient.patient_id))
        ORDER BY patient.short_name, patient.patient_id
        LIMIT row_limit)
        UNION ALL
        (SELECT state.patient_id, state.risk_group, state.last_contact_day, state.folded_name
        FROM re.patient_state state
        WHERE state.organization_id = organization AND state.risk_group IS NOT NULL
            AND state.long_name_start IS NOT NULL
            AND state.long_name_start >= left(from_name, 200)
            AND (state.folded_name, state.patient_id) > (from_name, from_id)
            AND state.last_contact_day BETWEEN first_days[state.risk_group + 1] AND last_days[state.risk_group + 1]
            AND (term IS NULL OR re.matches(state.folded_name, state.folded_email, state.phone_digits, term, digits))
        ORDER BY state.long_name_start, state.folded_name, state.patient_id
        LIMIT row_limit)
    ) named
    ORDER BY named.name, named.patient_id
    LIMIT row_limit;
END $$;
