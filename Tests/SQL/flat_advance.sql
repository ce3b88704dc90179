-- The work of re.advance: its portions, its results, and when an organization is due.
BEGIN;
\ir support/given.sql
\ir ../../sql/questions.sql
SELECT plan(59);
-- Deferred triggers (../../sql/flat/23_forgotten_attempts.sql) run at the end of each statement here.
SET CONSTRAINTS ALL IMMEDIATE;
SELECT given.now('2025-06-30T12:00:00Z');
SET LOCAL reengagement.organization = 'clinic';

-- Processes all pending changes in portions of at most this size, and returns the number of portions.
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
-- Returns differences between stored and newly computed states, and between flat and plain queries.
CREATE FUNCTION pg_temp.differences(organization text DEFAULT 'clinic') RETURNS SETOF text LANGUAGE sql AS $$
    (SELECT 'kept ' || s.patient_id || s.contact_days::text || s.missed_days::text || s.attempts::text
        || concat_ws(' ', s.risk_group, s.last_contact_day, s.valid_from, s.valid_until, s.day_from, s.day_until)
        FROM re.patient_state s WHERE s.organization_id = $1
    EXCEPT SELECT 'kept ' || s.patient_id || s.contact_days::text || s.missed_days::text || s.attempts::text
        || concat_ws(' ', s.risk_group, s.last_contact_day, s.valid_from, s.valid_until, s.day_from, s.day_until)
        FROM re.fresh_state($1, re.patients_after($1, '', 1000000)) s)
    UNION ALL SELECT 'not current' WHERE NOT re.is_current($1)
    UNION ALL
    -- One question of the registry for each endpoint.
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
SELECT is(a::text, '(0,f,f)', 'an advance has no patient to refresh') FROM re.advance('clinic', 10) a;
SELECT is(re.is_current('clinic'), true, 'the advance makes it current');
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree on an organization without patients');
SELECT is(pg_temp.generation(), 1::bigint, 'the first generation');
SELECT is(a::text, '(0,f,f)', 'a second advance has nothing to do') FROM re.advance('clinic', 10) a;
SELECT is(pg_temp.generation(), 1::bigint, 'an advance without changes does not change the generation');
SELECT is(a::text, '(0,f,t)', 'an unknown organization cannot be advanced') FROM re.advance('nowhere', 10) a;

-- One patient.
SELECT given.patient('p', '2025-01-01T00:00Z');
SELECT is(re.is_current('clinic'), false, 'with a pending change, the organization is not current');
SELECT is(re.is_valid_now('clinic'), true, 'its derived data are valid for the earlier state');
SELECT is(a::text, '(1,f,f)', 'one patient is refreshed') FROM re.advance('clinic', 10) a;
SELECT is(((pg_temp.state('p')).risk_group, (pg_temp.state('p')).last_contact_day)::text, '(6,2025-01-01)', 'the patient is stale, last seen at intake');
SELECT is((SELECT string_agg(format('%s %s %s', last_contact_day, risk_group, number), ', ' ORDER BY last_contact_day) FROM re.patient_count WHERE organization_id = 'clinic'),
    '-infinity 6 1, 2025-01-01 6 1', 'the patient is counted for the group and day, and in the total');
SELECT is((SELECT string_agg(concat_ws(' ', day, d0, d7, d14, d45, new_at_risk, reengaged), ', ' ORDER BY day) FROM re.risk_day WHERE organization_id = 'clinic'),
    '2025-01-01 1 0 0 0 0 0, 2025-01-08 0 1 0 0 0 0, 2025-01-15 0 0 1 0 0 0, 2025-01-31 0 0 0 0 1 0, 2025-02-15 0 0 0 1 0 0', 'the days on which the patient''s risk grows are counted');
SELECT given.conversation('p', '2025-06-20T09:00Z');
SELECT pg_temp.work_off(10);
SELECT is((SELECT concat_ws(' ', d0, d7, d14, d45, new_at_risk, reengaged) FROM re.risk_day WHERE organization_id = 'clinic' AND day = '2025-06-20'),
    '0 -1 -1 -1 0 1', 'a contact reverses these days and counts as a re-engagement');
SELECT is((SELECT concat_ws(' ', d0, d7, d14, d45, new_at_risk, reengaged) FROM re.risk_day WHERE organization_id = 'clinic' AND day = '2025-07-20'),
    '0 0 0 0 1 0', 'future days are counted too');
