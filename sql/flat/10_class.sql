-- A patient's class says with the last contact day all that score, action and place in the list depend on:
-- class = 3 × kind + missed appointments in 90 days (0, 1, 2 or more), where kind is 0 with an upcoming appointment,
-- 1 with some contact but nothing upcoming, 2 with neither. The definitions' own formulas then give, for a class:

CREATE OR REPLACE FUNCTION re.class_status(class integer, days integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.engagement_status(class / 3 = 0, class / 3 = 1, days);

-- Of each class, for 0 to 90 days; beyond, neither changes. The planner works these out once for each session's plan and
-- keeps them as constants, so that a row takes a look-up, where the formulas took more than all else that is done with it.
CREATE OR REPLACE FUNCTION re.class_scores() RETURNS smallint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(re.risk_score(d, c % 3, c / 3 = 0)::smallint ORDER BY c, d)
    FROM generate_series(0, 8) AS c, generate_series(0, 90) AS d;
END;

CREATE OR REPLACE FUNCTION re.class_priorities() RETURNS smallint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(re.action_priority(re.class_status(c, d), re.risk_tier(re.risk_score(d, c % 3, c / 3 = 0)))::smallint
        ORDER BY c, d)
    FROM generate_series(0, 8) AS c, generate_series(0, 90) AS d;
END;

CREATE OR REPLACE FUNCTION re.class_score(class integer, days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (re.class_scores())[91 * class + least(days, 90) + 1];

CREATE OR REPLACE FUNCTION re.class_priority(class integer, days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (re.class_priorities())[91 * class + least(days, 90) + 1];

-- The place in the list, the id apart, as one number, since a page compares a hundred times as many as it shows: by priority,
-- then by falling score (0 to 100), then by falling days (fewer than 4 million, the calendar's); or in the order of last
-- contact by falling days, then by priority and score.
CREATE OR REPLACE FUNCTION re.class_orders() RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(1000 * p.priority - s.score ORDER BY s.nr)
    FROM unnest(re.class_scores()) WITH ORDINALITY AS s(score, nr)
    JOIN unnest(re.class_priorities()) WITH ORDINALITY AS p(priority, nr) USING (nr);
END;

CREATE OR REPLACE FUNCTION re.place(by_contact boolean, priority_and_score integer, days integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    -- A cursor's is above -1000 and below 9000.
    WHEN by_contact THEN priority_and_score + 1000 - 10000::bigint * days
    ELSE priority_and_score * 4000000::bigint - days
END;

CREATE OR REPLACE FUNCTION re.class_order(class integer, days integer, by_contact boolean) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.place(by_contact, (re.class_orders())[91 * class + least(days, 90) + 1], days);

-- A cursor may hold any numbers; what no patient can have stands beside the nearest that one can.
CREATE OR REPLACE FUNCTION re.cursor_place(by_contact boolean, priority integer, score integer, days integer, most_days integer)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.place(by_contact, 1000 * greatest(least(priority, 5), 0) - greatest(least(score, 101), -1),
    greatest(least(days, most_days), -1));

-- The places of each class's patients, the days falling from 90 to 0, and so the places rising.
CREATE OR REPLACE FUNCTION re.class_rising_orders() RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(re.class_order(c, d, false) ORDER BY c, d DESC)
    FROM generate_series(0, 8) AS c, generate_series(0, 90) AS d;
END;

-- The least number of days with which a patient of the class stands at that place or before it: within a class more days
-- never stand later. At most the number given, since a place may lie before all that there is.
CREATE OR REPLACE FUNCTION re.least_days(class integer, place bigint, most_days integer, by_contact boolean) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN by_contact THEN least((9999 - place) / 10000
        + (re.class_order(class, ((9999 - place) / 10000)::integer, true) > place)::integer, most_days)::integer
    WHEN place < re.class_order(class, 90, false) THEN least(re.class_order(class, 90, false) - place + 90, most_days)::integer
    ELSE 91 - width_bucket(place, (re.class_rising_orders())[91 * class + 1 : 91 * class + 91])
END;

-- What a row of the master view is counted as.
CREATE OR REPLACE FUNCTION re.class_of(upcoming boolean, engagement_status text, missed_in_90_days integer) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (3 * CASE WHEN upcoming THEN 0 WHEN engagement_status <> 'stale' THEN 1 ELSE 2 END
    + least(missed_in_90_days, 2))::smallint;

-- How many of the days, which are in order, lie between two.
CREATE OR REPLACE FUNCTION re.number_of_days(days date[], first date, last date) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN width_bucket(last, days) - width_bucket(first - 1, days);

-- Each filter takes a range of days within a class, since with more days the level and the score's tier never fall, the
-- action priority's number never rises, and the status changes once at most (70_population). Least and most days of each
-- filter and class; the least after the most where there are none, and a most of 90 is no end.
CREATE OR REPLACE FUNCTION re.filter_names() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['level critical', 'level high', 'level medium', 'level low', 'level engaged',
    'status active', 'status dormant', 'status stale', 'priority 1', 'priority 2', 'priority 3', 'priority 4',
    'tier high', 'tier medium', 'tier low', 'nobody'];

CREATE OR REPLACE FUNCTION re.filter_days() RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH fitting AS (
        SELECT f.name, c AS class, d AS days
        FROM generate_series(0, 8) AS c
        CROSS JOIN generate_series(0, 90) AS d
        CROSS JOIN LATERAL (VALUES ('level ' || re.risk_level(d)), ('status ' || re.class_status(c, d)),
            ('priority ' || re.class_priority(c, d)), ('tier ' || re.risk_tier(re.class_score(c, d)))) AS f(name)
    )
    SELECT array_agg(d.days ORDER BY r.nr, r.class, d.is_most)
    FROM (
        SELECT n.nr, c AS class, coalesce(min(f.days), 91) AS least_days, coalesce(max(f.days), -1) AS most_days
        FROM unnest(re.filter_names()) WITH ORDINALITY AS n(name, nr)
        CROSS JOIN generate_series(0, 8) AS c
        LEFT JOIN fitting f ON f.name = n.name AND f.class = c
        GROUP BY n.nr, c
    ) r
    CROSS JOIN LATERAL (VALUES (false, r.least_days), (true, r.most_days)) AS d(is_most, days);
END;

-- The last contact days that fit all filters given, for each class from one to another.
CREATE OR REPLACE FUNCTION re.filtered_days(
    today date, wanted_level text, wanted_status text, wanted_priority integer, wanted_tier text)
RETURNS TABLE (first_days date[], last_days date[])
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT array_agg(CASE WHEN r.least_days > r.most_days THEN 'infinity' WHEN r.most_days = 90 THEN '-infinity'
            ELSE today - r.most_days END ORDER BY r.class),
        array_agg(CASE WHEN r.least_days > r.most_days THEN '-infinity' ELSE today - r.least_days END ORDER BY r.class)
    FROM (
        SELECT c AS class, coalesce(max((re.filter_days())[18 * f.nr + 2 * c - 17]), 0) AS least_days,
            coalesce(min((re.filter_days())[18 * f.nr + 2 * c - 16]), 90) AS most_days
        FROM generate_series(0, 8) AS c
        LEFT JOIN LATERAL (
            SELECT coalesce(array_position(re.filter_names(), w.name), cardinality(re.filter_names())) AS nr
            FROM (VALUES ('level ' || wanted_level), ('status ' || wanted_status), ('priority ' || wanted_priority),
                ('tier ' || wanted_tier)) AS w(name)
            WHERE w.name IS NOT NULL
        ) f ON true
        GROUP BY c
    ) r;
END;
