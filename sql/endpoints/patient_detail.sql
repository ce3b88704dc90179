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
    treatment_notes text, created_at text, last_contact_day text, outreach text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.organization_id, v.patient_id, v.name, v.phone, v.email, v.risk_level, v.risk_score,
        v.days_since_last_contact, re.rfc3339(v.last_appointment_date), re.rfc3339(v.next_scheduled_appointment),
        v.recommended_action, v.action_priority, v.previous_response_rate, v.total_lifetime_appointments,
        v.missed_appointments_last_90d, v.engagement_status, v.risk_tier, v.attendance_rate_percent, v.lifetime_value,
        v.treatment_notes, re.rfc3339(v.created_at), re.iso_date(v.last_contact_day),
        coalesce(l.outreach, '[]')
    FROM public.patient_reengagement_master_view v
    CROSS JOIN LATERAL (
        SELECT json_agg(json_build_object(
                'outreach_id', a.id, 'method', a.method, 'outcome', a.outcome, 'opened', a.opened,
                'notes', a.notes, 'logged_by', a.logged_by, 'logged_at', re.rfc3339(a.created_at))
            ORDER BY a.created_at DESC, a.id DESC)::text AS outreach
        FROM (
            SELECT * FROM re.attempt t
            WHERE t.organization_id = organization AND t.patient_id = patient
            ORDER BY t.created_at DESC, t.id DESC
            LIMIT 20
        ) a
    ) l
    WHERE v.organization_id = organization AND v.patient_id = patient
        -- Asked before the patient is, so that whoever is not there does not hide it.
        AND (SELECT re.require_known_zone(organization));
END;
