-- The audit: the server's role can write it, only readers with a grant can read it, and it is append-only for all roles.
BEGIN;
\ir support/given.sql
SELECT plan(102);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic(o), given.patient('p', organization => o) FROM unnest(ARRAY['a', 'b']) o;
GRANT USAGE ON SCHEMA given TO PUBLIC;
CREATE ROLE test_auditor NOLOGIN;
GRANT SELECT ON public.audit_patient_access, public.audit_refused_attempts, public.audit_servers TO test_auditor;
CREATE ROLE test_bound_auditor NOLOGIN;
GRANT SELECT ON public.audit_patient_access TO test_bound_auditor;
GRANT reengagement_bound TO test_bound_auditor;

-- Writes one entry. The server writes several at once.
CREATE FUNCTION given.access(organization text, patients text, at timestamptz DEFAULT now(),
    status integer DEFAULT 200) RETURNS integer LANGUAGE sql AS $$
    SELECT re.record_access(ARRAY[extract(epoch FROM at)]::float8[], ARRAY[status], ARRAY[organization],
        ARRAY['user_1'], ARRAY['sess_1'], ARRAY['org:admin'],
        ARRAY['user_9'], ARRAY['192.0.2.1'], ARRAY['r1'], ARRAY['GET'], ARRAY['/route'], ARRAY['{"limit":"5"}'],
        ARRAY[patients])
$$;

-- Writes an entry with another time, which only the owner can.
CREATE FUNCTION given.dated(organization text, patients text, at timestamptz) RETURNS integer LANGUAGE sql AS $$
    INSERT INTO re.audit (at, status, organization_id, subject, session_id, role, actor, address, request_id, method,
        route, filter, patient_ids)
    VALUES (at, 200, organization, 'user_1', 'sess_1', 'org:admin', 'user_9', '192.0.2.1', 'r1', 'GET', '/route',
        '{"limit":"5"}', patients::text[]) RETURNING 1
$$;

-- Writes of the server's role.
SET LOCAL ROLE reengagement_api;
SET LOCAL reengagement.organization = '';
SELECT is(given.access('a', '{p,"odd \"one\""}'), 1, 'the server''s role records a response');
SELECT is(given.access('b', '{p}'), 1, 'it records a response of any organization');
SELECT is(given.access('', NULL, status => 403), 1, 'it records a response of no organization');
SELECT is(re.record_access('{1,2}', '{200,200}', '{a,b}', '{u,u}', '{NULL,s}', '{NULL,NULL}', '{NULL,NULL}',
    '{NULL,NULL}', '{r2,r3}', '{GET,GET}', '{/r,/r}', '{NULL,NULL}', '{NULL,NULL}'), 2,
    'it records several entries at once');
