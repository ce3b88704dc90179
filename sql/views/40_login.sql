-- The reasons why a login could leave the server's role and read more than one organization, one row for each. A login
-- that remains bound in any case has none.
--
-- A statement that runs as the server can execute SET ROLE NONE, which makes it the login itself, or SET ROLE to any
-- role that the login is a member of. Each of these roles must therefore be bound (re.is_bound), or have no right on
-- any object of this project. None of them, bound or not, may read a site's view of these tables: policies do not apply
-- to the tables' owner, who may own that view, nor to a materialized view, which is a copy. The current catalogs decide,
-- which every role may read. A membership counts even if it grants nothing (INHERIT FALSE, SET FALSE), except one in
-- reengagement_bound.
CREATE OR REPLACE FUNCTION re.login_faults(login name) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
WITH RECURSIVE self AS MATERIALIZED (
    SELECT r.* FROM pg_roles r WHERE r.rolname = login
), reach AS MATERIALIZED (
    -- A superuser is a member of every role, so its memberships show nothing further.
    SELECT r.*, r.oid = s.oid AS is_self, EXISTS (
        -- As in re.is_bound.
        SELECT FROM pg_auth_members m
        WHERE m.member = r.oid AND m.roleid = to_regrole('reengagement_bound')
            AND coalesce((to_jsonb(m) ->> 'inherit_option')::boolean OR (to_jsonb(m) ->> 'set_option')::boolean, true)) AS is_bound
    FROM self s JOIN pg_roles r ON pg_has_role(s.oid, r.oid, 'MEMBER')
    WHERE NOT s.rolsuper
), relation AS MATERIALIZED (
    SELECT c.oid, c.relowner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND (n.nspname = 're' OR n.nspname = 'public' AND c.relname = ANY (re.public_names()))
), reader (oid) AS (
    -- The views that read the tables, and the views that read those.
    SELECT oid FROM relation
    UNION
    SELECT w.ev_class
    FROM reader d
    JOIN pg_depend p ON p.refclassid = 'pg_class'::regclass AND p.refobjid = d.oid AND p.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite w ON w.oid = p.objid AND w.ev_type = '1'
), theirs AS MATERIALIZED (
    SELECT c.oid, c.oid::regclass AS name FROM reader d JOIN pg_class c ON c.oid = d.oid
    WHERE d.oid NOT IN (SELECT oid FROM relation) AND NOT EXISTS (
            SELECT FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)
), owner AS MATERIALIZED (
    SELECT relowner AS oid FROM relation
    UNION SELECT proowner FROM pg_proc WHERE pronamespace = 're'::regnamespace
    UNION SELECT nspowner FROM pg_namespace WHERE nspname IN ('re', 'public')
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
), named AS (
    SELECT r.*, CASE WHEN is_self THEN 'it' ELSE 'it is a member of ' || quote_ident(rolname) || ', which' END AS who FROM reach r
), reason (nr, text) AS (
    SELECT 1, 'it is a superuser' FROM self WHERE rolsuper
    UNION ALL SELECT 2, n.who || ' is a superuser' FROM named n WHERE n.rolsuper
    UNION ALL SELECT 3, n.who || ' bypasses row-level security (BYPASSRLS)' FROM named n WHERE n.rolbypassrls AND NOT n.rolsuper
    UNION ALL SELECT 4, n.who || ' may read the whole cluster as a standby does (REPLICATION)' FROM named n WHERE n.rolreplication AND NOT n.rolsuper
    UNION ALL SELECT 5, n.who || ' may make itself a member of other roles (CREATEROLE)' FROM named n WHERE n.rolcreaterole AND NOT n.rolsuper
    UNION ALL SELECT 6, n.who || ' owns the database, its schema or what is in it' FROM named n
    WHERE NOT n.rolsuper AND n.rolname <> 'pg_database_owner' AND n.oid IN (SELECT oid FROM owner)
    UNION ALL
    SELECT 7, n.who || ' may read and write files or run programs as PostgreSQL does' FROM named n
    WHERE n.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
    UNION ALL
    SELECT 7, n.who || ' sees the statements of other sessions, and what is written in them'
    FROM named n WHERE n.rolname = 'pg_read_all_stats'
    UNION ALL
    SELECT 7, n.who || ' may make functions in the schema re, which ours could take for their own'
    FROM named n
    WHERE NOT n.rolsuper AND n.oid NOT IN (SELECT oid FROM owner) AND has_schema_privilege(n.oid, 're', 'CREATE')
    UNION ALL
    SELECT 8, 'it may grant reengagement_bound, and so take it away' FROM self s
    WHERE NOT s.rolsuper AND pg_has_role(s.oid, to_regrole('reengagement_bound'), 'MEMBER WITH ADMIN OPTION')
    UNION ALL
    SELECT 9, n.who || ' has rights on the tables and is not bound'
        || CASE WHEN n.is_self THEN ' (it inherits them, or they were granted to it)' ELSE '' END
    FROM named n
    WHERE NOT n.is_bound AND NOT n.rolsuper AND n.oid NOT IN (SELECT oid FROM owner) AND (
        EXISTS (SELECT FROM relation c
            WHERE has_table_privilege(n.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                OR has_any_column_privilege(n.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
        OR EXISTS (SELECT FROM pg_proc p
            WHERE p.pronamespace = 're'::regnamespace AND p.prosecdef AND has_function_privilege(n.oid, p.oid, 'EXECUTE')))
    UNION ALL
    SELECT 10, format('%s may read %s, which shows the tables with its owner''s eyes', n.who, t.name)
    FROM named n CROSS JOIN theirs t
    WHERE NOT n.rolsuper AND n.oid NOT IN (SELECT oid FROM owner)
        AND n.rolname <> ALL (ARRAY['pg_read_all_data', 'pg_write_all_data']) AND has_any_column_privilege(n.oid, t.oid, 'SELECT')
)
SELECT text FROM reason ORDER BY nr, text
$$;
