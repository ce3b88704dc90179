-- The functions of the endpoints use the derived data if it is current, and refresh it if that is quick. Otherwise they
-- run the plain query. The result is always the same.
BEGIN;
\ir support/given.sql
SELECT plan(56);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();
SELECT given.patient(format('p%s', i), '2025-06-30T12:00Z'::timestamptz - i * interval '3 days') FROM generate_series(1, 40) i;
SELECT given.outreach(format('p%s', i), '2025-06-29T12:00Z'::timestamptz - i * interval '2 days') FROM generate_series(1, 40, 3) i;

-- A wrong counter shows whether a response was computed from the counters.
CREATE FUNCTION pg_temp.total() RETURNS bigint LANGUAGE sql AS $$ SELECT DISTINCT total_patients FROM re.dashboard('clinic') $$;
CREATE FUNCTION pg_temp.miscount(by integer) RETURNS void LANGUAGE sql AS $$
    UPDATE re.patient_count SET number = number + by WHERE organization_id = 'clinic' AND last_contact_day = '-infinity'
        AND risk_group = (SELECT min(risk_group) FROM re.patient_count WHERE organization_id = 'clinic')
$$;

SELECT is(re.is_current('clinic'), false, 'the derived data is not current at first');
SELECT is(pg_temp.total(), 40::bigint, 'a reader gets the right result from data that is not current');
SELECT is(re.is_current('clinic'), true, 'the read has refreshed the data');
SELECT is(coalesce(current_setting('reengagement.organization', true), ''), '', 'the read does not leave the session bound to an organization');
SELECT pg_temp.miscount(1000);
SELECT is(pg_temp.total(), 1040::bigint, 'the next read uses the counters');
SELECT given.conversation('p3', '2025-06-29T12:00Z');
SELECT is(pg_temp.total(), 1040::bigint, 'a read after another refresh uses the counters');
SAVEPOINT here;
SET TRANSACTION READ ONLY;
SELECT is(pg_temp.total(), 1040::bigint, 'a read-only transaction uses the counters');
ROLLBACK TO here;
SELECT given.conversation('p4', '2025-06-29T12:00Z');
SAVEPOINT here;
SET TRANSACTION READ ONLY;
SELECT is(pg_temp.total(), 40::bigint, 'a read-only transaction that cannot refresh runs the plain query');
ROLLBACK TO here;
SELECT is(re.is_current('clinic'), false, 'a read-only transaction leaves the data to be refreshed');
SELECT pg_temp.miscount(-1000);
SELECT is(pg_temp.total(), 40::bigint, 'the plain query and the corrected counters return the same');

-- A page shows the same moment as the counters, because the flat query reads only derived rows.
CREATE TEMPORARY TABLE before AS SELECT f.id, f::text AS answer FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 5, NULL, NULL, NULL, NULL, NULL) f;
SELECT is((SELECT count(*) FROM before), 5::bigint, 'a page has five patients');
UPDATE patients SET name = 'Renamed', phone = NULL, email = 'new@example.org';
SELECT given.appointment(b.id, '2025-06-30T11:00Z', 'completed') FROM before b;
UPDATE organizations SET appointment_value = 1;
SELECT results_eq('SELECT f::text FROM re.flat_prioritized_patients(''clinic'', NULL, NULL, NULL, NULL, NULL, ''priority'', false, 5, NULL, NULL, NULL, NULL, NULL) f',
    'SELECT answer FROM before', 'the page is the same after changes that are not yet refreshed');
SELECT is((SELECT count(*) FROM re.flat_dashboard('clinic') d WHERE d.name = 'Renamed'), 0::bigint, 'the dashboard does not show the changes either');
SELECT is((SELECT count(*) FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, NULL, NULL, NULL, NULL, NULL) p WHERE p.name = 'Renamed'),
    40::bigint, 'a reader of the endpoint refreshes first and shows the changes');
SELECT results_eq('SELECT f::text FROM re.prioritized_patients(''clinic'', NULL, NULL, NULL, NULL, NULL, ''priority'', false, 200, NULL, NULL, NULL, NULL, NULL) f',
    'SELECT p::text FROM re.plain_prioritized_patients(''clinic'', NULL, NULL, NULL, NULL, NULL, ''priority'', false, 200, NULL, NULL, NULL, NULL, NULL) p',
    'the refreshed list equals the plain list');
