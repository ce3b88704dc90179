-- The audit: written by the server's role and read by nobody whom an operator has not let, append-only for everybody.
BEGIN;
\ir support/given.sql
SELECT plan(101);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic(o), given.patient('p', organization => o) FROM unnest(ARRAY['a', 'b']) o;
GRANT USAGE ON SCHEMA given TO PUBLIC;
CREATE ROLE test_auditor NOLOGIN;
GRANT SELECT ON public.audit_patient_access, public.audit_refused_attempts, public.audit_servers TO test_auditor;
CREATE ROLE test_bound_auditor NOLOGIN;
GRANT SELECT ON public.audit_patient_access TO test_bound_auditor;
GRANT reengagement_bound TO test_bound_auditor;

-- One entry by itself, as the server writes several.
CREATE FUNCTION given.access(organization text, patients text, at timestamptz DEFAULT now(),
    status integer DEFAULT 200) RETURNS integer LANGUAGE sql AS $$
    SELECT re.record_access(ARRAY[extract(epoch FROM at)]::float8[], ARRAY[status], ARRAY[organization],
        ARRAY['user_1'], ARRAY['sess_1'], ARRAY['org:admin'],
        ARRAY['user_9'], ARRAY['192.0.2.1'], ARRAY['r1'], ARRAY['GET'], ARRAY['/route'], ARRAY['{"limit":"5"}'],
        ARRAY[patients])
$$;

-- One of another time, which nobody but the owner can write.
CREATE FUNCTION given.dated(organization text, patients text, at timestamptz) RETURNS integer LANGUAGE sql AS $$
    INSERT INTO re.audit (at, status, organization_id, subject, session_id, role, actor, address, request_id, method,
        route, filter, patient_ids)
    VALUES (at, 200, organization, 'user_1', 'sess_1', 'org:admin', 'user_9', '192.0.2.1', 'r1', 'GET', '/route',
        '{"limit":"5"}', patients::text[]) RETURNING 1
$$;

-- What the server's role writes.
SET LOCAL ROLE reengagement_api;
SET LOCAL reengagement.organization = '';
SELECT is(given.access('a', '{p,"odd \"one\""}'), 1, 'the server''s role records an answer');
SELECT is(given.access('b', '{p}'), 1, 'of any organization');
SELECT is(given.access('', NULL, status => 403), 1, 'and of none');
SELECT is(re.record_access('{1,2}', '{200,200}', '{a,b}', '{u,u}', '{NULL,s}', '{NULL,NULL}', '{NULL,NULL}',
    '{NULL,NULL}', '{r2,r3}', '{GET,GET}', '{/r,/r}', '{NULL,NULL}', '{NULL,NULL}'), 2,
    'several at once');
