-- Everything there is in the two schemas, and what the server's role may do with it. A new object fails this test until
-- somebody has decided on it.
BEGIN;
SELECT plan(27);

CREATE TEMPORARY VIEW ours AS
-- The audit's months stand as one.
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
        're.attempt: SELECT',
        're.audit: ',
        're.audit_YYYY_MM: ',
        're.audit_refused_entry: ',
        're.audit_rest: ',
        're.audit_seal: ',
        're.cell: SELECT',
        're.clock: SELECT',
        're.contact_span: SELECT',
        're.dirty: SELECT',
        're.foundation: SELECT',
        're.migration: ',
        're.missed_appointment: SELECT',
        're.organization_state: SELECT',
        're.outreach_day: SELECT',
        're.past_appointment: SELECT',
        're.patient: SELECT',
        're.patient_search: ',
        're.patient_state: SELECT',
        're.risk_day: SELECT',
        're.status: SELECT']) v $$,
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
    'columns of tables that it has no right to as a whole');

-- Functions: who may call them, and as whom they run. PUBLIC stands for what the views call on behalf of their readers.
SELECT results_eq(
    $$ SELECT (p.oid::regprocedure || ' ' || CASE WHEN p.prosecdef THEN 'definer ' ELSE '' END
            || coalesce((SELECT string_agg(CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END, ' ' ORDER BY x.grantee)
                FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner), '')) COLLATE "C"
        FROM pg_proc p
        WHERE p.pronamespace IN ('public'::regnamespace, 're'::regnamespace)
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        're.action_priority(text,text) PUBLIC',
        're.add_audit_seal(re.audit_seal,re.audit_seal) ',
        're.advance(text,integer) definer reengagement_api',
        're.alert_days() PUBLIC',
        're.attempts_lock(text) PUBLIC',
        're.attendance_days() PUBLIC',
        're.attribution_window() PUBLIC',
        're.audit_digests(bigint[],bigint,bigint) ',
        're.audit_entry_digest(re.audit) ',
        're.audit_faults() ',
        're.audit_month(timestamp with time zone) PUBLIC',
        're.audit_rest_entries() definer reengagement_api',
        're.audit_seal_digest(re.audit_seal,bytea) ',
        're.audit_transaction(xid8) PUBLIC',
        're.average(numeric,bigint) PUBLIC',
        're.before(date) PUBLIC',
        're.catch_up(text) reengagement_api',
        're.catch_up_in_time(text) definer reengagement_api',
        're.change_pct(bigint,bigint,bigint,bigint) PUBLIC',
        're.check_inserted_time_zones() definer ',
        're.check_replicated_time_zone() definer ',
        're.check_time_zones(text[]) PUBLIC',
        're.check_updated_time_zones() definer ',
        're.class_of(boolean,text,integer) PUBLIC',
        're.class_order(integer,integer,boolean) PUBLIC',
        're.class_orders() PUBLIC',
        're.class_priorities() PUBLIC',
        're.class_priority(integer,integer) PUBLIC',
        're.class_rising_orders() PUBLIC',
        're.class_score(integer,integer) PUBLIC',
        're.class_scores() PUBLIC',
        're.class_status(integer,integer) PUBLIC',
        're.clock_of(text) PUBLIC',
        're.count_trend(bigint,bigint) PUBLIC',
        're.critical_risk_days() PUBLIC',
        're.cursor_place(boolean,integer,integer,integer,integer) PUBLIC',
        're.dashboard(text) reengagement_api',
        're.day_of(timestamp with time zone,text) PUBLIC',
        're.day_or_null(timestamp with time zone,text) PUBLIC',
        're.digits(text) PUBLIC',
        're.drop_audit_before(date,boolean) ',
        're.due_patients(text,integer) PUBLIC',
        're.engagement_status(boolean,boolean,integer) PUBLIC',
        're.filter_days() PUBLIC',
        're.filter_names() PUBLIC',
        're.filtered_days(date,text,text,integer,text) PUBLIC',
        're.flat_clock(text) PUBLIC',
        're.flat_count(text,date,boolean,date[],date[]) PUBLIC',
        're.flat_dashboard(text) reengagement_api',
        're.flat_gathered(text,boolean,text,text,date[],date[],integer) PUBLIC',
        're.flat_list(text,text,text,integer,text,text,text,integer,integer,integer,integer,text,text) PUBLIC',
        're.flat_matches(text,text,text,date[],date[],integer) PUBLIC',
        're.flat_names(text,text,text,date[],date[],integer,integer,text,text) PUBLIC',
        're.flat_page(text,boolean,date[],date[],integer,integer,integer,integer,text) PUBLIC',
        're.flat_performance(text,text) reengagement_api',
        're.flat_population(text) PUBLIC',
        're.flat_prioritized_patients(text,text,text,integer,text,text,text,boolean,integer,integer,integer,integer,text,text) reengagement_api',
        're.flat_risk_metrics(text) reengagement_api',
        're.flat_trends(text,integer) reengagement_api',
        're.flat_walk(text,boolean,boolean,text,text,date,date[],date[],integer,integer,integer,integer,integer,text,text) PUBLIC',
        're.floor_of(xid,xid,xid8) PUBLIC',
        're.folded(text) PUBLIC',
        're.forget_attempts_of_organization() definer ',
        're.forget_attempts_of_patient() definer ',
        're.foundation_faults() PUBLIC',
        're.foundation_now() PUBLIC',
        're.foundation_roles() PUBLIC',
        're.fresh_state(text,text[]) PUBLIC',
        're.guard_audit_partition(regclass) ',
        're.high_risk_days() PUBLIC',
        're.hold_audit() ',
        're.holds(text,text,text,text,text) PUBLIC',
        're.industry_contact_rate() PUBLIC',
        're.industry_conversion_rate() PUBLIC',
        're.is_bound() PUBLIC',
        're.is_current(text,boolean) PUBLIC',
        're.is_due_for_at_most(text,integer) PUBLIC',
        're.iso_date(date) PUBLIC',
        're.keep_refused_entry(text,text) definer reengagement_api',
        're.last_audit_seal() ',
        're.last_scored_day() PUBLIC',
        're.least_days(integer,bigint,integer,boolean) PUBLIC',
        're.log_outreach(text,text,text,text,boolean,text,text,text,text,text,text,text,text,text) reengagement_api',
        're.login_faults(name) PUBLIC',
        're.low_risk_days() PUBLIC',
        're.make_audit_partition(text,regclass,timestamp with time zone,timestamp with time zone) ',
        're.make_audit_partitions() definer reengagement_api',
        're.make_rest_of_audit() ',
        're.mark_changed_appointments() definer ',
        're.mark_changed_conversations() definer ',
        're.mark_changed_organizations() definer ',
        're.mark_changed_outreach_log() definer ',
        're.mark_changed_patients() definer ',
        're.mark_everything() definer ',
        're.mark_horizon() PUBLIC',
        're.mark_organizations() definer ',
        're.mark_patients() definer ',
        're.mark_patients_of_rows() definer ',
        're.mark_replicated_organization() definer ',
        're.mark_replicated_patient() definer ',
        're.mark_replicated_row() definer ',
        're.marks_behind(text,xid8,text,bigint) PUBLIC',
        're.marks_of(text,bigint) PUBLIC',
        're.medium_risk_days() PUBLIC',
        're.most_counted_matches() PUBLIC',
        're.most_scored_misses() PUBLIC',
        're.move_audit_rest() ',
        're.note_dropped_audit(date[],bigint) ',
        're.now() PUBLIC',
        're.number_of_days(date[],date,date) PUBLIC',
        're.organizations_due(integer,text[]) definer reengagement_api',
        're.patient_detail(text,text) reengagement_api',
        're.patients_after(text,text,integer) PUBLIC',
        're.performance(text,text) reengagement_api',
        're.performance_verdict(bigint,numeric) PUBLIC',
        're.place(boolean,integer,integer) PUBLIC',
        're.plain_dashboard(text) reengagement_api',
        're.plain_performance(text,text) reengagement_api',
        're.plain_prioritized_patients(text,text,text,integer,text,text,text,boolean,integer,integer,integer,integer,text,text) reengagement_api',
        're.plain_risk_metrics(text) reengagement_api',
        're.plain_trends(text,integer) reengagement_api',
        're.prioritized_patients(text,text,integer,integer,integer,integer,text) reengagement_api',
        're.prioritized_patients(text,text,text,integer,text,text,text,boolean,integer,integer,integer,integer,text,text) reengagement_api',
        're.probe(text) PUBLIC',
        're.prove_audit() reengagement_api',
        're.public_names() PUBLIC',
        're.rate(bigint,bigint) PUBLIC',
        're.rate_or_null(bigint,bigint) PUBLIC',
        're.rate_trend(numeric) PUBLIC',
        're.recency(integer) PUBLIC',
        're.recommended_action(text,text,boolean) PUBLIC',
        're.record_access(double precision[],integer[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],boolean[],text[],text[]) definer reengagement_api',
        're.record_attempt(text,text,uuid,jsonb,text,text,text,text,text,text,text) definer reengagement_api',
        're.refresh(text,text[]) ',
        're.refuse_audit_change() ',
        're.refuse_unrecorded(text) PUBLIC',
        're.require_known_zone(text) PUBLIC',
        're.rfc3339(timestamp with time zone) PUBLIC',
        're.risk_level(integer) PUBLIC',
        're.risk_metrics(text) reengagement_api',
        're.risk_score(integer,bigint,boolean) PUBLIC',
        're.risk_tier(integer) PUBLIC',
        're.seal_audit(interval) definer reengagement_api',
        're.search(text,text,text,date[],date[],integer) definer reengagement_api',
        're.search_digits(text) PUBLIC',
        're.search_piece(text,bigint,text) PUBLIC',
        're.search_pieces(text,text,text,text) PUBLIC',
        're.search_text(text) PUBLIC',
        're.settle(text,text,numeric,text) ',
        're.shown_attempts() PUBLIC',
        're.state_of(text) PUBLIC',
        're.timeframes() PUBLIC',
        're.top_patients() PUBLIC',
        're.trends(text,integer) reengagement_api']) v $$,
    'functions');

