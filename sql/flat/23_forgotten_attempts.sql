-- Deletes a patient's outreach attempts, and the acknowledgements of its alerts, when a transaction that deleted the
-- patient commits without the patient, and an organization's when it commits without the organization. The triggers are
-- deferred to the commit, so an import may delete all patients and insert them again. TRUNCATE deletes no row and so
-- leaves the log as it is.
--
-- The functions run as the tables' owner, as those of a foreign key do. A writer of patients then needs no right on the
-- log, and no setting of the writer can hide an attempt from the deletion. The lookup for each patient also avoids the
-- cost of row-level security. The triggers fire for replayed rows too: a subscriber's log need not be the publisher's.
--
-- re.log_outreach runs concurrently and must not leave an attempt without a patient. It holds a shared advisory lock
-- while it looks for the patient and writes the attempt. A deletion takes the lock exclusively. So either the attempt
-- has been committed when this function searches the log, or re.log_outreach looks for the patient after the deletion
-- has committed. (This is true under READ COMMITTED. A deletion in a transaction with an older snapshot does not see the
-- attempt, which remains as an attempt of an unknown patient.) An import takes the lock only at its commit, and only if
-- a patient is missing then.
--
-- The lock has 1024 keys, so that a deletion of all organizations cannot fill PostgreSQL's lock table.
CREATE OR REPLACE FUNCTION re.attempts_lock(organization text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtext(organization) & 1023;

CREATE OR REPLACE FUNCTION re.forget_attempts_of_patient() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM public.patients WHERE organization_id = OLD.organization_id AND id = OLD.id) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('re.attempts_lock'), re.attempts_lock(OLD.organization_id));
    -- A DELETE without a row fires the statement triggers of the log too.
    IF EXISTS (SELECT FROM public.outreach_log WHERE organization_id = OLD.organization_id AND patient_id = OLD.id) THEN
        DELETE FROM public.outreach_log WHERE organization_id = OLD.organization_id AND patient_id = OLD.id;
    END IF;
    IF EXISTS (SELECT FROM re.alert_acknowledgement
        WHERE organization_id = OLD.organization_id AND patient_id = OLD.id)
    THEN
        DELETE FROM re.alert_acknowledgement WHERE organization_id = OLD.organization_id AND patient_id = OLD.id;
    END IF;
    RETURN NULL;
END $$;

-- Includes the attempts of patients that the organization no longer had before the transaction.
CREATE OR REPLACE FUNCTION re.forget_attempts_of_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM public.organizations WHERE id = OLD.id) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('re.attempts_lock'), re.attempts_lock(OLD.id));
    IF EXISTS (SELECT FROM public.outreach_log WHERE organization_id = OLD.id) THEN
        DELETE FROM public.outreach_log WHERE organization_id = OLD.id;
    END IF;
    IF EXISTS (SELECT FROM re.alert_acknowledgement WHERE organization_id = OLD.id) THEN
        DELETE FROM re.alert_acknowledgement WHERE organization_id = OLD.id;
    END IF;
    RETURN NULL;
END $$;

-- CREATE OR REPLACE cannot replace a constraint trigger.
DROP TRIGGER IF EXISTS forget_attempts ON public.patients;
CREATE CONSTRAINT TRIGGER forget_attempts AFTER DELETE ON public.patients
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION re.forget_attempts_of_patient();
ALTER TABLE public.patients ENABLE ALWAYS TRIGGER forget_attempts;

DROP TRIGGER IF EXISTS forget_attempts ON public.organizations;
CREATE CONSTRAINT TRIGGER forget_attempts AFTER DELETE ON public.organizations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION re.forget_attempts_of_organization();
ALTER TABLE public.organizations ENABLE ALWAYS TRIGGER forget_attempts;
