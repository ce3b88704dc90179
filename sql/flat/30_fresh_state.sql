-- The states of some patients, computed from the source rows through the plain views. A patient who is archived, not
-- yet created or only in the outreach log has only attempts and a validity interval. A patient without any source row
-- has no state.
--
-- Each OFFSET 0 keeps a subquery from being merged into the query around it. Merged, its expressions would be computed
-- once for each column that uses them: the master view's row 7 times, the folded texts twice.
CREATE OR REPLACE FUNCTION re.fresh_state(organization text, patients text[])
RETURNS TABLE (
    patient_id text, risk_group smallint, last_contact_day date, contact_days date[], missed_days date[],
    attempts re.attempt_summary[], valid_from timestamptz, valid_until timestamptz, day_from date, day_until date,
    name text, phone text, email text, last_appointment_date timestamptz, next_scheduled_appointment timestamptz,
    previous_response_rate numeric, completed_days date[], known_value numeric, without_value integer,
    folded_name text, folded_email text, phone_digits text, pieces integer[],
    acknowledged_by text, acknowledged_at timestamptz, acknowledged_until date, acknowledgement_note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT wanted.id, master.risk_group, master.last_contact_day, contact.days, visit.missed_days, made.attempts,
        coalesce(instant.valid_from, '-infinity'), coalesce(instant.valid_until, 'infinity'),
        coalesce(date.day_from, '-infinity'), coalesce(date.day_until, 'infinity'),
        master.name, master.phone, master.email, master.last_appointment_date, master.next_scheduled_appointment,
        master.previous_response_rate, visit.completed_days, visit.known_value, visit.without_value,
        folded.name, folded.email, folded.digits,
        re.search_pieces(organization, folded.name, folded.email, folded.digits),
        acknowledgement.by, acknowledgement.at, acknowledgement.until, acknowledgement.note
    FROM re.clock clock
    CROSS JOIN (SELECT DISTINCT id FROM unnest(patients) AS id) wanted
    LEFT JOIN public.patients stored ON stored.organization_id = organization AND stored.id = wanted.id
    LEFT JOIN LATERAL (
        SELECT patient.name, patient.phone, patient.email, patient.last_contact_day, patient.last_appointment_date,
            patient.next_scheduled_appointment, patient.previous_response_rate,
            re.risk_group(patient.next_scheduled_appointment IS NOT NULL, patient.engagement_status,
                patient.missed_appointments_last_90d) AS risk_group
        FROM public.patient_reengagement_master_view patient
        WHERE patient.organization_id = organization AND patient.patient_id = wanted.id
        OFFSET 0
    ) master ON true
    CROSS JOIN LATERAL (
        SELECT re.folded(master.name) AS name, re.folded(master.email) AS email, re.digits(master.phone) AS digits
        OFFSET 0
    ) folded
    CROSS JOIN LATERAL (
        -- The days on which the last contact changes. The first one may be the intake.
        SELECT coalesce(array_agg(span.from_day ORDER BY span.from_day), '{}') AS days
        FROM re.contact_span span
        WHERE span.organization_id = organization AND span.patient_id = wanted.id AND span.from_day < span.to_day
    ) contact
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(past.day ORDER BY past.day) FILTER (WHERE past.missed), '{}') AS missed_days,
            coalesce(array_agg(past.day ORDER BY past.day) FILTER (WHERE past.completed), '{}') AS completed_days,
            coalesce(sum(past.value) FILTER (WHERE past.completed), 0.00) AS known_value,
            (count(*) FILTER (WHERE past.completed AND past.value IS NULL))::integer AS without_value
        FROM re.past_appointment past
        WHERE past.organization_id = organization AND past.patient_id = wanted.id
    ) visit
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(ROW(attempt.day, attempt.method,
                attempt.outcome = 'success', attempt.outcome = 'failed', attempt.opened, attempt.converted_day,
                extract(epoch FROM attempt.converted_at - attempt.created_at) * 1000000)::re.attempt_summary
            ORDER BY attempt.created_at, attempt.id), '{}') AS attempts
        FROM re.attempt attempt
        WHERE attempt.organization_id = organization AND attempt.patient_id = wanted.id
    ) made
    LEFT JOIN LATERAL re.acknowledgement(organization, wanted.id, master.last_contact_day + re.critical_risk_days())
        acknowledgement ON true
    CROSS JOIN LATERAL (
        -- The views compare now with these timestamps only, and each comparison changes exactly when now reaches the
        -- timestamp. Between two of them only the date changes.
        SELECT max(compared.at) FILTER (WHERE compared.at <= clock.now) AS valid_from,
            min(compared.at) FILTER (WHERE compared.at > clock.now) AS valid_until
        FROM (
            SELECT stored.created_at AS at
            UNION ALL SELECT stored.archived_at
            UNION ALL SELECT stamp.at
            FROM public.appointments appointment
            CROSS JOIN LATERAL (VALUES (appointment.starts_at), (appointment.created_at)) AS stamp(at)
            WHERE appointment.organization_id = organization AND appointment.patient_id = wanted.id
            UNION ALL SELECT conversation.occurred_at FROM public.conversations conversation
            WHERE conversation.organization_id = organization AND conversation.patient_id = wanted.id
            UNION ALL SELECT attempt.created_at FROM public.outreach_log attempt
            WHERE attempt.organization_id = organization AND attempt.patient_id = wanted.id
            UNION ALL SELECT word.created_at FROM re.alert_acknowledgement word
            WHERE word.organization_id = organization AND word.patient_id = wanted.id
        ) compared
    ) instant
    CROSS JOIN LATERAL (
        -- The changes that the date alone causes. A missed appointment leaves the 90 days. An alert that was
        -- acknowledged until a day opens again. Where a zone has put its
        -- clocks back across midnight, a day can be later than today, and today reaches it later. The lower limit
        -- matters if now is set back.
        SELECT greatest(max(change.day) FILTER (WHERE change.day <= clock.today),
                max(change.left_on) FILTER (WHERE change.left_on <= clock.today)) AS day_from,
            least(min(change.day) FILTER (WHERE change.day > clock.today),
                min(change.left_on) FILTER (WHERE change.left_on > clock.today)) AS day_until
        FROM (
            SELECT day, NULL::date AS left_on FROM unnest(contact.days) AS day
            UNION ALL SELECT day, day + re.attendance_days() FROM unnest(visit.missed_days) AS day
            UNION ALL SELECT word.until, NULL FROM re.alert_acknowledgement word
            WHERE word.organization_id = organization AND word.patient_id = wanted.id AND word.until IS NOT NULL
        ) change
    ) date
    WHERE clock.organization_id = organization AND (stored.id IS NOT NULL OR EXISTS (
        SELECT FROM public.outreach_log attempt
        WHERE attempt.organization_id = organization AND attempt.patient_id = wanted.id));
END;
