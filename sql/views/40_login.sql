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
    SELECT role.* FROM pg_roles role WHERE role.rolname = login
), reach AS MATERIALIZED (
    -- A superuser is a member of every role, so its memberships show nothing further.
    SELECT role.*, role.oid = self.oid AS is_self, EXISTS (
        -- As in re.is_bound.
        SELECT FROM pg_auth_members membership
        WHERE membership.member = role.oid AND membership.roleid = to_regrole('reengagement_bound')
            AND coalesce((to_jsonb(membership) ->> 'inherit_option')::boolean
                OR (to_jsonb(membership) ->> 'set_option')::boolean, true)) AS is_bound
    FROM self JOIN pg_roles role ON pg_has_role(self.oid, role.oid, 'MEMBER')
    WHERE NOT self.rolsuper
), relation AS MATERIALIZED (
    SELECT relation.oid, relation.relowner
    FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
    WHERE relation.relkind IN ('r', 'p', 'v', 'm')
        AND (namespace.nspname = 're' OR namespace.nspname = 'public' AND relation.relname = ANY (re.public_names()))
), reader (oid) AS (
    -- The views that read the tables, and the views that read those.
    SELECT oid FROM relation
    UNION
    SELECT rule.ev_class
    FROM reader
    JOIN pg_depend dependency ON dependency.refclassid = 'pg_class'::regclass AND dependency.refobjid = reader.oid
        AND dependency.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite rule ON rule.oid = dependency.objid AND rule.ev_type = '1'
), theirs AS MATERIALIZED (
    SELECT relation.oid, relation.oid::regclass AS name FROM reader JOIN pg_class relation ON relation.oid = reader.oid
    WHERE reader.oid NOT IN (SELECT oid FROM relation) AND NOT EXISTS (
            SELECT FROM pg_options_to_table(relation.reloptions)
            WHERE option_name = 'security_invoker' AND option_value::boolean)
), owner AS MATERIALIZED (
    SELECT relowner AS oid FROM relation
    UNION SELECT proowner FROM pg_proc WHERE pronamespace = 're'::regnamespace
    UNION SELECT nspowner FROM pg_namespace WHERE nspname IN ('re', 'public')
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
), named AS (
    SELECT reach.*,
        CASE WHEN is_self THEN 'it' ELSE 'it is a member of ' || quote_ident(rolname) || ', which' END AS who
    FROM reach
), reason (nr, text) AS (
    SELECT 1, 'it is a superuser' FROM self WHERE rolsuper
    UNION ALL SELECT 2, named.who || ' is a superuser' FROM named WHERE named.rolsuper
    UNION ALL SELECT 3, named.who || ' bypasses row-level security (BYPASSRLS)' FROM named
    WHERE named.rolbypassrls AND NOT named.rolsuper
    UNION ALL SELECT 4, named.who || ' may read the whole cluster as a standby does (REPLICATION)' FROM named
    WHERE named.rolreplication AND NOT named.rolsuper
    UNION ALL SELECT 5, named.who || ' may make itself a member of other roles (CREATEROLE)' FROM named
    WHERE named.rolcreaterole AND NOT named.rolsuper
    UNION ALL SELECT 6, named.who || ' owns the database, its schema or what is in it' FROM named
    WHERE NOT named.rolsuper AND named.rolname <> 'pg_database_owner' AND named.oid IN (SELECT oid FROM owner)
    UNION ALL
    SELECT 7, named.who || ' may read and write files or run programs as PostgreSQL does' FROM named
    WHERE named.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
    UNION ALL
    SELECT 7, named.who || ' sees the statements of other sessions, and what is written in them'
    FROM named WHERE named.rolname = 'pg_read_all_stats'
    UNION ALL
    SELECT 7, named.who || ' may make functions in the schema re, which ours could take for their own'
    FROM named
    WHERE NOT named.rolsuper AND named.oid NOT IN (SELECT oid FROM owner)
        AND has_schema_privilege(named.oid, 're', 'CREATE')
    UNION ALL
    SELECT 8, 'it may grant reengagement_bound, and so take it away' FROM self
    WHERE NOT self.rolsuper AND pg_has_role(self.oid, to_regrole('reengagement_bound'), 'MEMBER WITH ADMIN OPTION')
    UNION ALL
    SELECT 9, named.who || ' has rights on the tables and is not bound'
        || CASE WHEN named.is_self THEN ' (it inherits them, or they were granted to it)' ELSE '' END
    FROM named
    WHERE NOT named.is_bound AND NOT named.rolsuper AND named.oid NOT IN (SELECT oid FROM owner) AND (
        EXISTS (SELECT FROM relation
            WHERE has_table_privilege(named.oid, relation.oid,
                'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                OR has_any_column_privilege(named.oid, relation.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
        OR EXISTS (SELECT FROM pg_proc function
            WHERE function.pronamespace = 're'::regnamespace AND function.prosecdef
                AND has_function_privilege(named.oid, function.oid, 'EXECUTE')))
    UNION ALL
    SELECT 10, format('%s may read %s, which shows the tables with its owner''s eyes', named.who, theirs.name)
    FROM named CROSS JOIN theirs
    WHERE NOT named.rolsuper AND named.oid NOT IN (SELECT oid FROM owner)
        AND named.rolname <> ALL (ARRAY['pg_read_all_data', 'pg_write_all_data'])
        AND has_any_column_privilege(named.oid, theirs.oid, 'SELECT')
)
SELECT text FROM reason ORDER BY nr, text
$$;
