-- The foundation: everything that responses and isolation depend on. Tables, columns, constraints, indexes, triggers
-- and their state, row-level security, policies, rules, views, functions, owners, roles and rights.
--
-- No one writes the list by hand. ../migrate creates what ../migrations, the other folders and ../grants.sql declare,
-- and records the result at its end (../note.sql). re.foundation is that record, re.foundation_now() is the current
-- catalog in the same form, and re.foundation_faults() is the difference. A definition is the statement that creates
-- the object, so ../put_right.sql only has to execute it.
--
-- A table is identified by its oid. A table that was swapped in by renaming is another table, and so is one that
-- pg_restore created. pg_upgrade and physical copies keep the oids. The audit's months are created and dropped, so each
-- is compared with the rest. {owner} is the owner of the schema, since a restored database may have another one.
--
-- All roles may read the catalogs, and the list contains no patient, so nothing here runs with another role's rights.

-- The names outside the schema re.
CREATE OR REPLACE FUNCTION re.public_names() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['organizations', 'patients', 'appointments', 'conversations', 'outreach_log', 'audit_patient_access',
    'audit_refused_attempts', 'audit_servers', 'patient_reengagement_master_view', 'patient_reengagement_master', 'reengagement_performance_view'];

-- The roles whose rights this project defines: those of ../roles.sql, and the servers' roles that migrations were run
-- for. Others, such as an import's, belong to the site.
CREATE OR REPLACE FUNCTION re.foundation_roles() RETURNS TABLE (oid oid, name text, is_servers boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.oid, quote_ident(r.rolname), r.rolname <> ALL (o.ours)
    FROM (SELECT ARRAY['reengagement_bound', 'reengagement_definer', 'reengagement_marker', 'reengagement_scheduler',
        'reengagement_searcher']::name[] AS ours) o
    JOIN pg_roles r ON r.rolname = ANY (o.ours) OR r.rolname = current_setting('re.server_role', true)
        OR EXISTS (SELECT FROM re.foundation f WHERE f.kind = 'role' AND f.name = quote_ident(r.rolname))
$$;

-- PostgreSQL formats a definition by the session's settings, which may differ between the two sessions. If too_much,
-- the object is an error unless the list contains it, and undo removes it.
CREATE OR REPLACE FUNCTION re.foundation_now()
RETURNS TABLE (kind text, name text, definition text, undo text, too_much boolean, relation text, role text, servers_role text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET quote_all_identifiers = off SET standard_conforming_strings = on
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET bytea_output = 'hex' AS $$
WITH owner AS MATERIALIZED (
    SELECT nspowner AS oid, current_setting('server_version_num')::integer >= 160000 AS has_options
    FROM pg_namespace WHERE nspname = 're'
), role AS MATERIALIZED (
    SELECT r.oid, r.name, CASE WHEN r.is_servers THEN r.name END AS servers, m.rolsuper, m.rolbypassrls
    FROM re.foundation_roles() r JOIN pg_roles m ON m.oid = r.oid
), grantee AS MATERIALIZED (
    SELECT oid, name, servers FROM role UNION ALL SELECT 0, 'PUBLIC', NULL
), relation AS MATERIALIZED (
    SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relowner, c.relacl, c.reloptions, c.relpersistence, c.relispartition,
        c.relrowsecurity, c.relforcerowsecurity, c.relpartbound, c.relkind <> 'v' AS is_table,
        n.nspname = 're' AS is_inner, c.relispartition AND c.relname ~ '^audit_\d{4}_\d{2}$' AS is_month
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v') AND (n.nspname = 're' OR n.nspname = 'public' AND c.relname = ANY (re.public_names()))
), routine AS MATERIALIZED (
    SELECT p.oid, p.oid::regprocedure::text AS name, p.proowner, p.proacl
    FROM pg_proc p
    WHERE p.pronamespace = 're'::regnamespace AND p.prokind IN ('f', 'p')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
), owned AS (
    SELECT CASE WHEN is_table THEN 'TABLE' ELSE 'VIEW' END AS word, name, relowner AS owner, name AS relation FROM relation
    UNION ALL SELECT 'FUNCTION', name, proowner, NULL FROM routine
), granted AS (
    SELECT a.privilege_type AS privilege, r.name AS object, r.name AS relation, a.grantee, a.is_grantable
    FROM relation r CROSS JOIN LATERAL aclexplode(r.relacl) a WHERE a.grantee <> r.relowner
    UNION ALL
    SELECT format('%s (%I)', a.privilege_type, t.attname), r.name, r.name, a.grantee, a.is_grantable
    FROM relation r JOIN pg_attribute t ON t.attrelid = r.oid CROSS JOIN LATERAL aclexplode(t.attacl) a
    WHERE NOT t.attisdropped AND a.grantee <> r.relowner
    UNION ALL
    SELECT a.privilege_type, 'FUNCTION ' || p.name, NULL, a.grantee, a.is_grantable
    FROM routine p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE a.grantee <> p.proowner
    UNION ALL
    -- USAGE of public may come from PUBLIC. Other rights of PUBLIC there belong to the site.
    SELECT 'USAGE', 'SCHEMA ' || s.name, NULL, r.oid, false
    FROM unnest(ARRAY['re', 'public']) AS s(name) CROSS JOIN role r
    WHERE r.name <> 'reengagement_bound' AND has_schema_privilege(r.oid, s.name, 'USAGE')
    UNION ALL
    SELECT a.privilege_type, 'SCHEMA ' || n.nspname, NULL, a.grantee, a.is_grantable
    FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
    WHERE a.grantee <> n.nspowner AND (n.nspname = 're' AND a.grantee = 0
        OR n.nspname IN ('re', 'public') AND a.grantee <> 0 AND a.privilege_type = 'CREATE')
), member AS (
    SELECT r.name, r.servers, 'reengagement_bound' AS of_role, o.has_options, false AS is_reach
    FROM role r CROSS JOIN owner o
    WHERE r.name <> 'reengagement_bound' AND EXISTS (
        -- As in re.is_bound.
        SELECT FROM pg_auth_members m
        WHERE m.member = r.oid AND m.roleid = to_regrole('reengagement_bound')
            AND coalesce((to_jsonb(m) ->> 'inherit_option')::boolean OR (to_jsonb(m) ->> 'set_option')::boolean, true))
    UNION ALL
    -- Roles of which a bound role must not be a member, because it would no longer be bound.
    SELECT r.name, r.servers, quote_ident(s.rolname), o.has_options, true
    FROM role r CROSS JOIN owner o
    JOIN pg_roles s ON s.oid <> r.oid AND (s.rolsuper OR s.rolbypassrls OR s.oid = o.oid
        OR s.oid IN (SELECT i.oid FROM role i WHERE i.servers IS NULL AND i.name <> 'reengagement_bound'))
    WHERE NOT r.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER')
)
SELECT 'extension', e.extname::text, 'CREATE EXTENSION unaccent SCHEMA public', NULL::text, false, NULL::text, NULL::text, NULL::text
FROM pg_extension e WHERE e.extname = 'unaccent'
UNION ALL
SELECT 'role', r.name, format('ALTER ROLE %s %s %s', r.name, CASE WHEN r.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END), NULL, false, NULL, r.name, r.servers
FROM role r
UNION ALL
SELECT 'membership', format('of %s in %s', m.name, m.of_role), format('GRANT %s TO %s%s', m.of_role, m.name,
    CASE WHEN m.has_options AND NOT m.is_reach THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END),
    format('REVOKE %s FROM %s', m.of_role, m.name), true, NULL, m.name, m.servers
FROM member m
UNION ALL
SELECT 'table', r.name, CASE
        WHEN r.relispartition THEN 'a partition, ' || pg_get_expr(r.relpartbound, r.oid)
        ELSE 'oid ' || r.oid
    END || CASE r.relpersistence WHEN 'p' THEN '' ELSE ', not logged' END, NULL, false, r.name, NULL, NULL
FROM relation r WHERE r.is_table
UNION ALL
SELECT 'column', format('%s.%I', r.name, a.attname), format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END
    || CASE WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END, NULL, false, r.name, NULL, NULL
FROM relation r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
WHERE r.is_table AND NOT r.is_month
UNION ALL
SELECT 'not null', format('%s.%I', r.name, a.attname), format('ALTER TABLE %s ALTER %I SET NOT NULL', r.name, a.attname), NULL, false, r.name, NULL, NULL
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE r.is_table AND NOT r.is_month AND a.attnotnull
UNION ALL
SELECT 'default', format('%s.%I', r.name, a.attname),
    format('ALTER TABLE %s ALTER %I SET DEFAULT %s', r.name, a.attname, pg_get_expr(d.adbin, d.adrelid)), NULL, false, r.name, NULL, NULL
FROM relation r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
WHERE r.is_table AND NOT r.is_month
UNION ALL
SELECT 'function', p.name, pg_get_functiondef(p.oid), format('DROP FUNCTION %s CASCADE', p.name), false, NULL, NULL, NULL
FROM routine p
UNION ALL
SELECT 'view', r.name, format('CREATE OR REPLACE VIEW %s%s AS%s', r.name, ' WITH (' || array_to_string(r.reloptions, ', ') || ')',
    E'\n' || pg_get_viewdef(r.oid)), format('DROP VIEW %s CASCADE', r.name), false, r.name, NULL, NULL
FROM relation r WHERE NOT r.is_table
UNION ALL
-- A superuser who disables all triggers also disables those of foreign keys.
SELECT 'constraint', format('%s.%I', r.name, c.conname), format('ALTER TABLE %s ADD CONSTRAINT %I %s', r.name, c.conname,
        pg_get_constraintdef(c.oid)) || CASE WHEN EXISTS (
            SELECT FROM pg_trigger t WHERE t.tgconstraint = c.oid AND t.tgenabled <> 'O') THEN ' -- not enforced' ELSE '' END,
    format('ALTER TABLE %s DROP CONSTRAINT %I', r.name, c.conname), false, r.name, NULL, NULL
FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
WHERE r.is_table AND NOT r.relispartition AND c.contype IN ('p', 'u', 'x', 'c', 'f')
UNION ALL
-- The fill factor is the site's to tune.
SELECT 'index', i.indexrelid::regclass::text,
    regexp_replace(pg_get_indexdef(i.indexrelid), '( USING btree .*) WITH \([^)]*\)', '\1')
        || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' -- invalid' END,
    format('DROP INDEX %s', i.indexrelid::regclass), false, r.name, NULL, NULL
FROM relation r JOIN pg_index i ON i.indrelid = r.oid
WHERE r.is_table AND NOT r.relispartition AND NOT EXISTS (
    SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
UNION ALL
-- A site may have its own triggers, but no row trigger on a table of re that runs before a row and could drop it. A
-- partition has its parent's.
SELECT 'trigger', format('%s.%I', r.name, t.tgname), CASE
        WHEN t.tgparentid <> 0 THEN ''
        -- A deferred trigger cannot be replaced.
        WHEN t.tgconstraint <> 0 THEN format('DROP TRIGGER IF EXISTS %I ON %s; %s; ', t.tgname, r.name, pg_get_triggerdef(t.oid))
        ELSE regexp_replace(pg_get_triggerdef(t.oid), '^CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER') || '; '
    END
    || format('ALTER TABLE %s %s TRIGGER %I', r.name, CASE t.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'R' THEN 'ENABLE REPLICA'
        WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'DISABLE' END, t.tgname),
    format('DROP TRIGGER %I ON %s', t.tgname, r.name), r.is_inner AND t.tgtype & 2 <> 0, r.name, NULL, NULL
FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND (r.is_inner OR p.pronamespace = 're'::regnamespace)
UNION ALL
SELECT 'row security', 'of ' || r.name, format('ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', r.name,
    CASE WHEN r.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END, CASE WHEN r.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END),
    NULL, false, r.name, NULL, NULL
FROM relation r WHERE r.is_table
UNION ALL
SELECT 'policy', format('%I on %s', p.polname, r.name), format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, r.name,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        (SELECT string_agg(CASE u.id WHEN 0 THEN 'PUBLIC' ELSE u.id::regrole::text END, ', ' ORDER BY u.nr)
            FROM unnest(p.polroles) WITH ORDINALITY AS u(id, nr)),
        ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
    format('DROP POLICY %I ON %s', p.polname, r.name), true, r.name, NULL, NULL
FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'rule', format('%I on %s', w.rulename, r.name), pg_get_ruledef(w.oid), format('DROP RULE %I ON %s', w.rulename, r.name),
    true, r.name, NULL, NULL
FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
UNION ALL
SELECT 'owner', 'of ' || lower(o.word) || ' ' || o.name, format('ALTER %s %s OWNER TO %s', o.word, o.name,
    CASE o.owner WHEN s.oid THEN '{owner}' ELSE quote_ident(pg_get_userbyid(o.owner)) END), NULL, false, o.relation, NULL, NULL
FROM owned o CROSS JOIN owner s
UNION ALL
SELECT 'right', format('%s on %s to %s%s', g.privilege, g.object, e.name, w.words),
    format('GRANT %s ON %s TO %s%s', g.privilege, g.object, e.name, w.words),
    format('REVOKE %s ON %s FROM %s', g.privilege, g.object, e.name), true, g.relation, nullif(e.name, 'PUBLIC'), e.servers
FROM granted g JOIN grantee e ON e.oid = g.grantee
CROSS JOIN LATERAL (SELECT CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS words) w
$$;

-- Another major version of PostgreSQL may format a definition differently. Until the next migrate records it again,
-- such an object only has to exist.
CREATE OR REPLACE FUNCTION re.foundation_faults()
RETURNS TABLE (fault text, kind text, name text, expected text, found text, undo text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET quote_all_identifiers = off SET standard_conforming_strings = on
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET bytea_output = 'hex' AS $$
WITH now AS MATERIALIZED (
    SELECT * FROM re.foundation_now()
), list AS MATERIALIZED (
    SELECT f.kind, f.name, f.definition, f.relation FROM re.foundation f
    -- A server's role that was dropped has no expected rights.
    WHERE f.kind <> 'version' AND (f.servers_role IS NULL OR to_regrole(f.servers_role) IS NOT NULL)
    UNION ALL
    SELECT f.kind, replace(f.name, f.relation, m.name), replace(f.definition, f.relation, m.name), m.name
    FROM re.foundation f
    JOIN (SELECT n.name FROM now n WHERE n.kind = 'table' AND n.name ~ '^re\.audit_\d{4}_\d{2}$'
        -- A detached month belongs to the site.
        AND n.definition LIKE 'a partition,%') AS m ON true
    WHERE f.relation = 're.audit_rest' AND f.kind IN ('trigger', 'row security', 'policy', 'owner', 'right')
), same AS (
    SELECT v.definition = (current_setting('server_version_num')::integer / 10000)::text AS version
    FROM re.foundation v WHERE v.kind = 'version'
)
SELECT f.* FROM (
    SELECT format('%s %s %s', kind, name, CASE
            WHEN n.definition IS NULL THEN 'is missing'
            WHEN l.definition IS NULL THEN 'is not to be there'
            WHEN kind = 'table' AND split_part(n.definition, ',', 1) <> split_part(l.definition, ',', 1) THEN 'has been replaced by another table'
            ELSE 'has been changed'
        END), kind, name, l.definition, n.definition, n.undo
    FROM list l
    FULL JOIN now n USING (kind, name)
    WHERE EXISTS (SELECT FROM same) AND CASE
        WHEN n.definition IS NULL THEN true
        WHEN l.definition IS NULL THEN n.too_much
            -- The list does not contain a new role yet.
            AND (n.role IS NULL OR EXISTS (SELECT FROM list t WHERE t.kind = 'role' AND t.name = n.role))
            AND (n.relation IS NULL OR EXISTS (SELECT FROM list t WHERE t.relation = n.relation))
        ELSE n.definition <> l.definition AND ((SELECT s.version FROM same s)
            OR kind IN ('extension', 'role', 'table', 'trigger', 'row security', 'owner', 'right'))
    END
    UNION ALL
    SELECT 're.foundation is empty', 'version', 're.foundation', '', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM same)
) AS f (fault, kind, name, expected, found, undo)
-- In the order of creation.
ORDER BY array_position(ARRAY['version', 'extension', 'role', 'membership', 'table', 'column', 'default', 'not null', 'function',
    'view', 'constraint', 'index', 'owner', 'trigger', 'row security', 'policy', 'rule', 'right'], f.kind), f.name
$$;

-- A reader of the list may read all of it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 're.foundation'::regclass AND polname = 'everything') THEN
        CREATE POLICY everything ON re.foundation FOR SELECT TO PUBLIC USING (true);
    END IF;
END $$;

-- This file is applied before anything is repaired, so its own new objects must not count as changes.
UPDATE re.foundation f SET definition = pg_get_functiondef(to_regprocedure(f.name))
WHERE f.kind = 'function' AND to_regprocedure(f.name) IS NOT NULL
    AND (f.name = 're.public_names()' OR f.name LIKE 're.foundation\_%');