SELECT is(re.record_access('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), 0, 'it records an empty list');
SELECT is(re.record_access('{1,2,3}', '{404,403,200}', '{a,a,a}', '{u4,u4,u4}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}',
    '{NULL,NULL,NULL}', '{NULL,NULL,NULL}', '{s1,s2,s3}',
    '{GET,GET,HEAD}', '{/r,/r,/r}', '{NULL,"{\"org_id\": \"b\"}",NULL}', '{NULL,NULL,NULL}', '{id1,id2,id3}',
    '{f,t,NULL}', '{p7,p7,p7}', '{patient-not-found,other-organization,NULL}'), 3,
    'an entry may have the server''s request id, the mark of a timer, the patient sought and the problem');
SET LOCAL reengagement.organization = 'a';
SELECT throws_ok($$ INSERT INTO re.audit (at, status, organization_id, subject, method, route)
    VALUES (now(), 201, 'a', 'u', 'POST', '/insert') $$, '42501', NULL,
    'the role cannot insert directly, not even for its organization');
SELECT throws_ok($$ INSERT INTO re.audit (at, status, organization_id, subject, method, route)
    VALUES (now(), 201, 'b', 'u', 'POST', '/insert') $$, '42501', NULL, 'it cannot insert directly for another organization');
SELECT throws_ok(statement, '42501', NULL, 'and may not: ' || statement)
FROM unnest(ARRAY['SELECT FROM re.audit', 'SELECT FROM public.audit_patient_access',
    'SELECT FROM public.audit_refused_attempts', 'SELECT FROM public.audit_servers', 'SELECT at FROM re.audit',
    'UPDATE re.audit SET status = 200',
    'DELETE FROM re.audit', 'TRUNCATE re.audit',
    'INSERT INTO re.audit (at, status, organization_id, subject, method, route) VALUES (now(), 1, ''a'', ''u'', ''m'', ''r'') RETURNING at',
    'SELECT FROM re.audit_rest', 'DELETE FROM re.audit_rest', 'INSERT INTO re.audit_rest (at) VALUES (now())',
    'DROP TABLE re.audit_rest',
    'ALTER TABLE re.audit DISABLE TRIGGER ALL', 'SELECT re.drop_audit_before(''1990-01-01'')',
    'SELECT re.move_audit_rest()', 'SELECT re.hold_audit()',
    'SELECT re.guard_audit_partition(''re.audit'')']) statement;
SELECT is(re.make_audit_partitions(), 0, 'it may call the creation of the coming months, which exist already');


-- The server sets the time of the response. The database sets the time of the entry and the login.
SET LOCAL synchronous_commit = off;
SELECT is(given.access('c', NULL, '1970-01-01Z'), 1, 'a server whose clock is wrong records an entry');
SELECT is(current_setting('synchronous_commit'), 'on', 'entries survive a crash, with any setting of synchronous_commit');
SET LOCAL synchronous_commit = off;
SELECT re.record_write('c', 200, 'PUT', 'settings', NULL, NULL, NULL, 'u', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT is(current_setting('synchronous_commit'), 'on', 'so does a write with its entry');
SELECT lives_ok($$ SELECT re.keep_refused_entry('54000', '{"a": "\u0000"}');
    SELECT re.keep_refused_entry(repeat('r', 200), repeat('é', 1000001)) $$, 'an entry that is refused is stored');
RESET ROLE;
SELECT results_eq($$ SELECT a.at BETWEEN now() AND clock_timestamp(), a.server_at, a.database_user FROM re.audit a
    WHERE a.server_at < '2000-01-01Z' AND a.request_id = 'r1' $$,
    format('SELECT true, %L::timestamptz, %L', '1970-01-01Z', session_user),
    'the entry has both the server''s time and the database''s');
SELECT results_eq($$ SELECT reason, length(entry), database_user = session_user, at >= now()
    FROM re.audit_refused_entry ORDER BY length(reason) $$,
    $$ VALUES ('54000', 15, true, true), (repeat('r', 100), 1000000, true, true) $$, 'a refused entry is cut to its maximum length');
SELECT throws_like(statement, '%append-only%', 'refused even to a superuser: ' || statement)
FROM unnest(ARRAY['DELETE FROM re.audit_refused_entry', 'TRUNCATE re.audit_refused_entry']) statement;
SET LOCAL ROLE reengagement_api;

-- An outreach attempt and its entry are written together.
SELECT is(result, 'created', 'an attempt is logged')
    FROM re.log_outreach('a', 'p', 'sms', 'success', false, 'a note', 'user_2', 'key', 'sess_2', 'org:member',
        'user_8', '192.0.2.2', 'r4', 'id4');
SELECT is(result, 'replayed', 'the same attempt is replayed')
    FROM re.log_outreach('a', 'p', 'sms', 'success', false, 'a note', 'user_2', 'key', 'sess_2', 'org:member',
        'user_8', '192.0.2.2', 'r5');
SELECT is(result, 'no_patient', 'an attempt to an unknown patient is refused')
    FROM re.log_outreach('a', 'nobody', 'sms', 'success', false, '', 'user_2', NULL);
SELECT is(result, 'created', 'a server that does not report the caller logs an attempt')
    FROM re.log_outreach('a', 'p', 'sms', 'failed', false, '', 'user_3', NULL);
RESET ROLE;
SELECT results_eq($$
    SELECT ROW(a.status, a.organization_id, a.subject, a.session_id, a.role, a.actor, a.address, a.request_id,
        a.method, a.route, a.filter, a.patient_ids, a.server_request_id)::text
    FROM re.audit a JOIN public.outreach_log o ON o.id = a.outreach_id AND o.organization_id = a.organization_id
    ORDER BY a.subject $$,
    ARRAY['(201,a,user_2,sess_2,org:member,user_8,192.0.2.2,r4,POST,/api/v1/reengagement/{org_id}/log-outreach,"{""method"": ""sms"", ""outcome"": ""success""}",{p},id4)',
        '(201,a,user_3,,,,,,POST,/api/v1/reengagement/{org_id}/log-outreach,"{""method"": ""sms"", ""outcome"": ""failed""}",{p},)'], 'each attempt has one entry, without its notes');
SELECT is((SELECT count(*) FROM re.audit WHERE outreach_id IS NOT NULL), 2::bigint, 'no other entry has an attempt');
SELECT cmp_ok((SELECT min(at) FROM re.audit WHERE outreach_id IS NOT NULL), '>=', now(), 'the entry has the database''s time');
ALTER TABLE re.audit ADD CONSTRAINT none CHECK (outreach_id IS NULL) NOT VALID;
SELECT throws_ok($$ SELECT FROM re.log_outreach('a', 'p', 'sms', 'success', false, '', 'u', 'without') $$, 'REAUD',
    NULL, 'an attempt fails if its entry cannot be written');
SELECT is((SELECT count(*) FROM public.outreach_log WHERE idempotency_key = 'without'), 0::bigint, 'the failed attempt is not logged');
ALTER TABLE re.audit DROP CONSTRAINT none;

-- The audit is append-only for the owner and a superuser too.
SELECT given.dated('c', NULL, '1970-01-01Z') \g /dev/null
SELECT throws_like(statement, '%append-only%', 'refused even to a superuser: ' || statement)
FROM unnest(ARRAY['UPDATE re.audit SET status = 0', 'DELETE FROM re.audit', 'TRUNCATE re.audit',
    'TRUNCATE re.audit_rest', 'DELETE FROM re.audit_rest']) statement;

-- Accesses to a patient.
SET LOCAL ROLE test_auditor;
SELECT results_eq($$
    SELECT concat_ws(' ', subject, actor, role, session_id, address, access, route, status, request_id)
        FROM public.audit_patient_access
    WHERE organization_id = 'a' AND patient_id = 'p' ORDER BY request_id $$,
    ARRAY['user_1 user_9 org:admin sess_1 192.0.2.1 saw /route 200 r1',
        'user_2 user_8 org:member sess_2 192.0.2.2 wrote /api/v1/reengagement/{org_id}/log-outreach 201 r4',
        'user_3 wrote /api/v1/reengagement/{org_id}/log-outreach 201'], 'the view shows the accesses to a patient');
SELECT results_eq($$ SELECT concat_ws(' ', status, access, automatic, server_request_id)
    FROM public.audit_patient_access WHERE patient_id = 'p7' ORDER BY 1 $$,
    ARRAY['200 sought id3', '404 sought f id1'], 'the view shows searches without a result too');
SELECT is((SELECT count(*) FROM public.audit_patient_access WHERE patient_id = 'odd "one"'), 1::bigint,
    'the view finds any patient id');
SELECT throws_ok('SELECT FROM re.audit', '42501', NULL, 'a reader of the view cannot read the table');
-- Refused attempts.
RESET ROLE;
SELECT re.record_access('{1,2,3}', '{401,401,401}', '{"","",""}', '{"","",""}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}',
    '{NULL,NULL,NULL}', '{192.0.2.7,2001:db8::/64,NULL}', '{r,r,r}',
    '{GET,GET,GET}', '{/r,/r,/r}',
    ARRAY['{"org_id": "a", "attempts": "17", "first": "1", "last": "2", "reason": "The token has expired."}',
        '{"attempts": "1"}', '{"org_id": "a", "attempts": "x", "reason": "odd"}'],
    '{NULL,NULL,NULL}', '{i,i,i}', '{f,f,f}', '{p7,NULL,p7}', '{token-expired,token-missing,token-invalid}');
SELECT re.record_access('{4}', '{404}', '{a}', '{u5}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{r}', '{GET}', '{/r}',
    '{"{\"patient_id\": \"p8\"}"}', '{NULL}');
SET LOCAL ROLE test_auditor;
SELECT results_eq($$ SELECT concat_ws(' ', status, problem, reason, attempts, subject, address)
    FROM public.audit_refused_attempts WHERE organization_id = 'a' AND patient_id = 'p7' ORDER BY 1 $$,
    ARRAY['401 token-expired The token has expired. 17 192.0.2.7', '401 token-invalid odd 1',
        '404 patient-not-found 1 u4'], 'the view shows refused attempts at a patient of this clinic, known or not');
SELECT results_eq($$ SELECT concat_ws(' ', status, of_organization COLLATE "default", subject)
    FROM public.audit_refused_attempts WHERE organization_id = 'b' $$, ARRAY['403 a u4'],
    'an attempt at another clinic is listed under that clinic');
SELECT is((SELECT patient_id FROM public.audit_refused_attempts WHERE subject = 'u5'), 'p8',
    'an entry of an earlier version has the patient in its filter');
SELECT is((SELECT count(*) FROM public.audit_refused_attempts WHERE organization_id IS NULL
    AND problem = 'token-missing'), 1::bigint, 'attempts beyond the limit are listed without their target');
SELECT is_empty($$ SELECT FROM public.audit_patient_access WHERE status IN (401, 403) $$, 'no refused attempt is an access');

-- The servers that ran, and whether they recorded.
RESET ROLE;
INSERT INTO re.audit (at, status, organization_id, subject, request_id, method, route, filter, server_request_id)
SELECT to_timestamp(at), 0, '', 'reengagement-api', run, 'SERVER', 'audit',
    format('{"event": "%s", "audit": "%s", "host": "h", "listen": "%s", "pid": "1"}', event, audit, listen)::jsonb, run
FROM (VALUES (1, 'r1', 'begins', 'on', 's'), (2, 'r1', 'ends', 'on', 's'), (3, 'r2', 'begins', 'off', 's'),
    (4, 'r4', 'begins', 'on', 't'), (5, 'r3', 'begins', 'on', 's')) v(at, run, event, audit, listen);
SET LOCAL ROLE test_auditor;
SELECT results_eq($$
    SELECT concat_ws(' ', run, audit, listen, extract(epoch FROM began_at), extract(epoch FROM ended_at))
        FROM public.audit_servers WHERE began_at < '1980-01-01' ORDER BY 1 $$,
    ARRAY['r1 on s 1.000000 2.000000', 'r2 off s 3.000000 5.000000', 'r3 on s 5.000000', 'r4 on t 4.000000'],
    'a killed server ends when the next one at its address begins, and no other ends then');
SET LOCAL ROLE test_bound_auditor;
SET LOCAL reengagement.organization = 'b';
SELECT is((SELECT string_agg(DISTINCT organization_id, ',') FROM public.audit_patient_access), 'b',
    'a bound reader sees the entries of one organization');
RESET ROLE;
SELECT results_eq($$ SELECT concat_ws(' ', server_request_id, automatic, patient_sought COLLATE "default", problem)
    FROM re.audit WHERE subject = 'u4' ORDER BY 1 $$,
    ARRAY['id1 f p7 patient-not-found', 'id2 t p7 other-organization', 'id3 p7'], 'each value is in its column');
SELECT is((SELECT count(*) FROM re.audit
    WHERE subject = 'user_1' AND num_nulls(server_request_id, automatic, patient_sought, problem) = 4), 5::bigint,
    'values that a server does not report are null');

-- Partitions by month.
SELECT is(given.dated('a', '{p}', '2011-03-15T12:00Z'), 1, 'an entry of a month without a partition is accepted');
SELECT is((SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM re.audit
    WHERE at < '2012-01-01Z' AND at > '2000-01-01Z'), 're.audit_rest', 'it is in the default partition');
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE inhparent = 're.audit'::regclass AND c.relrowsecurity
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'never_truncated')
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'append_only')),
    (SELECT count(*) FROM pg_inherits WHERE inhparent = 're.audit'::regclass), 'every partition has the triggers and row-level security');
