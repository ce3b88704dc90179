/* endpoint
[{"method": "GET", "path": "patients/{patient_id}", "questions": [
    {"title": "patient", "query": "", "arguments": {"patient": "{patient_id}"}}]}]
*/
CREATE OR REPLACE FUNCTION re.patient_detail(organization text, patient text)
RETURNS TABLE (
    organization_id text, id text, name text, phone text, email text, risk_level text, risk_score integer,
    days_since_last_contact integer, last_appointment_date text, next_scheduled_appointment text,
    recommended_action text, action_priority integer, previous_response_rate numeric,
    total_lifetime_appointments integer, missed_appointments_last_90d integer, engagement_status text,
    risk_tier text, attendance_rate_percent numeric, lifetime_value numeric,
    treatment_notes text, created_at text, last_contact_day text, outreach text, critical_since text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT master.organization_id, master.patient_id, master.name, master.phone, master.email, master.risk_level,
        master.risk_score, master.days_since_last_contact, re.rfc3339(master.last_appointment_date),
        re.rfc3339(master.next_scheduled_appointment), master.recommended_action, master.action_priority,
        master.previous_response_rate, master.total_lifetime_appointments, master.missed_appointments_last_90d,
        master.engagement_status, master.risk_tier, master.attendance_rate_percent, master.lifetime_value,
        master.treatment_notes, re.rfc3339(master.created_at), re.iso_date(master.last_contact_day),
        coalesce(log.outreach, '[]'), re.iso_date(master.critical_since)
    FROM public.patient_reengagement_master_view master
    CROSS JOIN LATERAL (
        SELECT json_agg(json_build_object(
                'outreach_id', shown.id, 'method', shown.method, 'outcome', shown.outcome, 'opened', shown.opened,
                'notes', shown.notes, 'logged_by', shown.logged_by, 'logged_at', re.rfc3339(shown.created_at))
            ORDER BY shown.created_at DESC, shown.id DESC)::text AS outreach
        FROM (
            SELECT * FROM re.attempt attempt
            WHERE attempt.organization_id = organization AND attempt.patient_id = patient
            ORDER BY attempt.created_at DESC, attempt.id DESC
            LIMIT re.shown_attempts()
        ) shown
    ) log
    WHERE master.organization_id = organization AND master.patient_id = patient
        -- A subquery, so that it runs first: an unknown zone is an error for an unknown patient too.
        AND (SELECT re.require_known_zone(organization));
END;
