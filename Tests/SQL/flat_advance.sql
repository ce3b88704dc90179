-- What an advance does, in what portions, and when there is something to do.
BEGIN;
\ir support/given.sql
\ir ../../sql/questions.sql
SELECT plan(58);
-- What waits for a transaction's end (../../sql/flat/23_forgotten_attempts.sql) is done at each statement's.
SET CONSTRAINTS ALL IMMEDIATE;
SELECT given.now('2025-06-30T12:00:00Z');
SET LOCAL reengagement.organization = 'clinic';

-- Works off everything in portions of at most so many; how many portions it took.
CREATE FUNCTION pg_temp.work_off(most integer, organization text DEFAULT 'clinic') RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    FOR portion IN 1..1000 LOOP
        IF NOT (SELECT a.remaining FROM re.advance(organization, most) a) THEN
            RETURN portion;
        END IF;
    END LOOP;
    RAISE 'no end';
END $$;
CREATE FUNCTION pg_temp.response(call text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    response text[];
BEGIN
    EXECUTE format('SELECT ARRAY(SELECT r::text FROM %s r)', call) INTO response;
    RETURN response;
END $$;
-- What differs between the states kept and states computed anew, and between the flat answers and the plain ones.
CREATE FUNCTION pg_temp.differences(organization text DEFAULT 'clinic') RETURNS SETOF text LANGUAGE sql AS $$
    (SELECT 'kept ' || s.patient_id || s.contact_days::text || s.missed_days::text || s.attempts::text
        || concat_ws(' ', s.risk_group, s.last_contact_day, s.valid_from, s.valid_until, s.day_from, s.day_until)
        FROM re.patient_state s WHERE s.organization_id = $1
    EXCEPT SELECT 'kept ' || s.patient_id || s.contact_days::text || s.missed_days::text || s.attempts::text
        || concat_ws(' ', s.risk_group, s.last_contact_day, s.valid_from, s.valid_until, s.day_from, s.day_until)
        FROM re.fresh_state($1, re.patients_after($1, '', 1000000)) s)
    UNION ALL SELECT 'not current' WHERE NOT re.is_current($1)
    UNION ALL
    -- Of each endpoint one question of the registry.
    SELECT q.call
    FROM (SELECT DISTINCT ON (q.name) format(q.call, quote_literal($1)) AS call FROM pg_temp.question q WHERE q.has_flat
        ORDER BY q.name, q.call DESC) q
    WHERE pg_temp.response('re.flat_' || q.call) <> pg_temp.response('re.plain_' || q.call)
$$;
CREATE FUNCTION pg_temp.generation() RETURNS bigint LANGUAGE sql AS $$ SELECT generation FROM re.organization_state WHERE organization_id = 'clinic' $$;
CREATE FUNCTION pg_temp.state(patient text) RETURNS re.patient_state LANGUAGE sql AS $$
    SELECT s FROM re.patient_state s WHERE s.organization_id = 'clinic' AND s.patient_id = $1
$$;

-- An empty organization.
SELECT given.clinic();
SELECT is(re.is_current('clinic'), false, 'a new organization is not current');
SELECT is(a::text, '(0,f,f)', 'an advance has nobody to refresh') FROM re.advance('clinic', 10) a;
SELECT is(re.is_current('clinic'), true, 'and makes it current');
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree on nobody');
SELECT is(pg_temp.generation(), 1::bigint, 'the first generation');
SELECT is(a::text, '(0,f,f)', 'again') FROM re.advance('clinic', 10) a;
SELECT is(pg_temp.generation(), 1::bigint, 'nothing to do is no new generation');
SELECT is(a::text, '(0,f,t)', 'an organization that has never been is nobody''s to advance') FROM re.advance('nowhere', 10) a;

-- One patient.
SELECT given.patient('p', '2025-01-01T00:00Z');
SELECT is(re.is_current('clinic'), false, 'not current with a mark');
SELECT is(re.is_valid_now('clinic'), true, 'but for whom later marks are none of its business');
SELECT is(a::text, '(1,f,f)', 'one patient is refreshed') FROM re.advance('clinic', 10) a;
SELECT is(((pg_temp.state('p')).risk_group, (pg_temp.state('p')).last_contact_day)::text, '(6,2025-01-01)', 'stale, last seen at intake');
SELECT is((SELECT string_agg(format('%s %s %s', last_contact_day, risk_group, number), ', ' ORDER BY last_contact_day) FROM re.patient_count WHERE organization_id = 'clinic'),
    '-infinity 6 1, 2025-01-01 6 1', 'counted in its cell and in the total');
SELECT is((SELECT string_agg(concat_ws(' ', day, d0, d7, d14, d45, new_at_risk, reengaged), ', ' ORDER BY day) FROM re.risk_day WHERE organization_id = 'clinic'),
    '2025-01-01 1 0 0 0 0 0, 2025-01-08 0 1 0 0 0 0, 2025-01-15 0 0 1 0 0 0, 2025-01-31 0 0 0 0 1 0, 2025-02-15 0 0 0 1 0 0', 'and the days on which it grows riskier');
SELECT given.conversation('p', '2025-06-20T09:00Z');
SELECT pg_temp.work_off(10);
SELECT is((SELECT concat_ws(' ', d0, d7, d14, d45, new_at_risk, reengaged) FROM re.risk_day WHERE organization_id = 'clinic' AND day = '2025-06-20'),
    '0 -1 -1 -1 0 1', 'a contact takes all of it back and is a re-engagement');
SELECT is((SELECT concat_ws(' ', d0, d7, d14, d45, new_at_risk, reengaged) FROM re.risk_day WHERE organization_id = 'clinic' AND day = '2025-07-20'),
    '0 0 0 0 1 0', 'days to come are written down');
SELECT is((SELECT number FROM re.patient_count WHERE organization_id = 'clinic' AND last_contact_day = '2025-01-01' AND risk_group = 6), 0::bigint, 'the old cell is empty');
SELECT is_empty('SELECT pg_temp.differences()', 'and flat is plain');

-- Every change, and every portion.
SELECT given.patient(format('p%s', i), '2025-06-30T12:00Z'::timestamptz - i * interval '5 days') FROM generate_series(1, 25) i;
SELECT given.outreach(format('p%s', i), '2025-06-28T12:00Z'::timestamptz - i * interval '3 days', (ARRAY['success', 'failed', 'no_response'])[1 + i % 3],
    (ARRAY['sms', 'email', 'phone', 'sms'])[1 + i % 4]) FROM generate_series(1, 25) i;
SELECT given.appointment(format('p%s', i), '2025-07-02T12:00Z'::timestamptz - i * interval '6 days', (ARRAY['completed', 'no_show', 'scheduled', 'late_cancelled'])[1 + i % 4],
    '2025-06-29T12:00Z'::timestamptz - i * interval '3 days') FROM generate_series(1, 25) i;
SELECT is(pg_temp.work_off(10), 3, '25 patients in three portions of ten');
SELECT is_empty('SELECT pg_temp.differences()', 'flat is plain');
UPDATE appointments SET patient_id = 'p1' WHERE patient_id IN ('p2', 'p3');
UPDATE outreach_log SET outcome = 'success' WHERE patient_id < 'p2';
DELETE FROM patients WHERE id IN ('p4', 'p20');
UPDATE patients SET archived_at = '2025-06-01Z' WHERE id IN ('p5', 'p6');
UPDATE patients SET created_at = '2025-08-01Z' WHERE id = 'p7';
SELECT pg_temp.work_off(7);
SELECT is_empty('SELECT pg_temp.differences()', 'after moves, deletions, archiving and an intake to come');
SELECT is((pg_temp.state('p4')).patient_id, NULL, 'who is deleted has no state');
SELECT is(cardinality((pg_temp.state('p5')).attempts), 1, 'who is archived has attempts');
SELECT is((pg_temp.state('p5')).risk_group, NULL, 'and no risk group');
UPDATE organizations SET time_zone = 'Australia/Sydney';
SELECT is(re.is_valid_now('clinic'), true, 'a changed zone');
SELECT is(a::text, '(5,t,f)', 'has everybody read again') FROM re.advance('clinic', 5) a;
SELECT is(re.is_valid_now('clinic'), false, 'and is not current before that is done, for nobody');
SELECT is((SELECT built FROM re.status WHERE organization_id = 'clinic'), false, 'nor built');
SELECT given.conversation('p1', '2025-06-29T09:00Z');
SELECT pg_temp.work_off(5);
SELECT is_empty('SELECT pg_temp.differences()', 'in the new zone');
TRUNCATE conversations;
SELECT pg_temp.work_off(1000);
SELECT is_empty('SELECT pg_temp.differences()', 'after TRUNCATE');
SELECT is((SELECT count(*) FROM re.pending_change WHERE organization_id = 'clinic'), 0::bigint, 'no mark is left');

-- Generations.
SELECT pg_temp.generation() AS generation \gset
UPDATE organizations SET appointment_value = 141;
SELECT is(re.is_current('clinic'), false, 'a changed value of appointments');
SELECT is(a::text, '(0,f,f)', 'needs nobody refreshed') FROM re.advance('clinic', 10) a;
SELECT is(pg_temp.generation(), :generation + 1::bigint, 'but moves the generation');
UPDATE patients SET treatment_notes = 'changed' WHERE id = 'p1';
SELECT pg_temp.work_off(10);
SELECT is(pg_temp.generation(), :generation + 2::bigint, 'as a changed note does');

-- Time: between two bounds nothing changes, at them something may.
UPDATE organizations SET time_zone = 'America/New_York';
DELETE FROM patients;
SELECT given.patient('m', '2025-01-01T12:00Z');
SELECT given.appointment('m', '2025-06-01T03:59:59Z', 'no_show');
SELECT given.appointment('m', '2025-07-02T15:00Z', 'scheduled', '2025-06-30T12:00Z');
SELECT pg_temp.work_off(1000);
SELECT is((valid_from, valid_until, day_from, day_until)::text, (timestamptz '2025-06-30 12:00Z', timestamptz '2025-07-02 15:00Z', date '2025-05-31', date '2025-08-29')::text,
    'a state holds from stamp to stamp, and until its miss leaves the 90 days') FROM re.organization_state WHERE organization_id = 'clinic';
SELECT is(re.is_current('clinic'), true, 'at the lower bound');
SELECT given.now('2025-06-30T11:59:59.999999Z');
SELECT is(re.is_current('clinic'), false, 'a microsecond before it');
SELECT pg_temp.work_off(10);
SELECT is_empty('SELECT pg_temp.differences()', 'going back');
SELECT given.now('2025-07-02T14:59:59.999999Z');
SELECT pg_temp.work_off(10);
SELECT is((pg_temp.state('m')).risk_group, 1::smallint, 'a microsecond before the appointment it is upcoming');
SELECT given.now('2025-07-02T15:00:00Z');
SELECT is(re.is_current('clinic'), false, 'and as it begins');
SELECT is('clinic' IN (SELECT re.organizations_due(1000000)), true, 'there is work to do');
SELECT pg_temp.work_off(10);
SELECT is((pg_temp.state('m')).risk_group, 7::smallint, 'it is not');
SELECT given.now('2025-08-29T03:59:59.999999Z');
SELECT is(re.is_current('clinic'), true, 'a microsecond before midnight the miss counts');
SELECT is((SELECT missed_appointments_last_90d FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 1, NULL, NULL, NULL, NULL, NULL)), 1, 'in the list');
SELECT given.now('2025-08-29T04:00:00Z');
SELECT is(re.is_current('clinic'), false, 'from midnight on it does not');
SELECT pg_temp.work_off(10);
SELECT is_empty('SELECT pg_temp.differences()', 'flat is plain');
SELECT is((pg_temp.state('m')).risk_group, 6::smallint, 'and its risk group changes');
SELECT given.now('2025-08-28T12:00:00Z');
SELECT is(re.is_current('clinic'), false, 'back before that midnight');
SELECT pg_temp.work_off(10);
SELECT is_empty('SELECT pg_temp.differences()', 'it counts again');

