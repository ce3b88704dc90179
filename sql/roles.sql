-- The roles. Each is created only if it is missing. Roles belong to the whole cluster, and another database's migration
-- may create the same ones at the same time.
--   reengagement_bound    its direct members see one organization only (re.is_bound)
--   reengagement_definer  owns the views and owns no table, so that row-level security applies inside them
--   reengagement_marker   owns the trigger functions. It may insert rows and reads no patient data
--   reengagement_scheduler owns the functions that read all organizations' pending changes and bounds, and nothing else
--   reengagement_searcher owns re.search, is bound, and reads the search index of all organizations
--   re.server_role        the role that the server assumes on each connection (DATABASE_ROLE)
--
-- In PostgreSQL 15 a login with CREATEROLE may grant any role. Since 16 it needs WITH ADMIN, which the creator of a
-- role has. That makes the creator a member who may neither use the role (INHERIT) nor become it (SET). Everything that
-- this login may not do is reported in one message, for a login that may, and nothing is changed.
DO $$
DECLARE
    server_role text := current_setting('re.server_role');
    internal text[] := ARRAY['reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher'];
    has_options boolean := current_setting('server_version_num')::integer >= 160000;
    become text := CASE WHEN has_options THEN 'SET' ELSE 'MEMBER' END;
    wanted text[] := '{}';
    made text[] := '{}';
    needed text;
    membership record;
    -- As in re.is_bound, which may not exist yet. Before 16 there was one kind of membership.
    bound oid[] := ARRAY(
        SELECT m.member FROM pg_auth_members m
        WHERE m.roleid = to_regrole('reengagement_bound')
            AND coalesce((to_jsonb(m) ->> 'inherit_option')::boolean OR (to_jsonb(m) ->> 'set_option')::boolean, true));
