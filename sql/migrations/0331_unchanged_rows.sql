-- One trigger sees old and new rows together, in the place of two (flat/20_marks.sql).
DO $$
DECLARE
    source text;
BEGIN
    FOREACH source IN ARRAY ARRAY['patients', 'appointments', 'conversations', 'outreach_log'] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS mark_updated_old ON public.%I', source);
        EXECUTE format('DROP TRIGGER IF EXISTS mark_updated_new ON public.%I', source);
    END LOOP;
END $$;
