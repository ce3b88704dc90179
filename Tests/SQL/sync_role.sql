-- A practice-management sync as in the README: a role with privileges on four tables, which is neither owner nor
-- superuser and has no privilege on the log or schema re. All its statements work, record pending changes and have
-- the effects of section 1 of definitions.md.
BEGIN;
\ir support/given.sql
SELECT plan(33);
CREATE ROLE test_sync NOLOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON organizations, patients, appointments, conversations TO test_sync;
GRANT TEMPORARY ON DATABASE :"DBNAME" TO test_sync;

CREATE FUNCTION pg_temp.marks() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT string_agg(DISTINCT organization_id || '/' || coalesce(nullif(patient_id, ''), '*'), ' ') INTO found FROM re.pending_change;
    DELETE FROM re.pending_change;
    RETURN coalesce(found, '');
END $$;
-- Runs a statement as the sync, and then the deferred triggers, as at the end of a transaction.
CREATE FUNCTION pg_temp.sync(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE test_sync;
    EXECUTE statement;
    SET CONSTRAINTS ALL IMMEDIATE;
    RESET ROLE;
    SET CONSTRAINTS ALL DEFERRED;
END $$;
CREATE FUNCTION pg_temp.marks_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.sync(statement);
    RETURN pg_temp.marks();
END $$;
CREATE FUNCTION pg_temp.log() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(organization_id || '/' || patient_id, ' ' ORDER BY 1), '')
    FROM (SELECT organization_id, patient_id FROM public.outreach_log ORDER BY 1, 2) o
$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA given TO test_sync;
SELECT pg_temp.marks();

SELECT is(has_schema_privilege('test_sync', 're', 'USAGE') OR has_table_privilege('test_sync', 'outreach_log', 'SELECT'), false,
    'the sync has no privilege on schema re or on the log');

-- Organizations and their time zones.
SELECT is(pg_temp.marks_of($$ INSERT INTO organizations (id, name, time_zone) VALUES ('a', 'A', 'Europe/Paris'), ('b', 'B', 'Asia/Kolkata') $$),
    'a/* b/*', 'new clinics outside of UTC');
SELECT is(pg_temp.marks_of($$ UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'a' $$), 'a/*', 'a changed time zone');
SELECT is(pg_temp.marks_of($$ INSERT INTO organizations (id, name, time_zone) VALUES ('a', 'A', 'Asia/Seoul'), ('c', 'C', 'America/New_York')
    ON CONFLICT (id) DO UPDATE SET time_zone = excluded.time_zone $$), 'a/* c/*', 'an upsert of clinics');
SELECT is(pg_temp.marks_of($$ MERGE INTO organizations o USING (VALUES ('a', 'UTC'), ('d', 'Europe/Berlin')) AS n(id, zone) ON o.id = n.id
    WHEN MATCHED THEN UPDATE SET time_zone = n.zone WHEN NOT MATCHED THEN INSERT (id, name, time_zone) VALUES (n.id, 'D', n.zone) $$),
    'a/* d/*', 'a MERGE of clinics');
SELECT throws_ok(format($$ SELECT pg_temp.sync(%L) $$, statement), '23514', NULL, 'a time zone that PostgreSQL does not know is refused: ' || statement)
FROM (VALUES ('INSERT INTO organizations (id, name, time_zone) VALUES (''e'', ''E'', ''CET'')'),
    ('UPDATE organizations SET time_zone = ''Mars/Base''')) s(statement);
RESET ROLE;

-- COPY needs a temporary table, since PostgreSQL refuses COPY FROM into a table with row-level security.
SET LOCAL ROLE test_sync;
SAVEPOINT here;
\set ON_ERROR_STOP off
COPY patients (organization_id, id, name) FROM stdin;
\set ON_ERROR_STOP on
\set code :LAST_ERROR_SQLSTATE
ROLLBACK TO here;
CREATE TEMPORARY TABLE incoming (LIKE patients INCLUDING DEFAULTS) ON COMMIT DROP;
COPY incoming (organization_id, id, name) FROM stdin;
a	p1	P
a	p2	P
a	p3	P
b	p1	P
\.
RESET ROLE;
SELECT is(:'code'::text, '0A000', 'PostgreSQL refuses COPY into a source table');
SELECT is(pg_temp.marks_of('INSERT INTO patients SELECT * FROM incoming'), 'a/p1 a/p2 a/p3 b/p1', 'patients inserted from the copied rows');
SELECT is(pg_temp.marks_of($$ INSERT INTO patients SELECT * FROM incoming
    ON CONFLICT (organization_id, id) DO UPDATE SET name = CASE excluded.id WHEN 'p2' THEN 'Q' ELSE excluded.name END $$), 'a/p2', 'an upsert of patients');
