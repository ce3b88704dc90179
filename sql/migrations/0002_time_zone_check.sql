-- PostgreSQL accepts 'foo+3' or 'est' as a zone in an expression, so only the list itself decides; and it reads four of
-- the listed names as abbreviations without summer time. Listing the zones costs tens of milliseconds: once a
-- statement, and only where a zone is set or changed, so that a name the zone database drops later blocks no other update.

CREATE FUNCTION re.check_time_zones(zones text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    refused text := (
        SELECT min(zone) FROM unnest(zones) AS zone
        WHERE zone IN ('CET', 'EET', 'MET', 'WET') OR zone NOT IN (SELECT name FROM pg_timezone_names));
BEGIN
    IF refused IS NOT NULL THEN
        RAISE check_violation USING
            MESSAGE = format('time zone "%s" is not one that PostgreSQL knows with its summer time', refused),
            HINT = 'Use a name exactly as pg_timezone_names lists it, such as Europe/Paris; not CET, EET, MET or WET.',
            SCHEMA = 'public', TABLE = 'organizations', COLUMN = 'time_zone', CONSTRAINT = 'time_zone_is_known';
    END IF;
END $$;

CREATE FUNCTION re.check_inserted_time_zones() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows WHERE time_zone <> 'UTC') THEN
        PERFORM re.check_time_zones(ARRAY(SELECT DISTINCT time_zone FROM new_rows));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION re.check_updated_time_zones() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    zones text[] := ARRAY(SELECT time_zone FROM new_rows EXCEPT SELECT time_zone FROM old_rows);
BEGIN
    IF zones <> '{}' THEN
        PERFORM re.check_time_zones(zones);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_inserted_time_zones AFTER INSERT ON public.organizations
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION re.check_inserted_time_zones();

CREATE TRIGGER check_updated_time_zones AFTER UPDATE ON public.organizations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION re.check_updated_time_zones();
