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
    SELECT obsolete.name FROM pg_temp.obsolete() AS obsolete(name)
), function AS MATERIALIZED (
    SELECT function.oid, function.proname, function.proargtypes
    FROM pg_proc function
    WHERE function.pronamespace = 're'::regnamespace AND function.proname ~ '^(plain|flat)_'
        AND 'FUNCTION ' || function.oid::regprocedure NOT IN (SELECT obsolete.name FROM obsolete)
)
SELECT name, plain.oid AS plain, flat.oid AS flat
FROM (
    SELECT substr(function.proname, length('plain_') + 1) AS name, function.*
    FROM function WHERE function.proname ~ '^plain_'
) plain
FULL JOIN (
    SELECT substr(function.proname, length('flat_') + 1) AS name, function.*
    FROM function WHERE function.proname ~ '^flat_'
) flat USING (name, proargtypes);

-- A flat function without a plain counterpart is a part of others. If no function calls it, its counterpart is missing.
CREATE FUNCTION pg_temp.counterpart_faults() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s has no re.flat_%s with the same parameters', counterpart.plain::regprocedure, counterpart.name)
    FROM pg_temp.counterpart WHERE counterpart.flat IS NULL
    UNION ALL
    SELECT format('%s has no re.plain_%s with the same parameters, and nothing else calls it',
        counterpart.flat::regprocedure, counterpart.name)
    FROM pg_temp.counterpart
    WHERE counterpart.plain IS NULL
        AND NOT EXISTS (SELECT FROM pg_depend dependency
            WHERE (dependency.refclassid, dependency.refobjid) = ('pg_proc'::regclass, counterpart.flat))
        AND NOT EXISTS (SELECT FROM pg_proc caller
            WHERE caller.pronamespace = 're'::regnamespace
                AND caller.proname <> counterpart.name AND caller.oid <> counterpart.flat
                AND strpos(caller.prosrc, format('re.flat_%s(', counterpart.name)) > 0)
    UNION ALL
    SELECT format('%s and %s give different columns', counterpart.plain::regprocedure, counterpart.flat::regprocedure)
    FROM pg_temp.counterpart
    WHERE pg_get_function_result(counterpart.plain) <> pg_get_function_result(counterpart.flat)
$$;

CREATE TEMPORARY TABLE dispatcher ON COMMIT DROP AS
WITH pair AS (
    SELECT counterpart.name, pg_get_function_arguments(plain.oid) AS parameters,
        pg_get_function_result(plain.oid) AS result,
        format('FUNCTION re.%I(%s)', counterpart.name,
            (SELECT string_agg(format_type(parameter.type, NULL), ',' ORDER BY parameter.nr)
                FROM unnest(plain.proargtypes) WITH ORDINALITY AS parameter(type, nr))) AS object,
        (SELECT string_agg('$' || nr, ', ' ORDER BY nr) FROM generate_series(1, plain.pronargs) AS nr) AS arguments,
        coalesce(
            (SELECT string_agg(format('response.%I', parameter.name), ', ' ORDER BY parameter.nr)
                FROM unnest(plain.proargnames, plain.proargmodes) WITH ORDINALITY AS parameter(name, mode, nr)
                WHERE parameter.mode = 't'),
            (SELECT string_agg(format('response.%I', attribute.attname), ', ' ORDER BY attribute.attnum)
                FROM pg_type type
                JOIN pg_attribute attribute
                    ON attribute.attrelid = type.typrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
                WHERE type.oid = plain.prorettype),
            'response.*') AS columns,
        ARRAY['search_path=pg_catalog, pg_temp', 'plan_cache_mode=force_generic_plan', 'jit=off',
            'enable_seqscan=off'] AS settings
    FROM pg_temp.counterpart JOIN pg_proc plain ON plain.oid = counterpart.plain
    WHERE counterpart.flat IS NOT NULL
), dispatcher AS (
    SELECT pair.*, format($format$
        #variable_conflict use_column
        DECLARE
            refresh text := 'not tried';
        BEGIN
            LOCK TABLE re.organization_state IN ACCESS SHARE MODE;
            FOR attempt IN 1..3 LOOP
                RETURN QUERY SELECT %3$s FROM re.flat_%1$s(%2$s) response
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
            RETURN QUERY SELECT %3$s FROM re.plain_%1$s(%2$s) response;
        END $format$, pair.name, pair.arguments, pair.columns) AS body
    FROM pair
)
SELECT dispatcher.object AS name,
    format('CREATE OR REPLACE FUNCTION re.%I(%s) RETURNS %s LANGUAGE plpgsql VOLATILE %s AS %L',
        dispatcher.name, dispatcher.parameters, dispatcher.result,
        (SELECT string_agg('SET ' || setting, ' ') FROM unnest(dispatcher.settings) AS setting),
        dispatcher.body) AS statement,
    EXISTS (SELECT FROM pg_proc existing
        WHERE existing.oid = to_regprocedure(substr(dispatcher.object, length('FUNCTION ') + 1))
            AND existing.prosrc = dispatcher.body AND existing.proconfig = dispatcher.settings
            AND pg_get_function_arguments(existing.oid) = dispatcher.parameters
            AND pg_get_function_result(existing.oid) = dispatcher.result) AS is_made
FROM dispatcher
ORDER BY dispatcher.object;

DO $$
DECLARE
    faults text := (SELECT string_agg(fault, '; ') FROM pg_temp.counterpart_faults() fault);
    missing record;
    generated text[] := '{}';
BEGIN
    IF faults IS NOT NULL THEN
        RAISE 'nothing has been changed: %', faults;
    END IF;
    FOR missing IN
        SELECT dispatcher.name, dispatcher.statement FROM pg_temp.dispatcher WHERE NOT dispatcher.is_made
    LOOP
        IF NOT pg_temp.is_executed(missing.statement) THEN
            EXECUTE missing.statement;
        END IF;
        generated := generated || substr(missing.name, length('FUNCTION ') + 1);
    END LOOP;
    PERFORM set_config('re.any_generated', (generated <> '{}')::text, true);
    IF generated <> '{}' THEN
        PERFORM set_config('re.done',
            current_setting('re.done') || format(E'generated %s\n', array_to_string(generated, ', ')), true);
    END IF;
END $$;
