-- Every change to a source table records pending changes in the same transaction, for the old and the new patient.
BEGIN;
\ir support/given.sql
SELECT plan(82);
-- The deferred triggers (../../sql/flat/23_forgotten_attempts.sql) run at the end of each statement here.
SET CONSTRAINTS ALL IMMEDIATE;

-- Returns and deletes the pending changes: a patient's id, * for the whole organization, = for its responses only.
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
SELECT is(pg_temp.marks(), 'a/*', 'a new organization records a pending change');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id = 'a'), 1::bigint, 'a new organization gets its row of state');
SELECT given.clinic('b');
SELECT pg_temp.marks();

INSERT INTO patients (organization_id, id, name) VALUES ('a', 'p', 'P'), ('a', 'q', 'Q'), ('b', 'p', 'P');
SELECT is(pg_temp.marks(), 'a/p a/q b/p', 'new patients of two organizations');
UPDATE patients SET treatment_notes = 'better' WHERE organization_id = 'a' AND id = 'p';
SELECT is(pg_temp.marks(), 'a/p', 'a changed note');
UPDATE patients SET id = 'r' WHERE organization_id = 'a' AND id = 'q';
SELECT is(pg_temp.marks(), 'a/q a/r', 'a changed id');
UPDATE patients SET organization_id = 'b' WHERE organization_id = 'a' AND id = 'r';
SELECT is(pg_temp.marks(), 'a/r b/r', 'a patient who moves to another organization');
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'p', 'P2'), ('a', 's', 'S')
    ON CONFLICT (organization_id, id) DO UPDATE SET name = excluded.name;
SELECT is(pg_temp.marks(), 'a/p a/s', 'an INSERT that updates on conflict');
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'p', 'P2') ON CONFLICT DO NOTHING;
SELECT is(pg_temp.marks(), '', 'an INSERT that does nothing on conflict');
DELETE FROM patients WHERE organization_id = 'b';
SELECT is(pg_temp.marks(), 'b/p b/r', 'deleted patients');

PREPARE an_appointment AS INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES ('a', 'x', 'p', now(), 'completed');
EXECUTE an_appointment;
SELECT is(pg_temp.marks(), 'a/p', 'an appointment');
UPDATE appointments SET status = 'no_show' WHERE id = 'x';
SELECT is(pg_temp.marks(), 'a/p', 'a changed status of an appointment');
UPDATE appointments SET patient_id = 's' WHERE id = 'x';
SELECT is(pg_temp.marks(), 'a/p a/s', 'an appointment that moves to another patient records both patients');
MERGE INTO appointments USING (VALUES ('x'), ('y')) AS v(id) ON appointments.id = v.id
    WHEN MATCHED THEN UPDATE SET value = 5
    WHEN NOT MATCHED THEN INSERT (organization_id, id, patient_id, starts_at, status) VALUES ('a', v.id, 'p', now(), 'completed');
SELECT is(pg_temp.marks(), 'a/p a/s', 'a MERGE');
DELETE FROM appointments WHERE id = 'y';
SELECT is(pg_temp.marks(), 'a/p', 'a deleted appointment');
WITH added AS (INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES ('a', 'z', 'p', now(), 'completed') RETURNING 1)
UPDATE appointments SET value = 6 WHERE id = 'x';
SELECT is(pg_temp.marks(), 'a/p a/s', 'two changes in one statement');

INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('a', 'x', 'p', now());
SELECT is(pg_temp.marks(), 'a/p', 'a conversation');
UPDATE conversations SET patient_id = 's';
SELECT is(pg_temp.marks(), 'a/p a/s', 'a conversation that moves to another patient');
DELETE FROM conversations;
SELECT is(pg_temp.marks(), 'a/s', 'a deleted conversation');
INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by) VALUES ('a', 'p', 'sms', 'failed', 'u');
SELECT is(pg_temp.marks(), 'a/p', 'an outreach attempt');
UPDATE outreach_log SET patient_id = 's';
SELECT is(pg_temp.marks(), 'a/p a/s', 'an attempt that moves to another patient');
DELETE FROM outreach_log;
SELECT is(pg_temp.marks(), 'a/s', 'a deleted attempt');
DELETE FROM patients WHERE id = 's';
SELECT is(pg_temp.marks(), 'a/s', 'a deleted patient who has rows');
SELECT is((SELECT count(*) FROM appointments WHERE patient_id = 's'), 0::bigint, 'the rows of a deleted patient are deleted');
UPDATE appointments SET value = 7 WHERE false;
SELECT is(pg_temp.marks(), '', 'an UPDATE without rows records nothing');

