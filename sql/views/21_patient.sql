-- The patients that exist now, beside their organization's clock: neither archived yet nor created later.
CREATE OR REPLACE VIEW re.patient AS
SELECT p.organization_id, p.id, p.name, p.phone, p.email, p.treatment_notes, p.created_at,
    c.now, c.today, c.time_zone, c.appointment_value
FROM re.clock c
JOIN public.patients p ON p.organization_id = c.organization_id
WHERE p.created_at <= c.now
    AND (p.archived_at IS NULL OR p.archived_at > c.now);