SELECT is((SELECT count(*) FROM generate_series(0, 3) m
    WHERE to_regclass('re.audit_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => m),
        'YYYY_MM')) IS NOT NULL), 4::bigint,
    'this month and the next three have partitions');
SELECT throws_ok($$ SELECT re.drop_audit_before(current_date) $$, '22023', NULL,
    'entries of the last six years are not dropped');
SELECT is_empty($$ SELECT re.drop_audit_before('2011-03-15') $$ , 'the default partition remains while it has a younger entry');
CREATE TABLE re.audit_2011_04 PARTITION OF re.audit FOR VALUES FROM ('2011-04-01Z') TO ('2011-05-01Z');
CREATE TABLE re.audit_2011_05 PARTITION OF re.audit FOR VALUES FROM ('2011-05-01Z') TO ('2011-06-01Z');
SELECT is((SELECT string_agg(d, ' ') FROM re.drop_audit_before('2011-05-31') d), 'audit_2011_04 audit_rest',
    'a month entirely before the day is dropped, and so is such a default partition');
SELECT is((SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM re.audit),
    're.audit_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'), 'younger partitions remain');
SELECT is(given.dated('a', '{p}', '2010-03-15T12:00Z'), 1, 'there is a new default partition');

-- The default partition. One entry with a wrong time prevents its removal, and a month with entries in it is never made.
CREATE FUNCTION given.month(ahead integer) RETURNS text LANGUAGE sql AS $$
    SELECT 'audit_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => ahead), 'YYYY_MM') $$;