SELECT results_eq(
    $$ SELECT (nspname || ' ' || concat_ws(' ', CASE WHEN has_schema_privilege('reengagement_api', oid, 'USAGE') THEN 'USAGE' END,
            CASE WHEN has_schema_privilege('reengagement_api', oid, 'CREATE') THEN 'CREATE' END)) COLLATE "C"
        FROM pg_namespace WHERE nspname IN ('public', 're') ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY['public USAGE', 're USAGE']) v $$,
    'schemas');
SELECT is(has_schema_privilege('public', 're', 'USAGE'), false, 'schema re is not everybody''s');
SELECT is(has_schema_privilege(role, schema, 'CREATE'), false, role || ' creates nothing in ' || schema)
FROM unnest(ARRAY['public', 're']) schema, unnest(ARRAY['reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher']) role;

-- What the internal roles may do, which own what runs with rights of its own.
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
        'reengagement_definer re.audit: SELECT',
        'reengagement_definer re.cell: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.dirty: DELETE SELECT',
        'reengagement_definer re.organization_state: SELECT UPDATE',
        'reengagement_definer re.outreach_day: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.patient_search: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.patient_state: DELETE INSERT SELECT UPDATE',
        'reengagement_definer re.risk_day: DELETE INSERT SELECT UPDATE',
        'reengagement_marker re.audit: INSERT',
        'reengagement_marker re.audit_refused_entry: INSERT',
        'reengagement_marker re.dirty: INSERT',
        'reengagement_marker re.organization_state: INSERT',
        'reengagement_scheduler re.dirty: INSERT SELECT',
        'reengagement_scheduler re.organization_state: SELECT',
        'reengagement_searcher re.patient_search: SELECT']) v $$,
    'tables of the internal roles');
