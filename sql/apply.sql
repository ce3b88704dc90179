-- Functions that apply one file of views/, endpoints/, flat/ or audit/, and record the functions and views that it
-- created (re.migration.made). After a migration the database contains exactly the objects of these folders:
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
    SELECT 'FUNCTION ' || p.oid::regprocedure, 'pg_proc'::regclass, p.oid, p.ctid
    FROM pg_proc p
    WHERE p.pronamespace = 're'::regnamespace
    UNION ALL
    SELECT 'VIEW ' || c.oid::regclass, 'pg_class'::regclass, c.oid, r.ctid
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
    WHERE c.relkind = 'v' AND (n.nspname = 're' OR n.nspname = 'public' AND c.relname = ANY (re.public_names()))
$$;

-- All objects that a DROP of this one removes, itself included. The rule of a view counts as the view, and so does its
-- row type.
CREATE FUNCTION pg_temp.dependents(object text) RETURNS TABLE (classid oid, objid oid) LANGUAGE sql AS $$
    WITH RECURSIVE dependent AS (
        SELECT o.classid, o.objid FROM pg_temp.objects() o WHERE o.name = object
        UNION
        SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END, coalesce(r.ev_class, d.objid)
        FROM dependent p
        JOIN pg_depend d ON (d.refclassid, d.refobjid) = (p.classid, p.objid)
        LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN'
    )
    SELECT d.classid, d.objid FROM dependent d
    WHERE NOT EXISTS (
        SELECT FROM pg_type t
        LEFT JOIN pg_type e ON e.typarray = t.oid
        JOIN dependent v ON v.classid = 'pg_class'::regclass AND v.objid = coalesce(nullif(t.typrelid, 0), e.typrelid)
        WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid)
$$;

-- Rights and comments that a DROP removes and no file of this project restores. grants.sql restores those of the owner
-- and PUBLIC.
CREATE FUNCTION pg_temp.rights_and_comments() RETURNS TABLE (name text, statement text) LANGUAGE sql AS $$
    WITH granted AS (
        SELECT o.name, a.privilege_type AS privilege, o.name AS object, a.grantee, a.is_grantable
        FROM pg_temp.objects() o
        JOIN pg_proc p ON o.classid = 'pg_proc'::regclass AND p.oid = o.objid
        CROSS JOIN LATERAL aclexplode(p.proacl) a WHERE a.grantee <> p.proowner
        UNION ALL
        SELECT o.name, a.privilege_type, substr(o.name, length('VIEW ') + 1), a.grantee, a.is_grantable
        FROM pg_temp.objects() o
        JOIN pg_class c ON o.classid = 'pg_class'::regclass AND c.oid = o.objid
        CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE a.grantee <> c.relowner
        UNION ALL
        SELECT o.name, format('%s (%I)', a.privilege_type, t.attname), substr(o.name, length('VIEW ') + 1), a.grantee, a.is_grantable
        FROM pg_temp.objects() o
        JOIN pg_attribute t ON o.classid = 'pg_class'::regclass AND t.attrelid = o.objid
        CROSS JOIN LATERAL aclexplode(t.attacl) a
    )
    SELECT g.name, format('GRANT %s ON %s TO %s', g.privilege, g.object, g.grantee::regrole)
        || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    FROM granted g WHERE g.grantee <> 0
    UNION ALL
    SELECT o.name, format('COMMENT ON %s IS %L', CASE
        WHEN d.objsubid = 0 THEN o.name
        ELSE format('COLUMN %s.%I', substr(o.name, length('VIEW ') + 1),
            (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = o.objid AND a.attnum = d.objsubid))
    END, d.description)
    FROM pg_temp.objects() o
    JOIN pg_description d ON (d.classoid, d.objoid) = (o.classid, o.objid)
$$;