DO $$ BEGIN EXECUTE format('DROP TABLE re.%I', given.month(3)); END $$;
SELECT given.dated(o, '{p}', at) FROM unnest(ARRAY['a', 'b']) o,
    unnest(ARRAY['2099-01-15T12:00Z', '2098-12-31T23:59:59.999999Z', '2099-01-01T00:00Z', '1970-01-01T00:00Z',
        '1969-12-31T23:59Z', '9999-12-31T23:59Z',
        '10000-01-01T00:00Z', 'infinity', now() + interval '3 months']::timestamptz[]) at;
CREATE TEMPORARY TABLE entry AS SELECT a::text AS entry, count(*) AS number FROM re.audit a
    WHERE method <> 'DROP' GROUP BY 1;
SET LOCAL ROLE reengagement_api;
SELECT is(re.audit_rest_entries(), 19::bigint, 'the server''s role reads the number of entries in the default partition');
SELECT is(re.make_audit_partitions(), 0, 'a month with entries in the default partition is not created');
RESET ROLE;
SELECT results_eq($$ SELECT re.drop_audit_before('2050-01-01', true) $$, ARRAY['audit_2011_05'],
    'an entry with a future time prevents the removal of the default partition');
SELECT is_empty($$ SELECT re.drop_audit_before('9999-01-01', true) $$,
    'the current month and future months are never dropped');