SELECT results_eq(
    $$ SELECT (CASE WHEN p.proowner = (SELECT relowner FROM pg_class WHERE oid = 're.audit'::regclass) THEN 'the owner' ELSE p.proowner::regrole::text END
            || ' ' || p.proname) COLLATE "C" FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 're'::regnamespace ORDER BY 1 $$,
    $$ SELECT v COLLATE "C" FROM unnest(ARRAY[
        'reengagement_definer advance',
        'reengagement_definer catch_up_in_time',
        'reengagement_marker check_inserted_time_zones',
        'reengagement_marker check_replicated_time_zone',
        'reengagement_marker check_updated_time_zones',
        'reengagement_marker keep_refused_entry',
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
        'reengagement_scheduler mark_everything',
        'reengagement_scheduler organizations_due',
        'reengagement_searcher search',
        'the owner audit_rest_entries',
        'the owner forget_attempts_of_organization',
        'the owner forget_attempts_of_patient',
        'the owner make_audit_partitions',
        'the owner seal_audit']) v $$,
    'what runs as whom');
SELECT is_empty($$ SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 're'::regnamespace
    AND NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig) $$, 'and all of that with a fixed search_path');
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 're'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('migration', 'foundation', 'audit_refused_entry', 'audit_seal')
    AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'one_organization') $$, 'every derived table has the policy');

