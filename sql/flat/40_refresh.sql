-- Refreshes some patients' states and their contribution to the counters. The caller holds the lock of the
-- organization's row.
--
-- The first statement reads the source, deletes the pending changes and looks for others. It has to be one statement: a
-- pending change may be deleted only in the snapshot in which the source was read. The states are written by the same
-- statement, since it already holds the rows.
--
-- Further statements of the same transaction update the counters, one function for each table. They may be separate,
-- since they read neither the source nor the pending changes. Their input is the new states with the sign 1 and the old
-- states with the sign -1. Equal states add up to 0, so unchanged counters are not written.
--
-- All of them inherit the planner settings of re.advance (50_advance).
CREATE OR REPLACE FUNCTION re.refresh(
    organization text, patients text[], OUT time_zone text, OUT appointment_value numeric, OUT complete boolean)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    states re.signed_state[];
BEGIN
    WITH fresh AS MATERIALIZED (
        SELECT * FROM re.fresh_state(organization, patients)
    ), applied AS (
        DELETE FROM re.pending_change change
        WHERE change.organization_id = organization AND change.patient_id = ANY (patients)
    ), removed AS (
        DELETE FROM re.patient_state state
        WHERE state.organization_id = organization AND state.patient_id = ANY (patients)
            AND state.patient_id NOT IN (SELECT fresh.patient_id FROM fresh)
    ), stored AS (
        INSERT INTO re.patient_state AS state (organization_id, patient_id, risk_group, last_contact_day, contact_days,
            missed_days, attempts, valid_from, valid_until, day_from, day_until, name, phone, email,
            last_appointment_date, next_scheduled_appointment, previous_response_rate, completed_days, known_value,
            without_value, folded_name, folded_email, phone_digits,
            acknowledged_by, acknowledged_at, acknowledged_until, acknowledgement_note)
        SELECT organization, patient_id, risk_group, last_contact_day, contact_days,
            missed_days, attempts, valid_from, valid_until, day_from, day_until, name, phone, email,
            last_appointment_date, next_scheduled_appointment, previous_response_rate, completed_days, known_value,
            without_value, folded_name, folded_email, phone_digits,
            acknowledged_by, acknowledged_at, acknowledged_until, acknowledgement_note
        FROM fresh
        ON CONFLICT (organization_id, patient_id) DO UPDATE
        SET (risk_group, last_contact_day, contact_days,
                missed_days, attempts, valid_from, valid_until, day_from, day_until, name, phone, email,
                last_appointment_date, next_scheduled_appointment, previous_response_rate, completed_days, known_value,
                without_value, folded_name, folded_email, phone_digits,
                acknowledged_by, acknowledged_at, acknowledged_until, acknowledgement_note)
            = (excluded.risk_group, excluded.last_contact_day, excluded.contact_days,
                excluded.missed_days, excluded.attempts, excluded.valid_from, excluded.valid_until, excluded.day_from,
                excluded.day_until, excluded.name, excluded.phone, excluded.email,
                excluded.last_appointment_date, excluded.next_scheduled_appointment, excluded.previous_response_rate,
                excluded.completed_days, excluded.known_value,
                excluded.without_value, excluded.folded_name, excluded.folded_email, excluded.phone_digits,
                excluded.acknowledged_by, excluded.acknowledged_at, excluded.acknowledged_until,
                excluded.acknowledgement_note)
        WHERE state IS DISTINCT FROM excluded
    ), unindexed AS (
        DELETE FROM re.patient_search search
        WHERE search.organization_id = organization AND search.patient_id = ANY (patients)
            AND search.patient_id NOT IN (SELECT fresh.patient_id FROM fresh WHERE fresh.risk_group IS NOT NULL)
    ), indexed AS (
        INSERT INTO re.patient_search AS search (organization_id, patient_id, pieces)
        SELECT organization, fresh.patient_id, fresh.pieces FROM fresh WHERE fresh.risk_group IS NOT NULL
        ON CONFLICT (organization_id, patient_id) DO UPDATE SET pieces = excluded.pieces
        WHERE search.pieces <> excluded.pieces
    ), signed AS (
        SELECT 1 AS sign, risk_group, last_contact_day, contact_days, missed_days, attempts,
            acknowledged_by IS NOT NULL AS is_acknowledged
        FROM fresh
        UNION ALL
        SELECT -1, state.risk_group, state.last_contact_day, state.contact_days, state.missed_days, state.attempts,
            state.acknowledged_by IS NOT NULL
        FROM re.patient_state state
        WHERE state.organization_id = organization AND state.patient_id = ANY (patients)
    )
    SELECT (SELECT array_agg(signed::re.signed_state) FROM signed),
        clock.time_zone,
        coalesce((SELECT known.appointment_value FROM re.clock known WHERE known.organization_id = organization), 0),
        re.has_no_other_change(organization, patients)
    INTO states, time_zone, appointment_value, complete
    FROM re.clock_of(organization) clock;

    PERFORM re.count_patients(organization, states), re.count_risk_days(organization, states),
        re.count_outreach_days(organization, states);
