-- A page of the list, and how many patients fit: null where a search finds more than 1000. An empty page is one row without
-- a patient.
--
-- The orders of priority and of last contact are read off an index, whatever the filters. For the order of names with a
-- filter, and for a search, there is no such index: either those that match are gathered and sorted, or the order is walked
-- until the page is full. Of N patients M match. Sorting reads M rows and walking, for a page of L, about L × N / M: the
-- less of the two is at most √(L × N). Filters' matches are known from the counters. A search's are gathered up to 1000;
-- where there are more, the order is walked for 2 √(L × N) rows, and if that does not fill the page, all are gathered.
CREATE OR REPLACE FUNCTION re.flat_list(
    organization text, wanted_level text, wanted_status text, wanted_priority integer, wanted_tier text,
    wanted_text text, sort_by text, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_name text, after_id text)
RETURNS TABLE (nr bigint, patient_id text, class integer, days integer, sort_name text, total bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $$
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
    number bigint;
    few integer;
    from_name text;
    is_indexed boolean;
    found_ids text[];
    found_classes smallint[];
    found_contacts date[];
BEGIN
    IF num_nonnulls(wanted_level, wanted_status, wanted_priority, wanted_tier) > 0 THEN
        SELECT k.today, r.first_days, r.last_days, c.patients, c.fitting INTO today, first_days, last_days, patients, number
        FROM re.flat_clock(organization) k
        CROSS JOIN LATERAL re.filtered_days(k.today, wanted_level, wanted_status, wanted_priority, wanted_tier) r
        CROSS JOIN LATERAL re.flat_count(organization, k.today, true, r.first_days, r.last_days) c;
    ELSE
        first_days := array_fill('-infinity'::date, ARRAY[9]);
        last_days := array_fill('infinity'::date, ARRAY[9]);
        SELECT k.today, c.patients, c.fitting INTO today, patients, number
        FROM re.flat_clock(organization) k
        CROSS JOIN LATERAL re.flat_count(organization, k.today, false, first_days, last_days) c;
    END IF;

    IF wanted_text IS NULL AND NOT by_name THEN
        RETURN QUERY
        SELECT row_number() OVER (), p.patient_id, p.class, p.days, NULL::text, number
        FROM re.flat_page(organization, by_contact, first_days, last_days, row_limit,
            after_priority, after_score, after_days, after_id) p;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 1::bigint, NULL::text, NULL::integer, NULL::integer, NULL::text, number;
        END IF;
        RETURN;
    END IF;

    term := re.search_text(wanted_text);
    digits := re.search_digits(wanted_text);
    -- No limit is all.
    few := coalesce(least(ceil(sqrt(row_limit::double precision * patients)), 500000), patients);
    IF by_name THEN
        -- Of the cursor's patient, whose name it may hold cut short.
        from_name := CASE WHEN after_id IS NULL THEN '' ELSE coalesce((
            SELECT s.folded_name FROM re.patient_state s
            WHERE s.organization_id = organization AND s.patient_id = after_id AND s.class IS NOT NULL
                AND starts_with(s.folded_name, after_name)), after_name) END;
    END IF;

    IF term IS NULL AND number > few THEN
        RETURN QUERY
        SELECT row_number() OVER (), n.patient_id, n.class::integer, today - n.last_contact_day, n.sort_name, number
        FROM re.flat_names(organization, NULL, NULL, first_days, last_days, row_limit, NULL, from_name, coalesce(after_id, '')) n;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 1::bigint, NULL::text, NULL::integer, NULL::integer, NULL::text, number;
        END IF;
        RETURN;
    END IF;

    is_indexed := term IS NOT NULL AND number > few AND length(term) >= 3
        AND current_setting('reengagement.organization', true) = organization;
    SELECT f.ids, f.classes, f.contacts INTO found_ids, found_classes, found_contacts
    FROM re.flat_gathered(organization, is_indexed, term, digits, first_days, last_days, CASE WHEN number > few THEN 1001 END) f;
    IF term IS NOT NULL THEN
        IF number > few AND cardinality(found_ids) > 1000 THEN
            RETURN QUERY
            SELECT w.nr, w.patient_id, w.class, w.days, w.sort_name, NULL::bigint
            FROM re.flat_walk(organization, by_name, by_contact, term, digits, today, first_days, last_days, row_limit, 2 * few,
                after_priority, after_score, after_days, from_name, after_id) w;
            IF FOUND THEN
                RETURN;
            END IF;
            SELECT f.ids, f.classes, f.contacts INTO found_ids, found_classes, found_contacts
            FROM re.flat_gathered(organization, is_indexed, term, digits, first_days, last_days, NULL) f;
        END IF;
        number := CASE WHEN cardinality(found_ids) <= 1000 THEN cardinality(found_ids) END;
    END IF;

    RETURN QUERY
    SELECT row_number() OVER (ORDER BY m.sort_name, m.place, m.patient_id), m.patient_id, m.class, m.days, m.sort_name, number
    FROM (
        SELECT f.id COLLATE "C" AS patient_id, f.class::integer AS class, d.days, s.folded_name AS sort_name,
            CASE WHEN by_name THEN 0 ELSE re.class_order(f.class, d.days, by_contact) END AS place
        FROM unnest(found_ids, found_classes, found_contacts) AS f(id, class, last_contact_day)
        CROSS JOIN LATERAL (SELECT today - f.last_contact_day AS days OFFSET 0) d
        LEFT JOIN LATERAL (
            SELECT s.folded_name FROM re.patient_state s
            WHERE by_name AND s.organization_id = organization AND s.patient_id = f.id
            OFFSET 0
        ) s ON true
    ) m
    WHERE after_id IS NULL OR CASE WHEN by_name THEN (m.sort_name, m.patient_id) > (from_name, after_id)
        ELSE (m.place, m.patient_id) > (re.cursor_place(by_contact, after_priority, after_score, after_days,
            today - date '0001-01-01' + 2), after_id) END
    ORDER BY 1
    LIMIT row_limit;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 1::bigint, NULL::text, NULL::integer, NULL::integer, NULL::text, number;
    END IF;
END $$;

-- Those that match, at most so many, in no order.
CREATE OR REPLACE FUNCTION re.flat_gathered(
    organization text, is_indexed boolean, term text, digits text, first_days date[], last_days date[], most integer,
    OUT ids text[], OUT classes smallint[], OUT contacts date[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $$
BEGIN
    IF is_indexed THEN
        SELECT array_agg(f.patient_id), array_agg(f.class), array_agg(f.last_contact_day) INTO ids, classes, contacts
        FROM re.search(organization, term, digits, first_days, last_days, most) f;
    ELSE
        SELECT array_agg(f.patient_id), array_agg(f.class), array_agg(f.last_contact_day) INTO ids, classes, contacts
        FROM re.flat_matches(organization, term, digits, first_days, last_days, most) f;
    END IF;
    ids := coalesce(ids, '{}');
END $$;

-- The page by walking an order, at most so many patients far; nobody where that does not fill it. What a search looks for is
-- looked for in so many at a time, and in more of them the longer it takes.
CREATE OR REPLACE FUNCTION re.flat_walk(
    organization text, by_name boolean, by_contact boolean, term text, digits text,
    today date, first_days date[], last_days date[], row_limit integer, budget integer,
    after_priority integer, after_score integer, after_days integer, from_name text, after_id text)
RETURNS TABLE (nr bigint, patient_id text, class integer, days integer, sort_name text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    size integer := least(greatest(row_limit, 200), budget);
    page record;
    matching record;
    ids text[] := '{}';
    classes integer[];
    days integer[];
    names text[];
BEGIN
    IF by_name THEN
        SELECT array_agg(n.patient_id), array_agg(n.class::integer), array_agg(today - n.last_contact_day), array_agg(n.sort_name)
        INTO ids, classes, days, names
        FROM re.flat_names(organization, term, digits, first_days, last_days, row_limit, budget, from_name, coalesce(after_id, '')) n;
    END IF;
    WHILE NOT by_name AND cardinality(ids) < row_limit AND budget > 0 LOOP
        SELECT array_agg(p.patient_id) AS ids, array_agg(p.class) AS classes, array_agg(p.days) AS days,
            (array_agg(p.score))[size] AS score, (array_agg(p.priority))[size] AS priority
        INTO page
        FROM re.flat_page(organization, by_contact, first_days, last_days, size,
            after_priority, after_score, after_days, after_id) p;
        EXIT WHEN page.ids IS NULL;
        SELECT array_agg(p.id ORDER BY p.nr) AS ids, array_agg(p.class ORDER BY p.nr) AS classes, array_agg(p.days ORDER BY p.nr) AS days
        INTO matching
        FROM unnest(page.ids, page.classes, page.days) WITH ORDINALITY AS p(id, class, days, nr)
        CROSS JOIN LATERAL (
            SELECT s.folded_name, s.folded_email, s.phone_digits
            FROM re.patient_state s
            WHERE s.organization_id = organization AND s.class = p.class AND s.last_contact_day = today - p.days
                AND s.patient_id >= p.id AND s.patient_id <= p.id
            OFFSET 0
        ) s
        WHERE re.holds(s.folded_name, s.folded_email, s.phone_digits, term, digits);
        ids := ids || matching.ids;
        classes := classes || matching.classes;
        days := days || matching.days;
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
        SELECT f.nr, f.id, f.class, f.days, f.name
        FROM unnest(ids, classes, days, names) WITH ORDINALITY AS f(id, class, days, name, nr)
        ORDER BY f.nr
        LIMIT row_limit;
    END IF;
END $$;
