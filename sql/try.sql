-- Calls the functions of each endpoint once, plain, flat and dispatched, as the server does. If one fails, the migration
-- is rolled back. The organization does not exist (its id is too long). re.advance creates its derived data, so that the
-- flat queries run completely. All of it is rolled back.
DO $$
DECLARE
    nobody text := repeat('?', 201);
    function text := 're.advance';
    call text;
BEGIN
    INSERT INTO re.organization_state (organization_id) VALUES (nobody);
    PERFORM set_config('role', current_setting('re.server_role'), true), set_config('reengagement.organization', nobody, true);
    PERFORM FROM re.advance(nobody, 1);
    FOR function, call IN
        SELECT p.oid::regprocedure, format('SELECT * FROM re.%I(%s)', p.proname, (
            SELECT string_agg(CASE
                    WHEN a.name = 'organization' THEN quote_literal(nobody)
                    WHEN a.type IN ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype) THEN '1::' || a.type::regtype
                    WHEN a.type = 'boolean'::regtype THEN 'false'
                    ELSE 'NULL::' || a.type::regtype
                END, ', ' ORDER BY a.nr)
            FROM unnest(p.proargtypes::oid[], p.proargnames) WITH ORDINALITY AS a(type, name, nr)
            WHERE a.nr <= p.pronargs))
        FROM pg_proc p
        WHERE p.pronamespace = 're'::regnamespace AND regexp_replace(p.proname, '^(plain|flat)_', '') = ANY (
            string_to_array(current_setting('re.endpoints'), ','))
        ORDER BY p.oid::regprocedure::text
    LOOP
        EXECUTE call;
    END LOOP;
    RAISE SQLSTATE 'REEND';
EXCEPTION
    WHEN SQLSTATE 'REEND' THEN NULL;
    WHEN OTHERS THEN RAISE 'nothing has been changed: % fails: % (%)', function, SQLERRM, SQLSTATE;
END $$;
