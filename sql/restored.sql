-- Whether this database was restored from a dump since its last migration (:restored). It is detected by numbers that a
-- dump contains and no other database has. pg_upgrade and physical copies keep them. After a restore views/,
-- endpoints/, flat/ and audit/ all run again, because a restore omits objects whose role, collation or extension is
-- missing.
DO $$
DECLARE
    part text;
BEGIN
    IF EXISTS (SELECT FROM re.migration) THEN
        RETURN;
    END IF;
    SELECT min(p.part) INTO part
    FROM (SELECT format('table %s', c.oid::regclass) AS part
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND (n.nspname = 're' AND c.relname NOT IN ('migration', 'foundation')
            OR n.nspname = 'public'
                AND c.relname IN ('organizations', 'patients', 'appointments', 'conversations', 'outreach_log'))
        UNION ALL
        SELECT format('function %s', p.oid::regprocedure) FROM pg_proc p WHERE p.pronamespace = 're'::regnamespace
        UNION ALL
        SELECT format('type %s', t.oid::regtype)
        FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
        WHERE t.typnamespace = 're'::regnamespace AND c.relkind = 'c') p;
    IF part IS NOT NULL THEN
        RAISE 'there is %, and no record of what was migrated: half a restore? Drop this database and restore into an empty one, as docs/operating.md says under "Back up"', part;
    END IF;
END $$;

SELECT format('%s/%s', oid, 're.migration'::regclass::oid) AS here FROM pg_database WHERE datname = current_database() \gset
SELECT EXISTS (SELECT FROM re.migration) AND NOT EXISTS (SELECT FROM re.migration WHERE (file, sha256) = ('database', :'here'))
    AS restored \gset
INSERT INTO re.migration (file, sha256) VALUES ('database', :'here')
    ON CONFLICT (file) DO UPDATE SET sha256 = excluded.sha256, applied_at = excluded.applied_at
    WHERE re.migration.sha256 <> excluded.sha256;