-- The order within a risk group, on which the list rests: never less urgent with more days, in all risk groups.
SELECT is_empty($$
    SELECT c, d FROM generate_series(0, 8) c, generate_series(0, 400) d
    WHERE re.group_score(c, d) > re.group_score(c, d + 1)
        OR re.group_priority(c, d) < re.group_priority(c, d + 1)
    $$, 'neither score nor priority falls with more days');
SELECT is_empty($$
    SELECT c, d FROM re.risk_groups() AS r(c, has_appointment, has_contact, missed), generate_series(0, 4000) d
    CROSS JOIN LATERAL (SELECT re.risk_score(d, r.missed, r.has_appointment) AS score) s
    WHERE (re.group_score(c, d), re.group_priority(c, d))
            <> (s.score, re.action_priority(re.engagement_status(r.has_appointment, r.has_contact, d), re.risk_tier(s.score)))
        OR (d >= 90 AND re.risk_level(d) <> re.risk_level(90))
    $$, 'both are what the definitions'' formulas give, and from 90 days on nothing changes');
SELECT is_empty($$
    SELECT * FROM (
        SELECT row_number() OVER (ORDER BY re.group_order_key(c, d, false), c) AS one,
            row_number() OVER (ORDER BY re.group_priority(c, d), re.group_score(c, d) DESC, d DESC, c) AS other
        FROM generate_series(0, 8) c, unnest(ARRAY(SELECT generate_series(0, 500)) || 739000 || 3652058) d
    ) n
    WHERE one <> other
    $$, 'one number says the order of priority');
