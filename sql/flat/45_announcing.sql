-- Notices: whom an organization has been told of as critical (docs/definitions.md, section 10).
--
-- re.announcement has the day A up to which midnights have been announced. The told patients are those whose last contact
-- was 45 days before A or earlier. re.told_patient stores them apart from the derived data. So deleting and building the
-- derived data tells of nothing but the difference.
--
-- The told patients change in three ways. Each returns with its number of patients, and re.announce writes the notices:
--
--   announce_clock    today is before A: A becomes today, and who is no longer due on A is resolved
--   announce_changes  patients have been refreshed: at the same A some are due now, or no longer
--   announce_days     midnight has passed, and all patients are refreshed: A becomes today, and who falls due is critical
--
-- All are parts of re.advance, whose caller holds the lock of the organization's row to the end of the transaction. So
-- the numbers of the notices have no gap, and their order is the order of the commits. docs/design.md ("Notices") has
-- the proof that the notices add up to the critical patients.

-- Writes the notices of one kind and cause in one step. `patients` are their ids, in order. There may be fewer ids than
-- `number` if there are too many for single notices.
CREATE OR REPLACE FUNCTION re.announce(
    organization text, wanted_kind text, wanted_cause text, wanted_day date, patient_number bigint, patients text[])
RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_storm boolean := patient_number > re.most_single_notices();
    written bigint := CASE WHEN is_storm THEN 1 ELSE patient_number END;
    announced record;
BEGIN
    IF coalesce(patient_number, 0) = 0 THEN
        RETURN;
    END IF;
    UPDATE re.announcement announcement
    SET sequence = announcement.sequence + CASE WHEN announcement.is_first_build THEN 0 ELSE written END,
        baseline = announcement.baseline + CASE
            WHEN NOT announcement.is_first_build THEN 0
            WHEN wanted_kind = 'critical' THEN patient_number
            ELSE -patient_number
        END
    WHERE announcement.organization_id = organization
    RETURNING announcement.is_first_build, announcement.sequence INTO announced;
    IF announced.is_first_build THEN
        RETURN;
    END IF;
    INSERT INTO re.notice (organization_id, sequence, kind, cause, day, patient_id, number, at)
    SELECT organization, announced.sequence - written + place, wanted_kind, wanted_cause, wanted_day,
        CASE WHEN NOT is_storm THEN patients[place] END, CASE WHEN is_storm THEN patient_number ELSE 1 END, re.now()
    FROM generate_series(1, written) AS place;
END $$;

-- Today by the present instant. re.now() is the beginning of the transaction, which may have been before midnight.
CREATE OR REPLACE FUNCTION re.present_day(organization text) RETURNS date
LANGUAGE sql VOLATILE
RETURN (
    SELECT re.day_of(coalesce(nullif(current_setting('reengagement.now', true), '')::timestamptz, clock_timestamp()),
        clock.time_zone)
    FROM re.clock_of(organization) clock);

CREATE OR REPLACE FUNCTION re.announce_clock(organization text, today date) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change record;
BEGIN
    WITH resolved AS (
        DELETE FROM re.told_patient told
        WHERE told.organization_id = organization AND told.last_contact_day > today - re.critical_risk_days()
        RETURNING told.patient_id
    )
    SELECT count(*) AS number, array_agg(resolved.patient_id ORDER BY resolved.patient_id) AS patients
    INTO change FROM resolved;
    UPDATE re.announcement announcement SET announced_day = today WHERE announcement.organization_id = organization;
    PERFORM re.announce(organization, 'resolved', 'clock', today, change.number, change.patients);
END $$;

