-- The constants of the contract (docs/definitions.md), each written once and called by its name everywhere else, and
-- the formulas that several views share. The planner replaces an IMMUTABLE call without arguments by its value, once
-- for each plan, so that a name costs nothing where plans are reused.

-- The days since last contact from which a patient's risk level is low, medium, high and critical.
CREATE OR REPLACE FUNCTION re.low_risk_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 7;
CREATE OR REPLACE FUNCTION re.medium_risk_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 14;
CREATE OR REPLACE FUNCTION re.high_risk_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 30;
CREATE OR REPLACE FUNCTION re.critical_risk_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 45;

-- The scores from which on the tier is medium and high.
CREATE OR REPLACE FUNCTION re.medium_tier_score() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 40;
CREATE OR REPLACE FUNCTION re.high_tier_score() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 70;

-- From this many days since last contact on, neither level nor score changes any more.
CREATE OR REPLACE FUNCTION re.last_scored_day() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 90;

-- More missed appointments than this no longer change the score.
CREATE OR REPLACE FUNCTION re.most_scored_misses() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 2;

-- A missed appointment raises the score by this much, and an upcoming appointment lowers it.
CREATE OR REPLACE FUNCTION re.score_of_miss() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 5;
CREATE OR REPLACE FUNCTION re.score_of_appointment() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 20;

-- The days, today included, in which attendance and a patient's missed appointments are counted.
CREATE OR REPLACE FUNCTION re.attendance_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 90;

-- The days, today included, in which risk-metrics counts missed appointments and failed attempts.
CREATE OR REPLACE FUNCTION re.alert_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 14;

-- More notices than this, of one kind and cause in one step, become one notice without a patient.
CREATE OR REPLACE FUNCTION re.most_single_notices() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 20;

-- Notices are kept for this long, by the wall clock.
CREATE OR REPLACE FUNCTION re.notices_kept() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '30 days';

-- The days of alerts that a stream, a webhook and a digest count as open.
CREATE OR REPLACE FUNCTION re.counted_alert_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 7;

-- An acknowledgement may end at most this many days after today.
CREATE OR REPLACE FUNCTION re.longest_snooze() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 365;

-- The longest time from an attempt to a booking that is attributed to it.
CREATE OR REPLACE FUNCTION re.attribution_window() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '336 hours';

-- The benchmarks of performance.
CREATE OR REPLACE FUNCTION re.industry_contact_rate() RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 55.0;
CREATE OR REPLACE FUNCTION re.industry_conversion_rate() RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 68.0;

-- The contact success rates from which on a clinic is average and above average.
CREATE OR REPLACE FUNCTION re.average_contact_rate() RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 50.0;
CREATE OR REPLACE FUNCTION re.good_contact_rate() RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 60.0;

