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
    'audit_refused_attempts', 'audit_servers', 'patient_reengagement_master_view', 'patient_reengagement_master',
    'reengagement_performance_view'];

-- The roles whose rights this project defines: those of ../roles.sql, and the servers' roles that migrations were run
-- for. Others, such as an import's, belong to the site.
CREATE OR REPLACE FUNCTION re.foundation_roles() RETURNS TABLE (oid oid, name text, is_servers boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT role.oid, quote_ident(role.rolname), role.rolname <> ALL (known.ours)
    FROM (SELECT ARRAY['reengagement_bound', 'reengagement_definer', 'reengagement_marker', 'reengagement_scheduler',
        'reengagement_searcher']::name[] AS ours) known
    JOIN pg_roles role ON role.rolname = ANY (known.ours) OR role.rolname = current_setting('re.server_role', true)
        OR EXISTS (SELECT FROM re.foundation
            WHERE foundation.kind = 'role' AND foundation.name = quote_ident(role.rolname))
$$;

-- PostgreSQL formats a definition by the session's settings, which may differ between the two sessions. If too_much,
-- the object is an error unless the list contains it, and undo removes it.
CREATE OR REPLACE FUNCTION re.foundation_now()
RETURNS TABLE (
    kind text, name text, definition text, undo text, too_much boolean, relation text, role text, servers_role text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
SET quote_all_identifiers = off SET standard_conforming_strings = on
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET bytea_output = 'hex' AS $$
WITH owner AS MATERIALIZED (
    SELECT nspowner AS oid, current_setting('server_version_num')::integer >= 160000 AS has_options
    FROM pg_namespace WHERE nspname = 're'
), role AS MATERIALIZED (
    SELECT known.oid, known.name, CASE WHEN known.is_servers THEN known.name END AS servers, role.rolsuper,
        role.rolbypassrls
    FROM re.foundation_roles() known JOIN pg_roles role ON role.oid = known.oid
), grantee AS MATERIALIZED (
    SELECT oid, name, servers FROM role UNION ALL SELECT 0, 'PUBLIC', NULL
), relation AS MATERIALIZED (
    SELECT relation.oid, relation.oid::regclass::text AS name, relation.relkind, relation.relowner, relation.relacl,
        relation.reloptions, relation.relpersistence, relation.relispartition,
        relation.relrowsecurity, relation.relforcerowsecurity, relation.relpartbound,
        relation.relkind <> 'v' AS is_table, namespace.nspname = 're' AS is_inner,
        relation.relispartition AND relation.relname ~ '^audit_\d{4}_\d{2}$' AS is_month
    FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
    WHERE relation.relkind IN ('r', 'p', 'v')
        AND (namespace.nspname = 're' OR namespace.nspname = 'public' AND relation.relname = ANY (re.public_names()))
), routine AS MATERIALIZED (
    SELECT function.oid, function.oid::regprocedure::text AS name, function.proowner, function.proacl
    FROM pg_proc function
    WHERE function.pronamespace = 're'::regnamespace AND function.prokind IN ('f', 'p')
        AND NOT EXISTS (SELECT FROM pg_depend dependency
            WHERE dependency.classid = 'pg_proc'::regclass AND dependency.objid = function.oid
                AND dependency.deptype = 'e')
), owned AS (
    SELECT CASE WHEN is_table THEN 'TABLE' ELSE 'VIEW' END AS word, name, relowner AS owner, name AS relation
    FROM relation
    UNION ALL SELECT 'FUNCTION', name, proowner, NULL FROM routine
), granted AS (
    SELECT access.privilege_type AS privilege, relation.name AS object, relation.name AS relation, access.grantee,
        access.is_grantable
    FROM relation CROSS JOIN LATERAL aclexplode(relation.relacl) access WHERE access.grantee <> relation.relowner
    UNION ALL
    SELECT format('%s (%I)', access.privilege_type, attribute.attname), relation.name, relation.name, access.grantee,
        access.is_grantable
    FROM relation
    JOIN pg_attribute attribute ON attribute.attrelid = relation.oid
    CROSS JOIN LATERAL aclexplode(attribute.attacl) access
    WHERE NOT attribute.attisdropped AND access.grantee <> relation.relowner
    UNION ALL
    SELECT access.privilege_type, 'FUNCTION ' || routine.name, NULL, access.grantee, access.is_grantable
    FROM routine CROSS JOIN LATERAL aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) access
    WHERE access.grantee <> routine.proowner
    UNION ALL
    -- USAGE of public may come from PUBLIC. Other rights of PUBLIC there belong to the site.
    SELECT 'USAGE', 'SCHEMA ' || schema.name, NULL, role.oid, false
    FROM unnest(ARRAY['re', 'public']) AS schema(name) CROSS JOIN role
    WHERE role.name <> 'reengagement_bound' AND has_schema_privilege(role.oid, schema.name, 'USAGE')
    UNION ALL
    SELECT access.privilege_type, 'SCHEMA ' || namespace.nspname, NULL, access.grantee, access.is_grantable
    FROM pg_namespace namespace CROSS JOIN LATERAL aclexplode(namespace.nspacl) access
    WHERE access.grantee <> namespace.nspowner AND (namespace.nspname = 're' AND access.grantee = 0
        OR namespace.nspname IN ('re', 'public') AND access.grantee <> 0 AND access.privilege_type = 'CREATE')
), member AS (
    SELECT role.name, role.servers, 'reengagement_bound' AS of_role, owner.has_options, false AS is_reach
    FROM role CROSS JOIN owner
    WHERE role.name <> 'reengagement_bound' AND EXISTS (
        -- As in re.is_bound.
        SELECT FROM pg_auth_members membership
        WHERE membership.member = role.oid AND membership.roleid = to_regrole('reengagement_bound')
            AND coalesce((to_jsonb(membership) ->> 'inherit_option')::boolean
                OR (to_jsonb(membership) ->> 'set_option')::boolean, true))
    UNION ALL
    -- Roles of which a bound role must not be a member, because it would no longer be bound.
    SELECT role.name, role.servers, quote_ident(other.rolname), owner.has_options, true
    FROM role CROSS JOIN owner
    JOIN pg_roles other ON other.oid <> role.oid AND (other.rolsuper OR other.rolbypassrls OR other.oid = owner.oid
        OR other.oid IN (SELECT internal.oid FROM role internal
            WHERE internal.servers IS NULL AND internal.name <> 'reengagement_bound'))
    WHERE NOT role.rolsuper AND pg_has_role(role.oid, other.oid, 'MEMBER')
)
SELECT 'extension', extension.extname::text, 'CREATE EXTENSION unaccent SCHEMA public', NULL::text, false, NULL::text,
    NULL::text, NULL::text
FROM pg_extension extension WHERE extension.extname = 'unaccent'
UNION ALL
SELECT 'role', role.name, format('ALTER ROLE %s %s %s', role.name,
        CASE WHEN role.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
        CASE WHEN role.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END),
    NULL, false, NULL, role.name, role.servers
FROM role
UNION ALL
SELECT 'membership', format('of %s in %s', member.name, member.of_role),
    format('GRANT %s TO %s%s', member.of_role, member.name,
        CASE WHEN member.has_options AND NOT member.is_reach THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END),
    format('REVOKE %s FROM %s', member.of_role, member.name), true, NULL, member.name, member.servers
FROM member
UNION ALL
SELECT 'table', relation.name, CASE
        WHEN relation.relispartition THEN 'a partition, ' || pg_get_expr(relation.relpartbound, relation.oid)
        ELSE 'oid ' || relation.oid
    END || CASE relation.relpersistence WHEN 'p' THEN '' ELSE ', not logged' END, NULL, false, relation.name, NULL, NULL
FROM relation WHERE relation.is_table
UNION ALL
SELECT 'column', format('%s.%I', relation.name, attribute.attname),
    format_type(attribute.atttypid, attribute.atttypmod) || CASE
        WHEN attribute.attcollation <> type.typcollation THEN ' COLLATE ' || attribute.attcollation::regcollation
        ELSE ''
    END || CASE
        WHEN attribute.attgenerated <> ''
            THEN ' GENERATED ALWAYS AS ' || pg_get_expr(default_value.adbin, default_value.adrelid)
        ELSE ''
    END, NULL, false, relation.name, NULL, NULL
FROM relation
JOIN pg_attribute attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
JOIN pg_type type ON type.oid = attribute.atttypid
LEFT JOIN pg_attrdef default_value
    ON (default_value.adrelid, default_value.adnum) = (attribute.attrelid, attribute.attnum)
WHERE relation.is_table AND NOT relation.is_month
UNION ALL
SELECT 'not null', format('%s.%I', relation.name, attribute.attname),
    format('ALTER TABLE %s ALTER %I SET NOT NULL', relation.name, attribute.attname),
    NULL, false, relation.name, NULL, NULL
FROM relation
JOIN pg_attribute attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
WHERE relation.is_table AND NOT relation.is_month AND attribute.attnotnull
UNION ALL
SELECT 'default', format('%s.%I', relation.name, attribute.attname),
    format('ALTER TABLE %s ALTER %I SET DEFAULT %s', relation.name, attribute.attname,
        pg_get_expr(default_value.adbin, default_value.adrelid)),
    NULL, false, relation.name, NULL, NULL
FROM relation
JOIN pg_attribute attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0
    AND NOT attribute.attisdropped AND attribute.attgenerated = ''
JOIN pg_attrdef default_value ON (default_value.adrelid, default_value.adnum) = (attribute.attrelid, attribute.attnum)
WHERE relation.is_table AND NOT relation.is_month
UNION ALL
SELECT 'function', routine.name, pg_get_functiondef(routine.oid), format('DROP FUNCTION %s CASCADE', routine.name),
    false, NULL, NULL, NULL
FROM routine
UNION ALL
SELECT 'view', relation.name,
    format('CREATE OR REPLACE VIEW %s%s AS%s', relation.name,
        ' WITH (' || array_to_string(relation.reloptions, ', ') || ')', E'\n' || pg_get_viewdef(relation.oid)),
    format('DROP VIEW %s CASCADE', relation.name), false, relation.name, NULL, NULL
FROM relation WHERE NOT relation.is_table
UNION ALL
-- A superuser who disables all triggers also disables those of foreign keys.
SELECT 'constraint', format('%s.%I', relation.name, constrained.conname),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation.name, constrained.conname,
        pg_get_constraintdef(constrained.oid))
        || CASE WHEN EXISTS (
            SELECT FROM pg_trigger trigger WHERE trigger.tgconstraint = constrained.oid AND trigger.tgenabled <> 'O')
            THEN ' -- not enforced' ELSE '' END,
    format('ALTER TABLE %s DROP CONSTRAINT %I', relation.name, constrained.conname), false, relation.name, NULL, NULL
