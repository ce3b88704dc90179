-- The patients that exist now, neither archived nor created later, with their organization's clock.
CREATE OR REPLACE VIEW re.patient AS
SELECT patient.organization_id, patient.id, patient.name, patient.phone, patient.email, patient.treatment_notes,
    patient.created_at, clock.now, clock.today, clock.time_zone, clock.appointment_value
FROM re.clock clock
JOIN public.patients patient ON patient.organization_id = clock.organization_id
WHERE patient.created_at <= clock.now
    AND (patient.archived_at IS NULL OR patient.archived_at > clock.now);
