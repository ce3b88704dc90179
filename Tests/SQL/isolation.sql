-- The server's role sees one organization. Other readers see everything that they may read.
BEGIN;
\ir support/given.sql
SELECT plan(48);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic(o), given.patient('p_' || o, organization => o),
    given.appointment('p_' || o, '2025-06-25T10:00Z', organization => o),
    given.conversation('p_' || o, '2025-06-24T10:00Z', o),
    given.outreach('p_' || o, '2025-06-23T10:00Z', organization => o)
FROM unnest(ARRAY['a', 'b']) o;
GRANT USAGE ON SCHEMA given TO PUBLIC;
CREATE ROLE test_view_reader NOLOGIN;
GRANT SELECT ON public.patient_reengagement_master_view, public.patient_reengagement_master,
    public.reengagement_performance_view TO test_view_reader;
CREATE ROLE test_table_reader NOLOGIN;
GRANT SELECT ON public.patients TO test_table_reader;
CREATE ROLE test_bound_reader NOLOGIN;
GRANT SELECT ON public.organizations, public.patients, public.appointments, public.conversations,
    public.outreach_log TO test_bound_reader;
GRANT SELECT, UPDATE, INSERT, DELETE ON public.patients TO test_bound_reader;
GRANT reengagement_bound TO test_bound_reader;
CREATE ROLE test_indirect NOLOGIN;
GRANT reengagement_api TO test_indirect;

SELECT is(relrowsecurity, true, format('row-level security on %s', oid::regclass)) FROM pg_class
WHERE relkind IN ('r', 'p')
    AND (relnamespace = 're'::regnamespace OR oid IN ('organizations'::regclass, 'patients'::regclass,
    'appointments'::regclass, 'conversations'::regclass, 'outreach_log'::regclass)) AND relname IN
    ('organizations', 'patients', 'appointments', 'conversations', 'outreach_log', 'migration') ORDER BY relname;
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE relkind IN ('r', 'p')
    AND relnamespace = 're'::regnamespace AND NOT relrowsecurity $$,
    'every table of schema re has row-level security');

CREATE FUNCTION given.seen() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws('; ',
        (SELECT 'master ' || string_agg(patient_id, ',' ORDER BY patient_id)
            FROM public.patient_reengagement_master_view),
        (SELECT 'alias ' || string_agg(patient_id, ',' ORDER BY patient_id) FROM public.patient_reengagement_master),
        (SELECT 'performance ' || string_agg(DISTINCT organization_id, ',') FROM public.reengagement_performance_view))
$$;
\set everything '\'master p_a,p_b; alias p_a,p_b; performance a,b\''
\set only_a '\'master p_a; alias p_a; performance a\''

-- The views.
SELECT is(given.seen(), :everything, 'a superuser sees all organizations in the views');
SET LOCAL reengagement.organization = 'a';
SELECT is(given.seen(), :everything, 'the setting does not restrict a superuser');
SET LOCAL ROLE test_view_reader;
SELECT is(given.seen(), :everything, 'a role that may read only the views sees all organizations in them');
SELECT throws_ok('SELECT FROM public.patients', '42501', NULL, 'a role that may read only the views cannot read the tables');
SELECT throws_ok('SELECT FROM re.clock', '42501', NULL, 'a role that may read only the views cannot read schema re');
SET LOCAL ROLE reengagement_api;
SELECT is(given.seen(), :only_a, 'the server''s role sees one organization in the views');
SELECT is((SELECT string_agg(patient_id, ',') FROM re.attempt), 'p_a', 'the server''s role sees one organization in the inner views');
SELECT is((SELECT string_agg(organization_id, ',') FROM re.clock), 'a', 'the server''s role sees one clock');
SET LOCAL reengagement.organization = 'b';
SELECT is((SELECT string_agg(patient_id, ',') FROM public.patient_reengagement_master_view), 'p_b',
    'a changed setting applies at once');
