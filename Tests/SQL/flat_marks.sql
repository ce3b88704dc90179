-- Whatever changes a source table leaves marks, in the same transaction, for old and new patients alike.
BEGIN;
\ir support/given.sql
SELECT plan(56);

-- The marks since the last look: a patient, * for the organization, = for answers alone.
CREATE FUNCTION pg_temp.marks() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT string_agg(DISTINCT organization_id || '/' || CASE WHEN answers_only THEN '=' ELSE coalesce(nullif(patient_id, ''), '*') END, ' ') INTO found FROM re.dirty;
    DELETE FROM re.dirty;
    RETURN coalesce(found, '');
END $$;

SELECT pg_temp.marks();
SELECT given.clinic('a');
SELECT is(pg_temp.marks(), 'a/*', 'a new organization marks itself');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id = 'a'), 1::bigint, 'and has its row');
SELECT given.clinic('b');
SELECT pg_temp.marks();

INSERT INTO patients (organization_id, id, name) VALUES ('a', 'p', 'P'), ('a', 'q', 'Q'), ('b', 'p', 'P');
SELECT is(pg_temp.marks(), 'a/p a/q b/p', 'new patients, of two organizations');
UPDATE patients SET treatment_notes = 'better' WHERE organization_id = 'a' AND id = 'p';
SELECT is(pg_temp.marks(), 'a/p', 'a changed note');
UPDATE patients SET id = 'r' WHERE organization_id = 'a' AND id = 'q';
SELECT is(pg_temp.marks(), 'a/q a/r', 'a changed id');
UPDATE patients SET organization_id = 'b' WHERE organization_id = 'a' AND id = 'r';
SELECT is(pg_temp.marks(), 'a/r b/r', 'a patient that changes the organization');
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'p', 'P2'), ('a', 's', 'S')
    ON CONFLICT (organization_id, id) DO UPDATE SET name = excluded.name;
SELECT is(pg_temp.marks(), 'a/p a/s', 'an insertion that updates');
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'p', 'P2') ON CONFLICT DO NOTHING;
SELECT is(pg_temp.marks(), '', 'one that does nothing');
DELETE FROM patients WHERE organization_id = 'b';
SELECT is(pg_temp.marks(), 'b/p b/r', 'deleted patients');

PREPARE an_appointment AS INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES ('a', 'x', 'p', now(), 'completed');
EXECUTE an_appointment;
SELECT is(pg_temp.marks(), 'a/p', 'an appointment');
UPDATE appointments SET status = 'no_show' WHERE id = 'x';
SELECT is(pg_temp.marks(), 'a/p', 'its status');
UPDATE appointments SET patient_id = 's' WHERE id = 'x';
SELECT is(pg_temp.marks(), 'a/p a/s', 'a row that moves marks both patients');
MERGE INTO appointments USING (VALUES ('x'), ('y')) AS v(id) ON appointments.id = v.id
    WHEN MATCHED THEN UPDATE SET value = 5
    WHEN NOT MATCHED THEN INSERT (organization_id, id, patient_id, starts_at, status) VALUES ('a', v.id, 'p', now(), 'completed');
SELECT is(pg_temp.marks(), 'a/p a/s', 'a merge');
DELETE FROM appointments WHERE id = 'y';
SELECT is(pg_temp.marks(), 'a/p', 'a deleted appointment');
WITH added AS (INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES ('a', 'z', 'p', now(), 'completed') RETURNING 1)
UPDATE appointments SET value = 6 WHERE id = 'x';
SELECT is(pg_temp.marks(), 'a/p a/s', 'two changes in one statement');

INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('a', 'x', 'p', now());
SELECT is(pg_temp.marks(), 'a/p', 'a conversation');
UPDATE conversations SET patient_id = 's';
SELECT is(pg_temp.marks(), 'a/p a/s', 'one that moves');
DELETE FROM conversations;
SELECT is(pg_temp.marks(), 'a/s', 'one deleted');
INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by) VALUES ('a', 'p', 'sms', 'failed', 'u');
SELECT is(pg_temp.marks(), 'a/p', 'an attempt');
UPDATE outreach_log SET patient_id = 's';
SELECT is(pg_temp.marks(), 'a/p a/s', 'one that moves');
DELETE FROM outreach_log;
SELECT is(pg_temp.marks(), 'a/s', 'one deleted');
DELETE FROM patients WHERE id = 's';
SELECT is(pg_temp.marks(), 'a/s', 'a patient with rows');
SELECT is((SELECT count(*) FROM appointments WHERE patient_id = 's'), 0::bigint, 'which go with it');
UPDATE appointments SET value = 7 WHERE false;
SELECT is(pg_temp.marks(), '', 'nothing changed, nothing marked');