-- A clinic's contact success rate against the benchmark, by the rounded rate.
CREATE OR REPLACE FUNCTION re.performance_verdict(attempts bigint, contact_success_rate numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN attempts = 0 THEN 'insufficient_data'
    WHEN contact_success_rate >= re.good_contact_rate() THEN 'above_average'
    WHEN contact_success_rate >= re.average_contact_rate() THEN 'average'
    ELSE 'below_average'
END;

-- The timeframes of performance, with their days, today included.
CREATE OR REPLACE FUNCTION re.timeframes() RETURNS TABLE (timeframe text, days integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 3
BEGIN ATOMIC
    VALUES ('last_7_days', 7), ('last_30_days', 30), ('last_90_days', 90);
END;

-- The patients whom the dashboard shows, and the attempts that a patient's page shows.
CREATE OR REPLACE FUNCTION re.top_patients() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 10;
CREATE OR REPLACE FUNCTION re.shown_attempts() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 20;

-- A search that finds more patients than this does not report their number.
CREATE OR REPLACE FUNCTION re.most_counted_matches() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1000;

-- numeric's round() rounds half away from zero, as the definitions want it.

CREATE OR REPLACE FUNCTION re.rate_or_null(part bigint, whole bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(100.0 * part / nullif(whole, 0), 1);

CREATE OR REPLACE FUNCTION re.rate(part bigint, whole bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(re.rate_or_null(part, whole), 0.0);

-- Many digits before the rounding, so that a quotient just below a half is never rounded twice.
CREATE OR REPLACE FUNCTION re.average(total numeric, number bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(round(total * 1.000000000000000000000000000000 / nullif(number, 0), 1), 0.0);

CREATE OR REPLACE FUNCTION re.risk_level(days integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN days < re.low_risk_days() THEN 'engaged'
    WHEN days < re.medium_risk_days() THEN 'low'
    WHEN days < re.high_risk_days() THEN 'medium'
    WHEN days < re.critical_risk_days() THEN 'high'
    ELSE 'critical'
END;

-- The part of the score that rises with the days: from 0 to 30 until the level is low, then by 15 in each level.
CREATE OR REPLACE FUNCTION re.recency(days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN days < re.low_risk_days() THEN 30 * days / re.low_risk_days()
    WHEN days < re.medium_risk_days()
        THEN 30 + 15 * (days - re.low_risk_days()) / (re.medium_risk_days() - re.low_risk_days())
    WHEN days < re.high_risk_days()
        THEN 45 + 15 * (days - re.medium_risk_days()) / (re.high_risk_days() - re.medium_risk_days())
    WHEN days < re.critical_risk_days()
        THEN 60 + 15 * (days - re.high_risk_days()) / (re.critical_risk_days() - re.high_risk_days())
    WHEN days < re.last_scored_day()
        THEN 75 + 15 * (days - re.critical_risk_days()) / (re.last_scored_day() - re.critical_risk_days())
    ELSE 90
END;

CREATE OR REPLACE FUNCTION re.risk_score(days integer, missed_in_90_days bigint, upcoming boolean) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(0, re.recency(days)
    + re.score_of_miss() * least(missed_in_90_days, re.most_scored_misses())::integer
    - CASE WHEN upcoming THEN re.score_of_appointment() ELSE 0 END);

CREATE OR REPLACE FUNCTION re.risk_tier(score integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN score >= re.high_tier_score() THEN 'high'
    WHEN score >= re.medium_tier_score() THEN 'medium'
    ELSE 'low'
END;

CREATE OR REPLACE FUNCTION re.engagement_status(upcoming boolean, has_contact boolean, days integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN upcoming OR (has_contact AND days < re.high_risk_days()) THEN 'active'
    WHEN NOT has_contact THEN 'stale'
    ELSE 'dormant'
END;

CREATE OR REPLACE FUNCTION re.recommended_action(status text, tier text, upcoming boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN status = 'stale' THEN 'NEW: Invite to a first appointment'
    WHEN status = 'dormant' AND tier = 'high' THEN 'DORMANT: Re-engagement campaign needed'
    WHEN status = 'dormant' THEN 'DORMANT: Personal follow-up needed'
    WHEN tier = 'high' THEN 'AT RISK: Confirm the booked visit'
    WHEN tier = 'medium' AND upcoming THEN 'MONITOR: Confirm the booked visit'
    WHEN tier = 'medium' THEN 'MONITOR: Book the next appointment'
    ELSE 'ENGAGED: Continue current care plan'
END;

CREATE OR REPLACE FUNCTION re.action_priority(status text, tier text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN status = 'stale' THEN 4
    WHEN status = 'dormant' AND tier = 'high' THEN 1
    WHEN status = 'dormant' THEN 2
    WHEN tier = 'high' THEN 2
    WHEN tier = 'medium' THEN 3
    ELSE 4
END;

-- A trend is a change by more than this percentage.
CREATE OR REPLACE FUNCTION re.trend_pct() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 5;

-- The change of the success rate: s0 of n0 in the period before, s1 of n1 in this one. It is exact, from whole numbers.
CREATE OR REPLACE FUNCTION re.change_pct(s1 bigint, n1 bigint, s0 bigint, n0 bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN s0 = 0 AND s1 > 0 THEN 100.0
    WHEN s0 = 0 THEN 0.0
    WHEN n1 = 0 THEN -100.0
    ELSE round(100.000000000000000000000000000000 * (s1 * n0 - s0 * n1) / (s0 * n1), 1)
END;

CREATE OR REPLACE FUNCTION re.rate_trend(change_pct numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN change_pct > re.trend_pct() THEN 'improving'
    WHEN change_pct < -re.trend_pct() THEN 'declining'
    ELSE 'stable'
END;

-- The percentage is computed in whole numbers. From 0 any number is an increase.
CREATE OR REPLACE FUNCTION re.count_trend(before bigint, after bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN 100 * after > (100 + re.trend_pct()) * before THEN 'increasing'
    WHEN 100 * after < (100 - re.trend_pct()) * before THEN 'decreasing'
    ELSE 'stable'
END;