-- The views and their owner.
SELECT is_empty($$ SELECT name FROM ours WHERE relkind = 'v' AND (SELECT relowner FROM pg_class c WHERE c.oid = ours.oid) <> 'reengagement_definer'::regrole $$,
    'every view belongs to reengagement_definer');
SELECT is_empty($$ SELECT name FROM ours JOIN pg_class c USING (oid) WHERE c.relkind = 'v' AND c.reloptions IS NOT NULL $$, 'and none is security_invoker');
SELECT is((SELECT string_agg(rolname || ' ' || concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
        CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolcreaterole THEN 'createrole' END), ',' ORDER BY rolname)
    FROM pg_roles WHERE rolname IN ('reengagement_api', 'reengagement_bound', 'reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher')),
    'reengagement_api ,reengagement_bound ,reengagement_definer ,reengagement_marker ,reengagement_scheduler ,reengagement_searcher ', 'the roles have no powers of their own');
SELECT is_empty($$ SELECT r.rolname FROM pg_roles r WHERE pg_has_role('reengagement_api', r.oid, 'MEMBER')
    AND r.rolname NOT IN ('reengagement_api', 'reengagement_bound') $$, 'the server''s role may become no other');
SELECT is_member_of('reengagement_bound', ARRAY['reengagement_api', 'reengagement_definer', 'reengagement_searcher'], 'all that read patients are bound');
SELECT is((SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = 're.patient_state'::regclass AND a.attnum > 0
        AND NOT a.attisdropped AND has_column_privilege('reengagement_searcher', a.attrelid, a.attnum, 'SELECT')),
    'class folded_email folded_name last_contact_day organization_id patient_id phone_digits', 'the searcher reads of a state what is searched');
SELECT is((SELECT string_agg(p.polrelid::regclass || ' ' || p.polname, ', ' ORDER BY p.polname) FROM pg_policy p
    WHERE p.polroles <> '{0}' OR pg_get_expr(p.polqual, p.polrelid) !~ 'reengagement.organization'),
    're.patient_search every_piece, re.migration everybody, re.foundation everything, re.audit_refused_entry nobody_bound, re.audit_seal nobody_bound',
    'and one policy alone is not that of the bound organization, but for the tables that know of none');
SELECT is((SELECT string_agg(a.privilege_type, ' ') FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a
    WHERE d.datname = current_database() AND a.grantee = 0), NULL, 'the database lets nobody in unnamed');
SELECT is(ARRAY(SELECT p FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) p
    WHERE has_database_privilege('reengagement_api', current_database(), p)), '{CONNECT}', 'the server''s role makes no temporary tables');
SELECT throws_ok($$ SET LOCAL ROLE reengagement_api; LOCK TABLE re.migration IN ACCESS SHARE MODE $$, '42501', NULL,
    'and cannot hold the lock of migrations');
SELECT * FROM finish();
ROLLBACK;