CREATE OR REPLACE FUNCTION re.announce_changes(organization text, announced_day date, patients text[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change record;
BEGIN
    WITH due AS MATERIALIZED (
        SELECT state.patient_id, state.last_contact_day, told.last_contact_day AS told_day
        FROM re.patient_state state
        LEFT JOIN re.told_patient told
            ON told.organization_id = organization AND told.patient_id = state.patient_id
        WHERE state.organization_id = organization AND state.patient_id = ANY (patients)
            AND state.risk_group IS NOT NULL
            AND state.last_contact_day <= announced_day - re.critical_risk_days()
    ), resolved AS (
        DELETE FROM re.told_patient told
        WHERE told.organization_id = organization AND told.patient_id = ANY (patients)
            AND told.patient_id NOT IN (SELECT due.patient_id FROM due)
        RETURNING told.patient_id
    ), stored AS (
        INSERT INTO re.told_patient (organization_id, patient_id, last_contact_day)
        SELECT organization, due.patient_id, due.last_contact_day
        FROM due
        WHERE due.told_day IS DISTINCT FROM due.last_contact_day
        ON CONFLICT (organization_id, patient_id) DO UPDATE SET last_contact_day = excluded.last_contact_day
    )
    SELECT (SELECT count(*) FROM due WHERE due.told_day IS NULL) AS critical,
        (SELECT array_agg(due.patient_id ORDER BY due.patient_id) FROM due WHERE due.told_day IS NULL)
            AS critical_patients,
        (SELECT count(*) FROM resolved) AS resolved,
        (SELECT array_agg(resolved.patient_id ORDER BY resolved.patient_id) FROM resolved) AS resolved_patients
    INTO change;
    PERFORM re.announce(organization, 'critical', 'change', announced_day, change.critical, change.critical_patients);
    PERFORM re.announce(organization, 'resolved', 'change', announced_day, change.resolved, change.resolved_patients);
END $$;

-- Each passed day on which patients fall due is a step of its own. The states are read from the indexes of the alerts,
-- which have the day of the last contact first.
CREATE OR REPLACE FUNCTION re.announce_days(organization text, announced_day date, today date) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step record;
BEGIN
    FOR step IN
        WITH due AS (
            SELECT state.patient_id, state.last_contact_day
            FROM re.patient_state state
            WHERE state.organization_id = organization
                AND state.risk_group IS NOT NULL AND state.acknowledged_by IS NULL
                AND state.last_contact_day > announced_day - re.critical_risk_days()
                AND state.last_contact_day <= today - re.critical_risk_days()
            UNION ALL
            SELECT state.patient_id, state.last_contact_day
            FROM re.patient_state state
            WHERE state.organization_id = organization
                AND state.risk_group IS NOT NULL AND state.acknowledged_by IS NOT NULL
                AND state.last_contact_day > announced_day - re.critical_risk_days()
                AND state.last_contact_day <= today - re.critical_risk_days()
        ), critical AS (
            INSERT INTO re.told_patient AS told (organization_id, patient_id, last_contact_day)
            SELECT organization, due.patient_id, due.last_contact_day FROM due
            ON CONFLICT (organization_id, patient_id) DO NOTHING
            RETURNING told.patient_id, told.last_contact_day
        )
        SELECT critical.last_contact_day + re.critical_risk_days() AS day, count(*) AS number,
            array_agg(critical.patient_id ORDER BY critical.patient_id) AS patients
        FROM critical
        GROUP BY critical.last_contact_day
        ORDER BY critical.last_contact_day
    LOOP
        PERFORM re.announce(organization, 'critical', 'time', step.day, step.number, step.patients);
    END LOOP;
    UPDATE re.announcement announcement SET announced_day = today WHERE announcement.organization_id = organization;
END $$;

-- Deletes the notices that were kept long enough, and counts them in the baseline. A clock that was set back may have
-- written a later notice at an earlier time, so all notices from the first one that is kept on are kept.
CREATE OR REPLACE FUNCTION re.drop_old_notices(organization text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    oldest timestamptz := clock_timestamp() - re.notices_kept();
    first_kept bigint := coalesce((
        SELECT notice.sequence FROM re.notice notice
        WHERE notice.organization_id = organization AND notice.written_at >= oldest
        ORDER BY notice.sequence LIMIT 1), 9223372036854775807);
    change bigint;
BEGIN
    WITH dropped AS (
        DELETE FROM re.notice notice
        WHERE notice.organization_id = organization AND notice.sequence < first_kept
        RETURNING notice.kind, notice.number
    )
    SELECT sum(CASE dropped.kind WHEN 'critical' THEN dropped.number ELSE -dropped.number END) INTO change FROM dropped;
    IF change <> 0 THEN
        UPDATE re.announcement announcement SET baseline = announcement.baseline + change
        WHERE announcement.organization_id = organization;
    END IF;
END $$;

-- For an operator, after a backup was restored or a failover has lost commits: clients may have seen numbers that will be
-- given again. All numbers rise by a million and the kept notices are dropped, so that every client gets `reset`.
-- Returns the number of organizations.
CREATE OR REPLACE FUNCTION re.skip_notices() RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    skipped bigint;
BEGIN
    PERFORM FROM re.organization_state state ORDER BY state.organization_id FOR NO KEY UPDATE;
    -- Cached responses contain the former numbers. A client would be told to reset by them again and again.
    UPDATE re.organization_state state SET generation = state.generation + 1;
    WITH dropped AS (
        DELETE FROM re.notice notice RETURNING notice.organization_id, notice.kind, notice.number
    ), change AS (
        SELECT dropped.organization_id,
            sum(CASE dropped.kind WHEN 'critical' THEN dropped.number ELSE -dropped.number END) AS number
        FROM dropped GROUP BY dropped.organization_id
    )
    UPDATE re.announcement announcement
    SET sequence = announcement.sequence + 1000000,
        baseline = announcement.baseline + coalesce((SELECT change.number FROM change
            WHERE change.organization_id = announcement.organization_id), 0);
    GET DIAGNOSTICS skipped = ROW_COUNT;
    RETURN skipped;
END $$;
