-- Section 4 of the definitions: to which attempt a booking is attributed, at 2025-06-30 12:00 UTC.
BEGIN;
\ir support/given.sql
SELECT plan(26);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();

-- Logs an attempt. The last digit of its id decides between attempts at one instant.
CREATE FUNCTION pg_temp.tried(patient text, at timestamptz, last_digit text DEFAULT '1', outcome text DEFAULT 'success')
RETURNS void LANGUAGE sql AS $$
    SELECT given.outreach($1, $2, $4, 'phone',
        id => (left(md5($1)::uuid::text, -1) || $3)::uuid)
$$;

-- Returns the booking that converts an attempt, or null.
CREATE FUNCTION pg_temp.converted(patient text, last_digit text DEFAULT '1') RETURNS timestamptz LANGUAGE sql AS $$
    SELECT converted_at FROM re.attempt WHERE patient_id = $1 AND right(id::text, 1) = $2
$$;

CREATE FUNCTION pg_temp.booked(patient text, at timestamptz, status text DEFAULT 'scheduled',
    starts_at timestamptz DEFAULT '2025-08-01T00:00Z')
RETURNS void LANGUAGE sql AS $$
    SELECT given.patient($1) WHERE NOT EXISTS (SELECT FROM patients WHERE id = $1);
    SELECT given.appointment($1, $4, $3, $2)
$$;

-- 14 × 24 hours after 2025-06-01 00:00 is 2025-06-15 00:00.
SELECT pg_temp.booked('exactly', '2025-06-15T00:00Z');
SELECT pg_temp.tried('exactly', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('exactly'), '2025-06-15T00:00Z', 'a booking exactly 336 hours after the attempt converts it');
SELECT pg_temp.booked('too_late', '2025-06-15T00:00:00.000001Z');
SELECT pg_temp.tried('too_late', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('too_late'), NULL, 'a booking a microsecond later does not');
SELECT pg_temp.booked('same', '2025-06-01T00:00Z');
SELECT pg_temp.tried('same', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('same'), NULL, 'a booking at the instant of the attempt does not');
SELECT pg_temp.booked('next', '2025-06-01T00:00:00.000001Z');
SELECT pg_temp.tried('next', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('next'), '2025-06-01T00:00:00.000001Z', 'a booking a microsecond after the attempt does');
SELECT pg_temp.booked('earlier', '2025-05-31T00:00Z');
SELECT pg_temp.tried('earlier', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('earlier'), NULL, 'a booking before the attempt does not');

-- The limit is 336 hours, also across a change of the clocks: Sydney's went back on 6 April 2025.
SELECT given.clinic('syd', 'Australia/Sydney');
SELECT given.patient('hours', organization => 'syd');
SELECT given.outreach('hours', '2025-04-01T00:00Z', organization => 'syd');
SELECT given.appointment('hours', '2025-08-01T00:00Z', 'scheduled', '2025-04-15T00:00:00.000001Z',
    organization => 'syd');
SELECT is((SELECT converted_at FROM re.attempt WHERE patient_id = 'hours'), NULL, 'the limit is not 14 local days');

-- Statuses that make an appointment a booking.
SELECT pg_temp.booked(status, '2025-06-03T00:00Z', status, '2025-06-20T00:00Z'),
    pg_temp.tried(status, '2025-06-01T00:00Z')
FROM unnest(ARRAY['scheduled', 'completed', 'no_show', 'cancelled', 'late_cancelled']) status;
SELECT is(pg_temp.converted(status) IS NOT NULL, converts, format('%s converts: %s', status, converts))
FROM (VALUES ('scheduled', true), ('completed', true), ('no_show', true), ('cancelled', false),
    ('late_cancelled', false)) v(status, converts);
SELECT pg_temp.booked('replaced', '2025-06-02T00:00Z', 'cancelled');
SELECT pg_temp.booked('replaced', '2025-06-03T00:00Z');
SELECT pg_temp.tried('replaced', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('replaced'), '2025-06-03T00:00Z', 'a cancelled booking is ignored');

