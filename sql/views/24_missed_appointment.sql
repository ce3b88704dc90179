-- Missed appointments of the patients that exist now, with their day.
CREATE OR REPLACE VIEW re.missed_appointment AS
SELECT a.organization_id, a.patient_id, a.id, a.starts_at, re.day_of(a.starts_at, p.time_zone) AS day
FROM re.patient p
JOIN public.appointments a ON a.organization_id = p.organization_id AND a.patient_id = p.id
WHERE a.status IN ('no_show', 'late_cancelled') AND a.starts_at <= p.now;