SET LOCAL reengagement.organization = '';
SELECT is(given.seen(), '', 'the server''s role sees nothing with an empty setting');
SELECT is_empty('SELECT FROM re.clock', 'the server''s role sees no clock with an empty setting');
SET LOCAL reengagement.organization = 'A';
SELECT is(given.seen(), '', 'the server''s role sees nothing with another spelling of the id');
SET LOCAL reengagement.organization = 'a';

-- Endpoints that lack a filter, or that are called for another organization.
SELECT is((SELECT count(*)
    FROM re.prioritized_patients('b', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, NULL, NULL, NULL, NULL,
        NULL) r WHERE r.id IS NOT NULL), 0::bigint, 'prioritized patients of another organization: none');
SELECT is((SELECT DISTINCT total_patients FROM re.dashboard('b')), 0::bigint, 'dashboard of another organization: zero');
SELECT is((SELECT engaged FROM re.risk_metrics('b')), 0::bigint, 'risk metrics of another organization: zero');
SELECT is((SELECT outreach_attempts FROM re.performance('b', 'last_30_days')), 0::bigint,
    'performance of another organization: zero');
SELECT is((SELECT sum(outreach_attempts + engaged) FROM re.trends('b', 30)), 0::numeric, 'trends of another organization: zero');
SELECT is_empty($$ SELECT FROM re.patient_detail('b', 'p_b') $$, 'patient detail of another organization: none');
SELECT is((SELECT result FROM re.log_outreach('b', 'p_b', 'sms', 'success', false, '', 'user_1', NULL)), 'no_patient',
    'no attempt is logged for another organization');
SELECT throws_ok($$ INSERT INTO public.outreach_log (organization_id, patient_id, method, outcome, logged_by)
    VALUES ('b', 'p_b', 'sms', 'success', 'u') $$,
    '42501', NULL, 'a direct INSERT for another organization is refused');
SELECT is((SELECT count(*) FROM (SELECT id FROM public.outreach_log) o), 1::bigint, 'outreach_log shows only the rows of the bound organization');

-- Statements that the server's role may not run.
SELECT throws_ok(statement, '42501', NULL, statement)
FROM unnest(ARRAY['SELECT FROM public.patients', 'SELECT FROM public.organizations', 'SELECT FROM public.appointments',
    'SELECT FROM public.conversations',
    'SELECT logged_by FROM public.outreach_log', 'UPDATE public.outreach_log SET notes = ''x''',
    'DELETE FROM public.outreach_log', 'TRUNCATE public.outreach_log',
    'INSERT INTO public.outreach_log (id) VALUES (gen_random_uuid())', 'DELETE FROM public.patients',
    'SELECT FROM re.migration', 'CREATE TABLE public.mine ()',
    'CREATE TABLE re.mine ()', 'ALTER TABLE public.outreach_log DISABLE ROW LEVEL SECURITY']) statement;
RESET ROLE;

-- Tables.
SET LOCAL ROLE test_table_reader;
SELECT is((SELECT string_agg(id, ',' ORDER BY id) FROM public.patients), 'p_a,p_b',
    'a role that may read one table sees all of it');
SET LOCAL ROLE test_bound_reader;
SELECT is((SELECT string_agg(id, ',' ORDER BY id) FROM public.patients), 'p_a',
    'a direct member of reengagement_bound sees one organization');
SELECT throws_ok($$ UPDATE public.patients SET organization_id = 'b' $$, '42501', NULL, 'a bound role cannot move a row to another organization');
SET LOCAL ROLE reengagement_definer;
SELECT is((SELECT string_agg(id, ',' ORDER BY id) FROM public.patients), 'p_a',
    'a function of the owner reengagement_definer is bound');
RESET ROLE;
SET LOCAL ROLE test_indirect;
SELECT is(given.seen(), :everything,
    'a role that can only SET ROLE to the server''s role, like the migrating login, is not bound');
RESET ROLE;
SELECT is((SELECT count(*) FROM pg_class WHERE relowner = 'reengagement_definer'::regrole
    AND relkind IN ('r', 'p', 'm', 'f')), 0::bigint,
    'reengagement_definer owns no table');

SELECT * FROM finish();
ROLLBACK;
