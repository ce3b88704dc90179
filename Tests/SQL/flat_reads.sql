-- The endpoints' functions: flat where that is exact, caught up with where that is quick, plain otherwise; the same
-- always.
BEGIN;
\ir support/given.sql
SELECT plan(56);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();
SELECT given.patient(format('p%s', i), '2025-06-30T12:00Z'::timestamptz - i * interval '3 days') FROM generate_series(1, 40) i;
SELECT given.outreach(format('p%s', i), '2025-06-29T12:00Z'::timestamptz - i * interval '2 days') FROM generate_series(1, 40, 3) i;

-- Whether the next answer comes from the counters is told by a counter that is wrong.
CREATE FUNCTION pg_temp.total() RETURNS bigint LANGUAGE sql AS $$ SELECT DISTINCT total_patients FROM re.dashboard('clinic') $$;
CREATE FUNCTION pg_temp.miscount(by integer) RETURNS void LANGUAGE sql AS $$
    UPDATE re.patient_count SET number = number + by WHERE organization_id = 'clinic' AND last_contact_day = '-infinity'
        AND risk_group = (SELECT min(risk_group) FROM re.patient_count WHERE organization_id = 'clinic')
$$;

SELECT is(re.is_current('clinic'), false, 'not current');
SELECT is(pg_temp.total(), 40::bigint, 'a reader is answered all the same');
SELECT is(re.is_current('clinic'), true, 'and has caught up');
SELECT is(coalesce(current_setting('reengagement.organization', true), ''), '', 'without leaving itself bound');
SELECT pg_temp.miscount(1000);
SELECT is(pg_temp.total(), 1040::bigint, 'then the counters answer');
SELECT given.conversation('p3', '2025-06-29T12:00Z');
SELECT is(pg_temp.total(), 1040::bigint, 'after another caught up with, too');
SAVEPOINT here;
SET TRANSACTION READ ONLY;
SELECT is(pg_temp.total(), 1040::bigint, 'and in a transaction that only reads');
ROLLBACK TO here;
SELECT given.conversation('p4', '2025-06-29T12:00Z');
SAVEPOINT here;
SET TRANSACTION READ ONLY;
SELECT is(pg_temp.total(), 40::bigint, 'but what such a one would have to catch up with is answered plain');
ROLLBACK TO here;
SELECT is(re.is_current('clinic'), false, 'and stays for others');
SELECT pg_temp.miscount(-1000);
SELECT is(pg_temp.total(), 40::bigint, 'by the plain views or the counters');

-- A page shows nothing of a later moment than the counters are of: the derived rows alone are read.
CREATE TEMPORARY TABLE before AS SELECT f.id, f::text AS answer FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 5, NULL, NULL, NULL, NULL, NULL) f;
SELECT is((SELECT count(*) FROM before), 5::bigint, 'a page');
UPDATE patients SET name = 'Renamed', phone = NULL, email = 'new@example.org';
SELECT given.appointment(b.id, '2025-06-30T11:00Z', 'completed') FROM before b;
UPDATE organizations SET appointment_value = 1;
SELECT results_eq('SELECT f::text FROM re.flat_prioritized_patients(''clinic'', NULL, NULL, NULL, NULL, NULL, ''priority'', false, 5, NULL, NULL, NULL, NULL, NULL) f',
    'SELECT answer FROM before', 'is the same after changes that no advance has seen');
SELECT is((SELECT count(*) FROM re.flat_dashboard('clinic') d WHERE d.name = 'Renamed'), 0::bigint, 'as is the dashboard');
SELECT is((SELECT count(*) FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, NULL, NULL, NULL, NULL, NULL) p WHERE p.name = 'Renamed'),
    40::bigint, 'and the reader catches up with them');
SELECT results_eq('SELECT f::text FROM re.prioritized_patients(''clinic'', NULL, NULL, NULL, NULL, NULL, ''priority'', false, 200, NULL, NULL, NULL, NULL, NULL) f',
    'SELECT p::text FROM re.plain_prioritized_patients(''clinic'', NULL, NULL, NULL, NULL, NULL, ''priority'', false, 200, NULL, NULL, NULL, NULL, NULL) p', 'as the plain views do');
