-- Repairs everything that differs from the last migration's result, by the recorded statements
-- (foundation/10_foundation.sql). They are repeated until nothing changes any more, since one object may depend on
-- another. If something cannot be repaired, it is reported and nothing is changed.
--
-- While an object was missing, rows may have been written without a pending change, or derived rows by other rules. The
-- background work therefore rebuilds all derived data. Until then responses come from the plain queries.
SET LOCAL check_function_bodies = off;
SET LOCAL row_security = off;

-- The number of relations and functions of others: a CASCADE must not drop one.
CREATE FUNCTION pg_temp.others() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (
        SELECT 'view', relation.oid::regclass::text FROM pg_class relation
        WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f')
        UNION ALL SELECT 'function', function.oid::regprocedure::text FROM pg_proc function
    ) AS other (kind, name)
    WHERE NOT EXISTS (SELECT FROM re.foundation
        WHERE foundation.name = other.name AND (foundation.kind = 'function') = (other.kind = 'function')
            AND foundation.kind IN ('function', 'view', 'table'))
$$;

CREATE FUNCTION pg_temp.put_right(fault record, OUT problem text) LANGUAGE plpgsql AS $$
DECLARE
    owner text := (SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = 're');
    statement text := replace(fault.expected, '{owner}', owner);
    others bigint;
BEGIN
    IF fault.kind IN ('version', 'column') OR fault.kind = 'table' AND fault.found IS NULL THEN
        problem := 'restore it from a backup';
    ELSIF fault.kind = 'table' AND fault.expected LIKE 'oid %' AND fault.found LIKE 'oid %' THEN
        -- Another table has its name. It is the table from now on.
        UPDATE re.foundation SET definition = regexp_replace(fault.found, ', not logged$', '')
        WHERE (foundation.kind, foundation.name) = ('table', fault.name);
        IF fault.found LIKE '%, not logged' THEN
            EXECUTE format('ALTER TABLE %s SET LOGGED', fault.name);
        END IF;
    ELSIF fault.expected IS NULL THEN
        EXECUTE fault.undo;
    ELSE
        IF fault.found IS NOT NULL AND fault.undo IS NOT NULL AND fault.kind NOT IN ('view', 'function', 'trigger') THEN
            EXECUTE fault.undo;
        END IF;
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN invalid_table_definition OR invalid_function_definition OR wrong_object_type OR datatype_mismatch THEN
            -- Its columns or its result differ. It is dropped first, with its dependents of this project.
            IF fault.found IS NULL OR fault.kind NOT IN ('view', 'function') THEN
                RAISE;
            END IF;
            others := pg_temp.others();
            EXECUTE fault.undo;
            IF pg_temp.others() < others THEN
                RAISE '% has to be replaced, and an object that migrate does not create depends on it', fault.name;
            END IF;
            EXECUTE statement;
        END;
    END IF;
EXCEPTION WHEN OTHERS THEN
    problem := SQLERRM;
END $$;

-- A table that was swapped in has keys and indexes with other names, and those of the former table occupy the recorded
-- names.
CREATE FUNCTION pg_temp.rename() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH missing AS (
            SELECT fault.kind, fault.name, fault.expected, foundation.relation::regclass AS relation,
                CASE fault.kind WHEN 'index' THEN split_part(fault.name, '.', 2)
                    ELSE substr(fault.name, length(foundation.relation) + 2) END AS own_name
            FROM re.foundation_faults() fault
            JOIN re.foundation ON (foundation.kind, foundation.name) = (fault.kind, fault.name)
            WHERE fault.kind IN ('constraint', 'index') AND fault.found IS NULL
                AND to_regclass(foundation.relation) IS NOT NULL
        )
        SELECT format('ALTER INDEX %s RENAME TO %I', holder.oid::regclass,
            left(holder.relname, 40) || '_of_' || index.indrelid)
        FROM missing
        JOIN pg_class relation ON relation.oid = missing.relation
        JOIN pg_class holder ON holder.relnamespace = relation.relnamespace
            AND quote_ident(holder.relname) = missing.own_name
        JOIN pg_index index ON index.indexrelid = holder.oid AND index.indrelid <> missing.relation
        UNION ALL
        SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %s', missing.relation, min(present.conname),
            missing.own_name)
        FROM missing
        JOIN pg_constraint present ON present.conrelid = missing.relation
            AND missing.expected = format('ALTER TABLE %s ADD CONSTRAINT %s %s', missing.relation, missing.own_name,
                pg_get_constraintdef(present.oid))
        WHERE missing.kind = 'constraint'
            AND NOT EXISTS (SELECT FROM re.foundation
                WHERE foundation.kind = 'constraint'
                    AND foundation.name = format('%s.%I', missing.relation, present.conname))
        GROUP BY missing.relation, missing.own_name
        UNION ALL
        SELECT format('ALTER INDEX %s RENAME TO %s', min(index.indexrelid)::regclass, missing.own_name)
        FROM missing
        JOIN pg_index index ON index.indrelid = missing.relation AND index.indisvalid
            AND regexp_replace(missing.expected, ' INDEX \S+ ON ', ' INDEX ON ')
                = regexp_replace(pg_get_indexdef(index.indexrelid), ' INDEX \S+ ON ', ' INDEX ON ')
        WHERE missing.kind = 'index'
            AND NOT EXISTS (SELECT FROM re.foundation
                WHERE foundation.kind = 'index' AND foundation.name = index.indexrelid::regclass::text)
        GROUP BY missing.name, missing.own_name
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

