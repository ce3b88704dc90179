-- The performance endpoint and its view.
BEGIN;
\ir support/given.sql
SELECT plan(21);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();
SELECT given.patient('ana');
SELECT given.patient('gone', archived_at => '2025-06-01T00:00Z');
SELECT given.patient('later', '2025-07-15T00:00Z');

SELECT is(p::text, '(0,0,0.0,0,0.0,0.0,0,0,0,0.0,0,0,0,0.0,0,0,0,0.0,55.0,68.0,insufficient_data)',
    'a clinic without outreach has zeros')
FROM re.performance('clinic', 'last_30_days') p;
SELECT is(p::text, '(0,0,0.0,0,0.0,0.0,0,0,0,0.0,0,0,0,0.0,0,0,0,0.0,55.0,68.0,insufficient_data)', 'an unknown clinic has zeros')
FROM re.performance('nobody', 'last_30_days') p;

SELECT given.outreach('ana', '2025-06-20T00:00Z', outcome, method, opened)
FROM (VALUES
    ('sms', 'success', false), ('sms', 'no_response', false), ('sms', 'failed', false), ('sms', 'no_response', true),
    ('email', 'success', false), ('email', 'success', true), ('email', 'no_response', true),
    ('email', 'no_response', false),
    ('email', 'failed', true), ('phone', 'no_response', false), ('phone', 'failed', false)
) v(method, outcome, opened);
SELECT is((sms_sent, sms_delivered, sms_responded, sms_response_rate)::text, '(4,3,1,33.3)', 'sms')
    FROM re.performance('clinic', 'last_30_days');
SELECT is((email_sent, email_opened, email_responded, email_response_rate)::text, '(5,4,2,50.0)', 'email')
    FROM re.performance('clinic', 'last_30_days');
SELECT is((phone_attempted, phone_connected, phone_appointment_booked, phone_conversion_rate)::text, '(2,0,0,0.0)',
    'phone')
FROM re.performance('clinic', 'last_30_days');
SELECT is((outreach_attempts, successful_contacts, contact_success_rate)::text, '(11,3,27.3)',
    'the channels add up to the attempts')
FROM re.performance('clinic', 'last_30_days');

-- All outreach counts, also to patients who are archived or not yet created.
SELECT given.outreach('gone', '2025-06-20T01:00Z', 'success', 'phone');
SELECT given.outreach('later', '2025-06-20T01:00Z', 'success', 'phone');
SELECT given.appointment('gone', '2025-08-01T00:00Z', 'scheduled', '2025-06-21T13:00Z');
SELECT is((phone_attempted, phone_connected, phone_appointment_booked, phone_conversion_rate)::text, '(4,2,1,50.0)',
    'attempts to archived and future patients count') FROM re.performance('clinic', 'last_30_days');

-- The average is 36 hours so far. With 24.0 hours, the mean is 1.25 days, which is rounded away from zero. With half a
-- microsecond less, it is rounded down.
SELECT is(avg_days_to_reengage, 1.5, 'the average is in days of 24 hours') FROM re.performance('clinic', 'last_30_days');
SELECT given.patient('ben');
SELECT given.outreach('ben', '2025-06-22T00:00Z', 'success', 'email');
SELECT given.appointment('ben', '2025-08-01T00:00Z', 'scheduled', '2025-06-23T00:00Z');
SELECT is(avg_days_to_reengage, 1.3, 'exactly 1.25 days are rounded up') FROM re.performance('clinic', 'last_30_days');
UPDATE appointments SET created_at = '2025-06-22T23:59:59.999999Z' WHERE patient_id = 'ben';
SELECT is(avg_days_to_reengage, 1.2, 'half a microsecond less is rounded down') FROM re.performance('clinic', 'last_30_days');
SELECT is((appointments_scheduled, conversion_rate)::text, '(2,33.3)', 'the conversion rate is that of successful attempts')
    FROM re.performance('clinic', 'last_30_days');

-- The day of an attempt decides on its window. Its booking may be in a later one.
SELECT given.patient('cal');
SELECT given.outreach('cal', '2025-06-23T23:59Z', 'success', 'sms');
SELECT given.appointment('cal', '2025-08-01T00:00Z', 'scheduled', '2025-06-26T00:00Z');
SELECT is((outreach_attempts, appointments_scheduled)::text, '(0,0)', 'a booking does not count by its own day')
    FROM re.performance('clinic', 'last_7_days');
SELECT is((outreach_attempts, appointments_scheduled)::text, '(15,3)', 'a booking counts by the day of its attempt')
    FROM re.performance('clinic', 'last_30_days');

-- The rounded rate is compared with the industry's.
SELECT given.clinic('rated');
SELECT given.patient('x', organization => 'rated');
CREATE FUNCTION pg_temp.judged(successes integer, attempts integer) RETURNS text LANGUAGE sql AS $$
    DELETE FROM outreach_log WHERE organization_id = 'rated';
    SELECT given.outreach('x', '2025-06-29T00:00Z', CASE WHEN n <= successes THEN 'success' ELSE 'failed' END,
        organization => 'rated')
    FROM generate_series(1, attempts) n;
    SELECT our_performance FROM re.performance('rated', 'last_7_days');
$$;
SELECT is(pg_temp.judged(successes, attempts), word, format('%s of %s', successes, attempts))
FROM (VALUES (3, 5, 'above_average'), (1199, 2000, 'above_average'), (599, 1000, 'average'), (1, 2, 'average'),
    (1999, 4000, 'average'),
    (499, 1000, 'below_average'), (0, 1, 'below_average')) v(successes, attempts, word);

SELECT results_eq($$ SELECT timeframe FROM reengagement_performance_view WHERE organization_id = 'rated' ORDER BY 1 $$,
    ARRAY['last_30_days', 'last_7_days', 'last_90_days'], 'the view has a row for each timeframe');

SELECT * FROM finish();
ROLLBACK;