SELECT is((SELECT number FROM re.patient_count WHERE organization_id = 'clinic' AND last_contact_day = '2025-01-01' AND risk_group = 6), 0::bigint, 'the old count is 0');
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree after the contact');

-- All kinds of changes, in several portions.
SELECT given.patient(format('p%s', i), '2025-06-30T12:00Z'::timestamptz - i * interval '5 days') FROM generate_series(1, 25) i;
SELECT given.outreach(format('p%s', i), '2025-06-28T12:00Z'::timestamptz - i * interval '3 days', (ARRAY['success', 'failed', 'no_response'])[1 + i % 3],
    (ARRAY['sms', 'email', 'phone', 'sms'])[1 + i % 4]) FROM generate_series(1, 25) i;
SELECT given.appointment(format('p%s', i), '2025-07-02T12:00Z'::timestamptz - i * interval '6 days', (ARRAY['completed', 'no_show', 'scheduled', 'late_cancelled'])[1 + i % 4],
    '2025-06-29T12:00Z'::timestamptz - i * interval '3 days') FROM generate_series(1, 25) i;
SELECT is(pg_temp.work_off(10), 3, '25 patients are processed in three portions of ten');
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree after insertions');
UPDATE appointments SET patient_id = 'p1' WHERE patient_id IN ('p2', 'p3');
UPDATE outreach_log SET outcome = 'success' WHERE patient_id < 'p2';
DELETE FROM patients WHERE id IN ('p4', 'p20');
UPDATE patients SET archived_at = '2025-06-01Z' WHERE id IN ('p5', 'p6');
UPDATE patients SET created_at = '2025-08-01Z' WHERE id = 'p7';
SELECT pg_temp.work_off(7);
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree after moves, deletions, archiving and a future intake');
SELECT is((pg_temp.state('p4')).patient_id, NULL, 'a deleted patient has no state');
SELECT is(cardinality((pg_temp.state('p5')).attempts), 1, 'an archived patient has attempts');
SELECT is((pg_temp.state('p5')).risk_group, NULL, 'an archived patient has no risk group');
UPDATE organizations SET time_zone = 'Australia/Sydney';
SELECT is(re.is_valid_now('clinic'), true, 'a changed zone leaves the data valid');
SELECT is(a::text, '(5,t,f)', 'the advance reads all patients again') FROM re.advance('clinic', 5) a;
SELECT is(re.is_valid_now('clinic'), false, 'the data are not valid until all patients are processed');
SELECT is((SELECT built FROM re.status WHERE organization_id = 'clinic'), false, 'and the organization is not built');
SELECT given.conversation('p1', '2025-06-29T09:00Z');
SELECT pg_temp.work_off(5);
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree in the new zone');
TRUNCATE conversations;
SELECT pg_temp.work_off(1000);
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree after TRUNCATE');
SELECT is((SELECT count(*) FROM re.pending_change WHERE organization_id = 'clinic'), 0::bigint, 'no pending change is left');

-- Generations.
SELECT pg_temp.generation() AS generation \gset
UPDATE organizations SET appointment_value = 141;
SELECT is(re.is_current('clinic'), false, 'a changed appointment value makes the organization not current');
SELECT is(a::text, '(0,f,f)', 'it needs no refresh of a patient') FROM re.advance('clinic', 10) a;
SELECT is(pg_temp.generation(), :generation + 1::bigint, 'it increases the generation');
UPDATE patients SET treatment_notes = 'changed' WHERE id = 'p1';
SELECT pg_temp.work_off(10);
SELECT is(pg_temp.generation(), :generation + 2::bigint, 'a changed note increases the generation');

-- Time: results change only at the ends of a validity interval.
UPDATE organizations SET time_zone = 'America/New_York';
DELETE FROM patients;
SELECT given.patient('m', '2025-01-01T12:00Z');
SELECT given.appointment('m', '2025-06-01T03:59:59Z', 'no_show');
SELECT given.appointment('m', '2025-07-02T15:00Z', 'scheduled', '2025-06-30T12:00Z');
SELECT pg_temp.work_off(1000);
SELECT is((valid_from, valid_until, day_from, day_until)::text, (timestamptz '2025-06-30 12:00Z', timestamptz '2025-07-02 15:00Z', date '2025-05-31', date '2025-08-29')::text,
    'a state is valid between two instants, and until its missed appointment leaves the 90 days') FROM re.patient_state WHERE organization_id = 'clinic' AND patient_id = 'm';