FROM relation JOIN pg_constraint constrained ON constrained.conrelid = relation.oid
WHERE relation.is_table AND NOT relation.relispartition AND constrained.contype IN ('p', 'u', 'x', 'c', 'f')
UNION ALL
-- The fill factor is the site's to tune.
SELECT 'index', index.indexrelid::regclass::text,
    regexp_replace(pg_get_indexdef(index.indexrelid), '( USING btree .*) WITH \([^)]*\)', '\1')
        || CASE WHEN index.indisvalid AND index.indisready THEN '' ELSE ' -- invalid' END,
    format('DROP INDEX %s', index.indexrelid::regclass), false, relation.name, NULL, NULL
FROM relation JOIN pg_index index ON index.indrelid = relation.oid
WHERE relation.is_table AND NOT relation.relispartition AND NOT EXISTS (
    SELECT FROM pg_constraint constrained
    WHERE constrained.conindid = index.indexrelid AND constrained.contype IN ('p', 'u', 'x'))
UNION ALL
-- A site may have its own triggers, but no row trigger on a table of re that runs before a row and could drop it. A
-- partition has its parent's.
SELECT 'trigger', format('%s.%I', relation.name, trigger.tgname), CASE
        WHEN trigger.tgparentid <> 0 THEN ''
        -- A deferred trigger cannot be replaced.
        WHEN trigger.tgconstraint <> 0 THEN
            format('DROP TRIGGER IF EXISTS %I ON %s; %s; ', trigger.tgname, relation.name,
                pg_get_triggerdef(trigger.oid))
        ELSE regexp_replace(pg_get_triggerdef(trigger.oid), '^CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER') || '; '
    END
    || format('ALTER TABLE %s %s TRIGGER %I', relation.name,
        CASE trigger.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'R' THEN 'ENABLE REPLICA'
            WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'DISABLE' END, trigger.tgname),
    format('DROP TRIGGER %I ON %s', trigger.tgname, relation.name),
    relation.is_inner AND trigger.tgtype & 2 <> 0, relation.name, NULL, NULL
