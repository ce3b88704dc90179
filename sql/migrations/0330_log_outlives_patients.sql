-- The staff's log outlives an import that deletes patients and inserts them again (definitions.md, section 1), which a
-- foreign key that cascades would not let it. What it did at once, flat/23_forgotten_attempts.sql does at a transaction's end.
-- No row is read or written.
DO $$
DECLARE
    name name;
BEGIN
    FOR name IN
        SELECT c.conname FROM pg_constraint c
        WHERE c.conrelid = 'public.outreach_log'::regclass AND c.confrelid = 'public.patients'::regclass AND c.contype = 'f'
    LOOP
        EXECUTE format('ALTER TABLE public.outreach_log DROP CONSTRAINT %I', name);
    END LOOP;
END $$;

-- Whoever writes organizations need not have a right to schema re, where the list of zones is checked.
ALTER FUNCTION re.check_inserted_time_zones() SECURITY DEFINER;
ALTER FUNCTION re.check_updated_time_zones() SECURITY DEFINER;
