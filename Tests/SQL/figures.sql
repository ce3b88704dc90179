-- The formulas: each breakpoint of the risk score (calculated by hand), each row of the action table, each rounding.
BEGIN;
\ir support/given.sql
SELECT plan(101);

SELECT is(re.recency(days), score, format('recency(%s) is %s', days, score))
FROM (VALUES
    -- ⌊30d/7⌋: 4.28, 8.57, 12.86, 17.14, 21.43, 25.71
    (0, 0), (1, 4), (2, 8), (3, 12), (4, 17), (5, 21), (6, 25),
    -- 30 + ⌊15(d−7)/7⌋: 0, 2.14, 4.29, 6.43, 8.57, 10.71, 12.86
    (7, 30), (8, 32), (9, 34), (10, 36), (11, 38), (12, 40), (13, 42),
    -- 45 + ⌊15(d−14)/16⌋: 0, 0.94, 1.88, …, 14.06
    (14, 45), (15, 45), (16, 46), (17, 47), (18, 48), (19, 49), (20, 50), (21, 51), (22, 52), (23, 53), (24, 54),
        (25, 55),
    (26, 56), (27, 57), (28, 58), (29, 59),
    -- 60 + (d−30)
    (30, 60), (31, 61), (44, 74),
    -- 75 + ⌊(d−45)/3⌋
    (45, 75), (46, 75), (47, 75), (48, 76), (50, 76), (51, 77), (52, 77), (86, 88), (87, 89), (89, 89),
    (90, 90), (91, 90), (3652058, 90)
) AS by_hand(days, score);

SELECT is(re.risk_level(days), level, format('%s days are %s', days, level))
FROM (VALUES (0, 'engaged'), (6, 'engaged'), (7, 'low'), (13, 'low'), (14, 'medium'), (29, 'medium'), (30, 'high'),
    (44, 'high'),
    (45, 'critical'), (3652058, 'critical')) AS boundary(days, level);

SELECT is(re.risk_score(days, missed, upcoming), score,
    format('score of %s days, %s missed, upcoming %s', days, missed, upcoming))
FROM (VALUES
    (47, 2, false, 85),     -- the guide's John Smith
    (47, 3, false, 85),     -- a third miss adds nothing
    (47, 1, false, 80),
    (47, 0, true, 55),
    (90, 2, false, 100),
    (4, 0, true, 0),        -- 17 − 20
    (4, 1, true, 2),
    (0, 0, true, 0)
) AS by_hand(days, missed, upcoming, score);

SELECT is(re.risk_tier(score), tier, format('tier of %s', score))
FROM (VALUES (100, 'high'), (70, 'high'), (69, 'medium'), (40, 'medium'), (39, 'low'), (0, 'low')) AS boundary(score,
    tier);

SELECT is(re.engagement_status(upcoming, contact, days), status,
    format('upcoming %s, contact %s, %s days', upcoming, contact, days))
FROM (VALUES (true, true, 400, 'active'), (true, false, 400, 'active'), (false, true, 29, 'active'),
    (false, true, 30, 'dormant'),
    (false, false, 0, 'stale'), (false, false, 400, 'stale')) AS by_hand(upcoming, contact, days, status);

SELECT is(format('%s %s', re.action_priority(status, tier), re.recommended_action(status, tier, upcoming)), action,
    format('%s, tier %s, upcoming %s', status, tier, upcoming))
FROM (VALUES
    ('stale', 'high', false, '4 NEW: Invite to a first appointment'),
    ('stale', 'low', false, '4 NEW: Invite to a first appointment'),
    ('dormant', 'high', false, '1 DORMANT: Re-engagement campaign needed'),
    ('dormant', 'medium', false, '2 DORMANT: Personal follow-up needed'),
    ('active', 'high', true, '2 AT RISK: Confirm the booked visit'),
    ('active', 'medium', true, '3 MONITOR: Confirm the booked visit'),
    ('active', 'medium', false, '3 MONITOR: Book the next appointment'),
    ('active', 'low', true, '4 ENGAGED: Continue current care plan'),
    ('active', 'low', false, '4 ENGAGED: Continue current care plan')
) AS by_hand(status, tier, upcoming, action);

-- Rounding is half away from zero.
SELECT is(re.rate(part, whole)::text, rate, format('%s of %s', part, whole))
FROM (VALUES (1, 16, '6.3'), (1, 8, '12.5'), (3, 16, '18.8'), (1, 3, '33.3'), (2, 3, '66.7'), (0, 5, '0.0'),
    (5, 5, '100.0'),
    (0, 0, '0.0'), (1, 2000, '0.1'), (1, 2001, '0.0'), (61449999, 100000000, '61.4'), (61450000, 100000000, '61.5')
) AS by_hand(part, whole, rate);
SELECT is(re.rate_or_null(0, 0), NULL, 're.rate_or_null of a whole of 0 is null');
SELECT is(re.average(0.15 * 3, 3)::text, '0.2', 'an average of exactly 0.15 is rounded up');
SELECT is(re.average(0.449999, 3)::text, '0.1', 'an average just below is rounded down');
SELECT is(re.average(NULL, 0)::text, '0.0', 'an average of no values is 0.0');

SELECT * FROM finish();
ROLLBACK;