FROM relation
JOIN pg_trigger trigger ON trigger.tgrelid = relation.oid
JOIN pg_proc function ON function.oid = trigger.tgfoid
WHERE NOT trigger.tgisinternal AND (relation.is_inner OR function.pronamespace = 're'::regnamespace)
UNION ALL
SELECT 'row security', 'of ' || relation.name,
    format('ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', relation.name,
        CASE WHEN relation.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,
        CASE WHEN relation.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END),
    NULL, false, relation.name, NULL, NULL
FROM relation WHERE relation.is_table
UNION ALL
SELECT 'policy', format('%I on %s', policy.polname, relation.name),
    format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', policy.polname, relation.name,
        CASE WHEN policy.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE policy.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
            ELSE 'ALL' END,
        (SELECT string_agg(CASE admitted.id WHEN 0 THEN 'PUBLIC' ELSE admitted.id::regrole::text END, ', '
                ORDER BY admitted.nr)
            FROM unnest(policy.polroles) WITH ORDINALITY AS admitted(id, nr)),
        ' USING (' || pg_get_expr(policy.polqual, policy.polrelid) || ')',
        ' WITH CHECK (' || pg_get_expr(policy.polwithcheck, policy.polrelid) || ')'),
    format('DROP POLICY %I ON %s', policy.polname, relation.name), true, relation.name, NULL, NULL
