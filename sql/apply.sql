-- Functions that apply one file of views/, endpoints/, delivery/, flat/ or audit/, and record the functions and views
-- that it created (re.migration.made). After a migration the database contains exactly the objects of these folders:
--
--   1. is_applied runs a file. CREATE OR REPLACE cannot change a function's result type or a view's columns.
--      drop_to_replace then drops the object with its dependents, and their files run again. Their text is not read
--      from the catalog, because there an alias list names the columns by position, and a new column would shift it.
--   2. drop_obsolete drops the objects that no file creates any more, such as a function with its former parameters.
--   3. restore_rights restores the rights and comments of the dropped objects.
--
-- Objects are named as in a DROP: FUNCTION re.digits(text), VIEW re.patient.

-- dropped: each dropped object, the object that was replaced, and a statement that restores a right or a comment.
-- former: the objects that an applied file created before.
CREATE TEMPORARY TABLE dropped (name text, replaced text, statement text) ON COMMIT DROP;
CREATE TEMPORARY TABLE former (name text) ON COMMIT DROP;

-- CREATE OR REPLACE writes a new catalog row even if nothing has changed.
CREATE FUNCTION pg_temp.objects() RETURNS TABLE (name text, classid oid, objid oid, version tid) LANGUAGE sql AS $$
    SELECT 'FUNCTION ' || function.oid::regprocedure, 'pg_proc'::regclass, function.oid, function.ctid
    FROM pg_proc function
    WHERE function.pronamespace = 're'::regnamespace
    UNION ALL
    SELECT 'VIEW ' || relation.oid::regclass, 'pg_class'::regclass, relation.oid, rule.ctid
    FROM pg_class relation
    JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
    JOIN pg_rewrite rule ON rule.ev_class = relation.oid AND rule.rulename = '_RETURN'
    WHERE relation.relkind = 'v'
        AND (namespace.nspname = 're' OR namespace.nspname = 'public' AND relation.relname = ANY (re.public_names()))
$$;

-- All objects that a DROP of this one removes, itself included. The rule of a view counts as the view, and so does its
-- row type.
CREATE FUNCTION pg_temp.dependents(object text) RETURNS TABLE (classid oid, objid oid) LANGUAGE sql AS $$
    WITH RECURSIVE dependent AS (
        SELECT existing.classid, existing.objid FROM pg_temp.objects() existing WHERE existing.name = object
        UNION
        SELECT CASE WHEN rule.oid IS NULL THEN dependency.classid ELSE 'pg_class'::regclass END,
            coalesce(rule.ev_class, dependency.objid)
        FROM dependent
        JOIN pg_depend dependency ON (dependency.refclassid, dependency.refobjid) = (dependent.classid, dependent.objid)
        LEFT JOIN pg_rewrite rule ON dependency.classid = 'pg_rewrite'::regclass AND rule.oid = dependency.objid
            AND rule.rulename = '_RETURN'
    )
    SELECT dependent.classid, dependent.objid FROM dependent
    WHERE NOT EXISTS (
        SELECT FROM pg_type type
        LEFT JOIN pg_type element ON element.typarray = type.oid
        JOIN dependent dependent_view ON dependent_view.classid = 'pg_class'::regclass
            AND dependent_view.objid = coalesce(nullif(type.typrelid, 0), element.typrelid)
        WHERE dependent.classid = 'pg_type'::regclass AND type.oid = dependent.objid)
$$;