SELECT pg_temp.total();

-- A reader leaves a large refresh to the background worker.
SELECT given.patient(format('q%s', i), '2025-06-01T12:00Z') FROM generate_series(1, 201) i;
SELECT is(pg_temp.total(), 241::bigint, 'a reader with 201 pending patients gets the right result');
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 201::bigint, 'a reader with 201 pending patients refreshes none of them');
DELETE FROM re.pending_change WHERE patient_id = 'q1';
SELECT given.patient('q1b', '2025-06-01T12:00Z');
DELETE FROM re.pending_change WHERE patient_id = 'q2';
SELECT is(re.refresh_on_read('clinic'), 'refreshed', 'a reader refreshes 200 pending patients');
INSERT INTO re.pending_change (organization_id, patient_id) VALUES ('clinic', 'q1'), ('clinic', 'q2');
SELECT is(pg_temp.total(), 242::bigint, 'the result after a refresh of 200 patients is right');
UPDATE organizations SET time_zone = 'Asia/Kolkata';
SELECT is(pg_temp.total(), 242::bigint, 'a changed time zone with more than 200 patients gives the right result');
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'a changed time zone with more than 200 patients is left to the worker');
DELETE FROM patients WHERE id LIKE 'q%';
SELECT is((SELECT count(*) FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, NULL, NULL, NULL, NULL, NULL)),
    40::bigint, 'deleted patients are not listed before their states are deleted');
SET LOCAL reengagement.organization = 'clinic';
SELECT is(a::text, '(200,t,f)', 'the worker processes 200 states') FROM re.advance('clinic', 200) a;
SELECT is(pg_temp.total(), 40::bigint, 'the next reader processes the rest');
SELECT is((built, pending_changes)::text, '(t,0)', 'the derived data is then built') FROM re.status WHERE organization_id = 'clinic';

-- A read succeeds even if its refresh fails, with any error.
SELECT given.conversation('p6', '2025-06-29T12:00Z');
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = current_setting('given.failure'), MESSAGE = 'on purpose';
END $$;
CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON re.patient_state FOR EACH ROW EXECUTE FUNCTION pg_temp.fail();
SET LOCAL client_min_messages = error;
SELECT is(pg_temp.total(), 40::bigint, 'a read succeeds if its refresh fails with ' || f.code)
FROM (VALUES ('53100'), ('54000'), ('22003'), ('23514'), ('55P03'), ('40P01'), ('XX000')) AS f(code)
CROSS JOIN LATERAL set_config('given.failure', f.code, true);
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'a failed refresh keeps the pending change');
DROP TRIGGER fails ON re.patient_state;
SET LOCAL reengagement.refresh_on_read = 'off';
SELECT pg_temp.total();
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'reengagement.refresh_on_read = off prevents the refresh');
SET LOCAL reengagement.refresh_on_read = '';
SET LOCAL reengagement.catch_up = 'off';
SELECT pg_temp.total();
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 1::bigint, 'the former name of the setting prevents the refresh too');
SET LOCAL reengagement.catch_up = '';
SELECT pg_temp.total();
SELECT is((SELECT pending_changes FROM re.status WHERE organization_id = 'clinic'), 0::bigint, 'the next reader refreshes');
SET LOCAL client_min_messages = warning;

-- Status.
SELECT is((SELECT patients FROM re.status WHERE organization_id = 'clinic'), 40::bigint, 'the status counts the patients');
SELECT given.conversation('p5', '2025-06-29T12:00Z');
SELECT is((pending_changes, oldest_pending_change = now(), oldest_pending_change_age)::text, '(1,t,00:00:00)',
    'the status reports the pending changes and the age of the oldest') FROM re.status WHERE organization_id = 'clinic';
SELECT is(generation, (SELECT s.generation FROM re.organization_state s WHERE s.organization_id = 'clinic'), 'the status reports the generation') FROM re.status WHERE organization_id = 'clinic';