FROM relation JOIN pg_policy policy ON policy.polrelid = relation.oid
UNION ALL
SELECT 'rule', format('%I on %s', rule.rulename, relation.name), pg_get_ruledef(rule.oid),
    format('DROP RULE %I ON %s', rule.rulename, relation.name), true, relation.name, NULL, NULL
FROM relation JOIN pg_rewrite rule ON rule.ev_class = relation.oid AND rule.rulename <> '_RETURN'
UNION ALL
SELECT 'owner', 'of ' || lower(owned.word) || ' ' || owned.name,
    format('ALTER %s %s OWNER TO %s', owned.word, owned.name,
        CASE owned.owner WHEN owner.oid THEN '{owner}' ELSE quote_ident(pg_get_userbyid(owned.owner)) END),
    NULL, false, owned.relation, NULL, NULL
FROM owned CROSS JOIN owner
UNION ALL
SELECT 'right', format('%s on %s to %s%s', granted.privilege, granted.object, grantee.name, option.words),
    format('GRANT %s ON %s TO %s%s', granted.privilege, granted.object, grantee.name, option.words),
    format('REVOKE %s ON %s FROM %s', granted.privilege, granted.object, grantee.name),
    true, granted.relation, nullif(grantee.name, 'PUBLIC'), grantee.servers
