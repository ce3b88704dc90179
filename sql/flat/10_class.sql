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
-- then by falling score (0 to 100), then by falling days (fewer than 4 million, the calendar's).
CREATE OR REPLACE FUNCTION re.class_orders() RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg((1000 * p.priority - s.score) * 4000000::bigint ORDER BY s.nr)
    FROM unnest(re.class_scores()) WITH ORDINALITY AS s(score, nr)
    JOIN unnest(re.class_priorities()) WITH ORDINALITY AS p(priority, nr) USING (nr);
END;

CREATE OR REPLACE FUNCTION re.class_order(class integer, days integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (re.class_orders())[91 * class + least(days, 90) + 1] - days;

-- The places of each class's patients, the days falling from 90 to 0, and so the places rising.
CREATE OR REPLACE FUNCTION re.class_rising_orders() RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(re.class_order(c, d) ORDER BY c, d DESC)
    FROM generate_series(0, 8) AS c, generate_series(0, 90) AS d;
END;

-- The least number of days with which a patient of the class stands at that place or before it: within a class more days
-- never stand later. At most the number given, since a place may lie before all that there is.
CREATE OR REPLACE FUNCTION re.least_days(class integer, place bigint, most_days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN place < re.class_order(class, 90) THEN least(re.class_order(class, 90) - place + 90, most_days)::integer
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