-- Rows that are written unchanged.
INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('a', 'y', 'p', '2025-01-01'), ('a', 'z', 'p', '2025-01-02');
INSERT INTO outreach_log (organization_id, patient_id, method, outcome, logged_by) VALUES ('a', 'p', 'sms', 'failed', 'u');
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'q', 'Q');
INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, value) VALUES ('a', 'v', 'q', '2025-01-01', 'completed', NULL);
SELECT pg_temp.marks();
INSERT INTO patients SELECT * FROM patients ON CONFLICT (organization_id, id) DO UPDATE SET
    (name, phone, email, treatment_notes, created_at, archived_at)
    = (excluded.name, excluded.phone, excluded.email, excluded.treatment_notes, excluded.created_at, excluded.archived_at);
SELECT is(pg_temp.marks(), '', 'an upsert that leaves the patients unchanged');
MERGE INTO appointments a USING (SELECT * FROM appointments) n ON (a.organization_id, a.id) = (n.organization_id, n.id)
    WHEN MATCHED THEN UPDATE SET value = n.value, status = n.status;
SELECT is(pg_temp.marks(), '', 'a MERGE that leaves the appointments unchanged');
UPDATE conversations SET occurred_at = occurred_at;
UPDATE outreach_log SET notes = notes;
UPDATE organizations SET time_zone = time_zone, appointment_value = appointment_value;
SELECT is(pg_temp.marks(), '', 'an UPDATE that leaves conversations, attempts and organizations unchanged');
INSERT INTO patients SELECT * FROM patients ON CONFLICT (organization_id, id) DO UPDATE SET email = CASE excluded.id WHEN 'q' THEN 'q@example.org' END;
SELECT is(pg_temp.marks(), 'a/q', 'an upsert of many patients records only the changed one');
UPDATE conversations SET sentiment = 'negative';
UPDATE outreach_log SET idempotency_key = id::text;
SELECT is(pg_temp.marks(), '', 'a column that no response depends on');
UPDATE conversations SET occurred_at = CASE id WHEN 'y' THEN '2025-01-02'::timestamptz ELSE '2025-01-01' END WHERE id IN ('y', 'z');
SELECT is(pg_temp.marks(), '', 'two conversations of a patient that exchange their times');
ALTER TABLE conversations ADD COLUMN change json;
UPDATE conversations SET change = '{"a": 1}';
SELECT is(pg_temp.marks(), '', 'a column of another owner, with any name and type');
ALTER TABLE conversations DROP COLUMN change;
-- Every column that a response depends on records a pending change.
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
    'the triggers compare every column that a view or an endpoint reads');
DELETE FROM outreach_log;
DELETE FROM conversations;
DELETE FROM patients WHERE id = 'q';
SELECT pg_temp.marks();

-- The organization itself.
UPDATE organizations SET name = 'A' WHERE id = 'a';
SELECT is(pg_temp.marks(), '', 'an organization''s name, which no response contains');
UPDATE organizations SET appointment_value = 99 WHERE id = 'a';
SELECT is(pg_temp.marks(), 'a/=', 'the value of an appointment changes the responses only');
UPDATE organizations SET time_zone = 'Asia/Tokyo';
SELECT is(pg_temp.marks(), 'a/* b/*', 'a changed time zone changes everything');
UPDATE organizations SET time_zone = CASE id WHEN 'a' THEN 'Asia/Seoul' ELSE time_zone END;
SELECT is(pg_temp.marks(), 'a/*', 'only the organization whose time zone changes is recorded');
UPDATE organizations SET id = 'c' WHERE id = 'b';
SELECT is(pg_temp.marks(), 'b/* c/*', 'a changed organization id');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id IN ('b', 'c')), 2::bigint, 'the new id gets a row and the old row remains');
DELETE FROM organizations WHERE id = 'c';
SELECT is(pg_temp.marks(), 'c/*', 'a deleted organization');

SAVEPOINT here;
TRUNCATE appointments;
SELECT is(pg_temp.marks() ~ '(^| )a/\*( |$)', true, 'TRUNCATE records every organization');
TRUNCATE conversations, outreach_log;
SELECT is(pg_temp.marks() ~ '(^| )a/\*( |$)', true, 'TRUNCATE of the other tables too');
TRUNCATE organizations CASCADE;
SELECT is(pg_temp.marks() ~ '(^| )a/\*.* b/\*', true, 'TRUNCATE CASCADE records deleted organizations, present and former');
ROLLBACK TO here;
SELECT is(pg_temp.marks(), '', 'a rolled back statement leaves no pending change');
SELECT is((SELECT count(*) FROM appointments), 1::bigint, 'a rolled back TRUNCATE leaves the rows');