-- The organization itself.
UPDATE organizations SET name = 'A' WHERE id = 'a';
SELECT is(pg_temp.marks(), 'a/=', 'a name changes answers alone');
UPDATE organizations SET appointment_value = 99 WHERE id = 'a';
SELECT is(pg_temp.marks(), 'a/=', 'and so does the value of an appointment');
UPDATE organizations SET time_zone = 'Asia/Tokyo';
SELECT is(pg_temp.marks(), 'a/* b/*', 'a zone changes everything');
UPDATE organizations SET time_zone = CASE id WHEN 'a' THEN 'Asia/Seoul' ELSE time_zone END;
SELECT is(pg_temp.marks(), 'a/* b/=', 'of whom it changes for');
UPDATE organizations SET id = 'c' WHERE id = 'b';
SELECT is(pg_temp.marks(), 'b/* c/*', 'another id');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id IN ('b', 'c')), 2::bigint, 'gets a row, and the old one stays');
DELETE FROM organizations WHERE id = 'c';
SELECT is(pg_temp.marks(), 'c/*', 'a deleted organization');

SAVEPOINT here;
TRUNCATE appointments;
SELECT is(pg_temp.marks() ~ '(^| )a/\*( |$)', true, 'TRUNCATE marks every organization');
TRUNCATE conversations, outreach_log;
SELECT is(pg_temp.marks() ~ '(^| )a/\*( |$)', true, 'of the other tables too');
TRUNCATE organizations CASCADE;
SELECT is(pg_temp.marks() ~ '(^| )a/\*.* b/\*', true, 'also those that go with it or have gone before');
ROLLBACK TO here;
SELECT is(pg_temp.marks(), '', 'what is rolled back leaves no mark');
SELECT is((SELECT count(*) FROM appointments), 1::bigint, 'and has not happened');

-- Writers need no right to the marks, and may not be refused one.
GRANT USAGE ON SCHEMA given TO PUBLIC;
CREATE ROLE test_writer NOLOGIN;
GRANT INSERT ON conversations TO test_writer;
SET LOCAL ROLE test_writer;
INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('a', 'w', 'p', now());
RESET ROLE;
SELECT is(pg_temp.marks(), 'a/p', 'a role that may write one table');
SET LOCAL reengagement.organization = 'a';
SET LOCAL ROLE reengagement_api;
SELECT is(result, 'created', 'the server''s role') FROM re.log_outreach('a', 'p', 'sms', 'success', false, '', 'u', NULL);
RESET ROLE;
SELECT is(pg_temp.marks(), 'a/p', 'marks what it logs');
SELECT throws_ok($$ SET LOCAL ROLE reengagement_marker; SELECT FROM re.dirty $$, '42501', NULL, 'the role that marks reads no marks');
RESET ROLE;
SELECT is_empty($$ SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid 
    WHERE tgname LIKE ANY ('{mark%,check%}') AND tgenabled <> CASE WHEN tgname LIKE '%\_replicated%' THEN 'R' WHEN tgname = 'mark_truncated' THEN 'A' ELSE 'O' END $$,
    'no trigger is disabled, and each fires where it is meant to');

-- Rows that are replayed fire other triggers (the subscription itself: EndToEnd/test_replication.py).
SET LOCAL session_replication_role = replica;
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'r', 'R'), ('a', 's', 'S');
SELECT is(pg_temp.marks(), 'a/r a/s', 'replayed: new patients');
UPDATE patients SET id = 't' WHERE id = 'r';
SELECT is(pg_temp.marks(), 'a/r a/t', 'an id');
UPDATE patients SET name = 'T' WHERE id = 't';
SELECT is(pg_temp.marks(), 'a/t', 'a name');
INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES ('a', 'r1', 's', now(), 'completed');
SELECT is(pg_temp.marks(), 'a/s', 'an appointment');
UPDATE appointments SET patient_id = 't' WHERE id = 'r1';
SELECT is(pg_temp.marks(), 'a/s a/t', 'that moves');
DELETE FROM appointments WHERE id = 'r1';
SELECT is(pg_temp.marks(), 'a/t', 'and goes');
INSERT INTO organizations (id, name) VALUES ('d', 'D');
SELECT is(pg_temp.marks(), 'd/*', 'an organization');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id = 'd'), 1::bigint, 'has its row');
UPDATE organizations SET name = 'D2' WHERE id = 'd';
SELECT is(pg_temp.marks(), 'd/=', 'its name');
UPDATE organizations SET time_zone = 'Europe/Paris' WHERE id = 'd';
SELECT is(pg_temp.marks(), 'd/*', 'its zone');
UPDATE organizations SET id = 'e' WHERE id = 'd';
SELECT is(pg_temp.marks(), 'd/* e/*', 'its id');
SELECT throws_ok($$ UPDATE organizations SET time_zone = 'foo+3' WHERE id = 'e' $$, '23514', NULL, 'a zone that is none');
SELECT throws_ok($$ INSERT INTO organizations (id, name, time_zone) VALUES ('f', 'F', 'CET') $$, '23514', NULL, 'or not whole');
DELETE FROM organizations WHERE id = 'e';
SELECT is(pg_temp.marks(), 'e/*', 'an organization that goes');
TRUNCATE conversations;
SELECT is(pg_temp.marks() ~ '(^| )a/\*', true, 'a table');
SET LOCAL session_replication_role = origin;

SELECT * FROM finish();
ROLLBACK;
