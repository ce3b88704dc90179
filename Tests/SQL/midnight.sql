-- The day of an event is its date in the organization's time zone, exact to the microsecond and across summer time.
BEGIN;
\ir support/given.sql
SELECT plan(58);

-- Noon of 30 June 2025 by each local clock, and the midnight in UTC that began 24 June, six days before.
CREATE TEMPORARY TABLE zone ON COMMIT DROP AS
SELECT * FROM (VALUES
    ('Australia/Sydney', '2025-06-30T02:00Z'::timestamptz, '2025-06-23T14:00Z'::timestamptz),
    ('America/New_York', '2025-06-30T16:00Z', '2025-06-24T04:00Z'),
    ('Asia/Kolkata', '2025-06-30T06:30Z', '2025-06-23T18:30Z'),
    ('Australia/Lord_Howe', '2025-06-30T01:30Z', '2025-06-23T13:30Z'),
    ('Europe/London', '2025-06-30T11:00Z', '2025-06-23T23:00Z')
) v(name, noon, midnight);
SELECT given.clinic(name, name) FROM zone;
SELECT given.patient(id, organization => name) FROM zone, unnest(ARRAY['before', 'at', 'after']) id;
SELECT given.appointment('before', midnight - interval '1 microsecond', organization => name) FROM zone;
SELECT given.conversation('at', midnight, name) FROM zone;
SELECT given.outreach('after', midnight + interval '1 microsecond', organization => name) FROM zone;

CREATE FUNCTION pg_temp.days(at timestamptz, patient text, organization text) RETURNS integer LANGUAGE sql AS $$
    SELECT given.now($1::text);
    SELECT (given.row_of($2, $3)).days_since_last_contact;
$$;
SELECT is(pg_temp.days(noon, 'before', name), 7, name || ': an event a microsecond before midnight is of the day before') FROM zone;
SELECT is(pg_temp.days(noon, 'at', name), 6, name || ': an event at midnight is of the new day') FROM zone;
SELECT is(pg_temp.days(noon, 'after', name), 6, name || ': an event a microsecond after midnight is of the new day') FROM zone;

-- Risk levels change at local midnight.
SELECT is(pg_temp.days(midnight + interval '7 days' - interval '1 microsecond', 'at', name), 6,
    name || ': a microsecond before the eighth day') FROM zone;
SELECT is(pg_temp.days(midnight + interval '7 days', 'at', name), 7, name || ': the eighth day begins') FROM zone;

-- Summer time. In New York, 9 March 2025 has 23 hours and 2 November has 25.
SELECT given.clinic('ny', 'America/New_York');
SELECT given.patient('spring', organization => 'ny');
SELECT given.patient('autumn', organization => 'ny');
SELECT given.appointment('spring', '2025-03-09T04:59:59.999999Z', organization => 'ny');
SELECT given.appointment('autumn', '2025-11-02T03:59:59.999999Z', organization => 'ny');
SELECT is(pg_temp.days('2025-03-09T05:00Z', 'spring', 'ny'), 1, 'the short day begins at 05:00 UTC');
SELECT is(pg_temp.days('2025-03-10T03:59:59.999999Z', 'spring', 'ny'), 1, 'the short day has 23 hours');
SELECT is(pg_temp.days('2025-03-10T04:00Z', 'spring', 'ny'), 2, 'the day after the short one begins at 04:00 UTC');
SELECT is(pg_temp.days('2025-11-02T04:00Z', 'autumn', 'ny'), 1, 'the long day begins at 04:00 UTC');
SELECT is(pg_temp.days('2025-11-03T04:59:59.999999Z', 'autumn', 'ny'), 1, 'the long day has 25 hours');
SELECT is(pg_temp.days('2025-11-03T05:00Z', 'autumn', 'ny'), 2, 'the day after the long one begins at 05:00 UTC');

