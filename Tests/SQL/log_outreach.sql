-- Logging an attempt: the stored row, and the effect of the idempotency key.
BEGIN;
\ir support/given.sql
SELECT plan(33);
SELECT given.now('2025-06-30T12:00:00.999999Z');
SELECT given.clinic('a'), given.clinic('b');
SELECT given.patient('ana', organization => 'a'), given.patient('ana', organization => 'b'),
    given.patient('ben', organization => 'a'),
    given.patient('gone', archived_at => '2025-06-01T00:00Z', organization => 'a'),
    given.patient('later', '2025-07-01T00:00Z', organization => 'a');
GRANT USAGE ON SCHEMA given TO reengagement_api;

-- Calls the function as the server does.
CREATE FUNCTION given.logged(patient text, key text DEFAULT NULL, method text DEFAULT 'sms',
    outcome text DEFAULT 'success', opened boolean DEFAULT false,
    notes text DEFAULT '', logged_by text DEFAULT 'user_1', organization text DEFAULT 'a', OUT result text,
    OUT outreach_id uuid, OUT logged_at text)
LANGUAGE sql AS $$
    SELECT set_config('reengagement.organization', organization, true);
    SELECT * FROM re.log_outreach(organization, patient, method, outcome, opened, notes, logged_by, key)
$$;
-- The server's role may not create tables.
CREATE TEMPORARY TABLE answer (name text, result text, outreach_id uuid, logged_at text);
GRANT SELECT, INSERT ON answer TO reengagement_api;
SET LOCAL ROLE reengagement_api;

INSERT INTO answer SELECT 'plain', *
    FROM given.logged('ana', method => 'email', outcome => 'no_response', opened => true,
    notes => E'Zoë said: “é” is not “e\u0301”\r\n\t👋 ''quoted'' \\ ');
SELECT is((SELECT result FROM answer WHERE name = 'plain'), 'created', 'an attempt is created');
SELECT is((SELECT logged_at FROM answer WHERE name = 'plain'), '2025-06-30T12:00:00Z', 'the time is now, truncated to the second');
RESET ROLE;
SELECT is((SELECT (organization_id, patient_id, method, outcome, opened, logged_by, idempotency_key,
    created_at = re.now())::text FROM outreach_log
    WHERE id = (SELECT outreach_id FROM answer WHERE name = 'plain')), '(a,ana,email,no_response,t,user_1,,t)',
    'the row contains the given values');
SELECT is((SELECT convert_to(notes, 'UTF8') FROM outreach_log
    WHERE id = (SELECT outreach_id FROM answer WHERE name = 'plain')),
    convert_to(E'Zoë said: “é” is not “e\u0301”\r\n\t👋 ''quoted'' \\ ', 'UTF8'), 'the notes are stored byte for byte');
SET LOCAL ROLE reengagement_api;
SELECT is((SELECT count(DISTINCT outreach_id)
    FROM (SELECT (given.logged('ana')).outreach_id FROM generate_series(1, 3)) l), 3::bigint,
    'each attempt without a key is a row of its own');

-- The same key.
INSERT INTO answer SELECT 'first', * FROM given.logged('ana', 'key-1', notes => 'n');
SELECT is((SELECT result FROM answer WHERE name = 'first'), 'created', 'a new key');
SELECT given.now('2025-06-30T13:00:00Z');
INSERT INTO answer SELECT 'again', * FROM given.logged('ana', 'key-1', notes => 'n', logged_by => 'user_2');
SELECT is((SELECT result FROM answer WHERE name = 'again'), 'replayed', 'the same key again is replayed, also for another user');
SELECT is((SELECT (outreach_id, logged_at)::text FROM answer WHERE name = 'again'),
    (SELECT (outreach_id, logged_at)::text FROM answer WHERE name = 'first'),
    'a replay returns the first result');
SELECT is((SELECT count(*) FROM (SELECT id FROM outreach_log WHERE idempotency_key = 'key-1') o), 1::bigint,
    'a replay adds no row');
SELECT is((given.logged('ben', 'key-1', notes => 'n')).result, 'conflict', 'another patient');
SELECT is((given.logged('ana', 'key-1', 'email', notes => 'n')).result, 'conflict', 'another method');
SELECT is((given.logged('ana', 'key-1', outcome => 'failed', notes => 'n')).result, 'conflict', 'another outcome');
SELECT is((given.logged('ana', 'key-1', opened => true, notes => 'n')).result, 'conflict', 'another opened flag');
SELECT is((given.logged('ana', 'key-1', notes => 'N')).result, 'conflict', 'other notes');
SELECT is((given.logged('nobody', 'key-1', notes => 'n')).result, 'conflict',
    'an unknown patient: the key is checked first');
SELECT is((given.logged('ana', 'key-1', notes => E'e\u0301')).result, 'conflict', 'notes are compared by bytes');
SELECT is((given.logged('ana', 'KEY-1', notes => 'n')).result, 'created', 'another spelling is another key');
SELECT is((given.logged('ana', 'key-1', notes => 'other', organization => 'b')).result, 'created',
    'each organization has keys of its own');
SELECT is((SELECT count(*) FROM (SELECT id FROM outreach_log WHERE idempotency_key = 'key-1') o), 1::bigint,
    'an organization sees only its own key');

-- Patients who cannot be reached, and the effect of a refusal.
SELECT is((given.logged(id, 'key-2')).result, 'no_patient', id || ' is not a present patient')
    FROM unnest(ARRAY['nobody', 'gone', 'later', 'Ana', '']) id;
SELECT is((given.logged('ana', organization => 'nowhere')).result, 'no_patient',
    'an unknown organization has no patient');
SELECT is((given.logged('nobody', 'key-2')).outreach_id, NULL, 'a refusal returns no id');
SELECT is((given.logged('ana', 'key-2')).result, 'created', 'a refusal does not use up the key');
RESET ROLE;
UPDATE patients SET archived_at = '2025-06-30T12:30Z' WHERE id = 'ana' AND organization_id = 'a';
SET LOCAL ROLE reengagement_api;
SELECT is((given.logged('ana')).result, 'no_patient', 'a patient who has been archived since');
SELECT is((given.logged('ana', 'key-1', notes => 'n')).result, 'replayed',
    'an attempt from before is replayed after the patient is archived');

-- The next read shows the attempt.
SELECT is((given.logged('ben', outcome => 'success')).result, 'created', 'a success');
SELECT is((SELECT days_since_last_contact FROM re.patient_detail('a', 'ben')), 0, 'a success is a contact at once');

-- The function raises synchronous_commit and never lowers it.
SET LOCAL synchronous_commit = off;
SELECT is((given.logged('ben')).result || ' ' || current_setting('synchronous_commit'), 'created on', 'from off to on');
SET LOCAL synchronous_commit = remote_apply;
SELECT is((given.logged('ben')).result || ' ' || current_setting('synchronous_commit'), 'created remote_apply',
    'a stronger setting remains');

SELECT * FROM finish();
ROLLBACK;
