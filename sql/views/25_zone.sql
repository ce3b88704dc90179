-- PostgreSQL may no longer know a zone that it knew when the zone was set: a new release of the zone database drops a
-- name or moves it to a package that is not installed. Only the organizations with that zone are affected.

-- The day, or null if the zone is unknown. For queries over several organizations, and for a zone stored earlier.
CREATE OR REPLACE FUNCTION re.day_or_null(at timestamptz, time_zone text) RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN re.day_of(at, time_zone);
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN NULL;
END $$;

-- True, or an error with an SQLSTATE of its own.
CREATE OR REPLACE FUNCTION re.require_known_zone(organization text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    zone text := (SELECT c.time_zone FROM re.clock c WHERE c.organization_id = organization);
BEGIN
    IF zone IS NOT NULL AND re.day_or_null(now(), zone) IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'REZON',
            MESSAGE = format('PostgreSQL no longer knows the time_zone "%s" of organization "%s"', zone, organization),
            HINT = 'Set organizations.time_zone to a name that pg_timezone_names lists.';
    END IF;
    RETURN true;
END $$;