-- Lord Howe moves its clock by half an hour: on 6 April 2025 from +11:00 to +10:30, on 5 October back.
SELECT given.clinic('lh', 'Australia/Lord_Howe');
SELECT given.patient('half', organization => 'lh');
SELECT given.appointment('half', '2025-04-05T12:59:59Z', organization => 'lh');
SELECT is(pg_temp.days('2025-04-05T13:00Z', 'half', 'lh'), 1, 'Lord Howe: 6 April begins at 13:00 UTC');
SELECT is(pg_temp.days('2025-04-06T13:29:59.999999Z', 'half', 'lh'), 1, 'Lord Howe: 6 April is half an hour longer');
SELECT is(pg_temp.days('2025-04-06T13:30Z', 'half', 'lh'), 2, 'Lord Howe: 7 April begins at 13:30 UTC');

-- Havana moves its clock back from 01:00 to 00:00. That day has two midnights and begins at the first.
SELECT given.clinic('havana', 'America/Havana');
SELECT given.patient('twice', organization => 'havana');
SELECT given.appointment('twice', '2025-11-02T04:00Z', 'no_show', organization => 'havana');
SELECT given.outreach('twice', '2025-11-02T04:00Z', 'failed', organization => 'havana');
SELECT given.now('2026-01-30T17:00Z');
SELECT is((given.row_of('twice', 'havana')).missed_appointments_last_90d, 1,
    'a missed appointment in the first midnight hour of the first of 90 days counts');
SELECT is((SELECT outreach_attempts FROM re.performance('havana', 'last_90_days')), 1::bigint, 'an attempt in that hour counts');
SELECT given.now('2025-11-15T17:00Z');
SELECT is((SELECT (missed_appointments_14d, failed_communications)::text FROM re.risk_metrics('havana')), '(1,1)',
    'both count in the alerts of 14 days');
SELECT given.now('2025-11-16T17:00Z');
SELECT is((SELECT (missed_appointments_14d, failed_communications)::text FROM re.risk_metrics('havana')), '(0,0)',
    'neither counts in the alerts a day later');

-- Santiago's clock skips midnight: 7 September 2025 begins at 01:00.
SELECT given.clinic('santiago', 'America/Santiago');
SELECT given.patient('gap', organization => 'santiago');
SELECT given.conversation('gap', '2025-09-07T03:59:59.999999Z', 'santiago');
SELECT is(pg_temp.days('2025-09-07T04:00Z', 'gap', 'santiago'), 1, 'a day that begins at 01:00');

-- Newfoundland moved its clock back from 00:01 to 23:01 of the day before. An event that is not after now can therefore
-- have a day after today.
SELECT given.clinic('st_johns', 'America/St_Johns');
SELECT given.patient(id, '2010-10-01T12:00Z', organization => 'st_johns')
    FROM unnest(ARRAY['back', 'visited', 'answered', 'only', 'missing']) id;
SELECT given.conversation(id, '2010-11-01T12:00Z', 'st_johns') FROM unnest(ARRAY['back', 'visited', 'answered']) id;
SELECT given.conversation(id, '2010-11-07T02:30:30Z', 'st_johns') FROM unnest(ARRAY['back', 'only']) id;
SELECT given.appointment('visited', '2010-11-07T02:30:30Z', organization => 'st_johns');
SELECT given.outreach('answered', '2010-11-07T02:30:30Z', organization => 'st_johns');
SELECT given.appointment('missing', '2010-11-07T02:30:30Z', 'no_show', organization => 'st_johns');
SELECT is(pg_temp.days('2010-11-07T02:30:59Z', 'back', 'st_johns'), 0, 'it is 7 November for a minute');
SELECT is(pg_temp.days('2010-11-07T02:45Z', id, 'st_johns'), 5,
    id || ': on 6 November again, the contact of 7 November does not count')
