-- Tenant isolation, without a list that could be incomplete. The server's role reads every relation and calls every
-- function that it may, bound to one organization, with arguments of the other. It does so before and after the other
-- organization has rows, and no result may differ.
BEGIN;
\ir support/given.sql
\ir ../../sql/questions.sql
SELECT plan(9);
SELECT given.now('2025-06-30T12:00:00Z');
GRANT USAGE ON SCHEMA given TO PUBLIC;

-- Every relation that the role may read, with the columns that it may read.
CREATE TEMPORARY VIEW relation AS
SELECT 'relation ' || c.oid::regclass AS name,
    format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM (SELECT %s FROM %s) x',
        string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.oid::regclass) AS question
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace IN ('public'::regnamespace, 're'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    AND has_column_privilege('reengagement_api', c.oid, a.attnum, 'SELECT')
GROUP BY c.oid;

-- Every function that the role may call. The value of an argument depends on its name, or else on its type. An unknown
-- type causes an error, which fails the test.
CREATE TEMPORARY VIEW called AS
SELECT 'function ' || p.oid::regprocedure AS name,
    format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM %s(%s) x', p.oid::regproc, (
        SELECT string_agg(CASE
                WHEN format_type(t.type, NULL) LIKE '%[]' THEN format('ARRAY[%s]::%s', coalesce(v.scalar, '''p_b'''), format_type(t.type, NULL))
                ELSE format('%s::%s', coalesce(w.scalar, '?'), format_type(t.type, NULL))
            END, ', ' ORDER BY t.position)
        FROM unnest(p.proargtypes) WITH ORDINALITY AS t(type, position)
        CROSS JOIN LATERAL (SELECT p.proargnames[t.position] AS argument, format_type(t.type, NULL) AS type) n
        LEFT JOIN (VALUES ('integer', '5'), ('bigint', '5'), ('double precision', '5'), ('numeric', '5'), ('boolean', 'true'), ('name', '''reengagement_api'''), ('xid', '''5'''), ('xid8', '''5'''),
            ('re.signed_state', 'NULL'), ('re.trend_day', 'NULL'),
            ('date', '''2025-06-30'''), ('interval', '''1 s'''), ('uuid', '''00000000-0000-0000-0000-000000000000'''), ('timestamp with time zone', '''2025-06-30Z'''),
            ('timestamp without time zone', '''2025-06-30'''), ('jsonb', '''{}''')) AS by_type(type, scalar)
            ON by_type.type = rtrim(n.type, '[]')
        LEFT JOIN (VALUES ('organization', '''b'''), ('organization_id', '''b'''), ('patient', '''p_b'''), ('patient_ids', '''{p_b}'''),
            ('method', '''sms'''), ('outcome', '''success'''), ('key', '''key_b'''), ('wanted_timeframe', '''last_30_days'''), ('filter', '''{}'''),
            ('time_zone', '''UTC'''), ('zones', '''UTC'''), ('wanted_level', 'NULL'), ('after_id', 'NULL'), ('after_priority', 'NULL'),
            ('after_score', 'NULL'), ('after_days', 'NULL'), ('after_name', 'NULL'), ('wanted_status', 'NULL'), ('wanted_priority', 'NULL'),
            ('wanted_tier', 'NULL'), ('wanted_text', '''Patient'''), ('sort_by', '''name'''), ('value', '''Some text'''),
            ('wanted', '''Patient'''), ('requested_at', '''2025-06-30Z''')) AS by_name(argument, scalar) ON by_name.argument = n.argument
        CROSS JOIN LATERAL (SELECT coalesce(by_name.scalar, by_type.scalar, CASE WHEN n.type LIKE 'text%' THEN '''p_b''' END) AS scalar) w
        CROSS JOIN LATERAL (SELECT w.scalar) v)) AS question
FROM pg_proc p
WHERE p.pronamespace IN ('public'::regnamespace, 're'::regnamespace) AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
    -- The function only repeats its arguments.
    AND p.proname <> 'refuse_unrecorded'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    AND has_function_privilege('reengagement_api', p.oid, 'EXECUTE')
    -- The function returns the ids of the organizations that have work, and nothing else.
    AND p.oid <> 're.organizations_due(integer,text[])'::regprocedure
    -- The function returns numbers of the organizations that it is given, and no patient (live.sql).
    AND p.oid <> 're.live(text[],bigint[],text[])'::regprocedure
    -- The sender serves all organizations. It gets their addresses and the sum of its figures, and no patient.
    AND p.oid <> ALL (ARRAY['re.claim_webhooks(integer,interval)', 're.claim_pings(integer,interval)',
        're.claim_digests(integer)', 're.organizations_to_send(integer)', 're.sender_figures()']::regprocedure[]);

CREATE TEMPORARY TABLE everything AS SELECT * FROM relation UNION ALL SELECT * FROM called;
CREATE TEMPORARY TABLE answer (name text, bound_to text, stage text, answer text);
GRANT SELECT ON everything TO PUBLIC;
GRANT SELECT, INSERT ON answer TO PUBLIC;

