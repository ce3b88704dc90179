-- One row per patient: the definitions' section 3. Each source is read by index, patient by patient, so that one patient
-- costs a few probes and an organization costs its own rows. A day may lie after today although its instant is not after
-- now: some zones have put their clocks back across midnight. The OFFSET 0 fences make each day and each score be worked
-- out once, where inlining would repeat it in every column.
CREATE OR REPLACE VIEW public.patient_reengagement_master_view AS
SELECT p.organization_id, p.id AS patient_id, p.name, p.phone, p.email, p.treatment_notes, p.created_at,
    l.last_contact_day,
    l.days_since_last_contact,
    re.risk_level(l.days_since_last_contact) AS risk_level,
    s.risk_score,
    re.risk_tier(s.risk_score) AS risk_tier,
    s.engagement_status,
    re.action_priority(s.engagement_status, re.risk_tier(s.risk_score)) AS action_priority,
    re.recommended_action(s.engagement_status, re.risk_tier(s.risk_score), n.next_scheduled_appointment IS NOT NULL)
        AS recommended_action,
    n.next_scheduled_appointment,
    a.last_appointment_date,
    a.missed_in_90_days::integer AS missed_appointments_last_90d,
    re.rate_or_null(a.completed_in_90_days, a.completed_in_90_days + a.missed_in_90_days) AS attendance_rate_percent,
    a.completed::integer AS total_lifetime_appointments,
    a.lifetime_value,
    re.rate_or_null(o.successful, o.attempts) AS previous_response_rate
FROM re.patient p
CROSS JOIN LATERAL (
    SELECT max(a.day) FILTER (WHERE a.status = 'completed' AND a.day <= p.today) AS last_day,
        max(a.starts_at) FILTER (WHERE a.status = 'completed') AS last_appointment_date,
        count(*) FILTER (WHERE a.status = 'completed') AS completed,
        coalesce(sum(coalesce(a.value, p.appointment_value)) FILTER (WHERE a.status = 'completed'), 0.00) AS lifetime_value,
        count(*) FILTER (WHERE a.status = 'completed' AND a.day BETWEEN p.today - 89 AND p.today) AS completed_in_90_days,
        count(*) FILTER (WHERE a.status IN ('no_show', 'late_cancelled') AND a.day BETWEEN p.today - 89 AND p.today)
            AS missed_in_90_days
    FROM (
        SELECT a.status, a.starts_at, a.value, re.day_of(a.starts_at, p.time_zone) AS day
        FROM public.appointments a
        WHERE a.organization_id = p.organization_id AND a.patient_id = p.id
            AND a.starts_at <= p.now AND a.status IN ('completed', 'no_show', 'late_cancelled')
        OFFSET 0
    ) a
) a
CROSS JOIN LATERAL (
    SELECT min(a.starts_at) AS next_scheduled_appointment
    FROM public.appointments a
    WHERE a.organization_id = p.organization_id AND a.patient_id = p.id
        AND a.starts_at > p.now AND a.status = 'scheduled'
) n
CROSS JOIN LATERAL (
    SELECT max(v.day) FILTER (WHERE v.day <= p.today) AS last_day, count(*) AS conversations
    FROM (
        SELECT re.day_of(v.occurred_at, p.time_zone) AS day
        FROM public.conversations v
        WHERE v.organization_id = p.organization_id AND v.patient_id = p.id AND v.occurred_at <= p.now
        OFFSET 0
    ) v
) v
CROSS JOIN LATERAL (
    SELECT count(*) AS attempts,
        count(*) FILTER (WHERE o.outcome = 'success') AS successful,
        max(o.day) FILTER (WHERE o.outcome = 'success' AND o.day <= p.today) AS last_day
    FROM (
        SELECT o.outcome, re.day_of(o.created_at, p.time_zone) AS day
        FROM public.outreach_log o
        WHERE o.organization_id = p.organization_id AND o.patient_id = p.id AND o.created_at <= p.now
        OFFSET 0
    ) o
) o
CROSS JOIN LATERAL (
    SELECT d.last_contact_day, p.today - d.last_contact_day AS days_since_last_contact
    FROM (
        SELECT coalesce(greatest(a.last_day, v.last_day, o.last_day), re.day_of(p.created_at, p.time_zone)) AS last_contact_day
        OFFSET 0
    ) d
    OFFSET 0
) l
CROSS JOIN LATERAL (
    SELECT re.risk_score(l.days_since_last_contact, a.missed_in_90_days, n.next_scheduled_appointment IS NOT NULL)
            AS risk_score,
        re.engagement_status(n.next_scheduled_appointment IS NOT NULL,
            a.completed + v.conversations + o.successful > 0, l.days_since_last_contact) AS engagement_status
    OFFSET 0
) s
WHERE l.days_since_last_contact >= 0;