CREATE TABLE re.audit_9999_12 ();
SELECT results_eq($$ SELECT partition || ' ' || entries FROM re.move_audit_rest() $$,
    ARRAY['audit_1970_01 2', 'audit_2010_03 1', given.month(3) || ' 2', 'audit_2098_12 2', 'audit_2099_01 4'],
    'moving the entries creates their months');
SELECT results_eq($$ SELECT a::text, count(*) FROM re.audit a WHERE method <> 'DROP' GROUP BY 1 ORDER BY 1 $$, $$
    SELECT * FROM entry ORDER BY 1 $$, 'every entry is unchanged');
SELECT results_eq($$ SELECT tableoid::regclass::text, count(*) FROM re.audit
    WHERE tableoid <> ('re.' || given.month(0))::regclass GROUP BY 1 ORDER BY 1 $$,
    $$ SELECT 're.' || name, number
    FROM (VALUES ('audit_1970_01', 2::bigint), ('audit_2010_03', 1), (given.month(3), 2), ('audit_2098_12', 2),
        ('audit_2099_01', 4), ('audit_rest', 8)) v(name, number) ORDER BY 1 $$,
    'each entry is in its month, or in the default partition if there can be no month for it');
SELECT is(re.audit_rest_entries(), 8::bigint, 'the remaining entries are counted');
SELECT is_empty($$ SELECT * FROM re.move_audit_rest() $$, 'the remaining entries are not moved again');
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE inhparent = 're.audit'::regclass AND c.relrowsecurity
        AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'one_organization')
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'never_truncated')
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'append_only')),
    (SELECT count(*) FROM pg_inherits WHERE inhparent = 're.audit'::regclass),
    'the new partitions have the same triggers, policy and row-level security');