-- Rights and comments that a DROP removes and no file of this project restores. grants.sql restores those of the owner
-- and PUBLIC.
CREATE FUNCTION pg_temp.rights_and_comments() RETURNS TABLE (name text, statement text) LANGUAGE sql AS $$
    WITH granted AS (
        SELECT made.name, access.privilege_type AS privilege, made.name AS object, access.grantee, access.is_grantable
        FROM pg_temp.objects() made
        JOIN pg_proc function ON made.classid = 'pg_proc'::regclass AND function.oid = made.objid
        CROSS JOIN LATERAL aclexplode(function.proacl) access WHERE access.grantee <> function.proowner
        UNION ALL
        SELECT made.name, access.privilege_type, substr(made.name, length('VIEW ') + 1), access.grantee,
            access.is_grantable
        FROM pg_temp.objects() made
        JOIN pg_class relation ON made.classid = 'pg_class'::regclass AND relation.oid = made.objid
        CROSS JOIN LATERAL aclexplode(relation.relacl) access WHERE access.grantee <> relation.relowner
        UNION ALL
        SELECT made.name, format('%s (%I)', access.privilege_type, attribute.attname),
            substr(made.name, length('VIEW ') + 1), access.grantee, access.is_grantable
        FROM pg_temp.objects() made
        JOIN pg_attribute attribute ON made.classid = 'pg_class'::regclass AND attribute.attrelid = made.objid
        CROSS JOIN LATERAL aclexplode(attribute.attacl) access
    )
    SELECT granted.name, format('GRANT %s ON %s TO %s', granted.privilege, granted.object, granted.grantee::regrole)
        || CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    FROM granted WHERE granted.grantee <> 0
    UNION ALL
    SELECT made.name, format('COMMENT ON %s IS %L', CASE
        WHEN description.objsubid = 0 THEN made.name
        ELSE format('COLUMN %s.%I', substr(made.name, length('VIEW ') + 1),
            (SELECT attribute.attname FROM pg_attribute attribute
                WHERE attribute.attrelid = made.objid AND attribute.attnum = description.objsubid))
    END, description.description)
    FROM pg_temp.objects() made
    JOIN pg_description description ON (description.classoid, description.objoid) = (made.classid, made.objid)
$$;

