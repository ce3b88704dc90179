-- No answer without its entry: whatever keeps an entry out of the table has a code of its own, which passes once somebody
-- has mended the audit.
CREATE OR REPLACE FUNCTION re.refuse_unrecorded(reason text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'REAUD',
        MESSAGE = format('the audit takes no entry: %s', reason),
        HINT = 'Look at the months and the rights of re.audit, and for a rule or a trigger on it that keeps rows out.';
END $$;

-- What the server has answered, many entries at once: one array for each column. The entries are several organizations',
-- so it runs as a role that is bound to none, may insert, and may read nothing. Returns how many there were: all are in the
-- table, or none is.
CREATE OR REPLACE FUNCTION re.record_access(
    at double precision[], status integer[], organization_id text[], subject text[], session_id text[], role text[],
    actor text[], address text[], request_id text[], method text[], route text[], filter text[], patient_ids text[],
    -- A server that is older than these does not say.
    server_request_id text[] DEFAULT NULL, automatic boolean[] DEFAULT NULL, patient_sought text[] DEFAULT NULL,
    problem text[] DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written integer;
BEGIN
    -- Planned anew each time: a session that has once met a rule DO INSTEAD NOTHING would keep its empty plan for good.
    EXECUTE $insert$
        INSERT INTO re.audit (at, status, organization_id, subject, session_id, role, actor, address, request_id, method,
            route, filter, patient_ids, server_request_id, automatic, patient_sought, problem)
        SELECT to_timestamp(e.at), e.status, e.organization_id, e.subject, e.session_id, e.role, e.actor, e.address,
            e.request_id, e.method, e.route, e.filter::jsonb, e.patient_ids::text[], e.server_request_id, e.automatic,
            e.patient_sought, e.problem
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) AS e(at, status,
            organization_id, subject, session_id, role, actor, address, request_id, method, route, filter, patient_ids,
            server_request_id, automatic, patient_sought, problem)
        $insert$
    USING at, status, organization_id, subject, session_id, role, actor, address, request_id, method, route, filter,
        patient_ids, server_request_id, automatic, patient_sought, problem;
    GET DIAGNOSTICS written = ROW_COUNT;
    -- A rule or a trigger may have kept some out.
    IF written <> cardinality(at) THEN
        PERFORM re.refuse_unrecorded(format('of %s rows %s were kept', cardinality(at), written));
    END IF;
    RETURN written;
EXCEPTION
    -- Of checks the table has none: no month takes the entry.
    WHEN insufficient_privilege OR check_violation THEN
        PERFORM re.refuse_unrecorded(SQLERRM);
END $$;

-- One entry that was refused alone while others were taken. Cut, so that whatever was too much is not so here.
CREATE OR REPLACE FUNCTION re.keep_refused_entry(reason text, entry text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept integer;
BEGIN
    EXECUTE 'INSERT INTO re.audit_refused_entry (reason, entry) VALUES (left($1, 100), left($2, 1000000))' USING reason, entry;
    GET DIAGNOSTICS kept = ROW_COUNT;
    IF kept <> 1 THEN
        PERFORM re.refuse_unrecorded('nor is what it refuses kept');
    END IF;
END $$;

-- Whether an entry of now can be written: one is, and rolled back. An error says why not. For ../verify, and for a server
-- that is asked whether it is ready.
CREATE OR REPLACE FUNCTION re.prove_audit() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM re.record_access(ARRAY[extract(epoch FROM clock_timestamp())::double precision], ARRAY[200], ARRAY[''],
        ARRAY['prove_audit'], ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], ARRAY['GET'],
        ARRAY['/ready'], ARRAY[NULL], ARRAY[NULL]);
    RAISE EXCEPTION USING ERRCODE = 'REBAK', MESSAGE = 'rolled back';
EXCEPTION WHEN SQLSTATE 'REBAK' THEN
    -- The entry is gone.
END $$;