END $$;

-- True if the snapshot of the calling statement, which a STABLE function shares, has no pending change of other
-- patients. It cannot call re.pending_changes because of its LIMIT: the first entries may be those that the calling
-- statement deletes.
CREATE OR REPLACE FUNCTION re.has_no_other_change(organization text, patients text[]) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT
        FROM re.state_of(organization) state
        CROSS JOIN LATERAL (
            SELECT change.patient_id
            FROM re.pending_change change
            WHERE change.organization_id = organization AND (change.xid, change.patient_id)
                >= (re.floor_of(state.xmin, state.floor_written_by, state.floor_xid), state.floor_patient)
            UNION ALL
            SELECT change.patient_id
            FROM re.pending_change change
            WHERE change.organization_id = organization AND change.xid = ANY (state.floor_running)
        ) pending
        WHERE state.organization_id = organization AND pending.patient_id <> ALL (patients));
END $$;

-- Patients by risk group and day of the last contact, and those of them whose alert is acknowledged, whether or not it
-- has begun. The total of a risk group has the day -infinity.
CREATE OR REPLACE FUNCTION re.count_patients(organization text, states re.signed_state[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO re.patient_count AS counter (organization_id, last_contact_day, risk_group, number, acknowledged)
    SELECT organization, coalesce(state.last_contact_day, '-infinity'), state.risk_group, sum(state.sign),
        sum(state.sign * state.is_acknowledged::integer)
    FROM unnest(states) AS state
    WHERE state.risk_group IS NOT NULL
    GROUP BY GROUPING SETS ((state.risk_group, state.last_contact_day), (state.risk_group))
    HAVING (sum(state.sign), sum(state.sign * state.is_acknowledged::integer)) <> (0, 0)
    ON CONFLICT (organization_id, last_contact_day, risk_group) DO UPDATE
    SET (number, acknowledged) = (counter.number + excluded.number, counter.acknowledged + excluded.acknowledged);
END $$;

-- The changes of each day. From a contact day on a patient counts in d0. If the next contact is more than 7 days later,
-- the patient also counts in d7 from the 7th day on. The same is true of 14, 30 and 45 days. The next contact ends all.
CREATE OR REPLACE FUNCTION re.count_risk_days(organization text, states re.signed_state[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    WITH span AS MATERIALIZED (
        SELECT history.sign, span.from_day, coalesce(span.to_day, 'infinity') AS to_day
        FROM (
            SELECT state.contact_days, sum(state.sign)::integer AS sign
            FROM unnest(states) AS state
            GROUP BY state.contact_days
            HAVING sum(state.sign) <> 0
        ) history
        -- Pairs each day with the one after it: unnest fills the shorter array with null.
        CROSS JOIN LATERAL unnest(history.contact_days, history.contact_days[2:]) AS span(from_day, to_day)
    ), begun AS (
        SELECT span.from_day AS day,
            sum(span.sign) AS d0,
            sum(span.sign) FILTER (WHERE span.from_day + re.low_risk_days() < span.to_day) AS d7,
            sum(span.sign) FILTER (WHERE span.from_day + re.medium_risk_days() < span.to_day) AS d14,
            sum(span.sign) FILTER (WHERE span.from_day + re.high_risk_days() < span.to_day) AS d30,
            sum(span.sign) FILTER (WHERE span.from_day + re.critical_risk_days() < span.to_day) AS d45
        FROM span
        GROUP BY span.from_day
    ), ended AS (
        SELECT span.to_day AS day,
            sum(span.sign) AS d0,
            sum(span.sign) FILTER (WHERE span.from_day + re.low_risk_days() < span.to_day) AS d7,
            sum(span.sign) FILTER (WHERE span.from_day + re.medium_risk_days() < span.to_day) AS d14,
            sum(span.sign) FILTER (WHERE span.from_day + re.high_risk_days() < span.to_day) AS d30,
            sum(span.sign) FILTER (WHERE span.from_day + re.critical_risk_days() < span.to_day) AS d45
        FROM span
        WHERE span.to_day < 'infinity'
        GROUP BY span.to_day
    ), missed AS (
        SELECT missed.day, sum(history.sign) AS number
        FROM (
            SELECT state.missed_days, sum(state.sign)::integer AS sign
            FROM unnest(states) AS state
            GROUP BY state.missed_days
            HAVING sum(state.sign) <> 0
        ) history
        CROSS JOIN LATERAL unnest(history.missed_days) AS missed(day)
        GROUP BY missed.day
    ), failed AS (
        SELECT (history.attempt).day, sum(history.sign) AS number
        FROM re.signed_attempts(states) AS history
        WHERE (history.attempt).failed AND history.has_patient
        GROUP BY (history.attempt).day
    ), change AS (
        SELECT begun.day, begun.d0, 0 AS d7, 0 AS d14, 0 AS d45, 0 AS new_at_risk, 0 AS reengaged, 0 AS missed,
            0 AS failed
        FROM begun
        UNION ALL SELECT begun.day + re.low_risk_days(), 0, begun.d7, 0, 0, 0, 0, 0, 0 FROM begun
        UNION ALL SELECT begun.day + re.medium_risk_days(), 0, 0, begun.d14, 0, 0, 0, 0, 0 FROM begun
        UNION ALL SELECT begun.day + re.high_risk_days(), 0, 0, 0, 0, begun.d30, 0, 0, 0 FROM begun
        UNION ALL SELECT begun.day + re.critical_risk_days(), 0, 0, 0, begun.d45, 0, 0, 0, 0 FROM begun
        UNION ALL SELECT ended.day, -ended.d0, -ended.d7, -ended.d14, -ended.d45, 0, ended.d30, 0, 0 FROM ended
        UNION ALL SELECT missed.day, 0, 0, 0, 0, 0, 0, missed.number, 0 FROM missed
        UNION ALL SELECT failed.day, 0, 0, 0, 0, 0, 0, 0, failed.number FROM failed
    ), total AS (
        SELECT change.day, sum(change.d0) AS d0, coalesce(sum(change.d7), 0) AS d7, coalesce(sum(change.d14), 0) AS d14,
            coalesce(sum(change.d45), 0) AS d45, coalesce(sum(change.new_at_risk), 0) AS new_at_risk,
            coalesce(sum(change.reengaged), 0) AS reengaged, sum(change.missed) AS missed, sum(change.failed) AS failed
        FROM change
        GROUP BY change.day
    )
    INSERT INTO re.risk_day AS counter (organization_id, day, d0, d7, d14, d45, new_at_risk, reengaged, missed, failed)
    SELECT organization, total.day, total.d0, total.d7, total.d14, total.d45, total.new_at_risk, total.reengaged,
        total.missed, total.failed
    FROM total
    WHERE (total.d0, total.d7, total.d14, total.d45, total.new_at_risk, total.reengaged, total.missed, total.failed)
        <> (0, 0, 0, 0, 0, 0, 0, 0)
    ON CONFLICT (organization_id, day) DO UPDATE
    SET (d0, d7, d14, d45, new_at_risk, reengaged, missed, failed)
        = (counter.d0 + excluded.d0, counter.d7 + excluded.d7, counter.d14 + excluded.d14, counter.d45 + excluded.d45,
            counter.new_at_risk + excluded.new_at_risk, counter.reengaged + excluded.reengaged,
            counter.missed + excluded.missed, counter.failed + excluded.failed);
END $$;

-- The attempts of the states. A patient exists now exactly if there are contact days, of which the intake is one.
CREATE OR REPLACE FUNCTION re.signed_attempts(states re.signed_state[])
RETURNS TABLE (sign integer, has_patient boolean, attempt re.attempt_summary)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT history.sign, history.has_patient, attempt
    FROM (
        SELECT state.attempts, state.contact_days <> '{}' AS has_patient, sum(state.sign)::integer AS sign
        FROM unnest(states) AS state
        GROUP BY state.attempts, state.contact_days <> '{}'
        HAVING sum(state.sign) <> 0
    ) history
    CROSS JOIN LATERAL unnest(history.attempts) AS attempt;
END;

-- Attempts by day and method. A booking counts on the day of the booking.
CREATE OR REPLACE FUNCTION re.count_outreach_days(organization text, states re.signed_state[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    WITH attempt AS MATERIALIZED (
        SELECT history.sign, (history.attempt).* FROM re.signed_attempts(states) AS history
    ), change AS (
        SELECT attempt.day, attempt.method, attempt.sign AS attempts,
            attempt.sign * attempt.successful::integer AS successes,
            attempt.sign * attempt.failed::integer AS failed,
            attempt.sign * (attempt.successful OR attempt.opened)::integer AS opened,
            attempt.sign * (attempt.converted_day IS NOT NULL)::integer AS converted,
            attempt.sign * coalesce(attempt.microseconds_to_booking, 0) AS microseconds, 0 AS booked
        FROM attempt
        UNION ALL
        SELECT attempt.converted_day, attempt.method, 0, 0, 0, 0, 0, 0, attempt.sign
        FROM attempt
        WHERE attempt.converted_day IS NOT NULL
    ), total AS (
        SELECT change.day, change.method, sum(change.attempts) AS attempts, sum(change.successes) AS successes,
            sum(change.failed) AS failed, sum(change.opened) AS opened, sum(change.converted) AS converted,
            sum(change.microseconds) AS microseconds, sum(change.booked) AS booked
        FROM change
        GROUP BY change.day, change.method
    )
    INSERT INTO re.outreach_day AS counter (organization_id, day, method, attempts, successes, failed, opened,
        converted, microseconds_to_booking, booked)
    SELECT organization, total.day, total.method, total.attempts, total.successes, total.failed, total.opened,
        total.converted, total.microseconds, total.booked
    FROM total
    WHERE (total.attempts, total.successes, total.failed, total.opened, total.converted, total.microseconds,
            total.booked)
        <> (0, 0, 0, 0, 0, 0, 0)
    ON CONFLICT (organization_id, day, method) DO UPDATE
    SET (attempts, successes, failed, opened, converted, microseconds_to_booking, booked)
        = (counter.attempts + excluded.attempts, counter.successes + excluded.successes,
            counter.failed + excluded.failed, counter.opened + excluded.opened, counter.converted + excluded.converted,
            counter.microseconds_to_booking + excluded.microseconds_to_booking, counter.booked + excluded.booked);
END $$;
