-- Section 1 of the definitions: values that the source tables accept and refuse.
BEGIN;
\ir support/given.sql
SELECT plan(90);
SELECT given.clinic();
SELECT given.patient('ana');

-- The columns in the contract's words. "C" is the collation that compares by byte.
SELECT results_eq(
    $$ SELECT (c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attcollation = '"C"'::regcollation THEN ' C' ELSE '' END
            || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
            || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')) COLLATE "default"
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.oid IN ('organizations'::regclass, 'patients'::regclass, 'appointments'::regclass,
            'conversations'::regclass,
            'outreach_log'::regclass) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY c.relname, a.attnum $$,
    ARRAY[
        'appointments.organization_id text C not null',
        'appointments.id text C not null',
        'appointments.patient_id text C not null',
        'appointments.starts_at timestamp with time zone not null',
        'appointments.status text not null',
        'appointments.value numeric(10,2)',
        'appointments.created_at timestamp with time zone not null default now()',
        'conversations.organization_id text C not null',
        'conversations.id text C not null',
        'conversations.patient_id text C not null',
        'conversations.occurred_at timestamp with time zone not null',
        'conversations.sentiment text',
        'organizations.id text C not null',
        'organizations.name text not null',
        'organizations.time_zone text not null default ''UTC''::text',
        'organizations.appointment_value numeric(10,2) not null default 140.00',
        'organizations.created_at timestamp with time zone not null default now()',
        'outreach_log.organization_id text C not null',
        'outreach_log.id uuid not null default gen_random_uuid()',
        'outreach_log.patient_id text C not null',
        'outreach_log.method text not null',
        'outreach_log.outcome text not null',
        'outreach_log.opened boolean not null default false',
        'outreach_log.notes text not null default ''''::text',
        'outreach_log.logged_by text not null',
        'outreach_log.idempotency_key text C',
        'outreach_log.created_at timestamp with time zone not null default now()',
        'patients.organization_id text C not null',
        'patients.id text C not null',
        'patients.name text not null',
        'patients.phone text',
        'patients.email text',
        'patients.treatment_notes text',
        'patients.created_at timestamp with time zone not null default now()',
        'patients.archived_at timestamp with time zone'
    ], 'the columns of the five source tables');

SELECT col_is_pk('organizations', 'id', 'organizations are keyed by id');
SELECT col_is_pk(t, ARRAY['organization_id', 'id'], t || ' have a key that begins with the organization')
FROM unnest(ARRAY['patients', 'appointments', 'conversations', 'outreach_log']) t;
SELECT fk_ok(t, ARRAY['organization_id', 'patient_id'], 'patients', ARRAY['organization_id', 'id'])
FROM unnest(ARRAY['appointments', 'conversations']) t;
SELECT hasnt_fk('outreach_log', 'outreach_log has no foreign key');
SELECT fk_ok('patients', 'organization_id', 'organizations', 'id');
SELECT col_is_unique('outreach_log', ARRAY['organization_id', 'idempotency_key'],
    'an idempotency key is unique within its organization');

-- Ids and notes.
SELECT throws_ok(format($$ SELECT given.patient(%L) $$, id), '23514', NULL,
    'refused patient id ' || quote_literal(left(id, 12)))
FROM unnest(ARRAY['', '.', '..', 'prioritized', repeat('x', 201), repeat('é', 201), '../../x', './x', 'x/.', 'x/..',
    'x/../y', 'x/./y', '/..',
    E'x\n/..']) id;
SELECT lives_ok(format($$ SELECT given.patient(%L) $$, id), 'accepted patient id ' || quote_literal(left(id, 12)))
FROM unnest(ARRAY['...', 'Prioritized', 'x', repeat('x', 200), repeat('é', 200), 'a/b', ' ', E'e\u0301', E'\u00e9',
    '/', '//', 'x/.../y', 'x/..y', 'x../y', E'x\n..\ny', '..%2Fx', '..\x']) id;
SELECT throws_ok(format($$ INSERT INTO organizations (id, name) VALUES (%L, 'Any') $$, id), '23514', NULL,
    'refused organization id ' || quote_literal(left(id, 12)))
FROM unnest(ARRAY['', repeat('x', 201), repeat('é', 201)]) id;
SELECT lives_ok(format($$ INSERT INTO organizations (id, name) VALUES (%L, 'Any') $$, id),
    'accepted organization id ' || quote_literal(left(id, 12)))
FROM unnest(ARRAY['..', repeat('é', 200)]) id;
SELECT throws_ok($$ UPDATE patients SET treatment_notes = repeat('é', 100001) $$, '23514', NULL,
    'notes of 100,001 characters are refused');
SELECT lives_ok($$ UPDATE patients SET treatment_notes = repeat('é', 100000) $$, 'notes of 100,000 characters are accepted');
SELECT throws_ok($$ SELECT given.patient('ana') $$, '23505', NULL, 'a patient id is unique within an organization');

-- Columns with a list of values.
SELECT throws_ok(format($$ SELECT given.appointment('ana', now(), %L) $$, status), '23514', NULL,
    'refused status ' || status)
FROM unnest(ARRAY['done', 'Completed', '']) status;
SELECT lives_ok(format($$ SELECT given.appointment('ana', now(), %L) $$, status), 'accepted status ' || status)
FROM unnest(ARRAY['scheduled', 'completed', 'cancelled', 'late_cancelled', 'no_show']) status;
SELECT throws_ok($$ SELECT given.appointment('ana', now(), NULL) $$, '23502', NULL, 'an appointment without a status is refused');
SELECT throws_ok($$ SELECT given.outreach('ana', now(), 'answered') $$, '23514', NULL, 'the outcome answered is refused');
SELECT throws_ok($$ SELECT given.outreach('ana', now(), 'success', 'fax') $$, '23514', NULL, 'the method fax is refused');
SELECT throws_ok($$ INSERT INTO conversations VALUES ('clinic', 'c', 'ana', now(), 'happy') $$, '23514', NULL,
    'the sentiment happy is refused');
SELECT lives_ok($$ INSERT INTO conversations VALUES ('clinic', 'c' , 'ana', now(), NULL) $$,
    'a conversation without a sentiment is accepted');

-- Money.
SELECT throws_ok(format($$ SELECT given.appointment('ana', now(), value => %L) $$, value), '23514', NULL,
    'refused appointment value ' || value)
FROM unnest(ARRAY['-0.01', 'NaN']) value;
SELECT throws_ok(format($$ SELECT given.clinic('other', 'UTC', %L) $$, value), '23514', NULL,
    'refused default value ' || value)
FROM unnest(ARRAY['-0.01', 'NaN']) value;
SELECT lives_ok($$ SELECT given.appointment('ana', now(), value => 0) $$, 'an appointment value of 0 is accepted');

-- Timestamps.
SELECT throws_ok(format(statement, at), '23514', NULL, format(title, at))
FROM (VALUES
    ($$ SELECT given.patient('x', %L) $$, 'no intake at %s'),
    ($$ SELECT given.patient('x', archived_at => %L) $$, 'none archived at %s'),
    ($$ SELECT given.appointment('ana', %L) $$, 'no appointment at %s'),
    ($$ SELECT given.appointment('ana', now(), booked_at => %L) $$, 'no booking at %s'),
    ($$ SELECT given.conversation('ana', %L) $$, 'no conversation at %s'),
    ($$ SELECT given.outreach('ana', %L) $$, 'no outreach at %s'),
    ($$ INSERT INTO organizations (id, name, created_at) VALUES ('o', 'o', %L) $$, 'no organization at %s')
) s(statement, title)
CROSS JOIN unnest(ARRAY['infinity', '-infinity']) at;
SELECT throws_ok($$ SELECT given.conversation('ana', '0001-12-31 23:59:59.999999+00 BC') $$, '23514', NULL,
    'a time before year 1 is refused');
SELECT throws_ok($$ SELECT given.conversation('ana', '10000-01-01 00:00:00+00') $$, '23514', NULL,
    'a time after year 9999 is refused');
SELECT lives_ok($$ SELECT given.conversation('ana', '0001-01-01 00:00:00+00') $$, 'the first microsecond of year 1 is accepted');
SELECT lives_ok($$ SELECT given.conversation('ana', '9999-12-31 23:59:59.999999+00') $$,
    'the last microsecond of year 9999 is accepted');

-- Deletion deletes the dependent rows.
SELECT given.patient('ben');
SELECT given.appointment('ben', now());
SELECT given.conversation('ben', now());
SELECT given.outreach('ben', now());
SELECT lives_ok($$ DELETE FROM patients WHERE id = 'ben'; SET CONSTRAINTS ALL IMMEDIATE $$, 'a patient can be deleted');
SELECT is(
    (SELECT (SELECT count(*) FROM appointments WHERE patient_id = 'ben') + (SELECT count(*) FROM conversations
        WHERE patient_id = 'ben')
        + (SELECT count(*) FROM outreach_log WHERE patient_id = 'ben')), 0::bigint, 'all rows of a deleted patient are deleted');
SELECT lives_ok($$ DELETE FROM organizations $$, 'an organization can be deleted');
SELECT is_empty($$ SELECT FROM patients $$, 'all patients of a deleted organization are deleted');

SELECT * FROM finish();
ROLLBACK;