SELECT is(re.record_access('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), 0, 'or none');
SELECT is(re.record_access('{1,2,3}', '{404,403,200}', '{a,a,a}', '{u4,u4,u4}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}',
    '{NULL,NULL,NULL}', '{NULL,NULL,NULL}', '{s1,s2,s3}',
    '{GET,GET,HEAD}', '{/r,/r,/r}', '{NULL,"{\"org_id\": \"b\"}",NULL}', '{NULL,NULL,NULL}', '{id1,id2,id3}',
    '{f,t,NULL}', '{p7,p7,p7}', '{patient-not-found,other-organization,NULL}'), 3,
    'with the server''s own id, a timer''s mark, whom it was about and what was wrong');
SET LOCAL reengagement.organization = 'a';
SELECT throws_ok($$ INSERT INTO re.audit (at, status, organization_id, subject, method, route)
    VALUES (now(), 201, 'a', 'u', 'POST', '/insert') $$, '42501', NULL,
    'and inserts none itself, of its own organization');
SELECT throws_ok($$ INSERT INTO re.audit (at, status, organization_id, subject, method, route)
    VALUES (now(), 201, 'b', 'u', 'POST', '/insert') $$, '42501', NULL, 'of no other');
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
SELECT is(re.make_audit_partitions(), 0, 'and has the coming months made, which are there already');


-- The server says when it answered; when that was written, and by which login, the database says.
SET LOCAL synchronous_commit = off;
SELECT is(given.access('c', NULL, '1970-01-01Z'), 1, 'a server whose clock is wrong');
SELECT is(current_setting('synchronous_commit'), 'on', 'whose entries survive a crash, whatever the role is set to');
SELECT lives_ok($$ SELECT re.keep_refused_entry('54000', '{"a": "\u0000"}');
    SELECT re.keep_refused_entry(repeat('r', 200), repeat('é', 1000001)) $$, 'an entry that is refused is kept');
RESET ROLE;
SELECT results_eq($$ SELECT a.at BETWEEN now() AND clock_timestamp(), a.server_at, a.database_user FROM re.audit a
    WHERE a.server_at < '2000-01-01Z' AND a.request_id = 'r1' $$,
    format('SELECT true, %L::timestamptz, %L', '1970-01-01Z', session_user),
    'is found by it, and the entry has the time of the database');
SELECT results_eq($$ SELECT reason, length(entry), database_user = session_user, at >= now()
    FROM re.audit_refused_entry ORDER BY length(reason) $$,
    $$ VALUES ('54000', 15, true, true), (repeat('r', 100), 1000000, true, true) $$, 'cut where it is too long');
SELECT throws_like(statement, '%append-only%', 'refused even to a superuser: ' || statement)
FROM unnest(ARRAY['DELETE FROM re.audit_refused_entry', 'TRUNCATE re.audit_refused_entry']) statement;
SET LOCAL ROLE reengagement_api;

-- An outreach attempt and its entry are one.
SELECT is(result, 'created', 'an attempt')
    FROM re.log_outreach('a', 'p', 'sms', 'success', false, 'a note', 'user_2', 'key', 'sess_2', 'org:member',
        'user_8', '192.0.2.2', 'r4', 'id4');
SELECT is(result, 'replayed', 'again')
    FROM re.log_outreach('a', 'p', 'sms', 'success', false, 'a note', 'user_2', 'key', 'sess_2', 'org:member',
        'user_8', '192.0.2.2', 'r5');
SELECT is(result, 'no_patient', 'to nobody')
    FROM re.log_outreach('a', 'nobody', 'sms', 'success', false, '', 'user_2', NULL);
SELECT is(result, 'created', 'by a server that does not say who asks')
    FROM re.log_outreach('a', 'p', 'sms', 'failed', false, '', 'user_3', NULL);
RESET ROLE;
SELECT results_eq($$
    SELECT ROW(a.status, a.organization_id, a.subject, a.session_id, a.role, a.actor, a.address, a.request_id,
        a.method, a.route, a.filter, a.patient_ids, a.server_request_id)::text
    FROM re.audit a JOIN public.outreach_log o ON o.id = a.outreach_id AND o.organization_id = a.organization_id
    ORDER BY a.subject $$,
    ARRAY['(201,a,user_2,sess_2,org:member,user_8,192.0.2.2,r4,POST,/api/v1/reengagement/{org_id}/log-outreach,"{""method"": ""sms"", ""outcome"": ""success""}",{p},id4)',
        '(201,a,user_3,,,,,,POST,/api/v1/reengagement/{org_id}/log-outreach,"{""method"": ""sms"", ""outcome"": ""failed""}",{p},)'], 'each attempt has one entry, without its notes');
SELECT is((SELECT count(*) FROM re.audit WHERE outreach_id IS NOT NULL), 2::bigint, 'and nothing else has');
SELECT cmp_ok((SELECT min(at) FROM re.audit WHERE outreach_id IS NOT NULL), '>=', now(), 'by the machine''s clock');
ALTER TABLE re.audit ADD CONSTRAINT none CHECK (outreach_id IS NULL) NOT VALID;
SELECT throws_ok($$ SELECT FROM re.log_outreach('a', 'p', 'sms', 'success', false, '', 'u', 'without') $$, 'REAUD',
    NULL, 'an attempt whose entry cannot be written');
SELECT is((SELECT count(*) FROM public.outreach_log WHERE idempotency_key = 'without'), 0::bigint, 'is not logged');
ALTER TABLE re.audit DROP CONSTRAINT none;

-- Append-only, for the owner and a superuser too.
SELECT given.dated('c', NULL, '1970-01-01Z') \g /dev/null
SELECT throws_like(statement, '%append-only%', 'refused even to a superuser: ' || statement)
FROM unnest(ARRAY['UPDATE re.audit SET status = 0', 'DELETE FROM re.audit', 'TRUNCATE re.audit',
    'TRUNCATE re.audit_rest', 'DELETE FROM re.audit_rest']) statement;

-- Who saw this patient.
SET LOCAL ROLE test_auditor;
SELECT results_eq($$
    SELECT concat_ws(' ', subject, actor, role, session_id, address, access, route, status, request_id)
        FROM public.audit_patient_access
    WHERE organization_id = 'a' AND patient_id = 'p' ORDER BY request_id $$,
    ARRAY['user_1 user_9 org:admin sess_1 192.0.2.1 saw /route 200 r1',
        'user_2 user_8 org:member sess_2 192.0.2.2 wrote /api/v1/reengagement/{org_id}/log-outreach 201 r4',
        'user_3 wrote /api/v1/reengagement/{org_id}/log-outreach 201'], 'the view answers who saw a patient');
SELECT results_eq($$ SELECT concat_ws(' ', status, access, automatic, server_request_id)
    FROM public.audit_patient_access WHERE patient_id = 'p7' ORDER BY 1 $$,
    ARRAY['200 sought id3', '404 sought f id1'], 'or looked for them and was shown none');
SELECT is((SELECT count(*) FROM public.audit_patient_access WHERE patient_id = 'odd "one"'), 1::bigint,
    'whatever their id');
SELECT throws_ok('SELECT FROM re.audit', '42501', NULL, 'and its reader sees nothing but the view');
-- Who tried.
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
        '404 patient-not-found 1 u4'], 'who tried a patient of this clinic, known or not');
