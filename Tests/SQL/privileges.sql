-- All objects in the two schemas, and the privileges of the server's role on them. A new object fails this test until
-- it is added here.
BEGIN;
\ir ../../sql/questions.sql
SELECT plan(30);

CREATE TEMPORARY VIEW ours AS
-- All monthly partitions of the audit count as one.
SELECT c.oid, c.relname, c.relkind, c.relnamespace::regnamespace::text || '.' || regexp_replace(c.relname, '^audit_\d{4}_\d{2}$', 'audit_YYYY_MM') AS name FROM pg_class c
WHERE c.relnamespace IN ('public'::regnamespace, 're'::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');

CREATE FUNCTION pg_temp.may(relation oid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(p, ' ' ORDER BY p), '') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
    WHERE has_table_privilege('reengagement_api', relation, p)
$$;

SELECT results_eq(
    $$ SELECT DISTINCT (name || ': ' || pg_temp.may(oid)) COLLATE "C" FROM ours WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        'public.appointments: ',
        'public.audit_patient_access: ',
        'public.audit_refused_attempts: ',
        'public.audit_servers: ',
        'public.conversations: ',
        'public.organizations: ',
        'public.outreach_log: ',
        'public.patient_reengagement_master: SELECT',
        'public.patient_reengagement_master_view: SELECT',
        'public.patients: ',
        'public.reengagement_performance_view: SELECT',
        're.alert_acknowledgement: SELECT',
        're.alert_acknowledgement_number_seq: ',
        're.announcement: SELECT',
        're.attempt: SELECT',
        're.audit: ',
        're.audit_YYYY_MM: ',
        're.audit_refused_entry: ',
        're.audit_rest: ',
        're.audit_seal: ',
        're.clock: SELECT',
        're.contact_span: SELECT',
        're.digest_sent: ',
        're.foundation: SELECT',
        're.migration: ',
        're.missed_appointment: SELECT',
        're.notice: SELECT',
        're.organization_state: SELECT',
        're.outreach_day: SELECT',
        're.past_appointment: SELECT',
        're.patient: SELECT',
        're.patient_count: SELECT',
        're.patient_search: ',
        're.patient_state: SELECT',
        're.pending_change: SELECT',
        're.risk_day: SELECT',
        're.sender_state: ',
        're.sender_total: ',
        're.setting: INSERT SELECT UPDATE',
        're.status: SELECT',
        're.told_patient: ',
        're.webhook: INSERT SELECT UPDATE']) v $$,
    'tables and views');