FROM unnest(ARRAY['back', 'visited', 'answered']) id;
SELECT is(pg_temp.days('2010-11-07T02:45Z', 'only', 'st_johns'), 36, 'a patient whose only contact is of 7 November counts from the intake');
SELECT is((given.row_of('only', 'st_johns')).engagement_status, 'dormant',
    'such a patient is dormant, not stale');
SELECT given.patient('tomorrow', '2010-11-07T02:30:30Z', organization => 'st_johns');
SELECT is((given.row_of('tomorrow', 'st_johns')).patient_id, NULL,
    'a patient whose intake is of 7 November is not counted on the 6th');
SELECT is((given.row_of('missing', 'st_johns')).missed_appointments_last_90d, 0,
    'a missed appointment of 7 November is not in the days up to today');
SELECT is((SELECT outreach_attempts FROM reengagement_performance_view
    WHERE organization_id = 'st_johns' AND timeframe = 'last_7_days'), 0::bigint,
    'an attempt of 7 November is not in the days up to today');
SELECT is(pg_temp.days('2010-11-07T03:30Z', 'back', 'st_johns'), 0, 'the contact counts when 7 November begins again');

-- The windows of days in Sydney.
SELECT given.clinic('syd', 'Australia/Sydney');
SELECT given.patient('w', organization => 'syd');
-- Now is 30 June at noon. 14 days begin on 17 June, which began at 14:00 UTC on the 16th. 7, 30 and 90 days begin on
-- 24 June, 1 June and 2 April.
SELECT given.now('2025-06-30T02:00Z');
SELECT given.appointment('w', '2025-06-16T13:59:59.999999Z', 'no_show', organization => 'syd');
SELECT given.outreach('w', '2025-06-16T13:59:59.999999Z', 'failed', organization => 'syd');
SELECT is((SELECT (missed_appointments_14d, failed_communications)::text FROM re.risk_metrics('syd')), '(0,0)',
    'the 15th day back does not count');
SELECT given.appointment('w', '2025-06-16T14:00Z', 'late_cancelled', organization => 'syd');
SELECT given.outreach('w', '2025-06-16T14:00Z', 'failed', organization => 'syd');
SELECT is((SELECT (missed_appointments_14d, failed_communications)::text FROM re.risk_metrics('syd')), '(1,1)',
    'the 14th day back counts');
SELECT given.patient('w7', organization => 'syd');
SELECT given.outreach('w7', at, 'no_response', 'email', organization => 'syd')
FROM unnest(ARRAY['2025-06-23T13:59:59.999999Z', '2025-06-23T14:00Z', '2025-05-31T13:59:59.999999Z',
    '2025-05-31T14:00Z',
    '2025-04-01T12:59:59.999999Z', '2025-04-01T13:00Z', '2025-06-30T02:00Z',
    '2025-06-30T02:00:00.000001Z']::timestamptz[]) at;
SELECT is((SELECT email_sent FROM re.performance('syd', timeframe)), sent::bigint,
    timeframe || ' begins at local midnight and ends now')
FROM (VALUES ('last_7_days', 2), ('last_30_days', 4), ('last_90_days', 6)) v(timeframe, sent);
-- Sydney left summer time on 6 April, so that 2 April began at 13:00 UTC. Attendance has the same window.
SELECT given.appointment('w7', '2025-04-01T12:59:59.999999Z', organization => 'syd');
SELECT is((given.row_of('w7', 'syd')).attendance_rate_percent, NULL, 'an appointment of the 91st day back does not count');
SELECT given.appointment('w7', '2025-04-01T13:00Z', organization => 'syd');
SELECT is((given.row_of('w7', 'syd')).attendance_rate_percent, 100.0, 'an appointment of the 90th day back counts');
SELECT is((SELECT (date) FROM re.trends('syd', 90) LIMIT 1), '2025-04-02', '90 days are calendar days');
SELECT is((SELECT count(DISTINCT date) FROM re.trends('syd', 365)), 365::bigint, 'a year has 365 days, across both changes of the clock');

SELECT * FROM finish();
ROLLBACK;
