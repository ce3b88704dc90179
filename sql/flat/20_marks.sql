-- Whoever changes a source table leaves a mark in the same transaction: AFTER, by statement, so that a million rows cost
-- one INSERT (in the order of the index, which halves its cost); and on the old as on the new rows, so that a row that
-- moves marks the patient it leaves too. An update marks those alone of whom an answer may have changed, so that an import that
-- writes all rows again, most of them as they were, costs what has changed. The functions belong to a role that may do nothing else and run as it, so that no
-- writer needs a right to the marks or could be refused one.

CREATE OR REPLACE FUNCTION re.mark_patients() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO re.dirty (organization_id, patient_id) SELECT DISTINCT c.organization_id, c.id FROM changed c ORDER BY 1, 2;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION re.mark_patients_of_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO re.dirty (organization_id, patient_id) SELECT DISTINCT c.organization_id, c.patient_id FROM changed c ORDER BY 1, 2;
    RETURN NULL;
END $$;

-- A new organization gets the row whose lock its advances take turns by; it stays when the organization goes, so that a
-- generation never comes twice.
CREATE OR REPLACE FUNCTION re.mark_organizations() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO re.organization_state (organization_id) SELECT c.id FROM changed c
        WHERE NOT EXISTS (SELECT FROM re.organization_state s WHERE s.organization_id = c.id)
        ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO re.dirty (organization_id) SELECT c.id FROM changed c;
    RETURN NULL;
END $$;

-- All of an organization's days hang on its zone, and no patient's state on its appointment value. No answer tells its name.
CREATE OR REPLACE FUNCTION re.mark_changed_organizations() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO re.organization_state (organization_id) SELECT n.id FROM new_rows n
    WHERE NOT EXISTS (SELECT FROM re.organization_state s WHERE s.organization_id = n.id)
    ON CONFLICT DO NOTHING;
    INSERT INTO re.dirty (organization_id, answers_only)
    SELECT c.id, count(*) = 2 AND count(DISTINCT c.time_zone) = 1
    FROM (
        SELECT o.id, o.time_zone, o.appointment_value FROM old_rows o
        UNION ALL SELECT n.id, n.time_zone, n.appointment_value FROM new_rows n
    ) c
    GROUP BY c.id
    HAVING count(*) <> 2 OR count(DISTINCT c.time_zone) > 1 OR count(DISTINCT c.appointment_value) > 1;
    RETURN NULL;
END $$;

-- TRUNCATE does not say what it took: every organization there has been. It also takes rows that the transaction's
-- snapshot does not have, so that an older snapshot would not know whom to mark.
CREATE OR REPLACE FUNCTION re.mark_everything() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE feature_not_supported USING
            MESSAGE = format('"%s" cannot be truncated in a transaction that is %s', TG_TABLE_NAME,
                upper(current_setting('transaction_isolation'))),
            HINT = 'Use READ COMMITTED, or DELETE.';
    END IF;
    INSERT INTO re.dirty (organization_id) SELECT s.organization_id FROM re.organization_state s;
    RETURN NULL;
END $$;

DO $$
DECLARE
    source text;
    marking text;
BEGIN
    FOR source, marking IN VALUES ('organizations', 'mark_organizations'), ('patients', 'mark_patients'),
        ('appointments', 'mark_patients_of_rows'), ('conversations', 'mark_patients_of_rows'),
        ('outreach_log', 'mark_patients_of_rows')
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_inserted AFTER INSERT ON public.%I
            REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION re.%I()', source, marking);
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_deleted AFTER DELETE ON public.%I
            REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION re.%I()', source, marking);
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_truncated AFTER TRUNCATE ON public.%I
            FOR EACH STATEMENT EXECUTE FUNCTION re.mark_everything()', source);
        EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER mark_truncated', source);
    END LOOP;
END $$;

-- A patient's rows count the same if they are the same set, whatever their ids and whatever columns no answer reads: those
-- are not named here. Old and new meet in sums, since a join that was planned for one row would take for ever with many.
DO $$
DECLARE
    source text;
    patient text;
    columns text;
BEGIN
    FOR source, patient, columns IN VALUES
        ('patients', 'id', 'name, phone, email, treatment_notes, created_at, archived_at'),
        ('appointments', 'patient_id', 'starts_at, status, value, created_at'),
        ('conversations', 'patient_id', 'occurred_at'),
        ('outreach_log', 'patient_id', 'id, method, outcome, opened, notes, logged_by, created_at')
    LOOP
        EXECUTE format($format$
            CREATE OR REPLACE FUNCTION re.%1$I() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $mark$
            BEGIN
                INSERT INTO re.dirty (organization_id, patient_id)
                SELECT DISTINCT c.organization_id, c.patient_id
                FROM (
                    SELECT r.organization_id, r.%2$I AS patient_id
                    FROM (
                        SELECT 1 AS change, organization_id, %2$I, %3$s FROM new_rows
                        UNION ALL SELECT -1, organization_id, %2$I, %3$s FROM old_rows
                    ) r
                    GROUP BY r.organization_id, r.%2$I, %3$s
                    HAVING sum(r.change) <> 0
                ) c
                ORDER BY 1, 2;
                RETURN NULL;
            END $mark$ $format$, 'mark_changed_' || source, patient, columns);
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_updated AFTER UPDATE ON public.%I
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION re.%I()', source, 'mark_changed_' || source);
    END LOOP;
END $$;

CREATE OR REPLACE TRIGGER mark_updated AFTER UPDATE ON public.organizations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION re.mark_changed_organizations();

-- The organizations that were there before the triggers, which now hold off every writer that has not committed. Their
-- rows say that nothing is built yet.
INSERT INTO re.organization_state (organization_id) SELECT o.id FROM public.organizations o
WHERE NOT EXISTS (SELECT FROM re.organization_state s WHERE s.organization_id = o.id);