SELECT results_eq(
    $$ SELECT (name || '.' || a.attname || ': ' || concat_ws(' ',
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'SELECT') THEN 'SELECT' END,
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'INSERT') THEN 'INSERT' END,
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'UPDATE') THEN 'UPDATE' END,
            CASE WHEN has_column_privilege('reengagement_api', o.oid, a.attnum, 'REFERENCES') THEN 'REFERENCES' END)) COLLATE "C"
        FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE relkind IN ('r', 'p') AND pg_temp.may(o.oid) = '' AND (name = 'public.outreach_log' OR has_any_column_privilege('reengagement_api', o.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
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
    'columns of the tables without a privilege on the whole table');

-- Functions. A function may be executable by PUBLIC if it only reads and is SECURITY INVOKER, since it then shows only
-- what the caller may read. Only the server may execute the functions of an endpoint. All others are listed, with their
-- callers and whether they are SECURITY DEFINER.
CREATE TEMPORARY VIEW function AS
SELECT p.oid, p.proname, p.prosecdef, p.provolatile, ARRAY(
        SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
        FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner ORDER BY x.grantee) AS callers,
    regexp_replace(p.proname, '^(plain|flat)_', '') IN (SELECT q.name FROM pg_temp.question q) AS is_endpoint
FROM pg_proc p
WHERE p.pronamespace IN ('public'::regnamespace, 're'::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');
SELECT is_empty($$ SELECT oid::regprocedure FROM function WHERE 'PUBLIC' = ANY (callers) AND (prosecdef OR provolatile = 'v') $$,
    'a function that PUBLIC may execute writes nothing and is SECURITY INVOKER');
SELECT is_empty($$ SELECT oid::regprocedure, callers FROM function WHERE is_endpoint AND (prosecdef OR callers <> '{reengagement_api}') $$,
    'only the server may execute the functions of the endpoints');
SELECT results_eq(
    $$ SELECT concat_ws(' ', oid::regprocedure, CASE WHEN prosecdef THEN 'definer' END, nullif(array_to_string(callers, ' '), '')) COLLATE "C"
        FROM function WHERE NOT is_endpoint AND callers <> '{PUBLIC}' ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        're.add_audit_seal(re.audit_seal,re.audit_seal)',
        're.advance(text,integer) definer reengagement_api',
        're.announce(text,text,text,date,bigint,text[])',
        're.announce_changes(text,date,text[])',
        're.announce_clock(text,date)',
        're.announce_days(text,date,date)',
        're.audit_digests(bigint[],bigint,bigint)',
        're.audit_entry_digest(re.audit)',
        're.audit_faults()',
        're.audit_rest_entries() definer reengagement_api',
        're.audit_seal_digest(re.audit_seal,bytea)',
        're.catch_up(text) reengagement_api',
        're.check_inserted_time_zones() definer',
        're.check_replicated_time_zone() definer',
        're.check_updated_time_zones() definer',
        're.claim_digests(integer) definer reengagement_api',
        're.claim_pings(integer,interval) definer reengagement_api',
        're.claim_webhooks(integer,interval) definer reengagement_api',
        're.count_outreach_days(text,re.signed_state[])',
        're.count_patients(text,re.signed_state[])',
        're.count_risk_days(text,re.signed_state[])',
        're.count_sent(text,bigint)',
        're.digest_numbers(text,date,date) reengagement_api',
        're.drop_audit_before(date,boolean)',
        're.drop_old_notices(text)',
        're.end_digests()',
        're.forget_attempts_of_organization() definer',
        're.forget_attempts_of_patient() definer',
        're.guard_audit_partition(regclass)',
        're.hold_audit()',
        're.keep_refused_entry(text,text) definer reengagement_api',
        're.last_audit_seal()',
        're.live(text[],bigint[],text[]) definer reengagement_api',
        're.log_alert_word(text,text,date,text,date,text,text,text,text,text,text,text,text) reengagement_api',
        're.make_audit_partition(text,regclass,timestamp with time zone,timestamp with time zone)',
        're.make_audit_partitions() definer reengagement_api',
        're.make_rest_of_audit()',
        're.mark_changed_alert_acknowledgement() definer',
        're.mark_changed_appointments() definer',
        're.mark_changed_conversations() definer',
        're.mark_changed_organizations() definer',
        're.mark_changed_outreach_log() definer',
        're.mark_changed_patients() definer',
        're.mark_everything() definer',
        're.mark_organizations() definer',
        're.mark_patients() definer',
        're.mark_patients_of_rows() definer',
        're.mark_replicated_organization() definer',
        're.mark_replicated_patient() definer',
        're.mark_replicated_row() definer',
        're.move_audit_rest()',
        're.note_dropped_audit(date[],bigint)',
        're.organizations_due(integer,text[]) definer reengagement_api',
        're.organizations_to_send(integer) definer reengagement_api',
        're.present_day(text)',
        're.prove_audit() reengagement_api',
        're.record_access(double precision[],integer[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],boolean[],text[],text[]) definer reengagement_api',
        're.record_advance(text,text,numeric,text)',
        're.record_attempt(text,text,uuid,jsonb,text,text,text,text,text,text,text) definer reengagement_api',
        're.record_digest(text,date,integer,text,text[],interval) definer reengagement_api',
        're.record_ping(text,bigint,text,timestamp with time zone,integer,integer,text) definer reengagement_api',
        're.record_webhook(text,bigint,bigint,bigint,integer) definer reengagement_api',
        're.record_write(text,integer,text,text,text,uuid,jsonb,text,text,text,text,text,text,text) definer reengagement_api',
        're.refresh(text,text[])',
        're.refresh_in_time(text) definer reengagement_api',
        're.refresh_on_read(text) reengagement_api',
        're.refuse_audit_change()',
        're.release_webhook(text,bigint,interval) definer reengagement_api',
        're.report_sender(text,jsonb) definer reengagement_api',
        're.restart_webhook(text,text,text) reengagement_api',
        're.seal_audit(interval) definer reengagement_api',
        're.search(text,text,text,date[],date[],integer) definer reengagement_api',
        're.sender_figures() definer reengagement_api',
        're.skip_notices()',
        're.webhook_refusal(text,boolean) reengagement_api'
        ]) v $$,
    'the other functions');

SELECT results_eq(
    $$ SELECT (nspname || ' ' || concat_ws(' ', CASE WHEN has_schema_privilege('reengagement_api', oid, 'USAGE') THEN 'USAGE' END,
            CASE WHEN has_schema_privilege('reengagement_api', oid, 'CREATE') THEN 'CREATE' END)) COLLATE "C"
        FROM pg_namespace WHERE nspname IN ('public', 're') ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY['public USAGE', 're USAGE']) v $$,
    'schemas');
