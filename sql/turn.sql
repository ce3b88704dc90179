-- One migration at a time, for the whole transaction. A waiting one reports it.
--
-- Every role that may connect may hold any advisory lock, and so may the server's role. Therefore this locks a table to
-- which only its owner has a right. The advisory lock is for a database without that table.
DO $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '60 s';
    has_told boolean := false;
    others text;
    -- From the catalog, because to_regclass fails for a login without a right to the schema.
    migration oid := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (n.nspname, c.relname) = ('re', 'migration'));
BEGIN
    LOOP
        BEGIN
            SET LOCAL lock_timeout = '2s';
            IF migration IS NULL THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('re.migration', 0));
                -- Another session may have created it meanwhile.
                migration := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (n.nspname, c.relname) = ('re', 'migration'));
            END IF;
            -- roles.sql reports a table with another owner.
            IF EXISTS (SELECT FROM pg_class c WHERE c.oid = migration AND pg_has_role(c.relowner, 'USAGE')) THEN
                LOCK TABLE re.migration IN SHARE ROW EXCLUSIVE MODE;
            END IF;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            -- Every role may see this much of other roles' sessions.
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
    -- The remaining objects, which lock.sql does not lock, are never locked for long.
    SET LOCAL lock_timeout = '60s';
END $$;