SELECT is((valid_from, valid_until, day_from, day_until)::text, (timestamptz '2025-06-30 12:00Z', timestamptz '2025-07-02 15:00Z', date '2025-06-30', date '2025-07-01')::text,
    'an organization is valid between the same instants, on the announced day') FROM re.organization_state WHERE organization_id = 'clinic';
SELECT is(re.is_current('clinic'), true, 'at the lower bound, the organization is current');
SELECT given.now('2025-06-30T11:59:59.999999Z');
SELECT is(re.is_current('clinic'), false, 'a microsecond before the lower bound, it is not');
SELECT pg_temp.work_off(10);
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree after now moved back');
SELECT given.now('2025-07-02T14:59:59.999999Z');
SELECT pg_temp.work_off(10);
SELECT is((pg_temp.state('m')).risk_group, 1::smallint, 'a microsecond before its start, the appointment is upcoming');
SELECT given.now('2025-07-02T15:00:00Z');
SELECT is(re.is_current('clinic'), false, 'at its start, the organization is not current');
SELECT is('clinic' IN (SELECT re.organizations_due(1000000)), true, 'the organization is due');
SELECT pg_temp.work_off(10);
SELECT is((pg_temp.state('m')).risk_group, 7::smallint, 'after its start, the appointment is not upcoming');
SELECT given.now('2025-08-29T03:59:59.999999Z');
SELECT pg_temp.work_off(10);
SELECT is(re.is_current('clinic'), true, 'a microsecond before midnight, the state is current');
SELECT is((SELECT missed_appointments_last_90d FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 1, NULL, NULL, NULL, NULL, NULL)), 1, 'the list counts it');
SELECT given.now('2025-08-29T04:00:00Z');
SELECT is(re.is_current('clinic'), false, 'from midnight on, the state is not current');
SELECT pg_temp.work_off(10);
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree after midnight');
SELECT is((pg_temp.state('m')).risk_group, 6::smallint, 'the risk group changes');
SELECT given.now('2025-08-28T12:00:00Z');
SELECT is(re.is_current('clinic'), false, 'before that midnight again, the state is not current');
SELECT pg_temp.work_off(10);
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree before that midnight');

-- The list relies on this order: in no risk group does the urgency fall with more days.
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
    $$, 'both equal the formulas of the definitions, and do not change after 90 days');
SELECT is_empty($$
    SELECT * FROM (
        SELECT row_number() OVER (ORDER BY re.group_order_key(c, d, false), c) AS one,
            row_number() OVER (ORDER BY re.group_priority(c, d), re.group_score(c, d) DESC, d DESC, c) AS other
        FROM generate_series(0, 8) c, unnest(ARRAY(SELECT generate_series(0, 500)) || 739000 || 3652058) d
    ) n
    WHERE one <> other
    $$, 'the order key sorts like priority, score and days');
SELECT is_empty($$
    SELECT * FROM (
        SELECT row_number() OVER (ORDER BY re.group_order_key(c, d, true), c) AS one,
            row_number() OVER (ORDER BY d DESC, re.group_priority(c, d), re.group_score(c, d) DESC, c) AS other
        FROM generate_series(0, 8) c, unnest(ARRAY(SELECT generate_series(0, 500)) || 739000 || 3652058) d
    ) n
    WHERE one <> other
    $$, 'the other order key sorts like the last contact');
-- Each filter and risk group, for each day.
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

-- Deletion of the organization.
DELETE FROM organizations;
SELECT pg_temp.work_off(10);
SELECT is((SELECT count(*) FROM re.patient_state WHERE organization_id = 'clinic'), 0::bigint, 'a deleted organization has no state');
SELECT is((SELECT coalesce(sum(abs(number)), 0) FROM re.patient_count WHERE organization_id = 'clinic'), 0::numeric, 'a deleted organization counts no patient');
SELECT is_empty('SELECT pg_temp.differences()', 'flat and plain agree on a deleted organization');

SELECT * FROM finish();
ROLLBACK;
