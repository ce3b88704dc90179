-- Where rows are replayed, session_replication_role is replica, and the triggers of 20_pending_changes do not fire.
-- Rows are replayed by logical replication, by its initial copy of a table, and by a session that sets the parameter.
-- The triggers of this file fire only then, so other writers pay nothing for them. (Their WHEN condition covers a site
-- that has enabled all triggers of a table alike.) They are for each row, since replication applies rows and no
-- statements. TRUNCATE is the exception: its trigger fires always (20_pending_changes).

CREATE OR REPLACE FUNCTION re.mark_replicated_patient() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW *= OLD THEN
        RETURN NULL;
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO re.pending_change (organization_id, patient_id) VALUES (OLD.organization_id, OLD.id);
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND (NEW.organization_id, NEW.id) <> (OLD.organization_id, OLD.id) THEN
        INSERT INTO re.pending_change (organization_id, patient_id) VALUES (NEW.organization_id, NEW.id);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION re.mark_replicated_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW *= OLD THEN
        RETURN NULL;
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO re.pending_change (organization_id, patient_id) VALUES (OLD.organization_id, OLD.patient_id);
    END IF;
    IF TG_OP = 'INSERT'
        OR TG_OP = 'UPDATE' AND (NEW.organization_id, NEW.patient_id) <> (OLD.organization_id, OLD.patient_id)
    THEN
        INSERT INTO re.pending_change (organization_id, patient_id) VALUES (NEW.organization_id, NEW.patient_id);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION re.mark_replicated_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO re.organization_state (organization_id) SELECT NEW.id
        WHERE NOT EXISTS (SELECT FROM re.organization_state state WHERE state.organization_id = NEW.id)
        ON CONFLICT DO NOTHING;
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.time_zone) = (OLD.id, OLD.time_zone) THEN
        IF NEW.appointment_value <> OLD.appointment_value THEN
            INSERT INTO re.pending_change (organization_id, responses_only) VALUES (NEW.id, true);
        END IF;
        RETURN NULL;
    END IF;
    INSERT INTO re.pending_change (organization_id)
    SELECT DISTINCT changed.id FROM unnest(ARRAY[OLD.id, NEW.id]) AS changed(id) WHERE changed.id IS NOT NULL;
    RETURN NULL;
END $$;

-- The time zone is checked here too, as the other constraints are. A refused row stops the subscription with an error
-- that contains the reason. Listing PostgreSQL's zones is slow, so each zone is checked once in a transaction. The
-- initial copy is one transaction.
CREATE OR REPLACE FUNCTION re.check_replicated_time_zone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    checked text[] := nullif(current_setting('re.checked_time_zones', true), '')::text[];
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.time_zone = OLD.time_zone OR NEW.time_zone = ANY ('UTC'::text || checked) THEN
        RETURN NULL;
    END IF;
    PERFORM re.check_time_zones(ARRAY[NEW.time_zone]);
    PERFORM set_config('re.checked_time_zones', (checked || NEW.time_zone)::text, true);
    RETURN NULL;
END $$;

DO $$
DECLARE
    source text;
    marking text;
BEGIN
    FOR source, marking IN VALUES ('public.organizations', 'mark_replicated_organization'),
        ('public.patients', 'mark_replicated_patient'),
        ('public.appointments', 'mark_replicated_row'), ('public.conversations', 'mark_replicated_row'),
        ('public.outreach_log', 'mark_replicated_row'), ('re.alert_acknowledgement', 'mark_replicated_row')
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER mark_replicated AFTER INSERT OR UPDATE OR DELETE ON %s
            FOR EACH ROW WHEN (current_setting(''session_replication_role'') = ''replica'')
            EXECUTE FUNCTION re.%I()', source, marking);
        EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER mark_replicated', source);
    END LOOP;
END $$;

CREATE OR REPLACE TRIGGER check_replicated_time_zone AFTER INSERT OR UPDATE ON public.organizations
    FOR EACH ROW EXECUTE FUNCTION re.check_replicated_time_zone();
ALTER TABLE public.organizations ENABLE REPLICA TRIGGER check_replicated_time_zone;
