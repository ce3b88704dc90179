-- The past appointments of the patients that exist now, with their day. A query for one patient reads this view and not
-- re.missed_appointment, whose condition leads the planner to the index of the organization's missed appointments while
-- the tables are small. That plan is cached, and is slow once they have grown.
CREATE OR REPLACE VIEW re.past_appointment AS
SELECT appointment.organization_id, appointment.patient_id, appointment.id, appointment.starts_at,
    re.day_of(appointment.starts_at, patient.time_zone) AS day,
    appointment.status IN ('no_show', 'late_cancelled') AS missed, appointment.status = 'completed' AS completed,
    appointment.value
FROM re.patient patient
JOIN public.appointments appointment
    ON appointment.organization_id = patient.organization_id AND appointment.patient_id = patient.id
WHERE appointment.starts_at <= patient.now;

CREATE OR REPLACE VIEW re.missed_appointment AS
SELECT appointment.organization_id, appointment.patient_id, appointment.id, appointment.starts_at, appointment.day
FROM re.past_appointment appointment
WHERE appointment.missed;