SELECT is_empty($$
    SELECT * FROM (
        SELECT row_number() OVER (ORDER BY re.group_order_key(c, d, true), c) AS one,
            row_number() OVER (ORDER BY d DESC, re.group_priority(c, d), re.group_score(c, d) DESC, c) AS other
        FROM generate_series(0, 8) c, unnest(ARRAY(SELECT generate_series(0, 500)) || 739000 || 3652058) d
    ) n
    WHERE one <> other
    $$, 'and another that of last contact');
-- Each filter and risk group, day by day.
SELECT is_empty($$
    SELECT w.*, c, d
    FROM (SELECT l, NULL::text AS s, NULL::integer AS p, NULL::text AS t FROM unnest(ARRAY['critical', 'high', 'medium', 'low', 'engaged', 'active']) l
        UNION ALL SELECT NULL, s, NULL, NULL FROM unnest(ARRAY['active', 'dormant', 'stale', 'low']) s
        UNION ALL SELECT NULL, NULL, p, NULL FROM generate_series(0, 5) p
        UNION ALL SELECT NULL, NULL, NULL, t FROM unnest(ARRAY['high', 'medium', 'low', 'critical']) t
        UNION ALL SELECT NULL, NULL, NULL, NULL
        UNION ALL SELECT l, s, p, t FROM unnest(ARRAY['critical', 'high', 'medium']) l, unnest(ARRAY['active', 'dormant', 'stale']) s,
            generate_series(1, 4) p, unnest(ARRAY['high', 'medium', 'low']) t) w
    CROSS JOIN LATERAL re.filtered_days('2025-06-30', w.l, w.s, w.p, w.t) f
    CROSS JOIN generate_series(0, 8) c
    CROSS JOIN unnest(ARRAY(SELECT generate_series(0, 100)) || 739000) d
    WHERE date '2025-06-30' - d BETWEEN f.first_days[c + 1] AND f.last_days[c + 1] <>
        ((w.l IS NULL OR re.risk_level(d) = w.l) AND (w.s IS NULL OR re.group_status(c, d) = w.s)
            AND (w.p IS NULL OR re.group_priority(c, d) = w.p) AND (w.t IS NULL OR re.risk_tier(re.group_score(c, d)) = w.t))
    $$, 'filters are intervals of days within a risk group');

-- Everything goes with the organization.
DELETE FROM organizations;
SELECT pg_temp.work_off(10);
SELECT is((SELECT count(*) FROM re.patient_state WHERE organization_id = 'clinic'), 0::bigint, 'a deleted organization keeps no state');
SELECT is((SELECT coalesce(sum(abs(number)), 0) FROM re.patient_count WHERE organization_id = 'clinic'), 0::numeric, 'and counts nobody');
SELECT is_empty('SELECT pg_temp.differences()', 'and is answered zeros');

SELECT * FROM finish();
ROLLBACK;
