-- Ownership and rights, each set only where it is missing, so that a run without changes writes nothing. It runs every
-- time, since DATABASE_ROLE may name another role than before.
DO $$
DECLARE
    server_role text := current_setting('re.server_role');
    statement text;
    number integer := 0;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        -- Only to be handed a view; taken back below.
        FOR statement IN
            SELECT DISTINCT format('GRANT CREATE ON SCHEMA %I TO reengagement_definer', v.schemaname)
            FROM pg_views v
            WHERE v.schemaname IN ('re', 'public') AND v.viewowner = current_user
        LOOP
            EXECUTE statement;
        END LOOP;
    END IF;

    FOR statement IN
        WITH product_view AS (
            SELECT c.oid, c.oid::regclass AS name, c.relowner, n.nspname = 're' AS internal
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'v' AND (n.nspname = 're' OR (n.nspname = 'public' AND c.relname IN (
                'patient_reengagement_master_view', 'patient_reengagement_master', 'reengagement_performance_view')))
        ), source AS (
            SELECT unnest(ARRAY['public.organizations', 'public.patients', 'public.appointments',
                'public.conversations', 'public.outreach_log']::regclass[]) AS oid
        ), endpoint AS (
            SELECT p.oid, p.oid::regprocedure AS name, p.proacl, p.proowner
            FROM pg_proc p
            WHERE p.pronamespace = 're'::regnamespace AND p.proname = ANY (string_to_array(current_setting('re.endpoints'), ','))
        )
        SELECT format('ALTER VIEW %s OWNER TO reengagement_definer', name)
        FROM product_view WHERE relowner <> 'reengagement_definer'::regrole
        UNION ALL
        SELECT format('GRANT SELECT ON %s TO %I', name, server_role)
        FROM product_view WHERE NOT has_table_privilege(server_role, oid, 'SELECT')
        UNION ALL
        SELECT format('GRANT SELECT ON %s TO reengagement_definer', oid::regclass)
        FROM source WHERE NOT has_table_privilege('reengagement_definer', oid, 'SELECT')
        UNION ALL
        SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass)
        FROM pg_class c WHERE c.relnamespace = 're'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
        UNION ALL
        SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name)
        FROM endpoint
        WHERE EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', name, server_role)
        FROM endpoint
        WHERE NOT EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = to_regrole(quote_ident(server_role)))
        UNION ALL
        SELECT format('GRANT USAGE ON SCHEMA %s TO %I', schema, server_role)
        FROM unnest(ARRAY['re', 'public']) AS schema WHERE NOT has_schema_privilege(server_role, schema, 'USAGE')
        UNION ALL
        SELECT format('GRANT %s (%I) ON public.outreach_log TO %I', privilege, column_name, server_role)
        FROM (VALUES
            -- What a post writes ...
            ('INSERT', ARRAY['organization_id', 'patient_id', 'method', 'outcome', 'opened', 'notes', 'logged_by',
                'idempotency_key', 'created_at']),
            -- ... and what is compared and answered when its key comes again.
            ('SELECT', ARRAY['organization_id', 'id', 'patient_id', 'method', 'outcome', 'opened', 'notes',
                'idempotency_key', 'created_at'])
        ) AS right_to(privilege, columns), unnest(columns) AS column_name
        WHERE NOT has_column_privilege(server_role, 'public.outreach_log', column_name, privilege)
    LOOP
        EXECUTE statement;
        number := number + 1;
    END LOOP;
    IF number > 0 THEN
        PERFORM set_config('re.done', current_setting('re.done')
            || format(E'set owners and rights (%s), %s included\n', number, server_role), true);
    END IF;

    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR statement IN
            SELECT format('REVOKE CREATE ON SCHEMA %I FROM reengagement_definer', schema)
            FROM unnest(ARRAY['re', 'public']) AS schema
            WHERE has_schema_privilege('reengagement_definer', schema, 'CREATE')
        LOOP
            EXECUTE statement;
        END LOOP;
    END IF;
END $$;
