-- The list goes on after the patient whose place in the order of priority is given; all four null is the first page.
CREATE OR REPLACE FUNCTION re.plain_prioritized_patients(
    organization text, wanted_level text, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_id text)
RETURNS TABLE (
    "timestamp" text, id text, name text, phone text, email text, risk_level text, risk_score integer,
    days_since_last_contact integer, last_appointment_date text, next_scheduled_appointment text,
    recommended_action text, action_priority integer, previous_response_rate numeric,
    total_lifetime_appointments integer, missed_appointments_last_90d integer, engagement_status text,
    risk_tier text, attendance_rate_percent numeric, lifetime_value numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT re.rfc3339(k.now), v.patient_id, v.name, v.phone, v.email, v.risk_level, v.risk_score,
        v.days_since_last_contact, re.rfc3339(v.last_appointment_date), re.rfc3339(v.next_scheduled_appointment),
        v.recommended_action, v.action_priority, v.previous_response_rate, v.total_lifetime_appointments,
        v.missed_appointments_last_90d, v.engagement_status, v.risk_tier, v.attendance_rate_percent, v.lifetime_value
    FROM (SELECT re.now() AS now) k
    LEFT JOIN (
        SELECT *
        FROM public.patient_reengagement_master_view m
        WHERE m.organization_id = organization
            AND (wanted_level IS NULL OR m.risk_level = wanted_level)
            AND (after_priority IS NULL
                OR (m.action_priority, -m.risk_score, -m.days_since_last_contact, m.patient_id)
                    > (after_priority, -after_score, -after_days, after_id))
        ORDER BY m.action_priority, m.risk_score DESC, m.days_since_last_contact DESC, m.patient_id
        LIMIT row_limit
    ) v ON true
    ORDER BY v.action_priority, v.risk_score DESC, v.days_since_last_contact DESC, v.patient_id;
END;
