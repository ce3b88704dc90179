-- A server of 0.3.0 goes on until the next one takes its socket over. It asks for the list with these parameters.
CREATE OR REPLACE FUNCTION re.prioritized_patients(
    organization text, wanted_level text, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_id text)
RETURNS TABLE (
    "timestamp" text, id text, name text, phone text, email text, risk_level text, risk_score integer,
    days_since_last_contact integer, last_appointment_date text, next_scheduled_appointment text,
    recommended_action text, action_priority integer, previous_response_rate numeric,
    total_lifetime_appointments integer, missed_appointments_last_90d integer, engagement_status text,
    risk_tier text, attendance_rate_percent numeric, lifetime_value numeric)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT l."timestamp", l.id, l.name, l.phone, l.email, l.risk_level, l.risk_score, l.days_since_last_contact,
        l.last_appointment_date, l.next_scheduled_appointment, l.recommended_action, l.action_priority,
        l.previous_response_rate, l.total_lifetime_appointments, l.missed_appointments_last_90d, l.engagement_status,
        l.risk_tier, l.attendance_rate_percent, l.lifetime_value
    FROM re.prioritized_patients(organization, wanted_level, NULL, NULL, NULL, NULL, 'priority', false, row_limit,
        after_priority, after_score, after_days, NULL, after_id) l
$$;
