-- The list can be filtered by more, searched and sorted. Searching takes accents aside by the extension unaccent, which an
-- owner may create who is no superuser. It is bound by what uses it, not by its name, so it may lie in any schema.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'unaccent') THEN
        RAISE feature_not_supported USING
            MESSAGE = 'the extension unaccent is not there to be installed on this server',
            HINT = 'Install PostgreSQL''s additional modules (Debian: they come with postgresql-15; elsewhere postgresql-contrib).';
    END IF;
END $$;
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;

-- What they take and give has changed, and the dispatcher is made of the plain ones.
DROP FUNCTION IF EXISTS re.prioritized_patients(text, text, integer, integer, integer, integer, text);
DROP FUNCTION IF EXISTS re.plain_prioritized_patients(text, text, integer, integer, integer, integer, text);
DROP FUNCTION IF EXISTS re.flat_prioritized_patients(text, text, integer, integer, integer, integer, text);
DELETE FROM re.migration WHERE file = 'flat/90_dispatch.sql';
