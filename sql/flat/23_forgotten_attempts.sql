-- An attempt goes where a transaction that deleted its patient ends without that patient; so does what an organization has
-- of attempts, where it ends without that organization. Deferred to the end, so that an import may delete all patients and
-- insert them again. TRUNCATE deletes no row and so leaves the log.
--
-- The functions run as the tables' owner, as a foreign key's do: a writer of patients needs no right to the log, no setting of
-- his hides an attempt from its deletion, and what asks once for each patient pays nothing for row-level security.
-- They fire where rows are replayed, too: a subscriber's log need not be the publisher's.
--
-- Whom a deletion may meet is log_outreach, the only one who promises that the patient is there. It holds a lock in common
-- with its like while it looks and writes; who has a patient to forget waits for it alone. So either the attempt is
-- committed when the log is searched here, or the patient is looked for after this transaction's end. (Under READ COMMITTED. A
-- transaction with one snapshot, which began before the attempt, leaves it, as of a patient who is not there.)
-- An import in progress holds no lock, only one that ends without somebody.
--
-- 1024 locks at most, lest a deletion of every organization fill PostgreSQL's table of locks.
CREATE OR REPLACE FUNCTION re.attempts_lock(organization text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtext(organization) & 1023;

CREATE OR REPLACE FUNCTION re.forget_attempts_of_patient() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM public.patients p WHERE p.organization_id = OLD.organization_id AND p.id = OLD.id) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('re.attempts_lock'), re.attempts_lock(OLD.organization_id));
    -- Asked first, since a deletion fires its triggers for no row too.
    IF EXISTS (SELECT FROM public.outreach_log o WHERE o.organization_id = OLD.organization_id AND o.patient_id = OLD.id) THEN
        DELETE FROM public.outreach_log o WHERE o.organization_id = OLD.organization_id AND o.patient_id = OLD.id;
    END IF;
    RETURN NULL;
END $$;

-- Of patients that were not there before the transaction, too.
CREATE OR REPLACE FUNCTION re.forget_attempts_of_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM public.organizations o WHERE o.id = OLD.id) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('re.attempts_lock'), re.attempts_lock(OLD.id));
    IF EXISTS (SELECT FROM public.outreach_log o WHERE o.organization_id = OLD.id) THEN
        DELETE FROM public.outreach_log o WHERE o.organization_id = OLD.id;
    END IF;
    RETURN NULL;
END $$;

-- A constraint trigger cannot be replaced.
DROP TRIGGER IF EXISTS forget_attempts ON public.patients;
CREATE CONSTRAINT TRIGGER forget_attempts AFTER DELETE ON public.patients
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION re.forget_attempts_of_patient();
ALTER TABLE public.patients ENABLE ALWAYS TRIGGER forget_attempts;

DROP TRIGGER IF EXISTS forget_attempts ON public.organizations;
CREATE CONSTRAINT TRIGGER forget_attempts AFTER DELETE ON public.organizations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION re.forget_attempts_of_organization();
ALTER TABLE public.organizations ENABLE ALWAYS TRIGGER forget_attempts;
