-- The guide calls the same view by two names. Change this file when the view gains a column: critical_since was the
-- last.
CREATE OR REPLACE VIEW public.patient_reengagement_master AS
SELECT * FROM public.patient_reengagement_master_view;
