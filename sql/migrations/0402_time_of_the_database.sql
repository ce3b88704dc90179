-- When an entry was written, and by which login, is said by the database alone; the server's clock stands beside it. So nobody
-- with the server's role inserts into the audit: its functions do (audit/20_recording.sql).
ALTER TABLE re.audit ADD COLUMN server_at timestamptz, ADD COLUMN database_user text;
-- For whoever may insert by hand; entries from before have neither.
ALTER TABLE re.audit ALTER COLUMN at SET DEFAULT clock_timestamp(), ALTER COLUMN database_user SET DEFAULT session_user;

-- Of every role that was the server's so far.
DO $$
DECLARE
    role regrole;
BEGIN
    FOR role IN
        SELECT DISTINCT a.grantee FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 're.audit'::regclass AND a.privilege_type = 'INSERT' AND a.grantee NOT IN (0, c.relowner, 'reengagement_marker'::regrole)
    LOOP
        EXECUTE format('REVOKE INSERT ON re.audit FROM %s', role);
    END LOOP;
END $$;

-- A parameter has another name.
DROP FUNCTION IF EXISTS re.record_access(double precision[], integer[], text[], text[], text[], text[], text[], text[], text[],
    text[], text[], text[], text[]);
DROP FUNCTION IF EXISTS re.record_access(double precision[], integer[], text[], text[], text[], text[], text[], text[], text[],
    text[], text[], text[], text[], text[], boolean[], text[], text[]);
DELETE FROM re.migration WHERE file = 'audit/20_recording.sql';