SELECT throws_like(statement, '%append-only%', 'refused even to a superuser: ' || statement)
FROM unnest(ARRAY['UPDATE re.audit_2099_01 SET status = 0', 'DELETE FROM re.audit_2099_01',
    'TRUNCATE re.audit_2099_01', 'DELETE FROM re.audit_rest', 'TRUNCATE re.audit_rest']) statement;
SELECT results_eq($$ SELECT re.drop_audit_before('2011-01-01') $$, ARRAY['audit_1970_01', 'audit_2010_03'],
    'a moved month is dropped like any other');
SELECT is(given.dated('a', '{p}', '2099-01-20T12:00Z') + given.dated('a', '{p}', '2097-01-20T12:00Z'), 2,
    'new entries are accepted as before');
SELECT is((SELECT count(*) FROM re.audit_2099_01), 5::bigint, 'they are in the partition of their month');
-- re.prove_audit shows whether an entry can be written now, and reports an error if not.
CREATE TEMPORARY TABLE number_of_entries AS SELECT count(*) AS number FROM re.audit;
SELECT lives_ok('SELECT re.prove_audit()', 'a test entry can be written');
SELECT is((SELECT count(*) FROM re.audit), (SELECT number FROM number_of_entries), 'the test entry is rolled back');
CREATE RULE vanish AS ON INSERT TO re.audit DO INSTEAD NOTHING;
SELECT throws_ok(statement, 'REAUD', 'the audit takes no entry: ' || reason,
    'a rule that keeps entries out is found: ' || statement)
FROM (VALUES ('SELECT re.prove_audit()', 'of 1 rows 0 were kept'),
    ($$SELECT given.access('a', '{p}', now())$$, 'of 1 rows 0 were kept'),
    ($$SELECT re.log_outreach('a', 'p', 'sms', 'failed', false, '', 'user_1', NULL)$$,
        'its row was not kept')) AS t(statement, reason);
DROP RULE vanish ON re.audit;
CREATE TEMPORARY TABLE attempt AS SELECT * FROM re.log_outreach('a', 'p', 'sms', 'failed', false, '', 'user_1', NULL);
SELECT is((SELECT result FROM attempt), 'created', 'the session can log an attempt after the error');
SELECT is((SELECT count(*) FROM re.audit JOIN attempt USING (outreach_id)), 1::bigint, 'the attempt has its entry');
CREATE FUNCTION pg_temp.keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE
    WHEN NEW.request_id = 'r3' THEN NULL ELSE NEW END; END $$;
CREATE TRIGGER keep_out BEFORE INSERT ON re.audit FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_out();
SELECT throws_ok($$
    SELECT re.record_access('{1,2}', '{200,200}', '{a,b}', '{u,u}', '{NULL,s}', '{NULL,NULL}', '{NULL,NULL}',
        '{NULL,NULL}', '{r9,r3}', '{GET,GET}', '{/r,/r}', '{NULL,NULL}', '{NULL,NULL}') $$,
    'REAUD', 'the audit takes no entry: of 2 rows 1 were kept', 'a trigger that suppresses one entry is reported');
SELECT is_empty($$ SELECT FROM re.audit WHERE request_id = 'r9' $$, 'then no other entry of the call is written either');
DROP TRIGGER keep_out ON re.audit;
CREATE FUNCTION pg_temp.refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE 'XX999'; END $$;
CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT
    ON re.audit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse_late();
SELECT throws_ok('SELECT re.prove_audit()', 'XX999', NULL, 'a trigger that refuses the entry at the commit is reported');
DROP TRIGGER refuse_late ON re.audit;
REVOKE INSERT ON re.audit FROM reengagement_marker;
SELECT throws_ok('SELECT re.prove_audit()', 'REAUD', NULL, 'a revoked right is reported');
GRANT INSERT ON re.audit TO reengagement_marker;
DO $$
BEGIN
    ALTER TABLE re.audit DETACH PARTITION re.audit_rest;
    EXECUTE format('ALTER TABLE re.audit DETACH PARTITION re.%I',
        'audit_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'));
END $$;
SELECT throws_ok(statement, 'REAUD', NULL, 'and so is a month without a table: ' || statement)
FROM unnest(ARRAY['SELECT re.prove_audit()',
    $$SELECT re.log_outreach('a', 'p', 'sms', 'failed', false, '', 'user_1', NULL)$$]) statement;
SELECT * FROM finish();
ROLLBACK;