-- Drops an object with its dependents, so that their files can create them again. Refuses if no file creates a
-- dependent, such as a site's own view.
CREATE FUNCTION pg_temp.drop_to_replace(object text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    others text := (
        SELECT string_agg(pg_describe_object(d.classid, d.objid, 0), ', ' ORDER BY d.classid, d.objid)
        FROM pg_temp.dependents(object) d
        WHERE NOT EXISTS (SELECT FROM pg_temp.objects() o WHERE (o.classid, o.objid) = (d.classid, d.objid)));
    gone text[] := ARRAY(SELECT o.name FROM pg_temp.objects() o JOIN pg_temp.dependents(object) d USING (classid, objid));
BEGIN
    IF others IS NOT NULL THEN
        RAISE 'nothing has been changed: the result of % has changed, and its replacement would drop: %. Drop that, run migrate, and create it again',
            object, others;
    END IF;
    INSERT INTO pg_temp.dropped
    SELECT g.name, object, r.statement
    FROM unnest(gone) AS g(name) LEFT JOIN pg_temp.rights_and_comments() r USING (name);
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
                in_the_way := ARRAY(SELECT 'VIEW ' || v.match[1]
                    FROM regexp_matches(statements, 'CREATE OR REPLACE VIEW\s+([\w.]+)', 'gi') AS v(match));
            WHEN OTHERS THEN
                RETURN false;
        END;
        in_the_way := ARRAY(SELECT o.name FROM pg_temp.objects() o WHERE o.name = ANY (in_the_way));
        IF in_the_way = '{}' THEN
            RETURN false;
        END IF;
        FOREACH object IN ARRAY in_the_way LOOP
            -- It may have been dropped with another object's dependents.
            IF EXISTS (SELECT FROM pg_temp.objects() o WHERE o.name = object) THEN
                PERFORM pg_temp.drop_to_replace(object);
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- Records that a file was applied, and the objects that it created.
CREATE FUNCTION pg_temp.note_made(of_file text, sum text, now_made text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_temp.former SELECT unnest(m.made) FROM re.migration m WHERE m.file = of_file;
    INSERT INTO re.migration AS m (file, sha256, made) VALUES (of_file, sum, now_made)
    ON CONFLICT (file) DO UPDATE SET (sha256, made, applied_at) = (excluded.sha256, excluded.made, excluded.applied_at)
    WHERE (m.sha256, m.made) IS DISTINCT FROM (excluded.sha256, excluded.made)
$$;

-- Applies a file. False if it fails. The file created the objects with a new row in the catalog.
CREATE FUNCTION pg_temp.is_applied(file text, sum text, statements text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    before text[] := ARRAY(SELECT o.name || o.version FROM pg_temp.objects() o);
BEGIN
    IF NOT pg_temp.is_executed(statements) THEN
        RETURN false;
    END IF;
    PERFORM pg_temp.note_made(file, sum,
        ARRAY(SELECT o.name FROM pg_temp.objects() o WHERE o.name || o.version <> ALL (before) ORDER BY o.name COLLATE "C"));
    RETURN true;
END $$;

-- The former objects that no file creates now.
CREATE FUNCTION pg_temp.obsolete() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT o.name FROM pg_temp.objects() o
    WHERE EXISTS (SELECT FROM pg_temp.former)
        AND o.name IN (SELECT f.name FROM pg_temp.former f EXCEPT SELECT unnest(m.made) FROM re.migration m)
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
            (SELECT string_agg(o, ', ') FROM pg_temp.obsolete() o), problem;
    END IF;
END $$;

-- A right or comment of a column that no longer exists is not restored.
CREATE FUNCTION pg_temp.restore_rights() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    lost text := (SELECT string_agg(DISTINCT format('%s with %s', d.name, d.replaced), ', ') FROM pg_temp.dropped d
        WHERE d.name NOT IN (SELECT o.name FROM pg_temp.objects() o) AND d.name NOT IN (SELECT f.name FROM pg_temp.former f));
    statement text;
BEGIN
    IF lost IS NOT NULL THEN
        RAISE 'nothing has been changed: this was dropped, and no file creates it again: %', lost;
    END IF;
    FOR statement IN
        SELECT d.statement FROM pg_temp.dropped d JOIN pg_temp.objects() o USING (name) WHERE d.statement IS NOT NULL
    LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN undefined_column THEN NULL;
        END;
    END LOOP;
END $$;
