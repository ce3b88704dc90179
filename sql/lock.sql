-- Takes every table and view that a migration may change before it changes anything, so that it never waits for a reader
-- who waits for it: a deadlock would end one of the two. What answers read first comes first: whoever reads a view locks
-- it, and then all that it reads. Who gets in between has it tried again, with nothing held meanwhile. Requests wait for
-- the migration's end.
DO $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '60 s';
    -- Less than what PostgreSQL waits for before it looks for a deadlock, in all.
    pause interval := least(interval '500 ms', current_setting('deadlock_timeout')::interval / 2);
    began timestamptz;
    relations regclass[] := ARRAY(
        SELECT c.oid
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v') AND c.relname <> 'migration'
            AND (n.nspname = 're' OR n.nspname = 'public' AND c.relname = ANY (re.public_names()))
            -- Whose owner is another is named by put_right.sql.
            AND pg_has_role(c.relowner, 'USAGE')
        ORDER BY c.relkind <> 'v', array_position(ARRAY['foundation', 'organization_state', 'pending_change', 'dirty'], c.relname::text), n.nspname DESC, c.relname);
    statement text;
    others text;
BEGIN
    LOOP
        BEGIN
            began := clock_timestamp();
            FOR statement IN
                SELECT CASE c.relkind
                    -- LOCK TABLE would ask of the view's owner for more rights on the tables than it has. This changes nothing.
                    WHEN 'v' THEN format('ALTER VIEW %s OWNER TO %s', c.oid::regclass, c.relowner::regrole)
                    ELSE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', c.oid::regclass)
                END
                FROM unnest(relations) WITH ORDINALITY AS r(oid, nr) JOIN pg_class c ON c.oid = r.oid
                ORDER BY r.nr
            LOOP
                PERFORM set_config('lock_timeout', greatest(1, 1000 * extract(epoch FROM began + pause - clock_timestamp()))::integer::text, true);
                EXECUTE statement;
            END LOOP;
            SET LOCAL lock_timeout = '60s';
            EXIT;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                IF clock_timestamp() > deadline THEN
                    others := (SELECT string_agg(DISTINCT format('process %s of %s (%s)', l.pid, a.usename,
                            coalesce(nullif(a.application_name, ''), 'without a name')), ', ')
                        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                        WHERE l.granted AND l.pid <> pg_backend_pid() AND l.relation = ANY (relations));
                    RAISE 'nothing has been changed: the tables are in use without a pause, by %', coalesce(others, 'short transactions');
                END IF;
                PERFORM pg_sleep(0.2 + random() / 2);
        END;
    END LOOP;
END $$;