SELECT results_eq($$ SELECT concat_ws(' ', status, of_organization COLLATE "default", subject)
    FROM public.audit_refused_attempts WHERE organization_id = 'b' $$, ARRAY['403 a u4'],
    'and of another, by the clinic that was aimed at');
SELECT is((SELECT patient_id FROM public.audit_refused_attempts WHERE subject = 'u5'), 'p8',
    'an entry of before names whom it was about in its filter');
SELECT is((SELECT count(*) FROM public.audit_refused_attempts WHERE organization_id IS NULL
    AND problem = 'token-missing'), 1::bigint, 'what was too much is there without what it aimed at');
SELECT is_empty($$ SELECT FROM public.audit_patient_access WHERE status IN (401, 403) $$, 'none of which is an access');

-- Which servers ran, and whether they recorded.
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
    'one that was killed has ended when the next begins at its place, and no other has');
SET LOCAL ROLE test_bound_auditor;
SET LOCAL reengagement.organization = 'b';
SELECT is((SELECT string_agg(DISTINCT organization_id, ',') FROM public.audit_patient_access), 'b',
    'a bound reader sees one organization''s');
RESET ROLE;
SELECT results_eq($$ SELECT concat_ws(' ', server_request_id, automatic, patient_sought COLLATE "default", problem)
    FROM re.audit WHERE subject = 'u4' ORDER BY 1 $$,
    ARRAY['id1 f p7 patient-not-found', 'id2 t p7 other-organization', 'id3 p7'], 'each in its column');
SELECT is((SELECT count(*) FROM re.audit
    WHERE subject = 'user_1' AND num_nulls(server_request_id, automatic, patient_sought, problem) = 4), 5::bigint,
    'and of a server that does not say, nothing is made up');

