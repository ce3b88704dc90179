-- Takes everything that a migration may change before it changes anything, so that it never waits for a reader who
-- waits for it: a deadlock would undo it all, again and again on a busy database. What answers read first comes first,
-- and before it what is read by whoever reads the definition of a view, which locks all that the view reads;
-- whoever gets in between has it tried again, with nothing held meanwhile. Requests wait for the migration's end.
DO $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '60 s';
    tables text;
    others text;
BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY array_position(
        ARRAY['foundation', 'organization_state', 'dirty'], c.relname::text), n.nspname DESC, c.relname)
    INTO tables
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relname <> 'migration'
        AND (n.nspname = 're' OR n.nspname = 'public' AND c.relname = ANY (re.public_names()))
        -- Whose owner is another is named by put_right.sql.
        AND pg_has_role(c.relowner, 'USAGE');
    IF tables IS NULL THEN
        RETURN;
    END IF;
    LOOP
        BEGIN
            -- Less than deadlock_timeout, after which PostgreSQL would look for the deadlock and end one side.
            SET LOCAL lock_timeout = '500ms';
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', tables);
            SET LOCAL lock_timeout = '60s';
            EXIT;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                IF clock_timestamp() > deadline THEN
                    others := (SELECT string_agg(DISTINCT format('process %s of %s (%s)', l.pid, a.usename,
                            coalesce(nullif(a.application_name, ''), 'without a name')), ', ')
                        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                        WHERE l.granted AND l.pid <> pg_backend_pid() AND l.relation IN (SELECT c.oid FROM pg_class c
                            WHERE c.oid::regclass::text = ANY (string_to_array(tables, ', '))));
                    RAISE 'nothing has been changed: the tables are in use without a pause, by %', coalesce(others, 'short transactions');
                END IF;
                PERFORM pg_sleep(0.2 + random() / 2);
        END;
    END LOOP;
END $$;