-- A writer has no privilege on re.pending_change, and needs none.
GRANT USAGE ON SCHEMA given TO PUBLIC;
CREATE ROLE test_writer NOLOGIN;
GRANT INSERT ON conversations TO test_writer;
SET LOCAL ROLE test_writer;
INSERT INTO conversations (organization_id, id, patient_id, occurred_at) VALUES ('a', 'w', 'p', now());
RESET ROLE;
SELECT is(pg_temp.marks(), 'a/p', 'a role that may write only one table');
SET LOCAL reengagement.organization = 'a';
SET LOCAL ROLE reengagement_api;
SELECT is(result, 'created', 'the server''s role logs an attempt') FROM re.log_outreach('a', 'p', 'sms', 'success', false, '', 'u', NULL);
RESET ROLE;
SELECT is(pg_temp.marks(), 'a/p', 'an attempt that the server logs records a pending change');
SELECT throws_ok($$ SET LOCAL ROLE reengagement_marker; SELECT FROM re.pending_change $$, '42501', NULL, 'the role that records pending changes cannot read them');
RESET ROLE;
SELECT is_empty($$ SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE tgname LIKE ANY ('{mark%,check%,forget%}') AND tgenabled <> CASE WHEN tgname LIKE '%\_replicated%' THEN 'R' WHEN tgname IN ('mark_truncated', 'forget_attempts') THEN 'A' ELSE 'O' END $$,
    'no trigger is disabled, and each fires in its intended replication role');

-- Replicated rows fire other triggers. EndToEnd/test_replication.py tests a subscription itself.
SET LOCAL session_replication_role = replica;
INSERT INTO patients (organization_id, id, name) VALUES ('a', 'r', 'R'), ('a', 's', 'S');
SELECT is(pg_temp.marks(), 'a/r a/s', 'replicated: new patients');
UPDATE patients SET id = 't' WHERE id = 'r';
SELECT is(pg_temp.marks(), 'a/r a/t', 'replicated: a changed id');
UPDATE patients SET name = 'T' WHERE id = 't';
SELECT is(pg_temp.marks(), 'a/t', 'replicated: a changed name');
INSERT INTO appointments (organization_id, id, patient_id, starts_at, status) VALUES ('a', 'r1', 's', now(), 'completed');
SELECT is(pg_temp.marks(), 'a/s', 'replicated: an appointment');
UPDATE appointments SET patient_id = 't' WHERE id = 'r1';
SELECT is(pg_temp.marks(), 'a/s a/t', 'replicated: an appointment that moves to another patient');
DELETE FROM appointments WHERE id = 'r1';
SELECT is(pg_temp.marks(), 'a/t', 'replicated: a deleted appointment');
INSERT INTO organizations (id, name) VALUES ('d', 'D');
SELECT is(pg_temp.marks(), 'd/*', 'replicated: a new organization');
SELECT is((SELECT count(*) FROM re.organization_state WHERE organization_id = 'd'), 1::bigint, 'replicated: a new organization gets its row of state');
UPDATE organizations SET appointment_value = 141 WHERE id = 'd';
SELECT is(pg_temp.marks(), 'd/=', 'replicated: a changed value of an appointment');
UPDATE organizations SET appointment_value = appointment_value, name = 'D2';
UPDATE patients SET name = name;
UPDATE appointments SET value = value;
SELECT is(pg_temp.marks(), '', 'replicated: unchanged rows record nothing');
UPDATE organizations SET time_zone = 'Europe/Paris' WHERE id = 'd';
SELECT is(pg_temp.marks(), 'd/*', 'replicated: a changed time zone');
UPDATE organizations SET id = 'e' WHERE id = 'd';
SELECT is(pg_temp.marks(), 'd/* e/*', 'replicated: a changed organization id');
SELECT throws_ok($$ UPDATE organizations SET time_zone = 'foo+3' WHERE id = 'e' $$, '23514', NULL, 'replicated: an invalid time zone is refused');
SELECT throws_ok($$ INSERT INTO organizations (id, name, time_zone) VALUES ('f', 'F', 'CET') $$, '23514', NULL, 'replicated: an abbreviated time zone is refused');
DELETE FROM organizations WHERE id = 'e';
SELECT is(pg_temp.marks(), 'e/*', 'replicated: a deleted organization');
TRUNCATE conversations;
SELECT is(pg_temp.marks() ~ '(^| )a/\*', true, 'replicated: TRUNCATE');
SET LOCAL session_replication_role = origin;

SELECT * FROM finish();
ROLLBACK;
