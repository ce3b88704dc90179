-- The appointments, until now, of the patients that exist now, with their day; and those of them that were missed. Who
-- goes by patient asks the first: the condition of the second may lead the planner, while the tables are still small, to
-- the index of an organization's missed appointments, which is the wrong one once they have grown.
CREATE OR REPLACE VIEW re.past_appointment AS
SELECT a.organization_id, a.patient_id, a.id, a.starts_at, re.day_of(a.starts_at, p.time_zone) AS day,
    a.status IN ('no_show', 'late_cancelled') AS missed, a.status = 'completed' AS completed, a.value
FROM re.patient p
JOIN public.appointments a ON a.organization_id = p.organization_id AND a.patient_id = p.id
WHERE a.starts_at <= p.now;

CREATE OR REPLACE VIEW re.missed_appointment AS
SELECT a.organization_id, a.patient_id, a.id, a.starts_at, a.day
FROM re.past_appointment a
WHERE a.missed;