-- A subtransaction of its own, which is rolled back, hides each call's writes from the others.
CREATE FUNCTION given.answer_to(question text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        EXECUTE question INTO answer;
        RAISE SQLSTATE 'XX999';
    EXCEPTION
        WHEN SQLSTATE 'XX999' THEN RETURN coalesce(answer, '');
        WHEN OTHERS THEN RETURN 'ERROR ' || SQLSTATE || ' ' || SQLERRM;
    END;
END $$;

CREATE FUNCTION given.ask_everything(bound_to text, stage text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('reengagement.organization', bound_to, true);
    SET LOCAL ROLE reengagement_api;
    INSERT INTO answer SELECT e.name, bound_to, stage, given.answer_to(e.question) FROM everything e;
    RESET ROLE;
END $$;

CREATE FUNCTION given.a_clinic_with_everything(o text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM given.clinic(o, 'Europe/Paris');
    PERFORM given.patient(p, organization => o), given.appointment(p, '2025-06-25T10:00Z', organization => o),
        given.appointment(p, '2025-06-20T10:00Z', 'no_show', organization => o), given.conversation(p, '2025-06-24T10:00Z', o),
        given.outreach(p, '2025-06-23T10:00Z', 'failed', organization => o), given.outreach(p, '2025-06-22T10:00Z', organization => o)
    FROM unnest(ARRAY['p_' || o, 'p2_' || o]) p;
    PERFORM set_config('reengagement.organization', o, true);
    WHILE (SELECT remaining FROM re.advance(o, 1000)) LOOP END LOOP;
    -- A patient becomes critical, and is acknowledged.
    PERFORM given.patient('c_' || o, '2025-05-01T10:00Z', organization => o);
    PERFORM FROM re.advance(o, 1000);
    INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, action, logged_by, created_at)
        VALUES (o, 'c_' || o, '2025-06-15', 'acknowledge', 'u_' || o, '2025-06-30T10:00Z');
    WHILE (SELECT remaining FROM re.advance(o, 1000)) LOOP END LOOP;
    INSERT INTO re.setting (organization_id, webhook_url, digest, sending, updated_by, updated_at)
        VALUES (o, format('https://p_%s.example/', o), jsonb_build_object('to', ARRAY['p_' || o]),
            jsonb_build_object('sms_from', 'p_' || o), 'u_' || o, '2025-06-30T10:00Z');
    INSERT INTO re.webhook (organization_id, version, told_sequence) VALUES (o, 1, 0);
    -- One change is left pending.
    IF o = 'b' THEN PERFORM given.patient('p3_b', organization => o); END IF;
END $$;

SELECT given.a_clinic_with_everything('a');
SELECT given.ask_everything('a', 'without b'), given.ask_everything('b', 'without b'), given.ask_everything('', 'without b');
SELECT given.a_clinic_with_everything('b');
UPDATE public.outreach_log SET idempotency_key = 'key_b' WHERE id = (SELECT min(id::text)::uuid FROM public.outreach_log WHERE organization_id = 'b');
SELECT given.ask_everything('a', 'with b'), given.ask_everything('b', 'with b'), given.ask_everything('', 'with b');

CREATE TEMPORARY VIEW changed AS
SELECT bound_to, name, min(answer) FILTER (WHERE stage = 'without b') AS before, min(answer) FILTER (WHERE stage = 'with b') AS after
FROM answer GROUP BY bound_to, name HAVING count(DISTINCT answer) > 1;

SELECT cmp_ok((SELECT count(*) FROM everything WHERE name LIKE 'relation %'), '>=', 17::bigint, 'at least 17 relations are read');
SELECT cmp_ok((SELECT count(*) FROM everything WHERE name LIKE 'function %'), '>=', 45::bigint, 'at least 45 functions are called');
SELECT is_empty($$ SELECT DISTINCT name, answer FROM answer WHERE answer LIKE 'ERROR %' AND answer NOT LIKE 'ERROR 42501 permission denied for table %'
        AND answer NOT LIKE 'ERROR 42501 new row violates row-level security policy for table %' $$,
    'every call returns a result or lacks a privilege');
SELECT is_empty($$ SELECT name, before, after FROM changed WHERE bound_to = 'a' $$, 'bound to a, no result depends on the rows of b');
SELECT is_empty($$ SELECT name, before, after FROM changed WHERE bound_to = '' $$, 'bound to no organization, no result depends on the rows of b');
SELECT is_empty($$ SELECT name, answer FROM answer WHERE bound_to <> 'b' AND answer ~ '(p[23]?|[cu])_b' AND name NOT LIKE '%.record_access(%' $$,
    'no result shows a patient of b');
-- The calls would notice a difference.
SELECT is_empty($$ SELECT name FROM everything WHERE name LIKE 'relation %' AND name NOT IN (SELECT name FROM changed WHERE bound_to = 'b')
    -- The table contains no rows of an organization.
    AND name <> 'relation re.foundation' $$,
    'bound to b, the result of every relation depends on its rows');
SELECT is_empty($$ SELECT name FROM everything WHERE substring(name FROM '^function re\.(?:plain_)?(\w+)\(') IN (SELECT q.name FROM pg_temp.question q)
    AND name NOT IN (SELECT name FROM changed WHERE bound_to = 'b') $$, 'bound to b, the result of every endpoint depends on its rows');
SET LOCAL ROLE reengagement_api;
SELECT results_eq($$ SELECT o.id FROM re.organizations_due(100) o(id) $$, ARRAY['b'], 'the function that was left out returns only ids of organizations');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
