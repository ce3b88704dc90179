-- One migration at a time, for as long as the transaction lasts, and none that waits without a word.
--
-- Anybody who may connect may hold any advisory lock, the server's role too. So it is a lock on a table that nobody but its
-- owner has a right to; the advisory one is for a database that has no such table yet.
DO $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '60 s';
    has_told boolean := false;
    others text;
    -- By the catalog, since to_regclass fails for a login without a right to the schema.
    migration oid := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (n.nspname, c.relname) = ('re', 'migration'));
BEGIN
    LOOP
        BEGIN
            SET LOCAL lock_timeout = '2s';
            IF migration IS NULL THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('re.migration', 0));
                -- Another may have made it meanwhile.
                migration := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (n.nspname, c.relname) = ('re', 'migration'));
            END IF;
            -- Whose owner is another is named by roles.sql.
            IF EXISTS (SELECT FROM pg_class c WHERE c.oid = migration AND pg_has_role(c.relowner, 'USAGE')) THEN
                LOCK TABLE re.migration IN SHARE ROW EXCLUSIVE MODE;
            END IF;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            -- Of other roles' sessions everybody is told so much.
            others := (SELECT string_agg(DISTINCT format('process %s of %s (%s)', l.pid, a.usename,
                    coalesce(nullif(a.application_name, ''), 'without a name')), ', ')
                FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                WHERE l.granted AND l.pid <> pg_backend_pid()
                    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND (l.relation = migration AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
                        OR migration IS NULL AND l.locktype = 'advisory' AND l.objsubid = 1
                            AND (l.classid::bigint << 32) + l.objid::bigint = hashtextextended('re.migration', 0)));
            IF clock_timestamp() > deadline THEN
                RAISE 'nothing has been changed: the lock of migrations is held by %', coalesce(others, 'a session that has ended');
            END IF;
            IF NOT has_told THEN
                RAISE WARNING 'waiting for the lock of migrations, for at most a minute: it is held by %', coalesce(others, 'another session');
                has_told := true;
            END IF;
        END;
    END LOOP;
    -- Of what is not locked beforehand (lock.sql) nobody holds anything for long.
    SET LOCAL lock_timeout = '60s';
END $$;
