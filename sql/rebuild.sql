SET client_min_messages = notice;
\i session.sql
SET search_path = pg_catalog;
\o /dev/null
-- Derived data that is built while a change may leave no pending change is wrong after that change.
DO $$
DECLARE
    faults text := (SELECT string_agg(foundation.fault, '; ') FROM re.foundation_faults() foundation);
BEGIN
    IF faults IS NOT NULL THEN
        RAISE 'nothing has been built: run migrate first, since %', faults;
    END IF;
END $$;
CREATE TEMPORARY TABLE failure (organization_id text, reason text);

-- An error of one organization is reported, and the others are rebuilt.
CREATE FUNCTION pg_temp.advance(organization text, OUT refreshed integer, OUT remaining boolean, OUT busy boolean, OUT failed boolean)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT advanced.refreshed, advanced.remaining, advanced.busy INTO refreshed, remaining, busy
    FROM re.advance(organization, 1000) advanced;
    failed := false;
EXCEPTION WHEN OTHERS THEN
    failed := true;
    RAISE WARNING '%: not built: %', organization, SQLERRM;
    INSERT INTO pg_temp.failure VALUES (organization, SQLERRM);
END $$;

CREATE FUNCTION pg_temp.has_known_zone(organization text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN re.require_known_zone(organization);
EXCEPTION WHEN SQLSTATE 'REZON' THEN
    RAISE WARNING '%: left as it is: %', organization, SQLERRM;
    INSERT INTO pg_temp.failure VALUES (organization, SQLERRM);
    RETURN false;
END $$;

-- The existing derived data may be wrong, so nothing is subtracted from it. It is deleted at once, under the
-- organization's lock, and rebuilt in small transactions, like a first build.
CREATE PROCEDURE pg_temp.rebuild(organization text) LANGUAGE plpgsql AS $$
DECLARE
    patients bigint := (SELECT count(*) FROM public.patients patient WHERE patient.organization_id = organization);
    done bigint := 0;
    advance record;
    began timestamptz := clock_timestamp();
    told timestamptz := began;
BEGIN
    PERFORM set_config('reengagement.organization', organization, false);
    IF NOT pg_temp.has_known_zone(organization) THEN
        RETURN;
    END IF;
    INSERT INTO re.organization_state (organization_id) SELECT organization
    WHERE NOT EXISTS (SELECT FROM re.organization_state state WHERE state.organization_id = organization)
    ON CONFLICT DO NOTHING;
    PERFORM FROM re.organization_state state WHERE state.organization_id = organization FOR UPDATE;
    UPDATE re.organization_state state SET building_after = '', built_at = NULL, generation = state.generation + 1
    WHERE state.organization_id = organization;
    DELETE FROM re.patient_state state WHERE state.organization_id = organization;
    DELETE FROM re.patient_search search WHERE search.organization_id = organization;
    DELETE FROM re.patient_count counter WHERE counter.organization_id = organization;
    DELETE FROM re.risk_day WHERE risk_day.organization_id = organization;
    DELETE FROM re.outreach_day WHERE outreach_day.organization_id = organization;
    COMMIT;
    LOOP
        advance := pg_temp.advance(organization);
        COMMIT;
        IF advance.failed THEN
            RETURN;
        END IF;
        done := done + advance.refreshed;
        IF clock_timestamp() > told + interval '1 second' THEN
            told := clock_timestamp();
            RAISE NOTICE '%: % of % patients, % a second', organization, least(done, patients), patients,
                round(done / extract(epoch FROM told - began));
        END IF;
        IF advance.busy THEN
            PERFORM pg_sleep(0.05);
        ELSE
            EXIT WHEN NOT advance.remaining;
        END IF;
    END LOOP;
    RAISE NOTICE '%: built, % patients in % s', organization, patients,
        round(extract(epoch FROM clock_timestamp() - began), 1);
END $$;

SELECT format('CALL pg_temp.rebuild(%L)', organization.id)
FROM (SELECT id FROM public.organizations UNION SELECT organization_id FROM re.organization_state) organization
WHERE :'organization' IN ('', organization.id)
ORDER BY organization.id
\gexec
\o
SELECT count(*) FROM failure;
