-- The sample questions of the registry (./registry), each with its call: the function's name and arguments, with %s for
-- the organization, which format() replaces. An argument that the registry does not name is null. SQL_FOLDER is this
-- folder, if psql starts in another one.
\set registry `"${SQL_FOLDER:-.}/registry"`
CREATE TEMPORARY TABLE question AS
WITH function AS (
    -- The plain function, if the endpoint has a plain and a flat query. All three functions have the same parameters.
    SELECT regexp_replace(function.proname, '^plain_', '') AS name, function.proname ~ '^plain_' AS has_flat,
        function.pronargs, function.proargnames, function.proargtypes
    FROM pg_proc function
    WHERE function.pronamespace = 're'::regnamespace
), question AS (
    SELECT registered.name,
        coalesce(listed.endpoint -> 'arguments', '{}') || coalesce(sample.question -> 'arguments', '{}') AS arguments
    FROM jsonb_each(:'registry') AS registered(name, endpoints)
    CROSS JOIN LATERAL jsonb_array_elements(registered.endpoints) AS listed(endpoint)
    CROSS JOIN LATERAL jsonb_array_elements(listed.endpoint -> 'questions') AS sample(question)
)
SELECT DISTINCT question.name, function.has_flat, format('%s(%s)', question.name, (
        SELECT string_agg(CASE
                WHEN parameter.name = 'organization' THEN '%s'
                ELSE coalesce(replace(quote_literal(question.arguments ->> parameter.name), '%', '%%'), 'NULL') || '::'
                    || format_type(parameter.type, NULL)
            END, ', ' ORDER BY parameter.nr)
        FROM unnest(function.proargnames[:function.pronargs], function.proargtypes::oid[])
            WITH ORDINALITY AS parameter(name, type, nr))) AS call
FROM question
JOIN (
    SELECT DISTINCT ON (function.name) function.* FROM function ORDER BY function.name, function.has_flat DESC
) function ON function.name = question.name;