SELECT is(pg_temp.marks_of($$ MERGE INTO patients p USING incoming n ON (p.organization_id, p.id) = (n.organization_id, n.id)
    WHEN MATCHED AND n.id = 'p3' THEN UPDATE SET archived_at = now() WHEN NOT MATCHED THEN INSERT (organization_id, id, name) VALUES ('a', 'p4', 'P') $$),
    'a/p3', 'a MERGE of patients');

-- Rows of patients.
SELECT is(pg_temp.marks_of($$ INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES ('a', '1', 'p1', now(), 'completed'), ('a', '2', 'p2', now(), 'no_show') $$),
    'a/p1 a/p2', 'appointments');
SELECT is(pg_temp.marks_of($$ UPDATE appointments SET patient_id = 'p3' WHERE id = '2' $$), 'a/p2 a/p3', 'an appointment that moves to another patient');
SELECT is(pg_temp.marks_of($$ DELETE FROM appointments WHERE id = '1' $$), 'a/p1', 'a deleted appointment');
SELECT is(pg_temp.marks_of($$ INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('a', '1', 'p1', now()) ON CONFLICT DO NOTHING $$), 'a/p1', 'a conversation');
SELECT is(pg_temp.marks_of('TRUNCATE conversations') LIKE '%a/*%', true, 'TRUNCATE of conversations');

-- The log remains, unless a patient or an organization is deleted for good.
INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by)
SELECT organization_id, id, 'sms', 'success', 'u' FROM patients;
SELECT pg_temp.marks();
SELECT is(pg_temp.marks_of($$ DELETE FROM patients WHERE organization_id = 'a'; INSERT INTO patients SELECT * FROM incoming WHERE organization_id = 'a' $$),
    'a/p1 a/p2 a/p3', 'a full reload of a clinic''s patients');
SELECT is(pg_temp.log(), 'a/p1 a/p2 a/p3 b/p1', 'the log remains after a reload');
SELECT is((SELECT count(*) FROM appointments), 0::bigint, 'the reload deletes the rows that refer to patients');
SELECT is(pg_temp.marks_of($$ DELETE FROM organizations WHERE id = 'b';
    INSERT INTO organizations (id, name, time_zone) VALUES ('b', 'B', 'Asia/Kolkata'); INSERT INTO patients SELECT * FROM incoming WHERE organization_id = 'b' $$),
    'b/* b/p1', 'a reload of a clinic with its organization');
SELECT is(pg_temp.log(), 'a/p1 a/p2 a/p3 b/p1', 'the log remains after a reload of the organization');
SELECT is(pg_temp.marks_of($$ DELETE FROM patients WHERE organization_id = 'a' AND id = 'p1' $$), 'a/p1', 'a deleted patient');
SELECT is(pg_temp.log(), 'a/p2 a/p3 b/p1', 'the deletion deletes that patient''s attempts only');
SAVEPOINT here;
DELETE FROM patients;
ROLLBACK TO here;
SELECT pg_temp.sync('UPDATE patients SET name = name');
SELECT is(pg_temp.log(), 'a/p2 a/p3 b/p1', 'a deletion that is rolled back deletes no attempt');
SELECT is(pg_temp.marks_of('TRUNCATE patients CASCADE') LIKE '%a/*%b/*%', true, 'TRUNCATE of patients');
SELECT is(pg_temp.log(), 'a/p2 a/p3 b/p1', 'the log remains after TRUNCATE of patients');
SELECT is(pg_temp.marks_of($$ INSERT INTO patients (organization_id, id, name) VALUES ('a', 'p2', 'P'); DELETE FROM patients $$), 'a/p2', 'a patient who is created and deleted in one transaction');
SELECT is(pg_temp.log(), 'a/p3 b/p1', 'the deletion deletes former attempts');
SELECT is(pg_temp.marks_of($$ DELETE FROM organizations WHERE id = 'a' $$), 'a/* a/p3', 'a deleted clinic');
SELECT is(pg_temp.log(), 'b/p1', 'the deletion deletes the clinic''s log, also of missing patients');
SELECT is(pg_temp.marks_of('TRUNCATE organizations CASCADE') LIKE '%b/*%', true, 'TRUNCATE of organizations');
SELECT is(pg_temp.log(), 'b/p1', 'the log remains after TRUNCATE of organizations');
SELECT throws_ok($$ SELECT pg_temp.sync('DELETE FROM outreach_log') $$, '42501', NULL, 'the sync cannot delete from the log');

SELECT * FROM finish();
ROLLBACK;
