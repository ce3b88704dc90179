-- A patient's class says with the last contact day all that score, action and place in the list depend on:
-- class = 3 × kind + missed appointments in 90 days (0, 1, 2 or more), where kind is 0 with an upcoming appointment,
-- 1 with some contact but nothing upcoming, 2 with neither. The definitions' own formulas then give, for a class:

CREATE OR REPLACE FUNCTION re.class_score(class integer, days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.risk_score(days, class % 3, class / 3 = 0);

CREATE OR REPLACE FUNCTION re.class_priority(class integer, days integer, score integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN re.action_priority(re.engagement_status(class / 3 = 0, class / 3 = 1, days), re.risk_tier(score));

-- What a row of the master view is counted as.
CREATE OR REPLACE FUNCTION re.class_of(upcoming boolean, engagement_status text, missed_in_90_days integer) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (3 * CASE WHEN upcoming THEN 0 WHEN engagement_status <> 'stale' THEN 1 ELSE 2 END
    + least(missed_in_90_days, 2))::smallint;