SELECT is(has_schema_privilege('public', 're', 'USAGE'), false, 'PUBLIC may not use schema re');
SELECT is(has_schema_privilege(role, schema, 'CREATE'), false, role || ' creates nothing in ' || schema)
FROM unnest(ARRAY['public', 're']) schema, unnest(ARRAY['reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher']) role;

-- The privileges of the internal roles, which own the SECURITY DEFINER functions.
SELECT results_eq(
    $$ SELECT (r.role || ' ' || o.name || ': ' || string_agg(p, ' ' ORDER BY p)) COLLATE "C"
        FROM ours o, unnest(ARRAY['reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher']) r(role),
            unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
        WHERE o.relkind IN ('r', 'p') AND has_table_privilege(r.role, o.oid, p)
        GROUP BY r.role, o.name ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        'reengagement_definer public.appointments: SELECT',
        'reengagement_definer public.conversations: SELECT',
        'reengagement_definer public.organizations: SELECT',
        'reengagement_definer public.outreach_log: SELECT',
        'reengagement_definer public.patients: SELECT',
        'reengagement_definer re.alert_acknowledgement: SELECT',
        'reengagement_definer re.announcement: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.audit: SELECT',
        'reengagement_definer re.notice: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.organization_state: SELECT UPDATE',
        'reengagement_definer re.outreach_day: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.patient_count: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.patient_search: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.patient_state: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.pending_change: DELETE SELECT',
        'reengagement_definer re.risk_day: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.told_patient: DELETE INSERT SELECT UPDATE',
        'reengagement_marker re.audit: INSERT',
        'reengagement_marker re.audit_refused_entry: INSERT',
        'reengagement_marker re.organization_state: INSERT',
        'reengagement_marker re.pending_change: INSERT',
        'reengagement_scheduler re.announcement: SELECT',
        'reengagement_scheduler re.digest_sent: INSERT SELECT UPDATE',
        'reengagement_scheduler re.organization_state: SELECT',
        'reengagement_scheduler re.patient_count: SELECT',
        'reengagement_scheduler re.pending_change: INSERT SELECT',
        'reengagement_scheduler re.sender_state: DELETE INSERT SELECT UPDATE',
        'reengagement_scheduler re.sender_total: SELECT UPDATE',
        'reengagement_scheduler re.setting: SELECT',
        'reengagement_scheduler re.webhook: SELECT UPDATE',
        'reengagement_searcher re.patient_search: SELECT']) v $$,
    'the privileges of the internal roles on tables');
SELECT results_eq(
    $$ SELECT (CASE WHEN p.proowner = (SELECT relowner FROM pg_class WHERE oid = 're.audit'::regclass) THEN 'the owner' ELSE p.proowner::regrole::text END
            || ' ' || p.proname) COLLATE "C" FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 're'::regnamespace ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        'reengagement_definer advance',
        'reengagement_definer refresh_in_time',
        'reengagement_marker check_inserted_time_zones',
        'reengagement_marker check_replicated_time_zone',
        'reengagement_marker check_updated_time_zones',
        'reengagement_marker keep_refused_entry',
        'reengagement_marker mark_changed_alert_acknowledgement',
        'reengagement_marker mark_changed_appointments',
        'reengagement_marker mark_changed_conversations',
        'reengagement_marker mark_changed_organizations',
        'reengagement_marker mark_changed_outreach_log',
        'reengagement_marker mark_changed_patients',
        'reengagement_marker mark_organizations',
        'reengagement_marker mark_patients',
        'reengagement_marker mark_patients_of_rows',
        'reengagement_marker mark_replicated_organization',
        'reengagement_marker mark_replicated_patient',
        'reengagement_marker mark_replicated_row',
        'reengagement_marker record_access',
        'reengagement_marker record_attempt',
        'reengagement_marker record_write',
        'reengagement_scheduler claim_digests',
        'reengagement_scheduler claim_pings',
        'reengagement_scheduler claim_webhooks',
        'reengagement_scheduler live',
        'reengagement_scheduler mark_everything',
        'reengagement_scheduler organizations_due',
        'reengagement_scheduler organizations_to_send',
        'reengagement_scheduler record_digest',
        'reengagement_scheduler record_ping',
        'reengagement_scheduler record_webhook',
        'reengagement_scheduler release_webhook',
        'reengagement_scheduler report_sender',
        'reengagement_scheduler sender_figures',
        'reengagement_searcher search',
        'the owner audit_rest_entries',
        'the owner forget_attempts_of_organization',
        'the owner forget_attempts_of_patient',
        'the owner make_audit_partitions',
        'the owner seal_audit']) v $$,
    'the owners of the SECURITY DEFINER functions');
