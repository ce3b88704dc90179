-- What the flat answers are made of. They read the derived tables alone, whose moment need not be the snapshot's.

CREATE OR REPLACE FUNCTION re.flat_clock(organization text) RETURNS TABLE (now timestamptz, today date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.now, re.day_of(t.now, s.time_zone)
    FROM re.organization_state s
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

-- The days since last contact that a level takes; null is all. No most is no end.
CREATE OR REPLACE FUNCTION re.level_range(wanted_level text) RETURNS TABLE (least_days integer, most_days integer)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT min(d), nullif(max(d), 45)
    FROM generate_series(0, 45) AS d
    WHERE wanted_level IS NULL OR re.risk_level(d) = wanted_level;
END;

-- The patients that come next in the order of priority. Within a class that order is (last contact day, id): with more
-- days since the last contact the score never falls (re.recency does not, and the rest is the class's), and the number of
-- the action priority never rises (within a class it is always 4, or falls as the tier rises with the score and as
-- dormant comes with 30 days). So each class is one stream, in the order of an index, and the list a merge of the nine.
--
-- Where a stream goes on after the cursor follows from the formulas, for the same reason: the days since last contact
-- at which a class's patients come after the cursor are all those up to some number, beyond 90 days all alike.
CREATE OR REPLACE FUNCTION re.flat_page(
    organization text, wanted_level text, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_id text)
RETURNS TABLE (patient_id text, class integer, days integer, score integer, priority integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.patient_id, p.class, p.days, re.class_score(p.class, p.days), re.class_priority(p.class, p.days)
    FROM (
        SELECT s.patient_id, c.class, s.days
        FROM (
            -- No day lies further back than the calendar of the source, which begins with year 1 in UTC.
            SELECT k.today, k.today - date '0001-01-01' + 1 AS most_days FROM re.flat_clock(organization) k OFFSET 0
        ) k
        CROSS JOIN re.level_range(wanted_level) l
        CROSS JOIN generate_series(0, 8) AS c(class)
        CROSS JOIN LATERAL (
            SELECT CASE
                    WHEN after_priority IS NULL THEN '-infinity'
                    WHEN f.is_here THEN k.today - after_days
                    WHEN f.is_before_all THEN '-infinity'
                    ELSE k.today - (
                        SELECT max(d.days)
                        FROM (SELECT e.days, re.class_score(c.class, e.days) AS score FROM generate_series(0, 89) AS e(days) OFFSET 0) d
                        WHERE (re.class_priority(c.class, d.days), -d.score, -d.days)
                            > (after_priority, -after_score, -after_days))
                END AS day,
                CASE WHEN f.is_here THEN after_id ELSE '' END AS id
            FROM (
                SELECT g.days = after_days AND g.score = after_score
                        AND re.class_priority(c.class, g.days) = after_priority AS is_here,
                    (re.class_priority(c.class, 90), -h.score, -k.most_days)
                        > (after_priority, -after_score, -after_days) AS is_before_all
                FROM (
                    SELECT g.days, re.class_score(c.class, g.days) AS score
                    FROM (SELECT CASE WHEN after_days BETWEEN 0 AND k.most_days THEN after_days END AS days OFFSET 0) g
                    OFFSET 0
                ) g
                CROSS JOIN (SELECT re.class_score(c.class, 90) AS score OFFSET 0) h
                OFFSET 0
            ) f
            OFFSET 0
        ) cursor
        CROSS JOIN LATERAL (
            SELECT greatest(cursor.day, k.today - l.most_days) AS day,
                CASE WHEN cursor.day >= coalesce(k.today - l.most_days, '-infinity') THEN cursor.id ELSE '' END AS id
            OFFSET 0
        ) start
        CROSS JOIN LATERAL (
            SELECT t.patient_id, k.today - t.last_contact_day AS days
            FROM re.patient_state t
            WHERE t.organization_id = organization AND t.class = c.class
                AND (t.last_contact_day, t.patient_id) > (start.day, start.id)
                AND t.last_contact_day <= k.today - l.least_days
            ORDER BY t.last_contact_day, t.patient_id
            LIMIT row_limit
        ) s
        WHERE cursor.day IS NOT NULL
        ORDER BY re.class_order(c.class, s.days), s.patient_id
        LIMIT row_limit
    ) p
    ORDER BY 5, 4 DESC, p.days DESC, p.patient_id;
END;
