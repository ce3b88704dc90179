-- The formulas that several views share. numeric's round() goes half away from zero, as the definitions want it.

CREATE OR REPLACE FUNCTION re.rate_or_null(part bigint, whole bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(100.0 * part / nullif(whole, 0), 1);

CREATE OR REPLACE FUNCTION re.rate(part bigint, whole bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(round(100.0 * part / nullif(whole, 0), 1), 0.0);

-- Many digits before the rounding, so that a quotient just below a half is never rounded twice.
CREATE OR REPLACE FUNCTION re.average(total numeric, number bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(round(total * 1.000000000000000000000000000000 / nullif(number, 0), 1), 0.0);

CREATE OR REPLACE FUNCTION re.risk_level(days integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN days < 7 THEN 'engaged'
    WHEN days < 14 THEN 'low'
    WHEN days < 30 THEN 'medium'
    WHEN days < 45 THEN 'high'
    ELSE 'critical'
END;

CREATE OR REPLACE FUNCTION re.recency(days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN days < 7 THEN 30 * days / 7
    WHEN days < 14 THEN 30 + 15 * (days - 7) / 7
    WHEN days < 30 THEN 45 + 15 * (days - 14) / 16
    WHEN days < 45 THEN 60 + (days - 30)
    WHEN days < 90 THEN 75 + (days - 45) / 3
    ELSE 90
END;

CREATE OR REPLACE FUNCTION re.risk_score(days integer, missed_in_90_days bigint, upcoming boolean) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(0, re.recency(days) + 5 * least(missed_in_90_days, 2)::integer - CASE WHEN upcoming THEN 20 ELSE 0 END);

CREATE OR REPLACE FUNCTION re.risk_tier(score integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN score >= 70 THEN 'high' WHEN score >= 40 THEN 'medium' ELSE 'low' END;

CREATE OR REPLACE FUNCTION re.engagement_status(upcoming boolean, has_contact boolean, days integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN upcoming OR (has_contact AND days < 30) THEN 'active'
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

-- How far the success rate moved from the period before, s0 of n0, to s1 of n1: from whole numbers, hence exact.
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
RETURN CASE WHEN change_pct > 5.0 THEN 'improving' WHEN change_pct < -5.0 THEN 'declining' ELSE 'stable' END;

-- By more than 5 %, in whole numbers; from 0 anything is a rise.
CREATE OR REPLACE FUNCTION re.count_trend(before bigint, after bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN 100 * after > 105 * before THEN 'increasing'
    WHEN 100 * after < 95 * before THEN 'decreasing'
    ELSE 'stable'
END;
