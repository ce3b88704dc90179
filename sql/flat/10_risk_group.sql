-- A patient's risk group. Together with the day of the last contact it determines the score, the engagement status, the
-- recommended action and the position in the list. The counters need no other key.
--
--   risk groups | upcoming appointment | any contact so far | missed appointments in 90 days
--   0, 1, 2     | yes                  | not relevant       | 0, 1, 2 or more
--   3, 4, 5     | no                   | yes                | 0, 1, 2 or more
--   6, 7, 8     | no                   | no                 | 0, 1, 2 or more

CREATE OR REPLACE FUNCTION re.risk_group(has_appointment boolean, engagement_status text, missed_in_90_days integer)
RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (CASE WHEN has_appointment THEN 0 WHEN engagement_status <> 'stale' THEN 3 ELSE 6 END
    + least(missed_in_90_days, re.most_scored_misses()))::smallint;

CREATE OR REPLACE FUNCTION re.has_appointment(risk_group integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN risk_group <= 2;

CREATE OR REPLACE FUNCTION re.risk_groups()
RETURNS TABLE (risk_group integer, has_appointment boolean, has_contact boolean, missed_in_90_days integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    VALUES (0, true, false, 0), (1, true, false, 1), (2, true, false, 2),
        (3, false, true, 0), (4, false, true, 1), (5, false, true, 2),
        (6, false, false, 0), (7, false, false, 1), (8, false, false, 2);
END;

CREATE OR REPLACE FUNCTION re.group_status(risk_group integer, days integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.engagement_status(risk_group BETWEEN 0 AND 2, risk_group BETWEEN 3 AND 5, days);

-- The arrays below have one element for each risk group and number of days since the last contact, from 0 to 90. After
-- 90 days neither the score nor the priority changes. The planner evaluates an array once for each plan, as a constant.
-- A row then costs one subscript. Evaluating the formulas for each row took more time than all other work on it.
CREATE OR REPLACE FUNCTION re.array_index(risk_group integer, days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (re.last_scored_day() + 1) * risk_group + least(days, re.last_scored_day()) + 1;

CREATE OR REPLACE FUNCTION re.risk_groups_by_days()
RETURNS TABLE (index integer, risk_group integer, days integer, has_appointment boolean, missed_in_90_days integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT re.array_index(risk.risk_group, days), risk.risk_group, days, risk.has_appointment, risk.missed_in_90_days
    FROM re.risk_groups() AS risk
    CROSS JOIN generate_series(0, re.last_scored_day()) AS days;
END;

CREATE OR REPLACE FUNCTION re.group_scores() RETURNS smallint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(re.risk_score(risk.days, risk.missed_in_90_days, risk.has_appointment)::smallint
        ORDER BY risk.index)
    FROM re.risk_groups_by_days() AS risk;
END;

CREATE OR REPLACE FUNCTION re.group_score(risk_group integer, days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (re.group_scores())[re.array_index(risk_group, days)];

CREATE OR REPLACE FUNCTION re.group_priorities() RETURNS smallint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(re.action_priority(re.group_status(risk.risk_group, risk.days),
        re.risk_tier(re.group_score(risk.risk_group, risk.days)))::smallint ORDER BY risk.index)
    FROM re.risk_groups_by_days() AS risk;
END;

CREATE OR REPLACE FUNCTION re.group_priority(risk_group integer, days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (re.group_priorities())[re.array_index(risk_group, days)];

-- Priority and score as one number: by rising priority, then by falling score (0 to 100).
CREATE OR REPLACE FUNCTION re.urgency(priority integer, score integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1000 * priority - score;

CREATE OR REPLACE FUNCTION re.group_urgencies() RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(
        re.urgency(re.group_priority(risk.risk_group, risk.days), re.group_score(risk.risk_group, risk.days))
        ORDER BY risk.index)
    FROM re.risk_groups_by_days() AS risk;
END;

-- The list is sorted by this order key and then by id, both rising. The key is one number, since a page compares about
-- a hundred times as many patients as it shows.
--
--   sort=priority      4,000,000 × urgency - days          by rising urgency, then by falling days
--   sort=last_contact  urgency + 1,000 - 10,000 × days     by falling days, then by rising urgency
--
-- Each factor is greater than any value of the part after it: the calendar has fewer than 4 million days, and
-- urgency + 1,000 is between 0 and 9,999, for a cursor too.
CREATE OR REPLACE FUNCTION re.order_key(by_contact boolean, urgency integer, days integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN by_contact THEN urgency + 1000 - 10000::bigint * days
    ELSE urgency * 4000000::bigint - days
END;

-- The days in an order key of sort=last_contact.
CREATE OR REPLACE FUNCTION re.days_of_contact_key(order_key bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (9999 - order_key) / 10000;

CREATE OR REPLACE FUNCTION re.group_order_key(risk_group integer, days integer, by_contact boolean) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.order_key(by_contact, (re.group_urgencies())[re.array_index(risk_group, days)], days);

-- A cursor may contain any numbers. A number that no patient can have is replaced by one just outside the possible
-- range, which has the same position among all patients.
CREATE OR REPLACE FUNCTION re.cursor_order_key(
    by_contact boolean, priority integer, score integer, days integer, most_days integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.order_key(by_contact, re.urgency(greatest(least(priority, 5), 0), greatest(least(score, 101), -1)),
    greatest(least(days, most_days), -1));

-- The order keys of sort=priority, for each risk group from 90 days down to 0. They rise within a risk group.
CREATE OR REPLACE FUNCTION re.group_rising_order_keys() RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(re.group_order_key(risk.risk_group, risk.days, false) ORDER BY risk.risk_group, risk.days DESC)
    FROM re.risk_groups_by_days() AS risk;
END;

-- The fewest days with which a patient of the risk group has this order key or a lower one. Within a risk group the
-- order key falls or stays equal as the days rise. The result is at most most_days, since the key may be lower than any
-- patient's.
CREATE OR REPLACE FUNCTION re.fewest_days(risk_group integer, order_key bigint, most_days integer, by_contact boolean)
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN by_contact THEN least(re.days_of_contact_key(order_key) + CASE
            WHEN re.group_order_key(risk_group, re.days_of_contact_key(order_key)::integer, true) > order_key THEN 1
            ELSE 0
        END, most_days)::integer
    WHEN order_key < re.group_order_key(risk_group, re.last_scored_day(), false)
        THEN least(re.group_order_key(risk_group, re.last_scored_day(), false) - order_key + re.last_scored_day(),
            most_days)::integer
    ELSE re.last_scored_day() + 1 - width_bucket(order_key, (re.group_rising_order_keys())
        [re.array_index(risk_group, 0) : re.array_index(risk_group, re.last_scored_day())])
END;

-- How many of the days, which are sorted, lie between two days.
CREATE OR REPLACE FUNCTION re.number_of_days(days date[], first date, last date) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN width_bucket(last, days) - width_bucket(first - 1, days);

-- Within a risk group each filter selects one interval of days since the last contact. With more days the risk level
-- and the tier never fall, the number of the action priority never rises, and the status changes at most once.
CREATE OR REPLACE FUNCTION re.filter_names() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['level critical', 'level high', 'level medium', 'level low', 'level engaged',
    'status active', 'status dormant', 'status stale', 'priority 1', 'priority 2', 'priority 3', 'priority 4',
    'tier high', 'tier medium', 'tier low', 'an unknown filter'];

-- The intervals as filter_days[filter][risk group + 1][1: fewest days, 2: most days]. Where a filter selects no
-- patient, the fewest days are 91 and the most days -1. 90 as the most days has no upper limit.
CREATE OR REPLACE FUNCTION re.filter_days() RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH fitting AS (
        SELECT filter.name, risk.risk_group, risk.days
        FROM re.risk_groups_by_days() AS risk
        CROSS JOIN LATERAL (VALUES
            ('level ' || re.risk_level(risk.days)),
            ('status ' || re.group_status(risk.risk_group, risk.days)),
            ('priority ' || re.group_priority(risk.risk_group, risk.days)),
            ('tier ' || re.risk_tier(re.group_score(risk.risk_group, risk.days)))) AS filter(name)
    ), interval_of_group AS (
        SELECT filter.number, risk.risk_group,
            coalesce(min(fitting.days), re.last_scored_day() + 1) AS fewest, coalesce(max(fitting.days), -1) AS most
        FROM unnest(re.filter_names()) WITH ORDINALITY AS filter(name, number)
        CROSS JOIN re.risk_groups() AS risk
        LEFT JOIN fitting ON fitting.name = filter.name AND fitting.risk_group = risk.risk_group
        GROUP BY filter.number, risk.risk_group
    ), intervals AS (
        SELECT days.number, array_agg(ARRAY[days.fewest, days.most] ORDER BY days.risk_group) AS of_groups
        FROM interval_of_group AS days
        GROUP BY days.number
    )
    SELECT array_agg(intervals.of_groups ORDER BY intervals.number) FROM intervals;
END;

-- For each risk group in turn, the first and the last day of contact that all given filters admit.
CREATE OR REPLACE FUNCTION re.filtered_days(
    today date, wanted_level text, wanted_status text, wanted_priority integer, wanted_tier text)
RETURNS TABLE (first_days date[], last_days date[])
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    WITH wanted AS (
        SELECT coalesce(array_position(re.filter_names(), filter.name), cardinality(re.filter_names())) AS number
        FROM (VALUES ('level ' || wanted_level), ('status ' || wanted_status), ('priority ' || wanted_priority),
            ('tier ' || wanted_tier)) AS filter(name)
        WHERE filter.name IS NOT NULL
    ), days AS (
        SELECT risk.risk_group,
            coalesce(max((re.filter_days())[wanted.number][risk.risk_group + 1][1]), 0) AS fewest,
            coalesce(min((re.filter_days())[wanted.number][risk.risk_group + 1][2]), re.last_scored_day()) AS most
        FROM re.risk_groups() AS risk
        LEFT JOIN wanted ON true
        GROUP BY risk.risk_group
    )
    SELECT
        array_agg(CASE
            WHEN days.fewest > days.most THEN 'infinity'
            WHEN days.most = re.last_scored_day() THEN '-infinity'
            ELSE today - days.most
        END ORDER BY days.risk_group),
        array_agg(CASE
            WHEN days.fewest > days.most THEN '-infinity'
            ELSE today - days.fewest
        END ORDER BY days.risk_group)
    FROM days;
END;
