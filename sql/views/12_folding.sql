-- Folding: the form of a text without case and accents, in which searches compare and names are sorted
-- (docs/definitions.md, section 5). A database owner who is no superuser may create the extension unaccent. If it
-- exists in another schema, the function uses that one: it depends on the extension and not on its name. The function is
-- STABLE, as unaccent is, whose rules are a file of the server. Other rules need a rebuild. If PostgreSQL was built
-- without ICU, its own collation with Unicode's full case mapping gives the same lower case.
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;

DO $$
DECLARE
    extension_schema text := (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'unaccent');
    unicode text := (SELECT collname FROM pg_collation
        WHERE collnamespace = 'pg_catalog'::regnamespace AND collname IN ('und-x-icu', 'pg_unicode_fast', 'pg_c_utf8')
        ORDER BY array_position(ARRAY['und-x-icu', 'pg_unicode_fast', 'pg_c_utf8'], collname::text) LIMIT 1);
BEGIN
    IF unicode IS NULL THEN
        RAISE feature_not_supported USING
            MESSAGE = 'this server lacks the collation und-x-icu, by which letters lose their case',
            HINT = 'Use a PostgreSQL that is built with ICU, as Debian''s is, or PostgreSQL 17 or later.';
    END IF;
    EXECUTE format($format$
        CREATE OR REPLACE FUNCTION re.folded(value text) RETURNS text
        LANGUAGE sql STABLE PARALLEL SAFE
        RETURN translate(lower(%s.unaccent(normalize(value, NFC)) COLLATE pg_catalog.%I), 'ς', 'σ')
        $format$, extension_schema, unicode);
END $$;

CREATE OR REPLACE FUNCTION re.digits(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(value, '[^0-9]', '', 'g');

-- The folded text that a search looks for in names and e-mail addresses. Null without a search.
CREATE OR REPLACE FUNCTION re.search_text(wanted text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    folded text := re.folded(wanted);
BEGIN
    IF folded = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'RE422', MESSAGE = 'nothing is left of q without case and accents';
    END IF;
    RETURN folded;
END $$;

-- The digits that a search looks for in phone numbers. Null if the text cannot be part of one.
CREATE OR REPLACE FUNCTION re.search_digits(wanted text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN wanted ~ '^[-0-9 +().]*$' AND length(re.digits(wanted)) >= 3 THEN re.digits(wanted) END;