-- Months.
SELECT is(given.dated('a', '{p}', '2011-03-15T12:00Z'), 1, 'an entry of a month without a partition');
SELECT is((SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM re.audit
    WHERE at < '2012-01-01Z' AND at > '2000-01-01Z'), 're.audit_rest', 'is kept in the rest');
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE inhparent = 're.audit'::regclass AND c.relrowsecurity
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'never_truncated')
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'append_only')),
    (SELECT count(*) FROM pg_inherits WHERE inhparent = 're.audit'::regclass), 'every partition is guarded');
SELECT is((SELECT count(*) FROM generate_series(0, 3) m
    WHERE to_regclass('re.audit_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => m),
        'YYYY_MM')) IS NOT NULL), 4::bigint,
    'this month and three more are made');
SELECT throws_ok($$ SELECT re.drop_audit_before(current_date) $$, '22023', NULL,
    'nothing of the last six years goes by mistake');
SELECT is_empty($$ SELECT re.drop_audit_before('2011-03-15') $$ , 'the rest stays while it holds anything younger');
CREATE TABLE re.audit_2011_04 PARTITION OF re.audit FOR VALUES FROM ('2011-04-01Z') TO ('2011-05-01Z');
CREATE TABLE re.audit_2011_05 PARTITION OF re.audit FOR VALUES FROM ('2011-05-01Z') TO ('2011-06-01Z');
SELECT is((SELECT string_agg(d, ' ') FROM re.drop_audit_before('2011-05-31') d), 'audit_2011_04 audit_rest',
    'a month goes when it is wholly before the day, and so does the rest');
SELECT is((SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM re.audit),
    're.audit_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'), 'what is younger stays');
SELECT is(given.dated('a', '{p}', '2010-03-15T12:00Z'), 1, 'and there is a new rest');

-- The rest. One entry of a clock that was wrong keeps all of it, and a month that has entries in it is never made.
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
SELECT is(re.audit_rest_entries(), 19::bigint, 'the server''s role learns how many entries no month has taken');
SELECT is(re.make_audit_partitions(), 0, 'and can have no month made that has entries there');
RESET ROLE;
SELECT results_eq($$ SELECT re.drop_audit_before('2050-01-01', true) $$, ARRAY['audit_2011_05'],
    'one entry to come keeps the rest from being dropped');
SELECT is_empty($$ SELECT re.drop_audit_before('9999-01-01', true) $$,
    'and the running month and those to come never are');
CREATE TABLE re.audit_9999_12 ();
SELECT results_eq($$ SELECT partition || ' ' || entries FROM re.move_audit_rest() $$,
    ARRAY['audit_1970_01 2', 'audit_2010_03 1', given.month(3) || ' 2', 'audit_2098_12 2', 'audit_2099_01 4'],
    'moved, they have months of their own');
SELECT results_eq($$ SELECT a::text, count(*) FROM re.audit a WHERE method <> 'DROP' GROUP BY 1 ORDER BY 1 $$, $$
    SELECT * FROM entry ORDER BY 1 $$, 'every entry is as it was');
SELECT results_eq($$ SELECT tableoid::regclass::text, count(*) FROM re.audit
    WHERE tableoid <> ('re.' || given.month(0))::regclass GROUP BY 1 ORDER BY 1 $$,
    $$ SELECT 're.' || name, number
    FROM (VALUES ('audit_1970_01', 2::bigint), ('audit_2010_03', 1), (given.month(3), 2), ('audit_2098_12', 2),
        ('audit_2099_01', 4), ('audit_rest', 8)) v(name, number) ORDER BY 1 $$,
    'each in its month, and in the rest what no month can take');
SELECT is(re.audit_rest_entries(), 8::bigint, 'which is counted');
SELECT is_empty($$ SELECT * FROM re.move_audit_rest() $$, 'and not moved again');
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE inhparent = 're.audit'::regclass AND c.relrowsecurity
        AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'one_organization')
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'never_truncated')
        AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'append_only')),
    (SELECT count(*) FROM pg_inherits WHERE inhparent = 're.audit'::regclass),
    'every partition is guarded as the others are');