SELECT pg_temp.total();

-- Much is due: the reader leaves it to the background work.
SELECT given.patient(format('q%s', i), '2025-06-01T12:00Z') FROM generate_series(1, 201) i;
SELECT is(pg_temp.total(), 241::bigint, 'a reader with 201 patients due');
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 201::bigint, 'does none of it');
DELETE FROM re.pending_change WHERE patient_id = 'q1';
SELECT given.patient('q1b', '2025-06-01T12:00Z');
DELETE FROM re.pending_change WHERE patient_id = 'q2';
SELECT is(re.refresh_on_read('clinic'), 'refreshed', 'but 200 it catches up with');
INSERT INTO re.pending_change (organization_id, patient_id) VALUES ('clinic', 'q1'), ('clinic', 'q2');
SELECT is(pg_temp.total(), 242::bigint, 'exactly');
UPDATE organizations SET time_zone = 'Asia/Kolkata';
SELECT is(pg_temp.total(), 242::bigint, 'a changed zone with more than 200 patients');
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'is left to the background work too');
DELETE FROM patients WHERE id LIKE 'q%';
SELECT is((SELECT count(*) FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, NULL, NULL, NULL, NULL, NULL)),
    40::bigint, 'so are the states of deleted patients');
SET LOCAL reengagement.organization = 'clinic';
SELECT is(a::text, '(200,t,f)', 'which does 200') FROM re.advance('clinic', 200) a;
SELECT is(pg_temp.total(), 40::bigint, 'and the next reader the rest');
SELECT is((built, pending_changes)::text, '(t,0)', 'so that it is built') FROM re.status WHERE organization_id = 'clinic';

-- A refresh that fails is no reader's trouble, whatever it fails with.
SELECT given.conversation('p6', '2025-06-29T12:00Z');
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = current_setting('given.failure'), MESSAGE = 'on purpose';
END $$;
CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON re.patient_state FOR EACH ROW EXECUTE FUNCTION pg_temp.fail();
SET LOCAL client_min_messages = error;
SELECT is(pg_temp.total(), 40::bigint, 'a refresh that fails with ' || f.code)
FROM (VALUES ('53100'), ('54000'), ('22003'), ('23514'), ('55P03'), ('40P01'), ('XX000')) AS f(code)
CROSS JOIN LATERAL set_config('given.failure', f.code, true);
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'leaves its mark');
DROP TRIGGER fails ON re.patient_state;
SET LOCAL reengagement.refresh_on_read = 'off';
SELECT pg_temp.total();
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'reengagement.refresh_on_read = off prevents the refresh');
SET LOCAL reengagement.refresh_on_read = '';
SET LOCAL reengagement.catch_up = 'off';
SELECT pg_temp.total();
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'and so does its former name');
SET LOCAL reengagement.catch_up = '';
SELECT pg_temp.total();
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 0::bigint, 'and the next reader does');
SET LOCAL client_min_messages = warning;

-- Status.
SELECT is((SELECT patients FROM re.status WHERE organization_id = 'clinic'), 40::bigint, 'the status counts the patients');
SELECT given.conversation('p5', '2025-06-29T12:00Z');
SELECT is((pending_changes, oldest_pending_change = now(), oldest_pending_change_age)::text, '(1,t,00:00:00)',
    'and reports the pending changes and the age of the oldest') FROM re.status WHERE organization_id = 'clinic';
SELECT is(generation, (SELECT s.generation FROM re.organization_state s WHERE s.organization_id = 'clinic'), 'and the generation') FROM re.status WHERE organization_id = 'clinic';