-- A booking after now does not count yet. The time of its appointment does not matter.
SELECT pg_temp.booked('now', '2025-06-30T12:00Z');
SELECT pg_temp.tried('now', '2025-06-30T00:00Z');
SELECT is(pg_temp.converted('now'), '2025-06-30T12:00Z', 'a booking at this instant counts');
SELECT pg_temp.booked('not_yet', '2025-06-30T12:00:00.000001Z', 'completed', '2025-06-30T10:00Z');
SELECT pg_temp.tried('not_yet', '2025-06-30T00:00Z');
SELECT is(pg_temp.converted('not_yet'), NULL, 'a booking after now does not count');

-- Only successful attempts count, and of several the latest.
SELECT pg_temp.booked('outcomes', '2025-06-05T00:00Z');
SELECT pg_temp.tried('outcomes', '2025-06-01T00:00Z', '1');
SELECT pg_temp.tried('outcomes', '2025-06-03T00:00Z', '2', 'no_response');
SELECT pg_temp.tried('outcomes', '2025-06-04T00:00Z', '3', 'failed');
SELECT is(pg_temp.converted('outcomes', '1'), '2025-06-05T00:00Z', 'attempts without success do not take the booking');
SELECT is(pg_temp.converted('outcomes', '2'), NULL, 'an attempt without success is not converted');
SELECT pg_temp.booked('two', '2025-06-05T00:00Z');
SELECT pg_temp.tried('two', '2025-06-01T00:00Z', '1');
SELECT pg_temp.tried('two', '2025-06-04T00:00Z', '2');
SELECT is(pg_temp.converted('two', '1'), NULL, 'an earlier success does not get the booking');
SELECT is(pg_temp.converted('two', '2'), '2025-06-05T00:00Z', 'the later success gets the booking');
SELECT pg_temp.booked('between', '2025-06-04T00:00Z');
SELECT pg_temp.tried('between', '2025-06-01T00:00Z', '1');
SELECT pg_temp.tried('between', '2025-06-04T00:00Z', '2');
SELECT is(pg_temp.converted('between', '1'), '2025-06-04T00:00Z', 'a success at the instant of the booking does not take it');
SELECT pg_temp.booked('expired', '2025-06-29T00:00Z');
SELECT pg_temp.tried('expired', '2025-06-14T00:00Z', '1');
SELECT pg_temp.tried('expired', '2025-06-10T00:00Z', '2');
SELECT is(pg_temp.converted('expired', '1'), NULL, 'if the latest success is too old, no older one gets the booking');
SELECT pg_temp.booked('tie', '2025-06-05T00:00Z');
SELECT pg_temp.tried('tie', '2025-06-04T00:00Z', '1');
SELECT pg_temp.tried('tie', '2025-06-04T00:00Z', 'f');
SELECT pg_temp.tried('tie', '2025-06-04T00:00Z', '7');
SELECT is(pg_temp.converted('tie', 'f'), '2025-06-05T00:00Z', 'of three successes at one instant, the greatest id gets the booking');
SELECT is(pg_temp.converted('tie', '7'), NULL, 'the middle id does not');
SELECT is(pg_temp.converted('tie', '1'), NULL, 'the least id does not');

-- The first of several bookings, a booking of another patient, and an attempt after now.
SELECT pg_temp.booked('several', at)
    FROM unnest(ARRAY['2025-06-07T00:00Z', '2025-06-03T00:00Z', '2025-06-05T00:00Z']::timestamptz[]) at;
SELECT pg_temp.tried('several', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('several'), '2025-06-03T00:00Z', 'the first of several bookings converts the attempt');
SELECT given.patient('lonely');
SELECT pg_temp.tried('lonely', '2025-06-01T00:00Z');
SELECT is(pg_temp.converted('lonely'), NULL, 'the booking of another patient does not');
SELECT pg_temp.tried('lonely', '2025-06-30T12:00:00.000001Z', '2');
SELECT is((SELECT count(*) FROM re.attempt WHERE patient_id = 'lonely'), 1::bigint,
    'an attempt after now does not exist');

SELECT * FROM finish();
ROLLBACK;
