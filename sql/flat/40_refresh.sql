-- Brings patients' states and what they add to the counters up to the source, in one statement, hence one snapshot: the
-- marks taken, the source read and what is said of other marks belong together. The counters change by what the new
-- states add less what the old ones added; the old ones are read from the states, so nothing need be known of what
-- has changed. There is no join: old and new meet in sums, where equal ones cancel out.
-- To be run under the organization's lock.
CREATE OR REPLACE FUNCTION re.refresh(
    organization text, patients text[], OUT time_zone text, OUT appointment_value numeric, OUT complete boolean)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    WITH fresh AS MATERIALIZED (
        SELECT * FROM re.fresh_state(organization, patients)
    ), difference AS MATERIALIZED (
        SELECT 1 AS sign, f.patient_id, f.class, f.last_contact_day, f.contact_days, f.missed_days, f.attempts FROM fresh f
        UNION ALL
        SELECT -1, s.patient_id, s.class, s.last_contact_day, s.contact_days, s.missed_days, s.attempts
        FROM re.patient_state s
        WHERE s.organization_id = organization AND s.patient_id = ANY (patients)
    ), taken AS (
        DELETE FROM re.dirty d WHERE d.organization_id = organization AND d.patient_id = ANY (patients)
    ), gone AS (
        DELETE FROM re.patient_state s
        WHERE s.organization_id = organization AND s.patient_id = ANY (patients)
            AND s.patient_id NOT IN (SELECT f.patient_id FROM fresh f)
    ), kept AS (
        INSERT INTO re.patient_state AS s (organization_id, patient_id, class, last_contact_day, contact_days, missed_days,
            attempts, valid_from, valid_until, day_from, day_until, name, phone, email, last_appointment_date,
            next_scheduled_appointment, previous_response_rate, completed_days, known_value, without_value,
            folded_name, folded_email, phone_digits)
        SELECT organization, f.patient_id, f.class, f.last_contact_day, f.contact_days, f.missed_days, f.attempts, f.valid_from,
            f.valid_until, f.day_from, f.day_until, f.name, f.phone, f.email, f.last_appointment_date,
            f.next_scheduled_appointment, f.previous_response_rate, f.completed_days, f.known_value, f.without_value,
            f.folded_name, f.folded_email, f.phone_digits
        FROM fresh f
        ON CONFLICT (organization_id, patient_id) DO UPDATE
        SET (class, last_contact_day, contact_days, missed_days, attempts, valid_from, valid_until, day_from, day_until,
                name, phone, email, last_appointment_date, next_scheduled_appointment, previous_response_rate,
                completed_days, known_value, without_value, folded_name, folded_email, phone_digits)
            = (excluded.class, excluded.last_contact_day, excluded.contact_days, excluded.missed_days,
                excluded.attempts, excluded.valid_from, excluded.valid_until, excluded.day_from, excluded.day_until,
                excluded.name, excluded.phone, excluded.email, excluded.last_appointment_date,
                excluded.next_scheduled_appointment, excluded.previous_response_rate, excluded.completed_days, excluded.known_value,
                excluded.without_value, excluded.folded_name, excluded.folded_email, excluded.phone_digits)
        WHERE s IS DISTINCT FROM excluded
    ), lost AS (
        DELETE FROM re.patient_search p
        WHERE p.organization_id = organization AND p.patient_id = ANY (patients)
            AND p.patient_id NOT IN (SELECT f.patient_id FROM fresh f WHERE f.class IS NOT NULL)
    ), found AS (
        INSERT INTO re.patient_search AS p (organization_id, patient_id, pieces)
        SELECT organization, f.patient_id, f.pieces FROM fresh f WHERE f.class IS NOT NULL
        ON CONFLICT (organization_id, patient_id) DO UPDATE SET pieces = excluded.pieces
        WHERE p.pieces <> excluded.pieces
    ), cells AS (
        INSERT INTO re.cell AS t (organization_id, last_contact_day, class, number)
        SELECT organization, coalesce(d.last_contact_day, '-infinity'), d.class, sum(d.sign)
        FROM difference d
        WHERE d.class IS NOT NULL
        GROUP BY GROUPING SETS ((d.class, d.last_contact_day), (d.class))
        HAVING sum(d.sign) <> 0
        ON CONFLICT (organization_id, last_contact_day, class) DO UPDATE SET number = t.number + excluded.number
    ), span AS MATERIALIZED (
        SELECT h.sign, s.from_day, coalesce(s.to_day, 'infinity') AS to_day
        FROM (SELECT d.contact_days, sum(d.sign)::integer AS sign FROM difference d GROUP BY d.contact_days HAVING sum(d.sign) <> 0) h
        CROSS JOIN LATERAL unnest(h.contact_days, h.contact_days[2:]) AS s(from_day, to_day)
    ), begun AS (
        SELECT s.from_day AS day,
            sum(s.sign * (s.from_day + 7 < s.to_day)::integer) AS d7,
            sum(s.sign * (s.from_day + 14 < s.to_day)::integer) AS d14,
            sum(s.sign * (s.from_day + 30 < s.to_day)::integer) AS d30,
            sum(s.sign * (s.from_day + 45 < s.to_day)::integer) AS d45,
            sum(s.sign) AS d0
        FROM span s
        GROUP BY s.from_day
    ), ended AS (
        SELECT s.to_day AS day,
            sum(s.sign * (s.from_day + 7 < s.to_day)::integer) AS d7,
            sum(s.sign * (s.from_day + 14 < s.to_day)::integer) AS d14,
            sum(s.sign * (s.from_day + 30 < s.to_day)::integer) AS d30,
            sum(s.sign * (s.from_day + 45 < s.to_day)::integer) AS d45,
            sum(s.sign) AS d0
        FROM span s
        WHERE s.to_day < 'infinity'
        GROUP BY s.to_day
    ), missed AS (
        SELECT m.day, sum(h.sign) AS number
        FROM (SELECT d.missed_days, sum(d.sign)::integer AS sign FROM difference d GROUP BY d.missed_days HAVING sum(d.sign) <> 0) h
        CROSS JOIN LATERAL unnest(h.missed_days) AS m(day)
        GROUP BY m.day
    ), attempt AS MATERIALIZED (
        SELECT h.sign, h.exists, a.*
        FROM (
            -- Who has contact days is a patient that exists now.
            SELECT d.attempts, d.contact_days <> '{}' AS exists, sum(d.sign)::integer AS sign
            FROM difference d
            GROUP BY 1, 2
            HAVING sum(d.sign) <> 0
        ) h
        CROSS JOIN LATERAL unnest(h.attempts) AS a
    ), risk AS (
        INSERT INTO re.risk_day AS t (organization_id, day, d0, d7, d14, d45, new_at_risk, reengaged, missed, failed)
        SELECT organization, c.day, sum(c.d0), sum(c.d7), sum(c.d14), sum(c.d45), sum(c.new_at_risk),
            sum(c.reengaged), sum(c.missed), sum(c.failed)
        FROM (
            SELECT b.day, b.d0, 0 AS d7, 0 AS d14, 0 AS d45, 0 AS new_at_risk, 0 AS reengaged, 0 AS missed, 0 AS failed
                FROM begun b
            UNION ALL SELECT b.day + 7, 0, b.d7, 0, 0, 0, 0, 0, 0 FROM begun b
            UNION ALL SELECT b.day + 14, 0, 0, b.d14, 0, 0, 0, 0, 0 FROM begun b
            UNION ALL SELECT b.day + 30, 0, 0, 0, 0, b.d30, 0, 0, 0 FROM begun b
            UNION ALL SELECT b.day + 45, 0, 0, 0, b.d45, 0, 0, 0, 0 FROM begun b
            UNION ALL SELECT e.day, -e.d0, -e.d7, -e.d14, -e.d45, 0, e.d30, 0, 0 FROM ended e
            UNION ALL SELECT m.day, 0, 0, 0, 0, 0, 0, m.number, 0 FROM missed m
            UNION ALL SELECT a.day, 0, 0, 0, 0, 0, 0, 0, a.sign FROM attempt a WHERE a.failed AND a.exists
        ) c
        GROUP BY c.day
        HAVING (sum(c.d0), sum(c.d7), sum(c.d14), sum(c.d45), sum(c.new_at_risk), sum(c.reengaged), sum(c.missed),
            sum(c.failed)) IS DISTINCT FROM (0, 0, 0, 0, 0, 0, 0, 0)
        ON CONFLICT (organization_id, day) DO UPDATE
        SET (d0, d7, d14, d45, new_at_risk, reengaged, missed, failed)
            = (t.d0 + excluded.d0, t.d7 + excluded.d7, t.d14 + excluded.d14, t.d45 + excluded.d45,
                t.new_at_risk + excluded.new_at_risk, t.reengaged + excluded.reengaged,
                t.missed + excluded.missed, t.failed + excluded.failed)
    ), outreach AS (
        INSERT INTO re.outreach_day AS t (organization_id, day, method, attempts, successes, failed, opened, converted,
            microseconds_to_booking, booked)
        SELECT organization, c.day, c.method, sum(c.attempts), sum(c.successes), sum(c.failed), sum(c.opened),
            sum(c.converted), sum(c.microseconds), sum(c.booked)
        FROM (
            SELECT a.day, a.method, a.sign AS attempts, a.sign * a.successful::integer AS successes,
                a.sign * a.failed::integer AS failed, a.sign * (a.successful OR a.opened)::integer AS opened,
                a.sign * (a.converted_day IS NOT NULL)::integer AS converted,
                a.sign * coalesce(a.microseconds_to_booking, 0) AS microseconds, 0 AS booked
            FROM attempt a
            UNION ALL
            SELECT a.converted_day, a.method, 0, 0, 0, 0, 0, 0, a.sign FROM attempt a WHERE a.converted_day IS NOT NULL
        ) c
        GROUP BY c.day, c.method
        HAVING (sum(c.attempts), sum(c.successes), sum(c.failed), sum(c.opened), sum(c.converted), sum(c.microseconds),
            sum(c.booked)) IS DISTINCT FROM (0, 0, 0, 0, 0, 0, 0)
        ON CONFLICT (organization_id, day, method) DO UPDATE
        SET (attempts, successes, failed, opened, converted, microseconds_to_booking, booked)
            = (t.attempts + excluded.attempts, t.successes + excluded.successes, t.failed + excluded.failed,
                t.opened + excluded.opened, t.converted + excluded.converted,
                t.microseconds_to_booking + excluded.microseconds_to_booking, t.booked + excluded.booked)
    )
    SELECT k.time_zone, coalesce((SELECT c.appointment_value FROM re.clock c WHERE c.organization_id = organization), 0),
        (
            SELECT true
            FROM re.state_of(organization) s
            CROSS JOIN LATERAL (
                SELECT d.patient_id
                FROM re.dirty d
                WHERE d.organization_id = organization AND (d.xid, d.patient_id)
                    >= (re.floor_of(s.xmin, s.marks_from_by, s.marks_from), s.marks_from_patient)
                UNION ALL
                SELECT d.patient_id FROM re.dirty d WHERE d.organization_id = organization AND d.xid = ANY (s.marks_running)
            ) d
            WHERE s.organization_id = organization AND d.patient_id <> ALL (patients)
            LIMIT 1
        ) IS NULL
    INTO time_zone, appointment_value, complete
    FROM re.clock_of(organization) k;
END $$;
