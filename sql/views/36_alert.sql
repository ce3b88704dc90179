-- A patient with the alert of the present day, in the form of the API. `critical_since` is null, and nothing is
-- acknowledged, if the patient is not critical.
CREATE OR REPLACE FUNCTION re.alert_of(organization text, patient text)
RETURNS TABLE (
    id text, name text, phone text, email text, risk_level text, risk_score integer, critical_since text,
    days_since_last_contact integer, recommended_action text, action_priority integer,
    acknowledged_by text, acknowledged_at text, acknowledged_until text, acknowledged_note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT master.patient_id, master.name, master.phone, master.email, master.risk_level, master.risk_score,
        re.iso_date(master.critical_since), master.days_since_last_contact, master.recommended_action,
        master.action_priority, acknowledgement.by, re.rfc3339(acknowledgement.at),
        re.iso_date(acknowledgement.until), acknowledgement.note
    FROM public.patient_reengagement_master_view master
    LEFT JOIN LATERAL re.acknowledgement(organization, patient, master.critical_since) acknowledgement
        ON master.critical_since IS NOT NULL
    WHERE master.organization_id = organization AND master.patient_id = patient;
END;
