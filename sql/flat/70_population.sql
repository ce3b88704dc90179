-- What the flat answers are made of. They read the derived tables alone, whose moment need not be the snapshot's.

CREATE OR REPLACE FUNCTION re.flat_clock(organization text) RETURNS TABLE (now timestamptz, today date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.now, re.day_of(t.now, s.time_zone)
    FROM re.state_of(organization) s
    CROSS JOIN LATERAL (SELECT re.now() AS now OFFSET 0) t
    WHERE s.organization_id = organization
    OFFSET 0;
END;

-- The patients counted today by class and days since last contact, in at most 9 × 91 rows: from 90 days on neither level
-- nor score changes any more, so that these are the class's total less the cells of the last 90 days.
CREATE OR REPLACE FUNCTION re.flat_population(organization text)
RETURNS TABLE (class integer, days integer, number bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH recent AS MATERIALIZED (
        SELECT c.class, k.today - c.last_contact_day AS days, c.number
        FROM re.flat_clock(organization) k
        -- Fenced, so that today is a parameter in it: row-level security keeps calculations with a column off an index.
        CROSS JOIN LATERAL (
            SELECT r.class::integer AS class, r.last_contact_day, r.number
            FROM re.cell r
            WHERE r.organization_id = organization AND r.last_contact_day > k.today - 90
            OFFSET 0
        ) c
    )
    SELECT c.class, c.days, c.number
    FROM (
        SELECT r.class, r.days, r.number FROM recent r
        UNION ALL
        SELECT t.class::integer, 90, t.number - coalesce(l.number, 0)
        FROM re.cell t
        LEFT JOIN (SELECT r.class, sum(r.number)::bigint AS number FROM recent r GROUP BY r.class) l ON l.class = t.class
        WHERE t.organization_id = organization AND t.last_contact_day = '-infinity'
    ) c
    WHERE c.number <> 0
    OFFSET 0;
END;

-- How many patients are counted today, and how many of them fit: those whose last contact lies, for their class, between
-- the days given.
CREATE OR REPLACE FUNCTION re.flat_count(organization text, today date, is_filtered boolean, first_days date[], last_days date[])
RETURNS TABLE (patients bigint, fitting bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    IF is_filtered THEN
        SELECT coalesce(sum(p.number), 0), coalesce(sum(p.number) FILTER (
            WHERE today - p.days BETWEEN first_days[p.class + 1] AND last_days[p.class + 1]), 0)
        INTO patients, fitting
        FROM re.flat_population(organization) p;
    ELSE
        SELECT coalesce(sum(c.number), 0) INTO patients
        FROM re.cell c
        WHERE c.organization_id = organization AND c.last_contact_day = '-infinity';
        fitting := patients;
    END IF;
    RETURN NEXT;
END $$;

-- The patients that come next in the order of priority, or of last contact: of each class those whose last contact lies
-- between two days, which is all that the filters choose by. Within a class the order of priority is (last contact day, id):
-- with more days since the last contact the score never falls (re.recency does not, and the rest is the class's), and the
-- number of the action priority never rises (within a class it is always 4, or falls as the tier rises with the score and as
-- dormant comes with 30 days). So each class is one stream, in the order of an index, and the list a merge of the nine. The
-- order of last contact is another merge of the same.
--
-- None is read further than the page can reach: the class that comes first has the page's number of patients up to some
-- place, if it has so many, and no patient behind that place can be on the page.
CREATE OR REPLACE FUNCTION re.flat_page(
    organization text, by_contact boolean, first_days date[], last_days date[], row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_id text)
RETURNS TABLE (patient_id text, class integer, days integer, score integer, priority integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH stream AS MATERIALIZED (
        SELECT c.class, k.today, k.most_days, s.first_day, last_days[c.class + 1] AS last_day,
            -- With the cursor's own place it goes on behind its id.
            CASE WHEN s.first_day = f.day AND f.is_here THEN after_id ELSE '' END AS first_id
        FROM (
            SELECT k.today, m.most_days,
                re.cursor_place(by_contact, after_priority, after_score, after_days, m.most_days) AS after_place
            FROM re.flat_clock(organization) k
            -- No day lies further back than the calendar of the source, which begins with year 1 in UTC.
            CROSS JOIN LATERAL (SELECT k.today - date '0001-01-01' + 2 AS most_days OFFSET 0) m
            OFFSET 0
        ) k
        CROSS JOIN generate_series(0, 8) AS c(class)
        CROSS JOIN LATERAL (
            -- Behind the cursor come those with fewer days than its place takes.
            SELECT CASE
                    WHEN after_id IS NULL THEN '-infinity'
                    ELSE k.today - d.days + CASE WHEN p.is_here THEN 0 ELSE 1 END
                END AS day, p.is_here
            FROM (SELECT re.least_days(c.class, k.after_place, k.most_days, by_contact) AS days OFFSET 0) d
            CROSS JOIN LATERAL (SELECT re.class_order(c.class, d.days, by_contact) = k.after_place AS is_here OFFSET 0) p
            OFFSET 0
        ) f
        CROSS JOIN LATERAL (SELECT greatest(f.day, first_days[c.class + 1]) AS first_day OFFSET 0) s
    ), reach AS MATERIALIZED (
        SELECT re.class_order(f.class, f.today - l.last_contact_day, by_contact) AS place
        FROM (
            SELECT s.*
            FROM stream s
            CROSS JOIN LATERAL (
                SELECT t.last_contact_day
                FROM re.patient_state t
                WHERE t.organization_id = organization AND t.class = s.class
                    AND (t.last_contact_day, t.patient_id) > (s.first_day, s.first_id) AND t.last_contact_day <= s.last_day
                ORDER BY t.last_contact_day, t.patient_id
                LIMIT 1
            ) t
            ORDER BY re.class_order(s.class, s.today - t.last_contact_day, by_contact)
            LIMIT 1
        ) f
        CROSS JOIN LATERAL (
            SELECT t.last_contact_day
            FROM re.patient_state t
            WHERE t.organization_id = organization AND t.class = f.class
                AND (t.last_contact_day, t.patient_id) > (f.first_day, f.first_id) AND t.last_contact_day <= f.last_day
            ORDER BY t.last_contact_day, t.patient_id
            LIMIT 1 OFFSET greatest(row_limit, 1) - 1
        ) l
        -- No limit is no end.
        WHERE row_limit > 0
    )
    SELECT p.patient_id, p.class, p.days, re.class_score(p.class, p.days), re.class_priority(p.class, p.days)
    FROM (
        SELECT t.patient_id, s.class, t.days, re.class_order(s.class, t.days, by_contact) AS place
        FROM stream s
        LEFT JOIN reach r ON true
        CROSS JOIN LATERAL (
            SELECT CASE
                    WHEN r.place IS NULL THEN s.last_day
                    ELSE least(s.last_day, s.today - re.least_days(s.class, r.place, s.most_days, by_contact))
                END AS day
            OFFSET 0
        ) last
        CROSS JOIN LATERAL (
            SELECT t.patient_id, s.today - t.last_contact_day AS days
            FROM re.patient_state t
            WHERE t.organization_id = organization AND t.class = s.class
                AND (t.last_contact_day, t.patient_id) > (s.first_day, s.first_id) AND t.last_contact_day <= last.day
            ORDER BY t.last_contact_day, t.patient_id
            LIMIT row_limit
        ) t
        ORDER BY 4, t.patient_id
        LIMIT row_limit
    ) p
    ORDER BY p.place, p.patient_id;
END;
