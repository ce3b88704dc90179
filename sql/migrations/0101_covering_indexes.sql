-- The views read all of a patient's rows, which lie scattered over the table once it has grown; with what they read in the
-- index, a page of 200 patients costs a large clinic no more than a small one. Readers go on meanwhile, writers wait:
-- about 3 s for a million appointments.
CREATE INDEX appointments_of_patient ON public.appointments (organization_id, patient_id, starts_at)
    INCLUDE (status, value, created_at);
DROP INDEX public.appointments_by_patient_start;
CREATE INDEX outreach_log_of_patient ON public.outreach_log (organization_id, patient_id, created_at, id)
    INCLUDE (outcome, method);
DROP INDEX public.outreach_log_by_patient;
