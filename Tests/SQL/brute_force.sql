-- Random clinics with difficult histories, compared with the brute-force definitions while now moves back and forth.
BEGIN;
\ir support/given.sql
\ir support/brute_force.sql
SELECT plan(14);

SELECT given.clinic(zone, zone, 99.95) FROM unnest(ARRAY['UTC', 'Australia/Sydney', 'America/New_York', 'Asia/Kolkata',
    'Australia/Lord_Howe', 'America/Havana', 'Pacific/Apia']) zone;

-- Many instants are at borders: at local midnights, at whole weeks and so 336 hours apart, and a microsecond before
-- or after these.
CREATE FUNCTION pg_temp.instant(zone text) RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE floor(random() * 4)
        WHEN 0 THEN ('2025-11-12'::date - floor(random() * 40)::integer)::timestamp AT TIME ZONE $1
        WHEN 1 THEN ('2025-11-12'::date - floor(random() * random() * 800)::integer)::timestamp AT TIME ZONE $1
        WHEN 2 THEN '2025-11-12T12:00Z'::timestamptz - floor(random() * 60) * interval '168 hours'
        ELSE '2025-11-20T12:00Z'::timestamptz - random() * random() * interval '500 days'
    END + (ARRAY[0, 0, 0, 1, -1])[1 + floor(random() * 5)::integer] * interval '1 microsecond'
$$;

SELECT setseed(0.25);
SELECT count(*) FROM (
    SELECT given.patient(format('p%s', n), pg_temp.instant(o.id),
        CASE WHEN random() < 0.15 THEN pg_temp.instant(o.id) END, o.id)
    FROM organizations o, generate_series(1, 40) n) made;
SELECT count(*) FROM (
    SELECT given.appointment(p.id, pg_temp.instant(o.id),
        (ARRAY['scheduled', 'completed', 'completed', 'cancelled', 'late_cancelled', 'no_show'])
            [1 + floor(random() * 6)::integer], pg_temp.instant(o.id), CASE WHEN random() < 0.5
            THEN round((random() * 200)::numeric, 2) END, o.id)
    FROM organizations o JOIN patients p ON p.organization_id = o.id, generate_series(1, 12) n
    WHERE random() < hashtext(p.id) % 7 / 6.0 + 0.2) made;
SELECT count(*) FROM (
    SELECT given.conversation(p.id, pg_temp.instant(o.id), o.id)
    FROM organizations o JOIN patients p ON p.organization_id = o.id, generate_series(1, 3) n
    WHERE random() < 0.4) made;
SELECT count(*) FROM (
    SELECT given.outreach(p.id, pg_temp.instant(o.id),
        (ARRAY['success', 'success', 'no_response', 'failed'])[1 + floor(random() * 4)::integer],
        (ARRAY['sms', 'email', 'phone'])[1 + floor(random() * 3)::integer], random() < 0.4, organization => o.id)
    FROM organizations o JOIN patients p ON p.organization_id = o.id, generate_series(1, 8) n
    WHERE random() < 0.6) made;
-- Bookings soon after successes, so that some attempts are converted.
SELECT count(*) FROM (
    SELECT given.appointment(l.patient_id, l.created_at + interval '20 days', 'scheduled',
        l.created_at + (ARRAY[0, 1, 1209600000000, 1209600000001, 86400000000,
            604800000000])[1 + floor(random() * 6)::integer] * interval '1 microsecond',
        organization => l.organization_id)
    FROM outreach_log l WHERE l.outcome = 'success' AND random() < 0.6) made;

UPDATE patients
    SET (name, email, phone) = (SELECT name, CASE WHEN random() < 0.3 THEN name || '@Example.com' END,
        (ARRAY['+1 (555) 0199', '5550-1x', NULL])[1 + floor(random() * 3)::integer]
    FROM (SELECT (ARRAY['O''Brien', E'Zoe\u0301 o\u0301brigh', 'obri', '', 'ÓBRIEN',
        'x%y_z'])[1 + floor(random() * 6)::integer] AS name WHERE patients.id <> '') n);

-- Statistics of rows that other tests have rolled back would mislead the planner.
ANALYZE organizations, patients, appointments, conversations, outreach_log;

-- Without patients and conversions, the comparison below would compare nothing.
SELECT cmp_ok((SELECT count(*) FROM patient_reengagement_master_view), '>', 150::bigint, 'there are patients to compare');
SELECT cmp_ok((SELECT count(converted_at) FROM re.attempt), '>', 150::bigint, 'there are conversions to compare');

CREATE FUNCTION pg_temp.differences_at(at text) RETURNS text LANGUAGE sql AS $$
    SELECT given.now($1);
    SELECT string_agg(d, E'\n') FROM (SELECT d FROM brute.differences() d LIMIT 5) d;
$$;
SELECT is(pg_temp.differences_at(at), NULL, 'at ' || at)
FROM unnest(ARRAY['2025-11-12T12:00:00Z', '2025-11-12T05:00:00Z', '2025-11-12T04:59:59.999999Z',
    '2025-11-12T00:00:00Z', '2025-11-11T23:59:59.999999Z',
    '2025-11-11T13:00:00Z', '2025-11-03T04:59:59.999999Z', '2025-11-02T06:30:00Z', '2025-10-05T15:00:00Z',
    '2025-03-10T04:00:00Z',
    '2024-02-29T12:00:00Z', '2026-03-01T00:00:00Z']) at;

SELECT * FROM finish();
ROLLBACK;