-- Cursors that no response contained.
SELECT is_empty($$
    SELECT c FROM (VALUES (1, 100, 0, 'p1'), (4, 0, 100000000, 'p1'), (2, 75, 2000000000, ''), (3, 50, -7, 'zz'), (0, 0, 0, ''), (9, 0, 0, ''), (1, 90, 90, 'p30'),
        (2, 60, 30, 'p9'), (4, 90, 200, 'p4'), (1, 87, 89, 'p30'), (1, 90, 91, 'p30'), (2147483647, -5, 2147483647, 'p1')) AS c(priority, score, days, id)
    WHERE ARRAY(SELECT f::text FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, c.priority, c.score, c.days, NULL, c.id) f)
        <> ARRAY(SELECT f::text FROM re.plain_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, c.priority, c.score, c.days, NULL, c.id) f)
    $$, 'any cursor continues at the same place in the flat and the plain list');
SELECT is_empty($$
    SELECT v.patient_id, l FROM patient_reengagement_master_view v, unnest(ARRAY[NULL, 'critical', 'high', 'medium', 'low', 'engaged', 'none']) l
    WHERE v.organization_id = 'clinic'
        AND ARRAY(SELECT f::text FROM re.prioritized_patients('clinic', l, NULL, NULL, NULL, NULL, 'priority', false, 3,
            v.action_priority, v.risk_score, v.days_since_last_contact, NULL, v.patient_id) f)
        <> ARRAY(SELECT f::text FROM re.plain_prioritized_patients('clinic', l, NULL, NULL, NULL, NULL, 'priority', false, 3,
            v.action_priority, v.risk_score, v.days_since_last_contact, NULL, v.patient_id) f)
    $$, 'the flat and the plain list continue the same after each patient and at each level');

-- Unknown organizations.
SELECT is((SELECT outreach_attempts FROM re.performance('nowhere', 'last_7_days')), 0::bigint, 'an unknown organization has zero attempts');
SELECT is((SELECT count(*) FROM re.trends('nowhere', 7)), 7::bigint, 'an unknown organization has a trend for every day');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id = 'nowhere'), 0::bigint, 'a read of an unknown organization creates no row');

-- The server's role is bound to one organization.
SELECT given.clinic('other'), given.patient('o', organization => 'other'), given.outreach('o', '2025-06-29T12:00Z', organization => 'other');
GRANT USAGE ON SCHEMA given TO PUBLIC;
SET LOCAL reengagement.organization = 'clinic';
SET LOCAL ROLE reengagement_api;
SELECT is((SELECT DISTINCT total_patients FROM re.dashboard('clinic')), 40::bigint, 'the server''s role gets the right result after a refresh');
SELECT is(re.is_current('clinic'), true, 'the data is current for the server''s role');
SELECT is((SELECT DISTINCT total_patients FROM re.dashboard('other')), 0::bigint, 'the server''s role sees no patient of another organization');
SELECT is(a::text, '(0,f,t)', 'the server''s role advances no other organization') FROM re.advance('other', 10) a;
SELECT is(re.refresh_on_read('other'), 'unavailable', 'the server''s role refreshes no other organization');
SELECT is((SELECT string_agg(DISTINCT organization_id, ' ') FROM (
        SELECT organization_id FROM re.patient_state UNION SELECT organization_id FROM re.patient_count UNION SELECT organization_id FROM re.risk_day
        UNION SELECT organization_id FROM re.outreach_day UNION SELECT organization_id FROM re.organization_state UNION SELECT organization_id FROM re.pending_change
        UNION SELECT organization_id FROM re.status) seen), 'clinic', 'the server''s role sees one organization in every derived table and in the status');
SELECT is('other' IN (SELECT re.organizations_due(1000000)), true, 'the server''s role learns that another organization has work');
SET LOCAL reengagement.organization = 'other';
SELECT is(a.refreshed, 1, 'the server''s role does that work once it is bound to that organization') FROM re.advance('other', 10) a;
SELECT is('other' IN (SELECT re.organizations_due(1000000)), false, 'no work remains for that organization');
SELECT throws_ok(format('DELETE FROM re.%I', derived), '42501', NULL, 'the server''s role cannot delete from ' || derived)
FROM unnest(ARRAY['patient_state', 'organization_state']) derived;
SELECT throws_ok($$ SELECT re.refresh('other', '{o}') $$, '42501', NULL, 'the server''s role cannot refresh outside an advance');

SELECT * FROM finish();
ROLLBACK;
