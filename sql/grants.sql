-- Ownership and rights. Each is set only if it is missing, so that a run without changes writes nothing. It runs each
-- time, because DATABASE_ROLE may name another role than before.
DO $$
DECLARE
    server_role text := current_setting('re.server_role');
    internal text[] := ARRAY['reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher'];
    endpoints text[] := string_to_array(current_setting('re.endpoints'), ',');
    statement text;
    number integer := 0;
BEGIN
    FOR statement IN
        WITH product_view AS (
            SELECT relation.oid, relation.oid::regclass AS name, relation.relowner, namespace.nspname = 're' AS internal
            FROM pg_class relation
            JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
            WHERE relation.relkind = 'v' AND (namespace.nspname = 're'
                OR (namespace.nspname = 'public' AND relation.relname = ANY (re.public_names())))
        ), owned_function AS (
            -- Functions with rights of their own, and functions that only they call.
            SELECT function.oid::regprocedure AS name, function.proowner, owned.owner
            FROM pg_proc function
            JOIN (VALUES
                ('reengagement_definer', ARRAY['advance', 'refresh_in_time', 'refresh', 'count_patients', 'count_risk_days',
                    'count_outreach_days', 'record_advance', 'announce', 'announce_clock', 'announce_changes',
                    'announce_days', 'drop_old_notices', 'present_day']),
                ('reengagement_marker', ARRAY['mark_patients', 'mark_patients_of_rows', 'mark_organizations',
                    'mark_changed_organizations',
                    'mark_changed_patients', 'mark_changed_appointments', 'mark_changed_conversations',
                    'mark_changed_outreach_log', 'mark_changed_alert_acknowledgement', 'mark_replicated_patient', 'mark_replicated_row',
                    'mark_replicated_organization', 'record_access', 'record_write', 'record_attempt', 'keep_refused_entry',
                    'check_inserted_time_zones', 'check_updated_time_zones',
                    'check_replicated_time_zone']),
                ('reengagement_scheduler', ARRAY['mark_everything', 'organizations_due', 'live', 'claim_webhooks',
                    'record_webhook', 'release_webhook', 'claim_pings', 'record_ping', 'organizations_to_send',
                    'claim_digests', 'record_digest', 'end_digests', 'count_sent', 'report_sender', 'sender_figures']),
                ('reengagement_searcher', ARRAY['search'])
            ) AS owned(owner, names) ON function.proname = ANY (owned.names)
            WHERE function.pronamespace = 're'::regnamespace
        ), guarded_function AS (
            -- Endpoints, and all functions that write or run with rights of their own.
            SELECT function.oid, function.oid::regprocedure AS name, function.proacl, function.proowner,
                regexp_replace(function.proname, '^(plain|flat)_', '') = ANY (
                    endpoints || ARRAY['advance', 'refresh_on_read', 'refresh_in_time', 'catch_up', 'organizations_due',
                        'record_access', 'record_write', 'record_attempt', 'log_alert_word', 'keep_refused_entry',
                        'prove_audit', 'make_audit_partitions', 'audit_rest_entries',
                        'seal_audit', 'search', 'live', 'restart_webhook', 'webhook_refusal',
                        'claim_webhooks', 'record_webhook', 'release_webhook', 'claim_pings', 'record_ping',
                        'organizations_to_send', 'claim_digests', 'record_digest', 'digest_numbers', 'report_sender',
                        'sender_figures']) AS for_server
            FROM pg_proc function
            WHERE function.pronamespace = 're'::regnamespace AND (function.provolatile = 'v' OR function.prosecdef
                OR function.proname IN ('audit_entry_digest', 'audit_seal_digest', 'audit_digests', 'last_audit_seal',
                    'audit_faults')
                OR regexp_replace(function.proname, '^(plain|flat)_', '') = ANY (endpoints))
        ), table_right(role, relation, privileges) AS (
            SELECT 'reengagement_definer', source, 'SELECT'
            FROM unnest(ARRAY['public.organizations', 'public.patients', 'public.appointments', 'public.conversations',
                'public.outreach_log']) AS source
            UNION ALL
            SELECT 'reengagement_definer', derived, 'SELECT, INSERT, UPDATE, DELETE'
            FROM unnest(ARRAY['re.patient_state', 're.patient_search', 're.patient_count', 're.risk_day', 're.outreach_day', 're.announcement',
                're.told_patient', 're.notice']) AS derived
            UNION ALL
            SELECT server_role, derived, 'SELECT'
            FROM unnest(ARRAY['re.foundation', 're.pending_change', 're.organization_state', 're.patient_state', 're.patient_count', 're.risk_day',
                're.outreach_day', 're.announcement', 're.notice', 're.alert_acknowledgement']) AS derived
            UNION ALL
            VALUES ('reengagement_definer', 're.alert_acknowledgement', 'SELECT'),
                ('reengagement_definer', 're.pending_change', 'SELECT, DELETE'),
                ('reengagement_definer', 're.organization_state', 'SELECT, UPDATE'),
                ('reengagement_marker', 're.pending_change', 'INSERT'),
                ('reengagement_marker', 're.organization_state', 'INSERT'),
                ('reengagement_marker', 're.audit', 'INSERT'),
                ('reengagement_marker', 're.audit_refused_entry', 'INSERT'),
                -- Only for the view, whose reader's rights decide which rows are visible.
                ('reengagement_definer', 're.audit', 'SELECT'),
                ('reengagement_scheduler', 're.pending_change', 'SELECT, INSERT'),
                ('reengagement_scheduler', 're.organization_state', 'SELECT'),
                ('reengagement_scheduler', 're.announcement', 'SELECT'),
                ('reengagement_scheduler', 're.patient_count', 'SELECT'),
                ('reengagement_searcher', 're.patient_search', 'SELECT'),
                -- For the senders (../delivery).
                ('reengagement_scheduler', 're.setting', 'SELECT'),
                ('reengagement_scheduler', 're.webhook', 'SELECT, UPDATE'),
                ('reengagement_scheduler', 're.digest_sent', 'SELECT, INSERT, UPDATE'),
                ('reengagement_scheduler', 're.sender_state', 'SELECT, INSERT, UPDATE, DELETE'),
                ('reengagement_scheduler', 're.sender_total', 'SELECT, UPDATE'),
                -- Of the bound organization (endpoints/put_settings.sql).
                (server_role, 're.setting', 'SELECT, INSERT, UPDATE'),
                (server_role, 're.webhook', 'SELECT, INSERT, UPDATE')
        )
        -- A superuser does not need it. It is revoked below.
        SELECT format('GRANT CREATE ON SCHEMA re, public TO %I', role)
        FROM unnest(internal) AS role
        WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
            AND (EXISTS (SELECT FROM product_view WHERE relowner <> 'reengagement_definer'::regrole)
                OR EXISTS (SELECT FROM owned_function WHERE proowner <> to_regrole(owner)))
        UNION ALL
        SELECT format('ALTER VIEW %s OWNER TO reengagement_definer', name)
        FROM product_view WHERE relowner <> 'reengagement_definer'::regrole
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO %I', name, owner)
        FROM owned_function WHERE proowner <> to_regrole(owner)
        UNION ALL
        SELECT format('GRANT SELECT ON %s TO %I', name, server_role)
        FROM product_view
        -- The server writes the audit and never reads it.
        WHERE NOT has_table_privilege(server_role, oid, 'SELECT') AND oid <> ALL (
            ARRAY['public.audit_patient_access', 'public.audit_refused_attempts', 'public.audit_servers']::regclass[])
        UNION ALL
        SELECT format('GRANT %s ON %s TO %I', table_right.privileges, table_right.relation, table_right.role)
        FROM table_right
        WHERE EXISTS (SELECT FROM unnest(string_to_array(table_right.privileges, ', ')) AS privilege
            WHERE NOT has_table_privilege(table_right.role, table_right.relation, privilege))
        UNION ALL
        SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation.oid::regclass)
        FROM pg_class relation WHERE relation.relnamespace = 're'::regnamespace AND relation.relkind IN ('r', 'p')
            AND NOT relation.relrowsecurity
        UNION ALL
        SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name)
        FROM guarded_function
        WHERE EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', name, server_role)
        FROM guarded_function
        WHERE for_server AND NOT EXISTS (
            SELECT FROM aclexplode(proacl) WHERE grantee = to_regrole(quote_ident(server_role)))
        UNION ALL
        -- Functions that the views call for their readers, in a database where PUBLIC may not execute new functions.
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', function.oid::regprocedure)
        FROM pg_proc function
        WHERE function.pronamespace = 're'::regnamespace AND function.oid NOT IN (SELECT oid FROM guarded_function)
            AND NOT EXISTS (SELECT FROM aclexplode(coalesce(function.proacl, acldefault('f', function.proowner)))
                WHERE grantee = 0)
        UNION ALL
        SELECT format('GRANT USAGE ON SCHEMA %s TO %I', schema, role)
        FROM unnest(ARRAY['re', 'public']) AS schema, unnest(internal || server_role) AS role
        WHERE NOT has_schema_privilege(role, schema, 'USAGE')
        UNION ALL
        SELECT format('GRANT %s (%I) ON %s TO %I', privilege, column_name, relation, role)
        FROM (VALUES
            -- The columns that a POST writes …
            (server_role, 'public.outreach_log', 'INSERT', ARRAY['organization_id', 'patient_id', 'method', 'outcome', 'opened', 'notes', 'logged_by',
                'idempotency_key', 'created_at']),
            (server_role, 're.alert_acknowledgement', 'INSERT', ARRAY['organization_id', 'patient_id', 'critical_since', 'action', 'until',
                'note', 'logged_by', 'created_at']),
            -- … and those that are compared and returned if its idempotency key is repeated.
            (server_role, 'public.outreach_log', 'SELECT', ARRAY['organization_id', 'id', 'patient_id', 'method', 'outcome',
                'opened', 'notes', 'idempotency_key', 'created_at']),
            -- What a live stream tells: never a patient.
            ('reengagement_scheduler', 're.notice', 'SELECT', ARRAY['organization_id', 'sequence', 'kind', 'cause', 'day', 'number', 'written_at']),
            ('reengagement_scheduler', 're.alert_acknowledgement', 'SELECT', ARRAY['organization_id', 'number']),
            -- To check whether an organization has its row.
            ('reengagement_marker', 're.organization_state', 'SELECT', ARRAY['organization_id']),
            -- The columns that are searched and filtered, of the bound organization.
            ('reengagement_searcher', 're.patient_state', 'SELECT', ARRAY['organization_id', 'patient_id', 'risk_group',
                'last_contact_day', 'folded_name', 'folded_email', 'phone_digits'])
        ) AS right_to(role, relation, privilege, columns), unnest(columns) AS column_name
        WHERE NOT has_column_privilege(role, relation, column_name, privilege)
    LOOP
        EXECUTE statement;
        number := number + 1;
    END LOOP;
    IF number > 0 THEN
        PERFORM set_config('re.done', current_setting('re.done')
            || format(E'set owners and rights (%s), %s included\n', number, server_role), true);
    END IF;

    FOR statement IN
        SELECT format('REVOKE CREATE ON SCHEMA %I FROM %I', namespace.nspname, access.grantee::regrole::text)
        FROM pg_namespace namespace, aclexplode(namespace.nspacl) access
        WHERE namespace.nspname IN ('re', 'public') AND access.privilege_type = 'CREATE'
            AND access.grantee IN (SELECT to_regrole(role) FROM unnest(internal) AS role)
            AND pg_has_role(access.grantor, 'USAGE')
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

