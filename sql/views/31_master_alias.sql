-- The guide calls the same view by two names.
CREATE OR REPLACE VIEW public.patient_reengagement_master AS
SELECT organization_id, patient_id, name, phone, email, treatment_notes, created_at, last_contact_day,
    days_since_last_contact, risk_level, risk_score, risk_tier, engagement_status, action_priority, recommended_action,
    next_scheduled_appointment, last_appointment_date, missed_appointments_last_90d, attendance_rate_percent,
    total_lifetime_appointments, lifetime_value, previous_response_rate
FROM public.patient_reengagement_master_view;
