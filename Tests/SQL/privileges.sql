-- Everything there is in the two schemas, and what the server's role may do with it. A new object fails this test until
-- somebody has decided on it.
BEGIN;
SELECT plan(13);

CREATE TEMPORARY VIEW ours AS
SELECT c.oid, c.relname, c.relkind, c.relnamespace::regnamespace::text || '.' || c.relname AS name FROM pg_class c
WHERE c.relnamespace IN ('public'::regnamespace, 're'::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');

CREATE FUNCTION pg_temp.may(relation oid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(p, ' ' ORDER BY p), '') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
    WHERE has_table_privilege('reengagement_api', relation, p)
$$;

SELECT results_eq(
    $$ SELECT (name || ': ' || pg_temp.may(oid)) COLLATE "C" FROM ours WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        'public.appointments: ',
        'public.conversations: ',
        'public.organizations: ',
        'public.outreach_log: ',
        'public.patient_reengagement_master: SELECT',
        'public.patient_reengagement_master_view: SELECT',
        'public.patients: ',
        'public.reengagement_performance_view: SELECT',
        're.attempt: SELECT',
        're.clock: SELECT',
        're.contact_span: SELECT',
        're.migration: ',
        're.missed_appointment: SELECT',
        're.patient: SELECT']) v $$,
    'tables and views');

SELECT results_eq(
    $$ SELECT (name || '.' || a.attname || ': ' || concat_ws(' ',
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'SELECT') THEN 'SELECT' END,
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'INSERT') THEN 'INSERT' END,
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'UPDATE') THEN 'UPDATE' END,
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'REFERENCES') THEN 'REFERENCES' END)) COLLATE "C"
        FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE relkind IN ('r', 'p') AND (name = 'public.outreach_log' OR has_any_column_privilege('reengagement_api', o.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
        ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        'public.outreach_log.created_at: SELECT INSERT',
        'public.outreach_log.id: SELECT',
        'public.outreach_log.idempotency_key: SELECT INSERT',
        'public.outreach_log.logged_by: INSERT',
        'public.outreach_log.method: SELECT INSERT',
        'public.outreach_log.notes: SELECT INSERT',
        'public.outreach_log.opened: SELECT INSERT',
        'public.outreach_log.organization_id: SELECT INSERT',
        'public.outreach_log.outcome: SELECT INSERT',
        'public.outreach_log.patient_id: SELECT INSERT']) v $$,
    'columns of tables');

-- Functions: who may call them, and as whom they run. PUBLIC stands for what the views call on behalf of their readers.
SELECT results_eq(
    $$ SELECT (p.oid::regprocedure || ' ' || CASE WHEN p.prosecdef THEN 'definer ' ELSE '' END
            || (SELECT string_agg(CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END, ' ' ORDER BY x.grantee)
                FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner)) COLLATE "C"
        FROM pg_proc p
        WHERE p.pronamespace IN ('public'::regnamespace, 're'::regnamespace)
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        're.action_priority(text,text) PUBLIC',
        're.average(numeric,bigint) PUBLIC',
        're.before(date) PUBLIC',
        're.change_pct(bigint,bigint,bigint,bigint) PUBLIC',
        're.check_inserted_time_zones() PUBLIC',
        're.check_time_zones(text[]) PUBLIC',
        're.check_updated_time_zones() PUBLIC',
        're.clock_of(text) PUBLIC',
        're.count_trend(bigint,bigint) PUBLIC',
        're.dashboard(text) reengagement_api',
        're.day_of(timestamp with time zone,text) PUBLIC',
        're.engagement_status(boolean,boolean,integer) PUBLIC',
        're.is_bound() PUBLIC',
        're.iso_date(date) PUBLIC',
        're.log_outreach(text,text,text,text,boolean,text,text,text) reengagement_api',
        're.now() PUBLIC',
        're.patient_detail(text,text) reengagement_api',
        're.performance(text,text) reengagement_api',
        're.prioritized_patients(text,text,integer,integer,integer,integer,text) reengagement_api',
        're.rate(bigint,bigint) PUBLIC',
        're.rate_or_null(bigint,bigint) PUBLIC',
        're.rate_trend(numeric) PUBLIC',
        're.recency(integer) PUBLIC',
        're.recommended_action(text,text,boolean) PUBLIC',
        're.rfc3339(timestamp with time zone) PUBLIC',
        're.risk_level(integer) PUBLIC',
        're.risk_metrics(text) reengagement_api',
        're.risk_score(integer,bigint,boolean) PUBLIC',
        're.risk_tier(integer) PUBLIC',
        're.trends(text,integer) reengagement_api']) v $$,
    'functions');

SELECT results_eq(
    $$ SELECT (nspname || ' ' || concat_ws(' ', CASE WHEN has_schema_privilege('reengagement_api', oid, 'USAGE') THEN 'USAGE' END,
            CASE WHEN has_schema_privilege('reengagement_api', oid, 'CREATE') THEN 'CREATE' END)) COLLATE "C"
        FROM pg_namespace WHERE nspname IN ('public', 're') ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY['public USAGE', 're USAGE']) v $$,
    'schemas');
SELECT is(has_schema_privilege('public', 're', 'USAGE'), false, 'schema re is not everybody''s');
SELECT is(has_schema_privilege('reengagement_definer', schema, 'CREATE'), false, 'reengagement_definer creates nothing in ' || schema)
FROM unnest(ARRAY['public', 're']) schema;

-- The views and their owner.
SELECT is_empty($$ SELECT name FROM ours WHERE relkind = 'v' AND (SELECT relowner FROM pg_class c WHERE c.oid = ours.oid) <> 'reengagement_definer'::regrole $$,
    'every view belongs to reengagement_definer');
SELECT is_empty($$ SELECT name FROM ours JOIN pg_class c USING (oid) WHERE c.relkind = 'v' AND c.reloptions IS NOT NULL $$, 'and none is security_invoker');
SELECT is((SELECT string_agg(rolname || ' ' || concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
        CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolcreaterole THEN 'createrole' END), ',' ORDER BY rolname)
    FROM pg_roles WHERE rolname IN ('reengagement_api', 'reengagement_bound', 'reengagement_definer')),
    'reengagement_api ,reengagement_bound ,reengagement_definer ', 'the roles have no powers of their own');
SELECT is_empty($$ SELECT r.rolname FROM pg_roles r WHERE pg_has_role('reengagement_api', r.oid, 'MEMBER')
    AND r.rolname NOT IN ('reengagement_api', 'reengagement_bound') $$, 'the server''s role may become no other');
SELECT is_member_of('reengagement_bound', ARRAY['reengagement_api', 'reengagement_definer'], 'both are bound');
SELECT is((SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = 're'::regnamespace AND proowner <> 'reengagement_definer'::regrole), 0::bigint,
    'a function that runs as its definer runs as reengagement_definer');

SELECT * FROM finish();
ROLLBACK;