-- Cursors that nobody was given.
SELECT is_empty($$
    SELECT c FROM (VALUES (1, 100, 0, 'p1'), (4, 0, 100000000, 'p1'), (2, 75, 2000000000, ''), (3, 50, -7, 'zz'), (0, 0, 0, ''), (9, 0, 0, ''), (1, 90, 90, 'p30'),
        (2, 60, 30, 'p9'), (4, 90, 200, 'p4'), (1, 87, 89, 'p30'), (1, 90, 91, 'p30'), (2147483647, -5, 2147483647, 'p1')) AS c(priority, score, days, id)
    WHERE ARRAY(SELECT f::text FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, c.priority, c.score, c.days, NULL, c.id) f)
        <> ARRAY(SELECT f::text FROM re.plain_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, c.priority, c.score, c.days, NULL, c.id) f)
    $$, 'any cursor goes on where the plain list does');
SELECT is_empty($$
    SELECT v.patient_id, l FROM patient_reengagement_master_view v, unnest(ARRAY[NULL, 'critical', 'high', 'medium', 'low', 'engaged', 'none']) l
    WHERE v.organization_id = 'clinic'
        AND ARRAY(SELECT f::text FROM re.prioritized_patients('clinic', l, NULL, NULL, NULL, NULL, 'priority', false, 3,
            v.action_priority, v.risk_score, v.days_since_last_contact, NULL, v.patient_id) f)
        <> ARRAY(SELECT f::text FROM re.plain_prioritized_patients('clinic', l, NULL, NULL, NULL, NULL, 'priority', false, 3,
            v.action_priority, v.risk_score, v.days_since_last_contact, NULL, v.patient_id) f)
    $$, 'after each patient and at each level');

-- Nobody there.
SELECT is((SELECT outreach_attempts FROM re.performance('nowhere', 'last_7_days')), 0::bigint, 'an organization that has never been is answered zeros');
SELECT is((SELECT count(*) FROM re.trends('nowhere', 7)), 7::bigint, 'on every day');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id = 'nowhere'), 0::bigint, 'and gets no row for it');

-- The server's role, which is bound.
SELECT given.clinic('other'), given.patient('o', organization => 'other'), given.outreach('o', '2025-06-29T12:00Z', organization => 'other');
GRANT USAGE ON SCHEMA given TO PUBLIC;
SET LOCAL reengagement.organization = 'clinic';
SET LOCAL ROLE reengagement_api;
SELECT is((SELECT DISTINCT total_patients FROM re.dashboard('clinic')), 40::bigint, 'the server''s role catches up');
SELECT is(re.is_current('clinic'), true, 'and finds it current');
SELECT is((SELECT DISTINCT total_patients FROM re.dashboard('other')), 0::bigint, 'of another organization it sees nobody');
SELECT is(a::text, '(0,f,t)', 'and advances nothing') FROM re.advance('other', 10) a;
SELECT is(re.refresh_on_read('other'), 'unavailable', 'nor catches up');
SELECT is((SELECT string_agg(DISTINCT organization_id, ' ') FROM (
        SELECT organization_id FROM re.patient_state UNION SELECT organization_id FROM re.patient_count UNION SELECT organization_id FROM re.risk_day
        UNION SELECT organization_id FROM re.outreach_day UNION SELECT organization_id FROM re.organization_state UNION SELECT organization_id FROM re.pending_change
        UNION SELECT organization_id FROM re.status) seen), 'clinic', 'it sees one organization in every derived table and in the status');
SELECT is('other' IN (SELECT re.organizations_due(1000000)), true, 'it learns that another has work to do');
SET LOCAL reengagement.organization = 'other';
SELECT is(a.refreshed, 1, 'and works it off bound to it') FROM re.advance('other', 10) a;
SELECT is('other' IN (SELECT re.organizations_due(1000000)), false, 'after which there is none');
SELECT throws_ok(format('DELETE FROM re.%I', derived), '42501', NULL, 'it writes nothing in ' || derived)
FROM unnest(ARRAY['patient_state', 'organization_state']) derived;
SELECT throws_ok($$ SELECT re.refresh('other', '{o}') $$, '42501', NULL, 'and refreshes nothing outside an advance');

SELECT * FROM finish();
ROLLBACK;