-- Only roles with rights in the database may connect to it and create temporary tables. The server's role and its
-- logins need no temporary table. Roles that have rights here keep PUBLIC's former rights as their own. Later roles
-- need an explicit grant, and so does a login that does not inherit the server's role.
DO $$
DECLARE
    statement text;
    number integer := 0;
BEGIN
    FOR statement IN
        WITH here AS MATERIALIZED (
            SELECT database.oid, quote_ident(database.datname) AS name, database.datdba,
                coalesce(database.datacl, acldefault('d', database.datdba)) AS acl
            FROM pg_database database WHERE database.datname = current_database()
        ), public_right AS MATERIALIZED (
            SELECT access.privilege_type AS privilege FROM here CROSS JOIN LATERAL aclexplode(here.acl) access
            WHERE access.grantee = 0 AND access.privilege_type IN ('CONNECT', 'TEMPORARY')
        ), server AS MATERIALIZED (
            SELECT role.oid FROM re.foundation_roles() role WHERE role.is_servers
            UNION SELECT to_regrole(quote_ident(current_setting('re.server_role')))
        ), concerned AS MATERIALIZED (
            -- Roles that own an object here or have a right to it, or may read everything.
            SELECT dependency.refobjid AS oid FROM pg_shdepend dependency JOIN here ON here.oid = dependency.dbid
            WHERE dependency.refclassid = 'pg_authid'::regclass
            UNION SELECT role.oid FROM pg_roles role
            WHERE role.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_monitor')
        ), login AS MATERIALIZED (
            SELECT role.oid, quote_ident(role.rolname) AS name, EXISTS (SELECT FROM concerned
                    WHERE concerned.oid NOT IN (SELECT oid FROM server)
                        AND pg_has_role(role.oid, concerned.oid, 'MEMBER')
                        AND NOT EXISTS (SELECT FROM server WHERE pg_has_role(server.oid, concerned.oid, 'MEMBER'))
                ) AS has_more
            FROM pg_roles role JOIN here ON role.oid <> here.datdba
            WHERE role.rolcanlogin AND NOT role.rolsuper
                AND (EXISTS (SELECT FROM concerned WHERE pg_has_role(role.oid, concerned.oid, 'MEMBER'))
                    OR EXISTS (SELECT FROM server WHERE pg_has_role(role.oid, server.oid, 'MEMBER')))
        ), kept AS (
            SELECT login.oid, login.name, public_right.privilege FROM login CROSS JOIN public_right
            WHERE public_right.privilege = 'CONNECT' OR login.has_more
            UNION
            -- Behind a pooler the role itself logs in.
            SELECT server.oid, quote_ident(pg_get_userbyid(server.oid)), 'CONNECT' FROM server
        )
        SELECT format('GRANT %s ON DATABASE %s TO %s', kept.privilege, here.name, kept.name)
        FROM kept CROSS JOIN here
        WHERE NOT EXISTS (SELECT FROM aclexplode(here.acl) access
            WHERE access.grantee = kept.oid AND access.privilege_type = kept.privilege)
        UNION ALL
        SELECT format('REVOKE %s ON DATABASE %s FROM PUBLIC', public_right.privilege, here.name)
        FROM public_right CROSS JOIN here
        ORDER BY 1
    LOOP
        EXECUTE statement;
        number := number + 1;
    END LOOP;
    IF number > 0 THEN
        PERFORM set_config('re.done', current_setting('re.done')
            || format(E'set who may connect and make temporary tables (%s)\n', number), true);
    END IF;
END $$;
