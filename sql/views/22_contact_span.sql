-- For each patient the intervals of days with the same last contact: from from_day up to, not including, to_day. The
-- intake begins the first one. The interval is empty, that is from_day is not before to_day, for a second contact on
-- one day and for an intake that is not before the first contact.
CREATE OR REPLACE VIEW re.contact_span AS
SELECT patient.organization_id, patient.id AS patient_id, span.from_day, coalesce(span.to_day, 'infinity') AS to_day
FROM re.patient patient
CROSS JOIN LATERAL (
    SELECT array_agg(re.day_of(contact.at, patient.time_zone) ORDER BY re.day_of(contact.at, patient.time_zone)) AS days
    FROM (
        SELECT appointment.starts_at AS at FROM public.appointments appointment
        WHERE appointment.organization_id = patient.organization_id AND appointment.patient_id = patient.id
            AND appointment.status = 'completed' AND appointment.starts_at <= patient.now
        UNION ALL
        SELECT conversation.occurred_at FROM public.conversations conversation
        WHERE conversation.organization_id = patient.organization_id AND conversation.patient_id = patient.id
            AND conversation.occurred_at <= patient.now
        UNION ALL
        SELECT attempt.created_at FROM public.outreach_log attempt
        WHERE attempt.organization_id = patient.organization_id AND attempt.patient_id = patient.id
            AND attempt.outcome = 'success' AND attempt.created_at <= patient.now
    ) contact
) contacts
-- Pairs each day with the one after it: unnest fills the shorter array with null.
CROSS JOIN LATERAL unnest(re.day_of(patient.created_at, patient.time_zone) || contacts.days, contacts.days)
    AS span(from_day, to_day);