FROM granted JOIN grantee ON grantee.oid = granted.grantee
CROSS JOIN LATERAL (SELECT CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS words) option
$$;

-- Another major version of PostgreSQL may format a definition differently. Until the next migrate records it again,
-- such an object only has to exist.
CREATE OR REPLACE FUNCTION re.foundation_faults()
RETURNS TABLE (fault text, kind text, name text, expected text, found text, undo text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
SET quote_all_identifiers = off SET standard_conforming_strings = on
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET bytea_output = 'hex' AS $$
WITH now AS MATERIALIZED (
    SELECT * FROM re.foundation_now()
), list AS MATERIALIZED (
    SELECT foundation.kind, foundation.name, foundation.definition, foundation.relation FROM re.foundation
    -- A server's role that was dropped has no expected rights.
    WHERE foundation.kind <> 'version'
        AND (foundation.servers_role IS NULL OR to_regrole(foundation.servers_role) IS NOT NULL)
    UNION ALL
    SELECT foundation.kind, replace(foundation.name, foundation.relation, month.name),
        replace(foundation.definition, foundation.relation, month.name), month.name
    FROM re.foundation
    JOIN (SELECT now.name FROM now WHERE now.kind = 'table' AND now.name ~ '^re\.audit_\d{4}_\d{2}$'
        -- A detached month belongs to the site.
        AND now.definition LIKE 'a partition,%') AS month ON true
    WHERE foundation.relation = 're.audit_rest'
        AND foundation.kind IN ('trigger', 'row security', 'policy', 'owner', 'right')
), same AS (
    SELECT foundation.definition = (current_setting('server_version_num')::integer / 10000)::text AS version
    FROM re.foundation WHERE foundation.kind = 'version'
)
SELECT foundation.* FROM (
    SELECT format('%s %s %s', kind, name, CASE
            WHEN now.definition IS NULL THEN 'is missing'
            WHEN list.definition IS NULL THEN 'is not to be there'
            WHEN kind = 'table' AND split_part(now.definition, ',', 1) <> split_part(list.definition, ',', 1)
                THEN 'has been replaced by another table'
            ELSE 'has been changed'
        END), kind, name, list.definition, now.definition, now.undo
    FROM list
    FULL JOIN now USING (kind, name)
    WHERE EXISTS (SELECT FROM same) AND CASE
        WHEN now.definition IS NULL THEN true
        WHEN list.definition IS NULL THEN now.too_much
            -- The list does not contain a new role yet.
            AND (now.role IS NULL OR EXISTS (SELECT FROM list WHERE list.kind = 'role' AND list.name = now.role))
            AND (now.relation IS NULL OR EXISTS (SELECT FROM list WHERE list.relation = now.relation))
        ELSE now.definition <> list.definition AND ((SELECT same.version FROM same)
            OR kind IN ('extension', 'role', 'table', 'trigger', 'row security', 'owner', 'right'))
    END
    UNION ALL
    SELECT 're.foundation is empty', 'version', 're.foundation', '', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM same)
) AS foundation (fault, kind, name, expected, found, undo)
-- In the order of creation.
ORDER BY array_position(ARRAY['version', 'extension', 'role', 'membership', 'table', 'column', 'default', 'not null',
    'function', 'view', 'constraint', 'index', 'owner', 'trigger', 'row security', 'policy', 'rule', 'right'],
    foundation.kind), foundation.name
$$;

-- A reader of the list may read all of it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 're.foundation'::regclass AND polname = 'everything') THEN
        CREATE POLICY everything ON re.foundation FOR SELECT TO PUBLIC USING (true);
    END IF;
END $$;

-- This file is applied before anything is repaired, so its own new objects must not count as changes.
UPDATE re.foundation SET definition = pg_get_functiondef(to_regprocedure(foundation.name))
WHERE foundation.kind = 'function' AND to_regprocedure(foundation.name) IS NOT NULL
    AND (foundation.name = 're.public_names()' OR foundation.name LIKE 're.foundation\_%');