-- Drops an object with its dependents, so that their files can create them again. Refuses if no file creates a
-- dependent, such as a site's own view.
CREATE FUNCTION pg_temp.drop_to_replace(object text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    others text := (
        SELECT string_agg(pg_describe_object(dependent.classid, dependent.objid, 0), ', '
            ORDER BY dependent.classid, dependent.objid)
        FROM pg_temp.dependents(object) dependent
        WHERE NOT EXISTS (SELECT FROM pg_temp.objects() existing
            WHERE (existing.classid, existing.objid) = (dependent.classid, dependent.objid)));
    gone text[] := ARRAY(SELECT existing.name FROM pg_temp.objects() existing
        JOIN pg_temp.dependents(object) dependent USING (classid, objid));
BEGIN
    IF others IS NOT NULL THEN
        RAISE 'nothing has been changed: the result of % has changed, and its replacement would drop: %. Drop that, run migrate, and create it again',
            object, others;
    END IF;
    INSERT INTO pg_temp.dropped
    SELECT gone_object.name, object, restored.statement
    FROM unnest(gone) AS gone_object(name) LEFT JOIN pg_temp.rights_and_comments() restored USING (name);
    UPDATE re.migration SET sha256 = '' WHERE made && gone;
    EXECUTE format('DROP %s CASCADE', object);
END $$;

-- Whether the statement succeeded. If not, executing it again shows the reason and the place.
CREATE FUNCTION pg_temp.is_executed(statements text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    hint text;
    in_the_way text[];
    object text;
BEGIN
    LOOP
        BEGIN
            EXECUTE statements;
            RETURN true;
        EXCEPTION
            WHEN invalid_function_definition THEN
                -- "Use DROP FUNCTION re.digits(text) first.": the words around the statement are in the login's
                -- language.
                GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
                in_the_way := ARRAY[substring(hint FROM 'DROP (FUNCTION .*\))')];
            WHEN invalid_table_definition THEN
                -- The message does not name the view.
                in_the_way := ARRAY(SELECT 'VIEW ' || view.match[1]
                    FROM regexp_matches(statements, 'CREATE OR REPLACE VIEW\s+([\w.]+)', 'gi') AS view(match));
            WHEN OTHERS THEN
                RETURN false;
        END;
        in_the_way := ARRAY(SELECT existing.name FROM pg_temp.objects() existing
            WHERE existing.name = ANY (in_the_way));
        IF in_the_way = '{}' THEN
            RETURN false;
        END IF;
        FOREACH object IN ARRAY in_the_way LOOP
            -- It may have been dropped with another object's dependents.
            IF EXISTS (SELECT FROM pg_temp.objects() existing WHERE existing.name = object) THEN
                PERFORM pg_temp.drop_to_replace(object);
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- Records that a file was applied, and the objects that it created.
CREATE FUNCTION pg_temp.note_made(of_file text, sum text, now_made text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_temp.former SELECT unnest(migration.made) FROM re.migration WHERE migration.file = of_file;
    INSERT INTO re.migration (file, sha256, made) VALUES (of_file, sum, now_made)
    ON CONFLICT (file) DO UPDATE SET (sha256, made, applied_at) = (excluded.sha256, excluded.made, excluded.applied_at)
    WHERE (migration.sha256, migration.made) IS DISTINCT FROM (excluded.sha256, excluded.made)
$$;

-- Applies a file. False if it fails. The file created the objects with a new row in the catalog.
CREATE FUNCTION pg_temp.is_applied(file text, sum text, statements text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    before text[] := ARRAY(SELECT existing.name || existing.version FROM pg_temp.objects() existing);
BEGIN
    IF NOT pg_temp.is_executed(statements) THEN
        RETURN false;
    END IF;
    PERFORM pg_temp.note_made(file, sum,
        ARRAY(SELECT existing.name FROM pg_temp.objects() existing
            WHERE existing.name || existing.version <> ALL (before) ORDER BY existing.name COLLATE "C"));
    RETURN true;
END $$;

-- The former objects that no file creates now.
CREATE FUNCTION pg_temp.obsolete() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT existing.name FROM pg_temp.objects() existing
    WHERE EXISTS (SELECT FROM pg_temp.former)
        AND existing.name IN (
            SELECT former.name FROM pg_temp.former EXCEPT SELECT unnest(migration.made) FROM re.migration)
$$;

-- Repeated, because one may depend on another.
CREATE FUNCTION pg_temp.drop_obsolete() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    object text;
    problem text;
    left_over bigint;
BEGIN
    LOOP
        left_over := (SELECT count(*) FROM pg_temp.obsolete());
        FOR object IN SELECT * FROM pg_temp.obsolete() LOOP
            BEGIN
                EXECUTE format('DROP %s', object);
            EXCEPTION WHEN dependent_objects_still_exist THEN
                GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
            END;
        END LOOP;
        EXIT WHEN left_over = 0 OR left_over = (SELECT count(*) FROM pg_temp.obsolete());
    END LOOP;
    IF left_over > 0 THEN
        RAISE 'nothing has been changed: no file creates % now, and it cannot be dropped: %',
            (SELECT string_agg(object_name, ', ') FROM pg_temp.obsolete() object_name), problem;
    END IF;
END $$;

-- A right or comment of a column that no longer exists is not restored.
CREATE FUNCTION pg_temp.restore_rights() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    lost text := (SELECT string_agg(DISTINCT format('%s with %s', dropped.name, dropped.replaced), ', ')
        FROM pg_temp.dropped
        WHERE dropped.name NOT IN (SELECT existing.name FROM pg_temp.objects() existing)
            AND dropped.name NOT IN (SELECT former.name FROM pg_temp.former));
    statement text;
BEGIN
    IF lost IS NOT NULL THEN
        RAISE 'nothing has been changed: this was dropped, and no file creates it again: %', lost;
    END IF;
    FOR statement IN
        SELECT dropped.statement FROM pg_temp.dropped JOIN pg_temp.objects() existing USING (name)
        WHERE dropped.statement IS NOT NULL
    LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN undefined_column THEN NULL;
        END;
    END LOOP;
END $$;
