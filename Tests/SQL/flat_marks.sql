-- Whatever changes a source table leaves marks, in the same transaction, for old and new patients alike.
BEGIN;
\ir support/given.sql
SELECT plan(82);
-- What waits for a transaction's end (../../sql/flat/23_forgotten_attempts.sql) is done at each statement's.
SET CONSTRAINTS ALL IMMEDIATE;

-- The marks since the last look: a patient, * for the organization, = for answers alone.
CREATE FUNCTION pg_temp.marks() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT string_agg(DISTINCT organization_id || '/' || CASE WHEN responses_only THEN '=' ELSE coalesce(nullif(patient_id, ''), '*') END, ' ') INTO found FROM re.pending_change;
    DELETE FROM re.pending_change;
    RETURN coalesce(found, '');
END $$;

-- Runs a statement that changes rows.
CREATE FUNCTION pg_temp.change(statement text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE statement; END $$;

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

-- Rows that are written as they were.
INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('a', 'y', 'p', '2025-01-01'), ('a', 'z', 'p', '2025-01-02');
INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by) VALUES ('a', 'p', 'sms', 'failed', 'u');
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'q', 'Q');
INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, value) VALUES ('a', 'v', 'q', '2025-01-01', 'completed', NULL);
SELECT pg_temp.marks();
INSERT INTO patients SELECT * FROM patients ON CONFLICT (organization_id, id) DO UPDATE SET
    (name, phone, email, treatment_notes, created_at, archived_at)
    = (excluded.name, excluded.phone, excluded.email, excluded.treatment_notes, excluded.created_at, excluded.archived_at);
SELECT is(pg_temp.marks(), '', 'an upsert of patients as they were');
MERGE INTO appointments a USING (SELECT * FROM appointments) n ON (a.organization_id, a.id) = (n.organization_id, n.id)
    WHEN MATCHED THEN UPDATE SET value = n.value, status = n.status;
SELECT is(pg_temp.marks(), '', 'a merge of appointments as they were');
UPDATE conversations SET occurred_at = occurred_at;
UPDATE outreach_log SET notes = notes;
UPDATE organizations SET time_zone = time_zone, appointment_value = appointment_value;
SELECT is(pg_temp.marks(), '', 'conversations, attempts and organizations as they were');
INSERT INTO patients SELECT * FROM patients ON CONFLICT (organization_id, id) DO UPDATE SET email = CASE excluded.id WHEN 'q' THEN 'q@example.org' END;
SELECT is(pg_temp.marks(), 'a/q', 'of many the one that has changed');
UPDATE conversations SET sentiment = 'negative';
UPDATE outreach_log SET idempotency_key = id::text;
SELECT is(pg_temp.marks(), '', 'a column that no answer reads');
UPDATE conversations SET occurred_at = CASE id WHEN 'y' THEN '2025-01-02'::timestamptz ELSE '2025-01-01' END WHERE id IN ('y', 'z');
SELECT is(pg_temp.marks(), '', 'two rows of a patient that change places');
ALTER TABLE conversations ADD COLUMN change json;
UPDATE conversations SET change = '{"a": 1}';
SELECT is(pg_temp.marks(), '', 'a column of somebody else''s, whatever its name and type');
ALTER TABLE conversations DROP COLUMN change;
-- Each column, so that none is forgotten of those that an answer reads.
SELECT is((SELECT pg_temp.marks() FROM pg_temp.change(statement)), mark, statement)
FROM (VALUES ('UPDATE patients SET name = ''Q2'' WHERE id = ''q''', 'a/q'), ('UPDATE patients SET phone = ''1'' WHERE id = ''q''', 'a/q'),
    ('UPDATE patients SET email = NULL WHERE id = ''q''', 'a/q'), ('UPDATE patients SET treatment_notes = '''' WHERE id = ''q''', 'a/q'),
    ('UPDATE patients SET created_at = ''2025-01-01'' WHERE id = ''q''', 'a/q'), ('UPDATE patients SET archived_at = ''2025-01-01'' WHERE id = ''q''', 'a/q'),
    ('UPDATE appointments SET starts_at = ''2025-01-03'' WHERE id = ''v''', 'a/q'), ('UPDATE appointments SET status = ''no_show'' WHERE id = ''v''', 'a/q'),
    ('UPDATE appointments SET value = 1 WHERE id = ''v''', 'a/q'), ('UPDATE appointments SET created_at = ''2025-01-03'' WHERE id = ''v''', 'a/q'),
    ('UPDATE conversations SET occurred_at = ''2025-01-04'' WHERE id = ''y''', 'a/p'),
    ('UPDATE outreach_log SET method = ''phone''', 'a/p'), ('UPDATE outreach_log SET outcome = ''success''', 'a/p'),
    ('UPDATE outreach_log SET opened = true', 'a/p'), ('UPDATE outreach_log SET notes = ''n''', 'a/p'),
    ('UPDATE outreach_log SET logged_by = ''v''', 'a/p'), ('UPDATE outreach_log SET created_at = ''2025-01-05''', 'a/p')
) s(statement, mark);
SELECT is_empty($$
    SELECT DISTINCT a.attrelid::regclass, a.attname
    FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attname NOT IN ('organization_id', 'patient_id', 'id')
    WHERE d.refclassid = 'pg_class'::regclass AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)
        AND d.refobjid = ANY (ARRAY['patients', 'appointments', 'conversations', 'outreach_log']::regclass[])
        AND pg_get_functiondef(('re.mark_changed_' || a.attrelid::regclass)::regproc) !~ ('\m' || a.attname || '\M') $$,
    'whatever a view or an answer reads is named where it is looked whether a row has changed');
DELETE FROM outreach_log;
DELETE FROM conversations;
DELETE FROM patients WHERE id = 'q';
SELECT pg_temp.marks();

-- The organization itself.
UPDATE organizations SET name = 'A' WHERE id = 'a';
SELECT is(pg_temp.marks(), '', 'a name, which no answer tells');
UPDATE organizations SET appointment_value = 99 WHERE id = 'a';
SELECT is(pg_temp.marks(), 'a/=', 'the value of an appointment changes answers alone');
UPDATE organizations SET time_zone = 'Asia/Tokyo';
SELECT is(pg_temp.marks(), 'a/* b/*', 'a zone changes everything');
UPDATE organizations SET time_zone = CASE id WHEN 'a' THEN 'Asia/Seoul' ELSE time_zone END;
SELECT is(pg_temp.marks(), 'a/*', 'of whom it changes for');
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
SELECT throws_ok($$ SET LOCAL ROLE reengagement_marker; SELECT FROM re.pending_change $$, '42501', NULL, 'the role that marks reads no marks');
RESET ROLE;
SELECT is_empty($$ SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE tgname LIKE ANY ('{mark%,check%,forget%}') AND tgenabled <> CASE WHEN tgname LIKE '%\_replicated%' THEN 'R' WHEN tgname IN ('mark_truncated', 'forget_attempts') THEN 'A' ELSE 'O' END $$,
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
UPDATE organizations SET appointment_value = 141 WHERE id = 'd';
SELECT is(pg_temp.marks(), 'd/=', 'its value of an appointment');
UPDATE organizations SET appointment_value = appointment_value, name = 'D2';
UPDATE patients SET name = name;
UPDATE appointments SET value = value;
SELECT is(pg_temp.marks(), '', 'and nothing where nothing has changed');
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
