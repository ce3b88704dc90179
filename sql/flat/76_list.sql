-- A page of the list, and the number of patients that fit: null where a search finds more than 1000. An empty page is
-- one row without a patient.
--
-- The orders of priority and of the last contact are read from an index, whatever the filters. For the order of names
-- with a filter, and for a search, there is no such index. Either the matching patients are gathered and sorted, or the
-- order is walked until the page is full. Let M of N patients match. Sorting reads M rows; walking reads about L × N /
-- M rows for a page of L. The smaller of both is at most √(L × N). For filters M is known from the counters. For a
-- search up to 1000 matches are gathered. If there are more, the order is walked for 2 √(L × N) rows, and if that does
-- not fill the page, all matches are gathered.
CREATE OR REPLACE FUNCTION re.flat_list(
    organization text, wanted_level text, wanted_status text, wanted_priority integer, wanted_tier text,
    wanted_text text, sort_by text, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_name text, after_id text)
RETURNS TABLE (number bigint, patient_id text, risk_group integer, days integer, sort_name text, total bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    by_name boolean := sort_by = 'name';
    by_contact boolean := sort_by = 'last_contact';
    term text;
    digits text;
    today date;
    first_days date[];
    last_days date[];
    patients bigint;
    fitting bigint;
    few integer;
    from_name text;
    is_indexed boolean;
    matches re.found_patients;
BEGIN
    IF num_nonnulls(wanted_level, wanted_status, wanted_priority, wanted_tier) > 0 THEN
        SELECT clock.today, filter.first_days, filter.last_days, counted.patients, counted.fitting
        INTO today, first_days, last_days, patients, fitting
        FROM re.flat_clock(organization) clock
        CROSS JOIN LATERAL re.filtered_days(
            clock.today, wanted_level, wanted_status, wanted_priority, wanted_tier) filter
        CROSS JOIN LATERAL re.flat_count(organization, clock.today, true, filter.first_days, filter.last_days) counted;
    ELSE
        first_days := re.any_first_days();
        last_days := re.any_last_days();
        SELECT clock.today, counted.patients, counted.fitting INTO today, patients, fitting
        FROM re.flat_clock(organization) clock
        CROSS JOIN LATERAL re.flat_count(organization, clock.today, false, first_days, last_days) counted;
    END IF;

    IF wanted_text IS NULL AND NOT by_name THEN
        RETURN QUERY
        SELECT row_number() OVER (), page.patient_id, page.risk_group, page.days, NULL::text, fitting
        FROM re.flat_page(organization, by_contact, first_days, last_days, row_limit,
            after_priority, after_score, after_days, after_id) page;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 1::bigint, NULL::text, NULL::integer, NULL::integer, NULL::text, fitting;
        END IF;
        RETURN;
    END IF;

    term := re.search_text(wanted_text);
    digits := re.search_digits(wanted_text);
    -- A null row_limit asks for all patients.
    few := coalesce(least(ceil(sqrt(row_limit::double precision * patients)), 500000), patients);
    IF by_name THEN
        -- The whole name of the cursor's patient. The cursor may contain only its beginning.
        from_name := CASE WHEN after_id IS NULL THEN '' ELSE coalesce((
            SELECT state.folded_name FROM re.patient_state state
            WHERE state.organization_id = organization AND state.patient_id = after_id AND state.risk_group IS NOT NULL
                AND starts_with(state.folded_name, after_name)), after_name) END;
    END IF;

    IF term IS NULL AND fitting > few THEN
        RETURN QUERY
        SELECT row_number() OVER (), named.patient_id, named.risk_group::integer, today - named.last_contact_day,
            named.sort_name, fitting
        FROM re.flat_names(organization, NULL, NULL, first_days, last_days, row_limit, NULL, from_name,
            coalesce(after_id, '')) named;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 1::bigint, NULL::text, NULL::integer, NULL::integer, NULL::text, fitting;
        END IF;
        RETURN;
    END IF;

    is_indexed := term IS NOT NULL AND fitting > few AND length(term) >= 3
        AND current_setting('reengagement.organization', true) = organization;
    matches := re.flat_gathered(organization, is_indexed, term, digits, first_days, last_days,
        CASE WHEN fitting > few THEN re.most_counted_matches() + 1 END);
    IF term IS NOT NULL THEN
        IF fitting > few AND cardinality(matches.ids) > re.most_counted_matches() THEN
            RETURN QUERY
            SELECT page.number, page.patient_id, page.risk_group, page.days, page.sort_name, NULL::bigint
            FROM re.flat_walk(organization, by_name, by_contact, term, digits, today, first_days, last_days, row_limit,
                2 * few, after_priority, after_score, after_days, from_name, after_id) page;
            IF FOUND THEN
                RETURN;
            END IF;
            matches := re.flat_gathered(organization, is_indexed, term, digits, first_days, last_days, NULL);
        END IF;
        fitting := CASE WHEN cardinality(matches.ids) <= re.most_counted_matches() THEN cardinality(matches.ids) END;
    END IF;

    RETURN QUERY
    SELECT row_number() OVER (ORDER BY patient.sort_name, patient.order_key, patient.patient_id) AS number,
        patient.patient_id, patient.risk_group, patient.days, patient.sort_name, fitting
    FROM (
        SELECT match.id COLLATE "C" AS patient_id, match.risk_group::integer AS risk_group, contact.days,
            name.folded_name AS sort_name,
            CASE WHEN by_name THEN 0 ELSE re.group_order_key(match.risk_group, contact.days, by_contact) END
                AS order_key
        FROM unnest(matches.ids, matches.risk_groups, matches.contacts) AS match(id, risk_group, last_contact_day)
        CROSS JOIN LATERAL (SELECT today - match.last_contact_day AS days OFFSET 0) contact
        LEFT JOIN LATERAL (
            SELECT state.folded_name FROM re.patient_state state
            WHERE by_name AND state.organization_id = organization AND state.patient_id = match.id
            OFFSET 0
        ) name ON true
    ) patient
    WHERE after_id IS NULL OR CASE WHEN by_name THEN (patient.sort_name, patient.patient_id) > (from_name, after_id)
        ELSE (patient.order_key, patient.patient_id) > (re.cursor_order_key(by_contact, after_priority, after_score,
            after_days, today - date '0001-01-01' + 2), after_id) END
    ORDER BY number
    LIMIT row_limit;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 1::bigint, NULL::text, NULL::integer, NULL::integer, NULL::text, fitting;
    END IF;
END $$;

-- The intervals of the list without a filter, which contain all days.
CREATE OR REPLACE FUNCTION re.any_first_days() RETURNS date[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_fill('-infinity'::date, ARRAY[9]);

CREATE OR REPLACE FUNCTION re.any_last_days() RETURNS date[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_fill('infinity'::date, ARRAY[9]);

-- The matching patients, at most `most`, in no order.
CREATE OR REPLACE FUNCTION re.flat_gathered(
    organization text, is_indexed boolean, term text, digits text, first_days date[], last_days date[], most integer)
RETURNS re.found_patients
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    matches re.found_patients;
BEGIN
    IF is_indexed THEN
        SELECT array_agg(match.patient_id), array_agg(match.risk_group), array_agg(match.last_contact_day) INTO matches
        FROM re.search(organization, term, digits, first_days, last_days, most) match;
    ELSE
        SELECT array_agg(match.patient_id), array_agg(match.risk_group), array_agg(match.last_contact_day) INTO matches
        FROM re.flat_matches(organization, term, digits, first_days, last_days, most) match;
    END IF;
    matches.ids := coalesce(matches.ids, '{}');
    RETURN matches;
END $$;

-- The page by walking an order, at most `budget` patients far; no row if that does not fill the page. The patients are
-- searched in batches, which grow with each step.
CREATE OR REPLACE FUNCTION re.flat_walk(
    organization text, by_name boolean, by_contact boolean, term text, digits text,
    today date, first_days date[], last_days date[], row_limit integer, budget integer,
    after_priority integer, after_score integer, after_days integer, from_name text, after_id text)
RETURNS TABLE (number bigint, patient_id text, risk_group integer, days integer, sort_name text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    size integer := least(greatest(row_limit, 200), budget);
    page record;
    matching record;
    ids text[] := '{}';
    risk_groups integer[];
    contact_days integer[];
    names text[];
BEGIN
    IF by_name THEN
        SELECT array_agg(named.patient_id), array_agg(named.risk_group::integer),
            array_agg(today - named.last_contact_day), array_agg(named.sort_name)
        INTO ids, risk_groups, contact_days, names
        FROM re.flat_names(organization, term, digits, first_days, last_days, row_limit, budget, from_name,
            coalesce(after_id, '')) named;
    END IF;
    WHILE NOT by_name AND cardinality(ids) < row_limit AND budget > 0 LOOP
        SELECT array_agg(next.patient_id) AS ids, array_agg(next.risk_group) AS risk_groups,
            array_agg(next.days) AS days,
            (array_agg(next.score))[size] AS score, (array_agg(next.priority))[size] AS priority
        INTO page
        FROM re.flat_page(organization, by_contact, first_days, last_days, size,
            after_priority, after_score, after_days, after_id) next;
        EXIT WHEN page.ids IS NULL;
        SELECT array_agg(patient.id ORDER BY patient.number) AS ids,
            array_agg(patient.risk_group ORDER BY patient.number) AS risk_groups,
            array_agg(patient.days ORDER BY patient.number) AS days
        INTO matching
        FROM unnest(page.ids, page.risk_groups, page.days) WITH ORDINALITY AS patient(id, risk_group, days, number)
        CROSS JOIN LATERAL re.listed_state(organization, patient.risk_group, today - patient.days, patient.id) state
        WHERE re.matches(state.folded_name, state.folded_email, state.phone_digits, term, digits);
        ids := ids || matching.ids;
        risk_groups := risk_groups || matching.risk_groups;
        contact_days := contact_days || matching.days;
        EXIT WHEN cardinality(page.ids) < size;
        after_priority := page.priority;
        after_score := page.score;
        after_days := page.days[size];
        after_id := page.ids[size];
        budget := budget - size;
        size := least(2 * size, 5000);
    END LOOP;
    IF cardinality(ids) >= row_limit THEN
        RETURN QUERY
        SELECT page.number, page.id, page.risk_group, page.days, page.name
        FROM unnest(ids, risk_groups, contact_days, names) WITH ORDINALITY AS page(id, risk_group, days, name, number)
        ORDER BY page.number
        LIMIT row_limit;
    END IF;
END $$;
