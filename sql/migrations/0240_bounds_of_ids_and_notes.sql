-- What no path could address, and what no answer should hold: the bounds of definitions.md section 1. Rows that are
-- beyond them are named first, with the SQL that mends them, and nothing is changed: the whole run is one transaction.
-- They are shown to whoever migrates and not raised as an error, whose text PostgreSQL's log would keep.

CREATE TEMPORARY VIEW beyond_bounds AS
    SELECT 'organizations' AS "table", o.id AS organization_id, NULL::text AS id,
        'id has ' || char_length(o.id) || ' characters, not 1 to 200' AS fault
    FROM public.organizations o WHERE char_length(o.id) NOT BETWEEN 1 AND 200
    UNION ALL
    SELECT 'patients', p.organization_id, p.id, 'a piece of id between slashes is . or ..'
    FROM public.patients p WHERE p.id ~ '(^|/)\.\.?(/|$)'
    UNION ALL
    SELECT 'patients', p.organization_id, p.id,
        'treatment_notes have ' || char_length(p.treatment_notes) || ' characters, more than 100000'
    FROM public.patients p WHERE char_length(p.treatment_notes) > 100000;

SELECT EXISTS (SELECT FROM beyond_bounds) AS any_beyond,
    EXISTS (SELECT FROM beyond_bounds WHERE "table" = 'organizations') AS any_organization,
    EXISTS (SELECT FROM beyond_bounds WHERE fault LIKE 'a piece%') AS any_piece,
    EXISTS (SELECT FROM beyond_bounds WHERE fault LIKE 'treatment%') AS any_notes \gset
\if :any_beyond
\echo 'Rows beyond the bounds, which this version refuses (the first 100):'
SELECT * FROM beyond_bounds ORDER BY 1, 2, 3, 4 LIMIT 100;
\echo 'Nothing has been changed. This mends them, each in psql by itself; then migrate again.'
\if :any_notes
\echo
\echo '-- Notes of more than 100,000 characters: what is beyond goes into a table of its own, public.notes_beyond.'
\echo 'BEGIN;'
\echo 'CREATE TABLE public.notes_beyond AS SELECT organization_id, id, substr(treatment_notes, 100001) AS rest'
\echo '    FROM public.patients WHERE char_length(treatment_notes) > 100000;'
\echo 'UPDATE public.patients SET treatment_notes = left(treatment_notes, 100000)'
\echo '    WHERE char_length(treatment_notes) > 100000;'
\echo 'COMMIT;'
\endif
\if :any_piece
\echo
\echo '-- Pieces of patient ids that are . or ..: they get a leading _, here and in what refers to them. Mend the'
\echo '-- system that these ids come from first, or it brings them back.'
\echo 'BEGIN;'
\echo 'CREATE TEMPORARY TABLE renamed ON COMMIT DROP AS SELECT organization_id, id AS old,'
\echo '    regexp_replace(id, ''(^|/)(\\.\\.?)(?=/|$)'', ''\\1_\\2'', ''g'') AS new'
\echo '    FROM public.patients WHERE id ~ ''(^|/)\\.\\.?(/|$)'';'
\echo 'INSERT INTO public.patients SELECT (jsonb_populate_record(p, jsonb_build_object(''id'', r.new))).*'
\echo '    FROM public.patients p JOIN renamed r ON (r.organization_id, r.old) = (p.organization_id, p.id);'
\echo 'UPDATE public.appointments t SET patient_id = r.new FROM renamed r'
\echo '    WHERE (t.organization_id, t.patient_id) = (r.organization_id, r.old);'
\echo 'UPDATE public.conversations t SET patient_id = r.new FROM renamed r'
\echo '    WHERE (t.organization_id, t.patient_id) = (r.organization_id, r.old);'
\echo 'UPDATE public.outreach_log t SET patient_id = r.new FROM renamed r'
\echo '    WHERE (t.organization_id, t.patient_id) = (r.organization_id, r.old);'
\echo 'DELETE FROM public.patients p USING renamed r'
\echo '    WHERE (p.organization_id, p.id) = (r.organization_id, r.old);'
\echo 'COMMIT;'
\endif
\if :any_organization
\echo
\echo '-- Organizations whose id is empty or longer than 200 characters. No token can speak for them, so nobody was ever'
\echo '-- shown their rows: they get the id beyond_ and a number, with all that they have.'
\echo 'BEGIN;'
\echo 'CREATE TEMPORARY TABLE renamed ON COMMIT DROP AS'
\echo '    SELECT id AS old, ''beyond_'' || row_number() OVER (ORDER BY id) AS new'
\echo '    FROM public.organizations WHERE char_length(id) NOT BETWEEN 1 AND 200;'
\echo 'INSERT INTO public.organizations SELECT (jsonb_populate_record(o, jsonb_build_object(''id'', r.new))).*'
\echo '    FROM public.organizations o JOIN renamed r ON r.old = o.id;'
\echo 'INSERT INTO public.patients SELECT (jsonb_populate_record(p, jsonb_build_object(''organization_id'', r.new))).*'
\echo '    FROM public.patients p JOIN renamed r ON r.old = p.organization_id;'
\echo 'UPDATE public.appointments t SET organization_id = r.new FROM renamed r WHERE t.organization_id = r.old;'
\echo 'UPDATE public.conversations t SET organization_id = r.new FROM renamed r WHERE t.organization_id = r.old;'
\echo 'UPDATE public.outreach_log t SET organization_id = r.new FROM renamed r WHERE t.organization_id = r.old;'
\echo 'DELETE FROM public.organizations o USING renamed r WHERE o.id = r.old;'
\echo 'COMMIT;'
\endif
\echo
\set VERBOSITY terse
DO $$ BEGIN RAISE 'rows are beyond the bounds that this version sets; they are named above, with the SQL that mends them'; END $$;
\endif
DROP VIEW beyond_bounds;

ALTER TABLE public.organizations
    ADD CONSTRAINT id_is_1_to_200_characters CHECK (char_length(id) BETWEEN 1 AND 200);

-- nginx and browsers resolve `.` and `..` in a path, between encoded slashes too.
ALTER TABLE public.patients
    DROP CONSTRAINT id_can_be_a_path_segment,
    ADD CONSTRAINT id_can_be_a_path_segment CHECK (id <> 'prioritized' AND id !~ '(^|/)\.\.?(/|$)'),
    ADD CONSTRAINT treatment_notes_have_at_most_100000_characters CHECK (char_length(treatment_notes) <= 100000);

-- What was derived of an organization without an id is hidden from the functions that would take it away, since to
-- row-level security an empty setting is none.
DO $$
DECLARE
    derived regclass;
BEGIN
    FOR derived IN
        SELECT a.attrelid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 're'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
            AND a.attname = 'organization_id' AND NOT a.attisdropped AND c.relname NOT LIKE 'audit%'
    LOOP
        EXECUTE format('DELETE FROM %s WHERE organization_id = ''''', derived);
    END LOOP;
END $$;