SELECT throws_like(statement, '%append-only%', 'refused even to a superuser: ' || statement)
FROM unnest(ARRAY['UPDATE re.audit_2099_01 SET status = 0', 'DELETE FROM re.audit_2099_01',
    'TRUNCATE re.audit_2099_01', 'DELETE FROM re.audit_rest', 'TRUNCATE re.audit_rest']) statement;
SELECT results_eq($$ SELECT re.drop_audit_before('2011-01-01') $$, ARRAY['audit_1970_01', 'audit_2010_03'],
    'a month that was moved goes as every month does');
SELECT is(given.dated('a', '{p}', '2099-01-20T12:00Z') + given.dated('a', '{p}', '2097-01-20T12:00Z'), 2,
    'entries are taken in as before');
SELECT is((SELECT count(*) FROM re.audit_2099_01), 5::bigint, 'by their month');
-- An entry of now can be written, or somebody is told why not.
CREATE TEMPORARY TABLE number_of_entries AS SELECT count(*) AS number FROM re.audit;
SELECT lives_ok('SELECT re.prove_audit()', 'an entry can be written');
SELECT is((SELECT count(*) FROM re.audit), (SELECT number FROM number_of_entries), 'and is taken back');
CREATE RULE vanish AS ON INSERT TO re.audit DO INSTEAD NOTHING;
SELECT throws_ok(statement, 'REAUD', 'the audit takes no entry: ' || reason,
    'a rule that keeps entries out is found: ' || statement)
FROM (VALUES ('SELECT re.prove_audit()', 'of 1 rows 0 were kept'),
    ($$SELECT given.access('a', '{p}', now())$$, 'of 1 rows 0 were kept'),
    ($$SELECT re.log_outreach('a', 'p', 'sms', 'failed', false, '', 'user_1', NULL)$$,
        'its row was not kept')) AS t(statement, reason);
DROP RULE vanish ON re.audit;
CREATE TEMPORARY TABLE attempt AS SELECT * FROM re.log_outreach('a', 'p', 'sms', 'failed', false, '', 'user_1', NULL);
SELECT is((SELECT result FROM attempt), 'created', 'a session that has met it goes on');
SELECT is((SELECT count(*) FROM re.audit JOIN attempt USING (outreach_id)), 1::bigint, 'with an entry for the attempt');
CREATE FUNCTION pg_temp.keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE
    WHEN NEW.request_id = 'r3' THEN NULL ELSE NEW END; END $$;
CREATE TRIGGER keep_out BEFORE INSERT ON re.audit FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_out();
SELECT throws_ok($$
    SELECT re.record_access('{1,2}', '{200,200}', '{a,b}', '{u,u}', '{NULL,s}', '{NULL,NULL}', '{NULL,NULL}',
        '{NULL,NULL}', '{r9,r3}', '{GET,GET}', '{/r,/r}', '{NULL,NULL}', '{NULL,NULL}') $$,
    'REAUD', 'the audit takes no entry: of 2 rows 1 were kept', 'a trigger that keeps one out is told of');
SELECT is_empty($$ SELECT FROM re.audit WHERE request_id = 'r9' $$, 'and the others are not written by halves');
DROP TRIGGER keep_out ON re.audit;
CREATE FUNCTION pg_temp.refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE 'XX999'; END $$;
CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT
    ON re.audit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse_late();
SELECT throws_ok('SELECT re.prove_audit()', 'XX999', NULL, 'and so is one that would refuse it at the commit');
DROP TRIGGER refuse_late ON re.audit;
REVOKE INSERT ON re.audit FROM reengagement_marker;
SELECT throws_ok('SELECT re.prove_audit()', 'REAUD', NULL, 'and so is a right that is gone');
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
