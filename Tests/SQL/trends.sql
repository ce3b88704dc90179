-- The trends endpoint at 2025-06-30 12:00 UTC. Each figure is computed by hand. Seven days begin on 24 June, thirty
-- on 1 June.
BEGIN;
\ir support/given.sql
SELECT plan(63);
SELECT given.now('2025-06-30T12:00:00Z');

CREATE FUNCTION pg_temp.levels(organization text, day text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s %s %s %s', critical, high, medium, low, engaged) FROM re.trends($1, 30) WHERE date = $2
$$;
CREATE FUNCTION pg_temp.moves(organization text, day text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s', new_at_risk, reengaged_successfully) FROM re.trends($1, 30) WHERE date = $2
$$;

-- A patient with contacts on 10 May and 25 June.
SELECT given.clinic('one');
SELECT given.patient('p', organization => 'one');
SELECT given.appointment('p', '2025-05-10T10:00Z', organization => 'one');
SELECT given.conversation('p', '2025-06-25T10:00Z', 'one');
SELECT is(pg_temp.levels('one', day), counts, day || ': ' || counts)
FROM (VALUES
    ('2025-06-01', '0 0 1 0 0'),    -- 22 days
    ('2025-06-08', '0 0 1 0 0'),    -- 29
    ('2025-06-09', '0 1 0 0 0'),    -- 30
    ('2025-06-23', '0 1 0 0 0'),    -- 44
    ('2025-06-24', '1 0 0 0 0'),    -- 45
    ('2025-06-25', '0 0 0 0 1'),
    ('2025-06-30', '0 0 0 0 1')
) v(day, counts);
SELECT is(pg_temp.moves('one', day), counts, day || ': new at risk, re-engaged ' || counts)
FROM (VALUES ('2025-06-08', '0 0'), ('2025-06-09', '1 0'), ('2025-06-10', '0 0'), ('2025-06-24', '0 0'),
    ('2025-06-25', '0 1'),
    ('2025-06-26', '0 0')) v(day, counts);

-- A contact on the thirtieth day: neither at risk nor re-engaged. A day later: first at risk, then re-engaged.
SELECT given.clinic('edge');
SELECT given.patient(id, organization => 'edge') FROM unnest(ARRAY['on_30', 'on_31']) id;
SELECT given.outreach(id, '2025-05-10T10:00Z', organization => 'edge') FROM unnest(ARRAY['on_30', 'on_31']) id;
SELECT given.outreach('on_30', '2025-06-09T10:00Z', organization => 'edge');
SELECT given.outreach('on_31', '2025-06-10T10:00Z', organization => 'edge');
SELECT is(pg_temp.moves('edge', '2025-06-09'), '1 0', 'only the patient without a contact becomes at risk');
SELECT is(pg_temp.moves('edge', '2025-06-10'), '0 1', 'that patient is re-engaged by the next contact');
-- Two contacts on one day count as one re-engagement.
SELECT given.conversation('on_31', '2025-06-10T11:00Z', 'edge');
SELECT is(pg_temp.moves('edge', '2025-06-10'), '0 1', 'two contacts on one day re-engage once');

-- Intake: a patient counts from the intake or an earlier first contact, and is at risk 30 days after it too.
SELECT given.clinic('intake');
SELECT given.patient('new', '2025-06-20T10:00Z', organization => 'intake');
SELECT is(pg_temp.levels('intake', '2025-06-19'), '0 0 0 0 0', 'a patient is not counted before the intake');
SELECT is(pg_temp.levels('intake', '2025-06-20'), '0 0 0 0 1', 'a patient is counted from the intake');
SELECT is(pg_temp.levels('intake', '2025-06-27'), '0 0 0 1 0', 'days are counted from the intake');
SELECT given.conversation('new', '2025-06-10T10:00Z', 'intake');
SELECT is(pg_temp.levels('intake', '2025-06-09'), '0 0 0 0 0', 'a patient is not counted before a contact that is earlier than the intake');
SELECT is(pg_temp.levels('intake', '2025-06-10'), '0 0 0 0 1', 'a patient is counted from that contact');
SELECT is(pg_temp.levels('intake', '2025-06-20'), '0 0 0 1 0', 'an intake after that contact changes nothing');
SELECT given.patient('old', '2025-05-05T10:00Z', organization => 'intake');
SELECT given.conversation('old', '2025-06-05T10:00Z', 'intake');
SELECT is(pg_temp.moves('intake', '2025-06-04'), '1 0', 'a patient is at risk 30 days after the intake');
SELECT is(pg_temp.moves('intake', '2025-06-05'), '0 1', 'a patient is re-engaged by the first contact');

-- A patient who is archived now counts on no day. One who is archived later counts. Contacts after now do not exist.
SELECT given.clinic('gone');
SELECT given.patient('archived', archived_at => '2025-06-30T12:00:00Z', organization => 'gone');
SELECT given.conversation('archived', '2025-06-15T10:00Z', 'gone');
SELECT is(pg_temp.levels('gone', '2025-06-20'), '0 0 0 0 0', 'archived patients count on no past day');
SELECT given.patient('leaving', archived_at => '2025-06-30T12:00:00.000001Z', organization => 'gone');
SELECT given.conversation('leaving', '2025-06-15T10:00Z', 'gone');
SELECT given.conversation('leaving', '2025-06-30T12:00:00.000001Z', 'gone');
SELECT is(pg_temp.levels('gone', '2025-06-30'), '0 0 1 0 0', 'a contact after now does not exist, even on the same day');

-- Attempts count on their own day, conversions on the booking's.
SELECT given.clinic('out');
SELECT given.patient('p', organization => 'out');
SELECT given.patient('archived', archived_at => '2025-06-01T00:00Z', organization => 'out');
SELECT given.outreach('p', '2025-06-23T23:00Z', 'success', 'sms', organization => 'out');
SELECT given.appointment('p', '2025-08-01T00:00Z', 'scheduled', '2025-06-24T09:00Z', organization => 'out');
SELECT given.appointment('p', '2025-08-01T00:00Z', 'scheduled', '2025-06-25T09:00Z', organization => 'out');
SELECT given.outreach('archived', '2025-06-25T10:00Z', 'success', 'phone', organization => 'out');
SELECT given.appointment('archived', '2025-08-01T00:00Z', 'scheduled', '2025-06-28T09:00Z', organization => 'out');
SELECT given.outreach('p', '2025-06-25T11:00Z', 'failed', 'phone', organization => 'out');
SELECT given.outreach('p', '2025-06-25T12:00Z', 'no_response', 'email', true, organization => 'out');
SELECT results_eq(
    $$ SELECT date, outreach_attempts, appointments_scheduled, contact_success_rate, conversion_rate
        FROM re.trends('out', 7) $$,
    $$ VALUES
        ('2025-06-24', 0::bigint, 1::bigint, 0.0, 0.0),
        ('2025-06-25', 3, 0, 33.3, 100.0),
        ('2025-06-26', 0, 0, 0.0, 0.0),
        ('2025-06-27', 0, 0, 0.0, 0.0),
        ('2025-06-28', 0, 1, 0.0, 0.0),
        ('2025-06-29', 0, 0, 0.0, 0.0),
        ('2025-06-30', 0, 0, 0.0, 0.0)
    $$, 'attempts count on their day with its rates, and an earlier attempt converts in the window, at its first booking only');
SELECT is(
    (SELECT (sms_attempts, sms_successes, sms_success_rate, email_attempts, email_successes, email_success_rate,
        phone_attempts, phone_successes, phone_success_rate)::text FROM re.trends('out', 7) WHERE date = '2025-06-25'),
    '(0,0,0.0,1,0,0.0,2,1,50.0)', 'the channels of a day');

-- The rate of the period against the one before: r₁ of 24–30 June, r₀ of 17–23 June.
CREATE FUNCTION pg_temp.change(s1 integer, n1 integer, s0 integer, n0 integer) RETURNS text LANGUAGE sql AS $$
    DELETE FROM outreach_log WHERE organization_id = 'out';
    SELECT given.outreach('p', '2025-06-24T00:00Z', CASE WHEN n <= s1 THEN 'success' ELSE 'failed' END,
        organization => 'out')
    FROM generate_series(1, n1) n;
    SELECT given.outreach('p', '2025-06-23T23:59:59.999999Z', CASE WHEN n <= s0 THEN 'success' ELSE 'failed' END,
        organization => 'out')
    FROM generate_series(1, n0) n;
    -- Attempts in neither period.
    SELECT given.outreach('p', '2025-06-16T23:59:59.999999Z', 'success', organization => 'out');
    SELECT given.outreach('p', '2025-06-30T12:00:00.000001Z', 'success', organization => 'out');
    SELECT DISTINCT sms_change_pct || ' ' || sms_success_rate_trend FROM re.trends('out', 7);
$$;
SELECT is(pg_temp.change(s1, n1, s0, n0), change, format('%s of %s after %s of %s', s1, n1, s0, n0))
FROM (VALUES
    (0, 0, 0, 0, '0.0 stable'), (0, 3, 0, 0, '0.0 stable'), (0, 0, 0, 3, '0.0 stable'),
    (1, 9, 0, 0, '100.0 improving'), (1, 9, 0, 5, '100.0 improving'),
    (0, 0, 1, 2, '-100.0 declining'), (0, 4, 1, 2, '-100.0 declining'),
    (1, 2, 1, 2, '0.0 stable'), (2, 3, 1, 2, '33.3 improving'), (1, 2, 2, 3, '-25.0 declining'),
    (21, 40, 20, 40, '5.0 stable'), (19, 40, 20, 40, '-5.0 stable'),
    -- 5.04 and 5.06 %, by the rounded figure
    (26, 99, 25, 100, '5.1 improving'), (125, 476, 25, 100, '5.0 stable'),
    -- exactly −0.25 %, away from zero
    (399, 400, 1, 1, '-0.3 stable')
) v(s1, n1, s0, n0, change);

-- The distribution of today against that of the first day.
SELECT is(re.count_trend(f, t), word, format('from %s to %s', f, t))
FROM (VALUES (0, 0, 'stable'), (0, 1, 'increasing'), (20, 21, 'stable'), (20, 22, 'increasing'), (20, 19, 'stable'),
    (20, 18, 'decreasing'),
    (1, 0, 'decreasing'), (100, 105, 'stable'), (100, 106, 'increasing'), (100, 95, 'stable'),
    (100, 94, 'decreasing')) v(f, t, word);

SELECT given.clinic('share');
SELECT is((SELECT DISTINCT overall_improvement FROM re.trends('share', 7)), false,
    'no patient on both days is no improvement');
SELECT given.patient(id, '2025-05-01T00:00Z', organization => 'share') FROM unnest(ARRAY['a', 'b']) id;
SELECT is((SELECT DISTINCT overall_improvement FROM re.trends('share', 7)), false, 'the same share is no improvement');
SELECT given.patient('c', '2025-06-28T00:00Z', organization => 'share');
SELECT is((SELECT DISTINCT (overall_improvement, critical_trend, high_trend)::text FROM re.trends('share', 7)),
    '(t,stable,stable)',
    'the same number of a larger total is an improvement');
SELECT is((SELECT DISTINCT (overall_improvement, critical_trend, high_trend)::text FROM re.trends('share', 30)),
    '(t,increasing,decreasing)',
    'two of two at risk on 1 June become two of three today');

SELECT is((SELECT count(*) FROM re.trends('share', days)), days::bigint, format('%s days', days))
    FROM unnest(ARRAY[7, 30, 90, 182, 365]) days;

SELECT * FROM finish();
ROLLBACK;
