-- The roles, each made only where it is missing. Roles belong to the whole cluster, and another database's
-- migration may be making the same ones at this moment.
--   reengagement_bound    whoever is a direct member sees one organization only (re.is_bound)
--   reengagement_definer  owns the views and owns no table, so that row-level security holds inside them
--   reengagement_marker   owns the triggers' functions, which leave marks; it may write marks and read nothing
--   reengagement_scheduler owns what looks over all organizations' marks and bounds, and sees nothing else
--   reengagement_searcher owns re.search; bound, but that it sees the numbers a search begins with of all organizations
--   re.server_role        what the server becomes on each connection (DATABASE_ROLE)
DO $$
DECLARE
    server_role text := current_setting('re.server_role');
    internal text[] := ARRAY['reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher'];
    needed text;
    membership record;
BEGIN
    IF server_role = ANY (internal || ARRAY['reengagement_bound', current_user]) THEN
        RAISE 'DATABASE_ROLE must be a role of the server''s own, not "%"', server_role;
    END IF;

    FOREACH needed IN ARRAY internal || ARRAY['reengagement_bound', server_role] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = needed);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', needed);
            PERFORM set_config('re.done', current_setting('re.done') || format(E'created role %s\n', needed), true);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles r WHERE (r.rolsuper OR r.rolbypassrls) AND pg_has_role(server_role, r.oid, 'MEMBER')) THEN
        RAISE 'DATABASE_ROLE "%" is or may become a superuser or a role that bypasses row-level security', server_role;
    END IF;
    IF pg_has_role(server_role, current_user, 'MEMBER') OR EXISTS (
        SELECT FROM pg_class c
        WHERE c.relnamespace IN (to_regnamespace('public'), to_regnamespace('re')) AND c.relkind IN ('r', 'p')
            AND pg_has_role(server_role, c.relowner, 'MEMBER'))
    THEN
        RAISE 'DATABASE_ROLE "%" owns a table or may become its owner, whom row-level security does not bind', server_role;
    END IF;
    FOREACH needed IN ARRAY internal LOOP
        IF pg_has_role(server_role, needed, 'MEMBER') THEN
            RAISE 'DATABASE_ROLE "%" may become %, which may do more', server_role, needed;
        END IF;
    END LOOP;

    -- Direct memberships are what binds. The migrating login, unless it is a superuser, must be able to hand the views
    -- over to their owner, and to become the server's role where the server logs in with it.
    FOR membership IN
        SELECT 'reengagement_bound' AS role, bound AS member
        FROM unnest(ARRAY['reengagement_definer', 'reengagement_searcher', server_role]) AS bound
        WHERE NOT EXISTS (
            SELECT FROM pg_auth_members m
            WHERE m.roleid = to_regrole('reengagement_bound') AND m.member = to_regrole(quote_ident(bound)))
        UNION ALL
        SELECT role, current_user
        FROM unnest(internal || server_role) AS role
        WHERE NOT pg_has_role(current_user, role, 'MEMBER')
    LOOP
        BEGIN
            EXECUTE format('GRANT %I TO %I', membership.role, membership.member);
            PERFORM set_config('re.done', current_setting('re.done')
                || format(E'made %s a member of %s\n', membership.member, membership.role), true);
        EXCEPTION
            WHEN unique_violation THEN NULL;
        END;
    END LOOP;
END $$;
