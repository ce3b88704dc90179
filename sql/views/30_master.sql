-- One row for each patient (docs/definitions.md, section 3). Each source is read by index, patient by patient. So one
-- patient costs a few index lookups and an organization costs its own rows. A day may be later than today although its
-- instant is not later than now: some zones have put their clocks back across midnight.
--
-- Without OFFSET 0 the planner merges a subquery and computes each day and each score once for every column that uses
-- it: a plain list of 2,000 patients then takes 135 ms instead of 78.
CREATE OR REPLACE VIEW public.patient_reengagement_master_view AS
SELECT patient.organization_id, patient.id AS patient_id, patient.name, patient.phone, patient.email,
    patient.treatment_notes, patient.created_at,
    contact.last_contact_day,
    contact.days_since_last_contact,
    re.risk_level(contact.days_since_last_contact) AS risk_level,
    risk.risk_score,
    re.risk_tier(risk.risk_score) AS risk_tier,
    risk.engagement_status,
    re.action_priority(risk.engagement_status, re.risk_tier(risk.risk_score)) AS action_priority,
    re.recommended_action(risk.engagement_status, re.risk_tier(risk.risk_score), next.starts_at IS NOT NULL)
        AS recommended_action,
    next.starts_at AS next_scheduled_appointment,
    past.last_appointment_date,
    past.recently_missed::integer AS missed_appointments_last_90d,
    re.rate_or_null(past.recently_completed, past.recently_completed + past.recently_missed) AS attendance_rate_percent,
    past.completed::integer AS total_lifetime_appointments,
    past.lifetime_value,
    re.rate_or_null(outreach.successful, outreach.attempts) AS previous_response_rate,
    CASE WHEN contact.days_since_last_contact >= re.critical_risk_days()
        THEN contact.last_contact_day + re.critical_risk_days() END AS critical_since
FROM re.patient patient
CROSS JOIN LATERAL (
    SELECT max(visit.day) FILTER (WHERE visit.status = 'completed' AND visit.day <= patient.today) AS last_day,
        max(visit.starts_at) FILTER (WHERE visit.status = 'completed') AS last_appointment_date,
        count(*) FILTER (WHERE visit.status = 'completed') AS completed,
        coalesce(sum(coalesce(visit.value, patient.appointment_value)) FILTER (WHERE visit.status = 'completed'), 0.00)
            AS lifetime_value,
        count(*) FILTER (WHERE visit.status = 'completed'
            AND visit.day BETWEEN patient.today - re.attendance_days() + 1 AND patient.today) AS recently_completed,
        count(*) FILTER (WHERE visit.status IN ('no_show', 'late_cancelled')
            AND visit.day BETWEEN patient.today - re.attendance_days() + 1 AND patient.today) AS recently_missed
    FROM (
        SELECT appointment.status, appointment.starts_at, appointment.value,
            re.day_of(appointment.starts_at, patient.time_zone) AS day
        FROM public.appointments appointment
        WHERE appointment.organization_id = patient.organization_id AND appointment.patient_id = patient.id
            AND appointment.starts_at <= patient.now
            AND appointment.status IN ('completed', 'no_show', 'late_cancelled')
        OFFSET 0
    ) visit
) past
CROSS JOIN LATERAL (
    SELECT min(appointment.starts_at) AS starts_at
    FROM public.appointments appointment
    WHERE appointment.organization_id = patient.organization_id AND appointment.patient_id = patient.id
        AND appointment.starts_at > patient.now AND appointment.status = 'scheduled'
) next
CROSS JOIN LATERAL (
    SELECT max(conversation.day) FILTER (WHERE conversation.day <= patient.today) AS last_day, count(*) AS conversations
    FROM (
        SELECT re.day_of(conversation.occurred_at, patient.time_zone) AS day
        FROM public.conversations conversation
        WHERE conversation.organization_id = patient.organization_id AND conversation.patient_id = patient.id
            AND conversation.occurred_at <= patient.now
        OFFSET 0
    ) conversation
) talk
CROSS JOIN LATERAL (
    SELECT count(*) AS attempts,
        count(*) FILTER (WHERE attempt.outcome = 'success') AS successful,
        max(attempt.day) FILTER (WHERE attempt.outcome = 'success' AND attempt.day <= patient.today) AS last_day
    FROM (
        SELECT attempt.outcome, re.day_of(attempt.created_at, patient.time_zone) AS day
        FROM public.outreach_log attempt
        WHERE attempt.organization_id = patient.organization_id AND attempt.patient_id = patient.id
            AND attempt.created_at <= patient.now
        OFFSET 0
    ) attempt
) outreach
CROSS JOIN LATERAL (
    SELECT last.day AS last_contact_day, patient.today - last.day AS days_since_last_contact
    FROM (
        SELECT coalesce(greatest(past.last_day, talk.last_day, outreach.last_day),
            re.day_of(patient.created_at, patient.time_zone)) AS day
        OFFSET 0
    ) last
    OFFSET 0
) contact
CROSS JOIN LATERAL (
    SELECT re.risk_score(contact.days_since_last_contact, past.recently_missed, next.starts_at IS NOT NULL)
            AS risk_score,
        re.engagement_status(next.starts_at IS NOT NULL, past.completed + talk.conversations + outreach.successful > 0,
            contact.days_since_last_contact) AS engagement_status
    OFFSET 0
) risk
WHERE contact.days_since_last_contact >= 0;
