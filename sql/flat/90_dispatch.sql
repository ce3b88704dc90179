-- The endpoints' functions. Each runs the flat query if the derived data are current in the snapshot of the same
-- statement. Otherwise it refreshes the data and tries again. If a refresh would take too long, it runs the plain query,
-- which is always exact but slow.
--
-- This file runs on every migration. For each pair re.plain_x and re.flat_x in the database it creates re.x, with the
-- parameters and columns of the plain query. A call of re.x first waits for a running migration. Then it selects columns
-- by name from the functions that exist after the migration, and so returns the columns that its caller expects. A
-- statement that was planned during the migration would call functions that have been dropped since.
--
-- The planner settings apply to all functions that are called from here. Without plan_cache_mode the first 5 calls of a
-- session plan their statements again. At 65,000 patients the dashboard took 17 ms instead of 3, a list of 200 took
-- 118 ms instead of 31, and one in the order of names 60 ms instead of 2.

CREATE TEMPORARY TABLE counterpart ON COMMIT DROP AS
WITH obsolete AS MATERIALIZED (
    SELECT o.name FROM pg_temp.obsolete() AS o(name)
), function AS MATERIALIZED (
    SELECT p.oid, p.proname, p.proargtypes
    FROM pg_proc p
    WHERE p.pronamespace = 're'::regnamespace AND p.proname ~ '^(plain|flat)_'
        AND 'FUNCTION ' || p.oid::regprocedure NOT IN (SELECT o.name FROM obsolete o)
)
SELECT name, p.oid AS plain, f.oid AS flat
FROM (SELECT substr(f.proname, length('plain_') + 1) AS name, f.* FROM function f WHERE f.proname ~ '^plain_') p
FULL JOIN (SELECT substr(f.proname, length('flat_') + 1) AS name, f.* FROM function f WHERE f.proname ~ '^flat_') f
    USING (name, proargtypes);

-- A flat function without a plain counterpart is a part of others. If no function calls it, its counterpart is missing.
CREATE FUNCTION pg_temp.counterpart_faults() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s has no re.flat_%s with the same parameters', t.plain::regprocedure, t.name)
    FROM pg_temp.counterpart t WHERE t.flat IS NULL
    UNION ALL
    SELECT format('%s has no re.plain_%s with the same parameters, and nothing else calls it', t.flat::regprocedure, t.name)
    FROM pg_temp.counterpart t
    WHERE t.plain IS NULL
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE (d.refclassid, d.refobjid) = ('pg_proc'::regclass, t.flat))
        AND NOT EXISTS (SELECT FROM pg_proc p
            WHERE p.pronamespace = 're'::regnamespace AND p.proname <> t.name AND p.oid <> t.flat
                AND strpos(p.prosrc, format('re.flat_%s(', t.name)) > 0)
    UNION ALL
    SELECT format('%s and %s give different columns', t.plain::regprocedure, t.flat::regprocedure)
    FROM pg_temp.counterpart t
    WHERE pg_get_function_result(t.plain) <> pg_get_function_result(t.flat)
$$;

CREATE TEMPORARY TABLE dispatcher ON COMMIT DROP AS
WITH pair AS (
    SELECT t.name, pg_get_function_arguments(p.oid) AS parameters, pg_get_function_result(p.oid) AS result,
        format('FUNCTION re.%I(%s)', t.name,
            (SELECT string_agg(format_type(a.type, NULL), ',' ORDER BY a.nr) FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, nr))) AS object,
        (SELECT string_agg('$' || i, ', ' ORDER BY i) FROM generate_series(1, p.pronargs) AS i) AS arguments,
        coalesce(
            (SELECT string_agg(format('t.%I', a.name), ', ' ORDER BY a.nr)
                FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a(name, mode, nr) WHERE a.mode = 't'),
            (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum)
                FROM pg_type y JOIN pg_attribute a ON a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                WHERE y.oid = p.prorettype),
            't.*') AS columns,
        ARRAY['search_path=pg_catalog, pg_temp', 'plan_cache_mode=force_generic_plan', 'jit=off', 'enable_seqscan=off'] AS settings
    FROM pg_temp.counterpart t JOIN pg_proc p ON p.oid = t.plain
    WHERE t.flat IS NOT NULL
), dispatcher AS (
    SELECT p.*, format($format$
        #variable_conflict use_column
        DECLARE
            refresh text := 'not tried';
        BEGIN
            LOCK TABLE re.organization_state IN ACCESS SHARE MODE;
            FOR attempt IN 1..3 LOOP
                RETURN QUERY SELECT %3$s FROM re.flat_%1$s(%2$s) t
                WHERE CASE refresh
                    WHEN 'refreshed' THEN re.is_valid_now(organization)
                    ELSE re.is_current(organization)
                END;
                IF FOUND THEN
                    RETURN;
                END IF;
                PERFORM re.require_known_zone(organization);
                refresh := re.refresh_on_read(organization);
                EXIT WHEN refresh = 'unavailable';
            END LOOP;
            RETURN QUERY SELECT %3$s FROM re.plain_%1$s(%2$s) t;
        END $format$, p.name, p.arguments, p.columns) AS body
    FROM pair p
)
SELECT d.object AS name, format('CREATE OR REPLACE FUNCTION re.%I(%s) RETURNS %s LANGUAGE plpgsql VOLATILE %s AS %L', d.name, d.parameters,
        d.result, (SELECT string_agg('SET ' || s, ' ') FROM unnest(d.settings) AS s), d.body) AS statement,
    EXISTS (SELECT FROM pg_proc p
        WHERE p.oid = to_regprocedure(substr(d.object, length('FUNCTION ') + 1)) AND p.prosrc = d.body AND p.proconfig = d.settings
            AND pg_get_function_arguments(p.oid) = d.parameters AND pg_get_function_result(p.oid) = d.result) AS is_made
FROM dispatcher d
ORDER BY d.object;

DO $$
DECLARE
    faults text := (SELECT string_agg(f, '; ') FROM pg_temp.counterpart_faults() f);
    dispatcher record;
    generated text[] := '{}';
BEGIN
    IF faults IS NOT NULL THEN
        RAISE 'nothing has been changed: %', faults;
    END IF;
    FOR dispatcher IN SELECT d.name, d.statement FROM pg_temp.dispatcher d WHERE NOT d.is_made LOOP
        IF NOT pg_temp.is_executed(dispatcher.statement) THEN
            EXECUTE dispatcher.statement;
        END IF;
        generated := generated || substr(dispatcher.name, length('FUNCTION ') + 1);
    END LOOP;
    PERFORM set_config('re.any_generated', (generated <> '{}')::text, true);
    IF generated <> '{}' THEN
        PERFORM set_config('re.done',
            current_setting('re.done') || format(E'generated %s\n', array_to_string(generated, ', ')), true);
    END IF;
END $$;
