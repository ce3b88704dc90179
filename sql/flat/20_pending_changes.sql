-- A statement that changes a source table records pending changes in the same transaction. The triggers that do so are
-- called mark_…. They are AFTER triggers for each statement, so a million rows cost one INSERT. It inserts in the order
-- of the index, which halves its cost. Old and new rows both count: a row that moves to another patient records a
-- pending change for both patients. An update records only the patients whose responses may change, so the cost of an
-- import that rewrites all rows depends on the rows that it changes. The functions run as a role that has no other
-- right. A writer therefore needs no right on re.pending_change.

CREATE OR REPLACE FUNCTION re.mark_patients() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO re.pending_change (organization_id, patient_id)
    SELECT DISTINCT organization_id, id FROM changed ORDER BY organization_id, id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION re.mark_patients_of_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO re.pending_change (organization_id, patient_id)
    SELECT DISTINCT organization_id, patient_id FROM changed ORDER BY organization_id, patient_id;
    RETURN NULL;
END $$;

-- A new organization gets the row whose lock serializes its advances. The row outlives the organization, so that no
-- generation is used twice.
CREATE OR REPLACE FUNCTION re.mark_organizations() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO re.organization_state (organization_id) SELECT changed.id FROM changed
        WHERE NOT EXISTS (SELECT FROM re.organization_state state WHERE state.organization_id = changed.id)
        ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO re.pending_change (organization_id) SELECT id FROM changed;
    RETURN NULL;
END $$;

-- The time zone determines all days of an organization. The appointment value changes responses but no patient's state.
-- No response contains the organization's name.
CREATE OR REPLACE FUNCTION re.mark_changed_organizations() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO re.organization_state (organization_id) SELECT new_rows.id FROM new_rows
    WHERE NOT EXISTS (SELECT FROM re.organization_state state WHERE state.organization_id = new_rows.id)
    ON CONFLICT DO NOTHING;
    INSERT INTO re.pending_change (organization_id, responses_only)
    SELECT version.id, count(*) = 2 AND count(DISTINCT version.time_zone) = 1
    FROM (
        SELECT id, time_zone, appointment_value FROM old_rows
        UNION ALL SELECT id, time_zone, appointment_value FROM new_rows
    ) version
    GROUP BY version.id
    HAVING count(*) <> 2 OR count(DISTINCT version.time_zone) > 1 OR count(DISTINCT version.appointment_value) > 1;
    RETURN NULL;
END $$;

-- TRUNCATE has no transition table, so it records a pending change for every organization that has ever existed. It also
-- removes rows that are not in the transaction's snapshot. A transaction with an older snapshot could therefore not
-- list all organizations.
CREATE OR REPLACE FUNCTION re.mark_everything() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE feature_not_supported USING
            MESSAGE = format('"%s" cannot be truncated in a transaction that is %s', TG_TABLE_NAME,
                upper(current_setting('transaction_isolation'))),
            HINT = 'Use READ COMMITTED, or DELETE.';
    END IF;
    INSERT INTO re.pending_change (organization_id) SELECT organization_id FROM re.organization_state;
    RETURN NULL;
END $$;

DO $$
DECLARE
    source text;
    marking text;
BEGIN
    FOR source, marking IN VALUES ('public.organizations', 'mark_organizations'), ('public.patients', 'mark_patients'),
        ('public.appointments', 'mark_patients_of_rows'), ('public.conversations', 'mark_patients_of_rows'),
        ('public.outreach_log', 'mark_patients_of_rows'), ('re.alert_acknowledgement', 'mark_patients_of_rows')
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_inserted AFTER INSERT ON %s
            REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION re.%I()', source, marking);
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_deleted AFTER DELETE ON %s
            REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION re.%I()', source, marking);
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_truncated AFTER TRUNCATE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION re.mark_everything()', source);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER mark_truncated', source);
    END LOOP;
END $$;

-- A patient's rows are unchanged if they are the same set of values in the columns that responses read, which are
-- listed here. Old and new rows are compared by sums: a join planned for one row would take hours with many.
DO $$
DECLARE
    source text;
    patient text;
    columns text;
BEGIN
    FOR source, patient, columns IN VALUES
        ('public.patients', 'id', 'name, phone, email, treatment_notes, created_at, archived_at'),
        ('public.appointments', 'patient_id', 'starts_at, status, value, created_at'),
        ('public.conversations', 'patient_id', 'occurred_at'),
        ('public.outreach_log', 'patient_id', 'id, method, outcome, opened, notes, logged_by, created_at'),
        ('re.alert_acknowledgement', 'patient_id',
            'critical_since, number, action, until, note, logged_by, created_at')
    LOOP
        EXECUTE format($format$
            CREATE OR REPLACE FUNCTION re.%1$I() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $mark$
            BEGIN
                INSERT INTO re.pending_change (organization_id, patient_id)
                SELECT DISTINCT changed.organization_id, changed.patient_id
                FROM (
                    SELECT version.organization_id, version.%2$I AS patient_id
                    FROM (
                        SELECT 1 AS sign, organization_id, %2$I, %3$s FROM new_rows
                        UNION ALL SELECT -1, organization_id, %2$I, %3$s FROM old_rows
                    ) version
                    GROUP BY version.organization_id, version.%2$I, %3$s
                    HAVING sum(version.sign) <> 0
                ) changed
                ORDER BY changed.organization_id, changed.patient_id;
                RETURN NULL;
            END $mark$ $format$, 'mark_changed_' || split_part(source, '.', 2), patient, columns);
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_updated AFTER UPDATE ON %s
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION re.%I()', source, 'mark_changed_' || split_part(source, '.', 2));
    END LOOP;
END $$;

CREATE OR REPLACE TRIGGER mark_updated AFTER UPDATE ON public.organizations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION re.mark_changed_organizations();

-- Rows for the organizations that are older than the triggers. CREATE TRIGGER has locked out all uncommitted writers.
-- The column defaults mean that nothing is built yet.
INSERT INTO re.organization_state (organization_id) SELECT organization.id FROM public.organizations organization
WHERE NOT EXISTS (SELECT FROM re.organization_state state WHERE state.organization_id = organization.id);