SELECT is_empty($$ SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 're'::regnamespace
    AND NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig) $$, 'every SECURITY DEFINER function has a fixed search_path');
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 're'::regnamespace
        AND c.relkind IN ('r', 'p')
        AND c.relname NOT IN ('migration', 'foundation', 'audit_refused_entry', 'audit_seal', 'sender_state',
            'sender_total')
    AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'one_organization') $$, 'every derived table has the policy');

-- The views and their owner.
SELECT is_empty($$ SELECT name FROM ours WHERE relkind = 'v' AND (SELECT relowner FROM pg_class c WHERE c.oid = ours.oid) <> 'reengagement_definer'::regrole $$,
    'every view belongs to reengagement_definer');
SELECT is_empty($$ SELECT name FROM ours JOIN pg_class c USING (oid) WHERE c.relkind = 'v' AND c.reloptions IS NOT NULL $$, 'no view is security_invoker');
SELECT is((SELECT string_agg(rolname || ' ' || concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
        CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolcreaterole THEN 'createrole' END), ',' ORDER BY rolname)
    FROM pg_roles WHERE rolname IN ('reengagement_api', 'reengagement_bound', 'reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher')),
    'reengagement_api ,reengagement_bound ,reengagement_definer ,reengagement_marker ,reengagement_scheduler ,reengagement_searcher ', 'the roles have no attributes of their own');
SELECT is_empty($$ SELECT r.rolname FROM pg_roles r WHERE pg_has_role('reengagement_api', r.oid, 'MEMBER')
    AND r.rolname NOT IN ('reengagement_api', 'reengagement_bound') $$, 'the server''s role is a member of no other role');
SELECT is_member_of('reengagement_bound', ARRAY['reengagement_api', 'reengagement_definer', 'reengagement_searcher'], 'all roles that read patients are members of reengagement_bound');
SELECT is((SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = 're.patient_state'::regclass AND a.attnum > 0
        AND NOT a.attisdropped AND has_column_privilege('reengagement_searcher', a.attrelid, a.attnum, 'SELECT')),
    'folded_email folded_name last_contact_day organization_id patient_id phone_digits risk_group', 'the search role reads only the searched columns of a state');
SELECT is((SELECT string_agg(a.attrelid::regclass || '.' || a.attname, ' ' ORDER BY a.attrelid::regclass::text, a.attname) FROM pg_attribute a
    WHERE a.attrelid IN ('re.notice'::regclass, 're.alert_acknowledgement'::regclass) AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege('reengagement_scheduler', a.attrelid, a.attnum, 'SELECT')),
    're.alert_acknowledgement.number re.alert_acknowledgement.organization_id re.notice.cause re.notice.day re.notice.kind re.notice.number '
    || 're.notice.organization_id re.notice.sequence re.notice.written_at', 'the streams read no patient of a notice or an acknowledgement');
SELECT is((SELECT string_agg(p.polrelid::regclass || ' ' || p.polname, ', ' ORDER BY p.polname, p.polrelid::regclass::text) FROM pg_policy p
    WHERE p.polroles <> '{0}' OR pg_get_expr(p.polqual, p.polrelid) !~ 'reengagement.organization'),
    're.patient_search every_piece, re.migration everybody, re.foundation everything, ' ||
    're.audit_refused_entry nobody_bound, re.audit_seal nobody_bound, re.sender_state nobody_bound, re.sender_total nobody_bound',
    'all policies are those of the bound organization, except for the search index and the tables without an organization');
SELECT is((SELECT string_agg(a.privilege_type, ' ') FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a
    WHERE d.datname = current_database() AND a.grantee = 0), NULL, 'PUBLIC has no privilege on the database');
SELECT is(ARRAY(SELECT p FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) p
    WHERE has_database_privilege('reengagement_api', current_database(), p)), '{CONNECT}', 'the server''s role may only connect, and not create temporary tables');
SELECT throws_ok($$ SET LOCAL ROLE reengagement_api; LOCK TABLE re.migration IN ACCESS SHARE MODE $$, '42501', NULL,
    'the server''s role cannot take the lock of migrations');
SELECT * FROM finish();
ROLLBACK;
