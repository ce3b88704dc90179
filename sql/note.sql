-- Records the result of this migration, if it differs from the last one (foundation/10_foundation.sql). Roles belong to
-- the cluster and may have been wrong before, so the record contains the declarations of roles.sql for them.
WITH now AS MATERIALIZED (
    SELECT n.kind, n.name, CASE n.kind WHEN 'role' THEN format('ALTER ROLE %s NOSUPERUSER NOBYPASSRLS', n.name) ELSE n.definition END
        AS definition, n.relation, n.servers_role
    FROM re.foundation_now() n
    -- A month of the audit is like the rest.
    WHERE coalesce(n.relation !~ '^re\.audit_\d{4}_\d{2}$', true)
        AND NOT EXISTS (SELECT FROM pg_temp.theirs t WHERE (t.kind, t.name) = (n.kind, n.name)
            AND NOT EXISTS (SELECT FROM re.foundation f WHERE (f.kind, f.name) = (n.kind, n.name)))
        AND (n.kind <> 'membership'
            OR n.name LIKE '% in reengagement_bound' AND n.role NOT IN ('reengagement_marker', 'reengagement_scheduler'))
    UNION ALL
    SELECT 'version', 'of PostgreSQL', (current_setting('server_version_num')::integer / 10000)::text, NULL, NULL
), gone AS (
    DELETE FROM re.foundation f WHERE NOT EXISTS (SELECT FROM now n WHERE (n.kind, n.name) = (f.kind, f.name))
)
INSERT INTO re.foundation AS f (kind, name, definition, relation, servers_role)
SELECT n.kind, n.name, n.definition, n.relation, n.servers_role FROM now n
ON CONFLICT (kind, name) DO UPDATE
SET (definition, relation, servers_role) = (excluded.definition, excluded.relation, excluded.servers_role)
WHERE (f.definition, f.relation, f.servers_role) IS DISTINCT FROM (excluded.definition, excluded.relation, excluded.servers_role);
