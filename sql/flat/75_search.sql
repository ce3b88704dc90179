-- Who holds what is searched (25_search_pieces), and who comes next in the order of names.

CREATE OR REPLACE FUNCTION re.holds(folded_name text, folded_email text, phone_digits text, term text, digits text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(strpos(folded_name, term) > 0, false) OR coalesce(strpos(folded_email, term) > 0, false)
    OR coalesce(strpos(phone_digits, digits) > 0, false);

-- At most so many of the bound organization's patients that hold the term, of at least three characters, or the digits, and
-- whose last contact lies for their class between the days given. It runs as a role that sees every organization's numbers
-- and of all else the bound organization's alone (0231_list_flat).
CREATE OR REPLACE FUNCTION re.search(
    organization text, term text, digits text, first_days date[], last_days date[], most integer)
RETURNS TABLE (patient_id text, class smallint, last_contact_day date)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $$
DECLARE
    of_term integer[] := re.search_pieces(organization, term, NULL, NULL);
    of_digits integer[] := re.search_pieces(organization, NULL, NULL, digits);
    of_long_text integer[] := ARRAY[re.search_piece(organization, 0, '')];
    of_long_number integer[] := CASE WHEN digits IS NOT NULL THEN ARRAY[re.search_piece(organization, 1, '')] END;
BEGIN
    IF organization IS DISTINCT FROM nullif(current_setting('reengagement.organization', true), '') THEN
        RETURN;
    END IF;
    -- Without pieces everybody would be a candidate.
    IF of_term = '{}' OR digits IS NOT NULL AND of_digits = '{}' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a search takes three characters';
    END IF;
    IF digits IS NULL THEN
        of_digits := NULL;
    END IF;
    RETURN QUERY
    SELECT s.patient_id, s.class, s.last_contact_day
    FROM (
        SELECT p.organization_id, p.patient_id
        FROM re.patient_search p
        WHERE p.pieces @> of_term OR p.pieces @> of_digits OR p.pieces @> of_long_text OR p.pieces @> of_long_number
        OFFSET 0
    ) c
    CROSS JOIN LATERAL (
        SELECT s.patient_id, s.class, s.last_contact_day, s.folded_name, s.folded_email, s.phone_digits
        FROM re.patient_state s
        WHERE s.organization_id = organization AND s.patient_id = c.patient_id AND s.class IS NOT NULL
        OFFSET 0
    ) s
    WHERE c.organization_id = organization
        AND s.last_contact_day BETWEEN first_days[s.class + 1] AND last_days[s.class + 1]
        AND re.holds(s.folded_name, s.folded_email, s.phone_digits, term, digits)
    LIMIT most;
END $$;

-- The same by reading all whose last contact lies between the days given; no term is any.
CREATE OR REPLACE FUNCTION re.flat_matches(
    organization text, term text, digits text, first_days date[], last_days date[], most integer)
RETURNS TABLE (patient_id text, class smallint, last_contact_day date)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT s.patient_id, s.class, s.last_contact_day
    FROM (SELECT (r.nr - 1)::smallint AS class, r.first_day, r.last_day
        FROM unnest(first_days, last_days) WITH ORDINALITY AS r(first_day, last_day, nr) OFFSET 0) r
    CROSS JOIN LATERAL (
        SELECT s.patient_id, s.class, s.last_contact_day, s.folded_name, s.folded_email, s.phone_digits
        FROM re.patient_state s
        WHERE s.organization_id = organization AND s.class = r.class AND s.last_contact_day BETWEEN r.first_day AND r.last_day
        OFFSET 0
    ) s
    WHERE term IS NULL OR re.holds(s.folded_name, s.folded_email, s.phone_digits, term, digits)
    LIMIT most;
END $$;

-- The patients that come next in the order of names, by walking it, at most so many patients far. Long names stand in an
-- index of their own, by their beginnings; there are few or none.
CREATE OR REPLACE FUNCTION re.flat_names(
    organization text, term text, digits text, first_days date[], last_days date[], row_limit integer, budget integer,
    from_name text, from_id text)
RETURNS TABLE (patient_id text, class smallint, last_contact_day date, sort_name text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY
    SELECT n.*
    FROM (
        (SELECT s.patient_id, s.class, s.last_contact_day, s.short_name AS name
        FROM (
            SELECT s.patient_id, s.class, s.last_contact_day, s.short_name
            FROM re.patient_state s
            WHERE s.organization_id = organization AND s.class IS NOT NULL AND s.short_name IS NOT NULL
                AND (s.short_name, s.patient_id) > (from_name, from_id)
            ORDER BY s.short_name, s.patient_id
            LIMIT budget
        ) s
        WHERE s.last_contact_day BETWEEN first_days[s.class + 1] AND last_days[s.class + 1]
            -- Apart, so that without a term the index tells all.
            AND (term IS NULL OR (SELECT re.holds(t.folded_name, t.folded_email, t.phone_digits, term, digits)
                FROM re.patient_state t WHERE t.organization_id = organization AND t.patient_id = s.patient_id))
        ORDER BY s.short_name, s.patient_id
        LIMIT row_limit)
        UNION ALL
        (SELECT s.patient_id, s.class, s.last_contact_day, s.folded_name
        FROM re.patient_state s
        WHERE s.organization_id = organization AND s.class IS NOT NULL AND s.long_name_start IS NOT NULL
            AND s.long_name_start >= left(from_name, 200) AND (s.folded_name, s.patient_id) > (from_name, from_id)
            AND s.last_contact_day BETWEEN first_days[s.class + 1] AND last_days[s.class + 1]
            AND (term IS NULL OR re.holds(s.folded_name, s.folded_email, s.phone_digits, term, digits))
        ORDER BY s.long_name_start, s.folded_name, s.patient_id
        LIMIT row_limit)
    ) n
    ORDER BY n.name, n.patient_id
    LIMIT row_limit;
END $$;