BEGIN
    IF server_role = ANY (internal || ARRAY['reengagement_bound', current_user]) THEN
        RAISE 'DATABASE_ROLE must be a role of the server''s own, not "%"', server_role;
    END IF;
    IF has_options THEN
        -- A login's own setting (createrole_self_grant) may make it a full, and so bound, member of each role that it
        -- creates.
        PERFORM set_config('createrole_self_grant', '', true);
    END IF;

    -- Also for a superuser: it would own the objects that it creates, and the owner's next migration would fail.
    SELECT format('%s, to whom its tables belong: migrate as that login', nspowner::regrole)
        || CASE WHEN pg_has_role(nspowner, become) THEN format(', or become it with PGOPTIONS=''-c role=%s''', pg_get_userbyid(nspowner))
            ELSE '' END
    INTO needed
    FROM pg_namespace WHERE nspname = 're' AND nspowner <> to_regrole(quote_ident(current_user));
    IF FOUND THEN
        RAISE 'this database has been migrated by %', needed;
    END IF;
    -- From a migration or a restore by another login.
    wanted := wanted || ARRAY(
        SELECT format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, current_user)
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT pg_has_role(c.relowner, 'USAGE') AND (n.nspname = 're' OR n.nspname = 'public'
            AND c.relname IN ('organizations', 'patients', 'appointments', 'conversations', 'outreach_log'))
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, current_user)
        FROM pg_proc p
        WHERE p.pronamespace = to_regnamespace('re') AND NOT pg_has_role(p.proowner, 'USAGE')
            AND p.proowner <> ALL (array_remove(ARRAY(SELECT to_regrole(role)::oid FROM unnest(internal) AS role), NULL)));

    FOREACH needed IN ARRAY internal || ARRAY['reengagement_bound', server_role] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = needed);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', needed);
            made := made || needed;
            PERFORM set_config('re.done', current_setting('re.done') || format(E'created role %s\n', needed), true);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN wanted := wanted || format('CREATE ROLE %I NOLOGIN', needed);
        END;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles r WHERE (r.rolsuper OR r.rolbypassrls)
        AND pg_has_role(to_regrole(quote_ident(server_role)), r.oid, 'MEMBER'))
    THEN
        RAISE 'DATABASE_ROLE "%" is or may become a superuser or a role that bypasses row-level security', server_role;
    END IF;
    IF pg_has_role(to_regrole(quote_ident(server_role)), to_regrole(quote_ident(current_user)), 'MEMBER') OR EXISTS (
        SELECT FROM pg_class c
        WHERE c.relnamespace IN (to_regnamespace('public'), to_regnamespace('re')) AND c.relkind IN ('r', 'p')
            AND pg_has_role(to_regrole(quote_ident(server_role)), c.relowner, 'MEMBER'))
    THEN
        RAISE 'DATABASE_ROLE "%" owns a table or may become its owner, whom row-level security does not bind', server_role;
    END IF;
    FOREACH needed IN ARRAY internal LOOP
        IF pg_has_role(to_regrole(quote_ident(server_role)), to_regrole(needed), 'MEMBER') THEN
            RAISE 'DATABASE_ROLE "%" may become %, which may do more', server_role, needed;
        END IF;
    END LOOP;

    -- Direct memberships bind. The migrating login must be able to give the views to their owner (SET), to replace them
    -- later (INHERIT), and to become the server's role if the server logs in as it.
    FOR membership IN
        SELECT 'reengagement_bound' AS role, member, 'INHERIT TRUE, SET TRUE' AS options
        FROM unnest(ARRAY['reengagement_definer', 'reengagement_searcher', server_role]) AS member
        WHERE (to_regrole(quote_ident(member)) = ANY (bound)) IS NOT TRUE
        UNION ALL
        SELECT role, current_user, 'INHERIT TRUE, SET TRUE'
        FROM unnest(internal) AS role
        WHERE (pg_has_role(to_regrole(role), 'USAGE') AND pg_has_role(to_regrole(role), become)) IS NOT TRUE
        UNION ALL
        SELECT server_role, current_user, 'INHERIT FALSE, SET TRUE'
        WHERE pg_has_role(to_regrole(quote_ident(server_role)), become) IS NOT TRUE
    LOOP
        needed := format('GRANT %I TO %I', membership.role, membership.member)
            || CASE WHEN has_options THEN ' WITH ' || membership.options ELSE '' END;
        BEGIN
            EXECUTE needed;
            PERFORM set_config('re.done', current_setting('re.done')
                || format(E'made %s a member of %s\n', membership.member, membership.role), true);
        EXCEPTION
            WHEN unique_violation THEN NULL;
            WHEN undefined_object THEN wanted := wanted || needed;
            WHEN insufficient_privilege THEN
                wanted := wanted || CASE
                    -- The role may have been dropped before the message is read.
                    WHEN membership.member = ANY (made)
                    THEN format('GRANT %I TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', membership.role, current_user)
                    ELSE needed
                END;
        END;
    END LOOP;
    IF NOT has_options AND EXISTS (SELECT FROM unnest(internal) AS role
        WHERE pg_has_role(to_regrole(role), 'MEMBER') AND NOT pg_has_role(to_regrole(role), 'USAGE'))
    THEN
        wanted := wanted || format('ALTER ROLE %I INHERIT', current_user);
    ELSIF EXISTS (SELECT FROM pg_namespace
        WHERE nspname = 'public' AND to_regnamespace('re') IS NULL AND NOT pg_has_role(nspowner, 'USAGE'))
    THEN
        -- At the first migration, views are created in public and given to their owner, who needs CREATE on the schema
        -- for that moment.
        wanted := wanted || text 'ALTER SCHEMA public OWNER TO pg_database_owner';
    END IF;
    IF to_regrole(quote_ident(current_user)) = ANY (bound) THEN
        -- The login would see one organization only, and so would all changes of rows by a migration.
        wanted := wanted || CASE
            WHEN has_options THEN ARRAY(
                SELECT format('GRANT reengagement_bound TO %I WITH INHERIT FALSE, SET FALSE GRANTED BY %s', current_user, m.grantor::regrole)
                FROM pg_auth_members m
                WHERE m.roleid = to_regrole('reengagement_bound') AND m.member = to_regrole(quote_ident(current_user))
                    AND ((to_jsonb(m) ->> 'inherit_option')::boolean OR (to_jsonb(m) ->> 'set_option')::boolean))
            ELSE ARRAY[format('REVOKE reengagement_bound FROM %I', current_user)]
        END;
    END IF;

    IF wanted <> '{}' THEN
        RAISE 'nothing has been changed, because "%" lacks the rights; a superuser, or the login that created the roles, must run first: %;',
            current_user, array_to_string(wanted, '; ');
    END IF;

    -- Not needed today. It is lost if pg_upgrade brings roles from PostgreSQL 15, which granted without it.
    IF has_options AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        AND NOT pg_has_role(to_regrole('reengagement_bound'), 'MEMBER WITH ADMIN OPTION')
    THEN
        RAISE WARNING 'a version that needs another role, or another DATABASE_ROLE, could not be migrated by "%"; a superuser, or the login that created the roles, should run now: %;',
            current_user, format('GRANT reengagement_bound TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', current_user);
    END IF;
END $$;