DO $$
DECLARE
    fault record;
    problem text;
    problems text[];
    done text[] := '{}';
    is_due boolean := false;
    before text := '';
    left_over text;
BEGIN
    PERFORM pg_temp.rename();
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        -- For the new owners of created objects. ./grants.sql revokes it.
        GRANT CREATE ON SCHEMA re, public TO reengagement_definer, reengagement_marker, reengagement_scheduler, reengagement_searcher;
    END IF;
    FOR attempt IN 1..10 LOOP
        problems := '{}';
        FOR fault IN SELECT * FROM re.foundation_faults() LOOP
            CONTINUE WHEN fault.name ~ '^CREATE on SCHEMA (re|public) to reengagement_(definer|marker|scheduler|searcher)$';
            problem := pg_temp.put_right(fault);
            IF problem IS NULL THEN
                done := done || fault.fault;
                is_due := is_due OR fault.kind NOT IN ('role', 'membership', 'index', 'owner', 'right')
                    -- A dump is of one moment, derived rows included, and formats some definitions differently.
                    AND NOT (fault.kind IN ('table', 'function', 'view') AND current_setting('re.restored')::boolean);
            ELSIF NOT (current_setting('re.made_anew')::boolean
                -- Their files run again afterwards, and know other objects of this PostgreSQL.
                AND fault.kind IN ('extension', 'function', 'view', 'owner', 'right', 'trigger'))
            THEN
                problems := problems || format('%s (%s)', fault.fault, problem);
            END IF;
        END LOOP;
        left_over := (SELECT string_agg(remaining.fault, ', ') FROM re.foundation_faults() remaining);
        EXIT WHEN left_over IS NULL OR left_over = before;
        before := left_over;
    END LOOP;
    IF problems <> '{}' THEN
        RAISE 'nothing has been changed, since this cannot be put right here: %', array_to_string(problems, '; ');
    END IF;
    done := ARRAY(SELECT repaired.fault
        FROM unnest(done) WITH ORDINALITY AS repaired(fault, nr) GROUP BY repaired.fault ORDER BY min(repaired.nr));
    PERFORM set_config('re.done', current_setting('re.done') || format(E'put right (%s): %s%s\n', cardinality(done),
        array_to_string(done[:20], ', '), CASE WHEN cardinality(done) > 20 THEN ' …' ELSE '' END), true);
    IF is_due AND to_regclass('re.patient_search') IS NOT NULL THEN
        TRUNCATE re.patient_state, re.patient_search, re.patient_count, re.risk_day, re.outreach_day;
        INSERT INTO re.organization_state (organization_id)
        SELECT organization.id FROM public.organizations organization
        WHERE NOT EXISTS (SELECT FROM re.organization_state state WHERE state.organization_id = organization.id);
        UPDATE re.organization_state SET building_after = '', built_at = NULL, generation = generation + 1;
        PERFORM set_config('re.done', current_setting('re.done')
            || E'derived data are rebuilt in the background; until then, responses come from the plain views\n', true);
    END IF;
END $$;
DROP FUNCTION pg_temp.others();
DROP FUNCTION pg_temp.put_right(record);
DROP FUNCTION pg_temp.rename();
SET LOCAL row_security = on;
SET LOCAL check_function_bodies = on;
