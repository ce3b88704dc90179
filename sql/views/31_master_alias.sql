-- The guide calls the same view by two names.
CREATE OR REPLACE VIEW public.patient_reengagement_master AS
SELECT * FROM public.patient_reengagement_master_view;
