-- The endpoints' functions: the flat answer, in the statement and so in the snapshot that also finds it current; where it
-- is not, caught up with; and where that is not to be had quickly, the plain answer, exact at any time and at worst slow.
-- The same for each, with the plain twin's parameters and columns.
DO $$
DECLARE
    plain record;
BEGIN
    FOR plain IN
        SELECT substr(p.proname, length('plain_') + 1) AS name,
            pg_get_function_arguments(p.oid) AS parameters, pg_get_function_result(p.oid) AS result,
            (SELECT string_agg('$' || i, ', ' ORDER BY i) FROM generate_series(1, p.pronargs) AS i) AS arguments
        FROM pg_proc p
        WHERE p.pronamespace = 're'::regnamespace AND p.proname LIKE 'plain\_%'
        ORDER BY 1
    LOOP
        EXECUTE format($format$
            CREATE OR REPLACE FUNCTION re.%1$I(%2$s) RETURNS %3$s
            LANGUAGE plpgsql VOLATILE
            SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
            SET enable_seqscan = off AS $dispatch$
            #variable_conflict use_column
            DECLARE
                caught_up boolean := false;
            BEGIN
                FOR attempt IN 1..3 LOOP
                    RETURN QUERY SELECT f.* FROM re.flat_%1$s(%4$s) f WHERE re.is_current(organization, caught_up);
                    IF FOUND THEN
                        RETURN;
                    END IF;
                    PERFORM re.require_known_zone(organization);
                    caught_up := re.catch_up(organization);
                    EXIT WHEN caught_up IS NULL;
                END LOOP;
                RETURN QUERY SELECT p.* FROM re.plain_%1$s(%4$s) p;
            END $dispatch$ $format$,
            plain.name, plain.parameters, plain.result, plain.arguments);
    END LOOP;
END $$;
