-- A patient's state, computed from the source rows through the plain views: all there is to be derived. One that is archived,
-- not created yet or known to the log alone has attempts and bounds only; one that the source does not have at all, no row.
CREATE OR REPLACE FUNCTION re.fresh_state(organization text, patients text[])
RETURNS TABLE (
    patient_id text, class smallint, last_contact_day date, contact_days date[], missed_days date[],
    attempts re.attempt_summary[], valid_from timestamptz, valid_until timestamptz, day_from date, day_until date,
    name text, phone text, email text, last_appointment_date timestamptz, next_scheduled_appointment timestamptz,
    previous_response_rate numeric, completed_days date[], known_value numeric, without_value integer,
    folded_name text, folded_email text, phone_digits text, pieces integer[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.id, m.class, m.last_contact_day, contact.days, visit.missed_days, made.attempts,
        coalesce(instant.valid_from, '-infinity'), coalesce(instant.valid_until, 'infinity'),
        coalesce(date.day_from, '-infinity'), coalesce(date.day_until, 'infinity'),
        m.name, m.phone, m.email, m.last_appointment_date, m.next_scheduled_appointment, m.previous_response_rate,
        visit.completed_days, visit.known_value, visit.without_value,
        f.folded_name, f.folded_email, f.phone_digits,
        re.search_pieces(organization, f.folded_name, f.folded_email, f.phone_digits)
    FROM re.clock k
    CROSS JOIN (SELECT DISTINCT u.id FROM unnest(patients) AS u(id)) p
    LEFT JOIN public.patients stored ON stored.organization_id = organization AND stored.id = p.id
    LEFT JOIN LATERAL (
        SELECT v.name, v.phone, v.email, v.last_contact_day, v.last_appointment_date, v.next_scheduled_appointment,
            v.previous_response_rate, re.class_of(v.next_scheduled_appointment IS NOT NULL, v.engagement_status,
                v.missed_appointments_last_90d) AS class
        FROM public.patient_reengagement_master_view v
        WHERE v.organization_id = organization AND v.patient_id = p.id
        OFFSET 0
    ) m ON true
    CROSS JOIN LATERAL (
        SELECT re.folded(m.name) AS folded_name, re.folded(m.email) AS folded_email, re.digits(m.phone) AS phone_digits
        OFFSET 0
    ) f
    CROSS JOIN LATERAL (
        -- The days on which the last contact changes, intake included where it comes first.
        SELECT coalesce(array_agg(s.from_day ORDER BY s.from_day), '{}') AS days
        FROM re.contact_span s
        WHERE s.organization_id = organization AND s.patient_id = p.id AND s.from_day < s.to_day
    ) contact
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(a.day ORDER BY a.day) FILTER (WHERE a.missed), '{}') AS missed_days,
            coalesce(array_agg(a.day ORDER BY a.day) FILTER (WHERE a.completed), '{}') AS completed_days,
            coalesce(sum(a.value) FILTER (WHERE a.completed), 0.00) AS known_value,
            (count(*) FILTER (WHERE a.completed AND a.value IS NULL))::integer AS without_value
        FROM re.past_appointment a
        WHERE a.organization_id = organization AND a.patient_id = p.id
    ) visit
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(ROW(a.day, a.method, a.outcome = 'success', a.outcome = 'failed', a.opened,
                a.converted_day, extract(epoch FROM a.converted_at - a.created_at) * 1000000)::re.attempt_summary
            ORDER BY a.created_at, a.id), '{}') AS attempts
        FROM re.attempt a
        WHERE a.organization_id = organization AND a.patient_id = p.id
    ) made
    CROSS JOIN LATERAL (
        -- Whatever the views compare with now is one of these stamps, and each comparison turns exactly as now reaches
        -- the stamp: between two of them nothing changes but the date.
        SELECT max(s.at) FILTER (WHERE s.at <= k.now) AS valid_from, min(s.at) FILTER (WHERE s.at > k.now) AS valid_until
        FROM (
            SELECT stored.created_at AS at
            UNION ALL SELECT stored.archived_at
            UNION ALL SELECT stamp.at
            FROM public.appointments a CROSS JOIN LATERAL (VALUES (a.starts_at), (a.created_at)) AS stamp(at)
            WHERE a.organization_id = organization AND a.patient_id = p.id
            UNION ALL SELECT v.occurred_at FROM public.conversations v
            WHERE v.organization_id = organization AND v.patient_id = p.id
            UNION ALL SELECT o.created_at FROM public.outreach_log o
            WHERE o.organization_id = organization AND o.patient_id = p.id
        ) s
    ) instant
    CROSS JOIN LATERAL (
        -- As the date alone changes: a miss leaves its 90 days; and where a zone has put its clocks back across midnight,
        -- a day that lies after today, or would again if now went back, comes.
        SELECT greatest(max(e.day) FILTER (WHERE e.day <= k.today), max(e.left_on) FILTER (WHERE e.left_on <= k.today)) AS day_from,
            least(min(e.day) FILTER (WHERE e.day > k.today), min(e.left_on) FILTER (WHERE e.left_on > k.today)) AS day_until
        FROM (
            SELECT c.day, NULL::date AS left_on FROM unnest(contact.days) AS c(day)
            UNION ALL SELECT m.day, m.day + 90 FROM unnest(visit.missed_days) AS m(day)
        ) e
    ) date
    WHERE k.organization_id = organization AND (stored.id IS NOT NULL OR EXISTS (
        SELECT FROM public.outreach_log o WHERE o.organization_id = organization AND o.patient_id = p.id));
END;
