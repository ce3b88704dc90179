-- What the views probe by, patient by patient.
CREATE INDEX appointments_by_patient_start ON public.appointments (organization_id, patient_id, starts_at);
CREATE INDEX conversations_by_patient ON public.conversations (organization_id, patient_id, occurred_at);
CREATE INDEX outreach_log_by_patient ON public.outreach_log (organization_id, patient_id, created_at, id);

-- The bookings that an attempt may have brought about.
CREATE INDEX appointments_by_patient_booking ON public.appointments (organization_id, patient_id, created_at)
    WHERE status NOT IN ('cancelled', 'late_cancelled');

-- The windows of days over a whole organization.
CREATE INDEX missed_appointments_by_start ON public.appointments (organization_id, starts_at)
    WHERE status IN ('no_show', 'late_cancelled');
CREATE INDEX outreach_log_by_time ON public.outreach_log (organization_id, created_at);
