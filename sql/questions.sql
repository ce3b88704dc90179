-- The sample questions of the registry (./registry), each with its call: the function's name and arguments, with %s for
-- the organization, which format() replaces. An argument that the registry does not name is null. SQL_FOLDER is this
-- folder, if psql starts in another one.
\set registry `"${SQL_FOLDER:-.}/registry"`
CREATE TEMPORARY TABLE question AS
WITH function AS (
    -- The plain function, if the endpoint has a plain and a flat query. All three functions have the same parameters.
    SELECT regexp_replace(p.proname, '^plain_', '') AS name, p.proname ~ '^plain_' AS has_flat, p.pronargs, p.proargnames, p.proargtypes
    FROM pg_proc p
    WHERE p.pronamespace = 're'::regnamespace
), question AS (
    SELECT r.name, coalesce(e.endpoint -> 'arguments', '{}') || coalesce(q.question -> 'arguments', '{}') AS arguments
    FROM jsonb_each(:'registry') AS r(name, endpoints)
    CROSS JOIN LATERAL jsonb_array_elements(r.endpoints) AS e(endpoint)
    CROSS JOIN LATERAL jsonb_array_elements(e.endpoint -> 'questions') AS q(question)
)
SELECT DISTINCT q.name, f.has_flat, format('%s(%s)', q.name, (
        SELECT string_agg(CASE
                WHEN a.name = 'organization' THEN '%s'
                ELSE coalesce(replace(quote_literal(q.arguments ->> a.name), '%', '%%'), 'NULL') || '::' || format_type(a.type, NULL)
            END, ', ' ORDER BY a.nr)
        FROM unnest(f.proargnames[:f.pronargs], f.proargtypes::oid[]) WITH ORDINALITY AS a(name, type, nr))) AS call
FROM question q
JOIN (
    SELECT DISTINCT ON (f.name) f.* FROM function f ORDER BY f.name, f.has_flat DESC
) f ON f.name = q.name;
