-- A response is sent only with its entry in the table. All causes that prevent an entry have one error code. The errors
-- end when an operator has repaired the audit.
CREATE OR REPLACE FUNCTION re.refuse_unrecorded(reason text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'REAUD',
        MESSAGE = format('the audit takes no entry: %s', reason),
        HINT = 'Look at the months and the rights of re.audit, and for a rule or a trigger on it that keeps rows out.';
END $$;

-- A written entry must survive a crash, and so must what the same transaction writes. The setting is only raised: a
-- stronger one stays.
CREATE OR REPLACE FUNCTION re.commit_durably() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
END $$;

-- Records the entries of many responses: one array per column. The entries belong to several organizations, so this
-- runs as a role that is bound to none, may insert, and may not read. The database determines when they were written
-- and by which login. server_at is the server's clock at each response. Returns the number of entries. Either all are
-- in the table or none.
CREATE OR REPLACE FUNCTION re.record_access(
    server_at double precision[], status integer[], organization_id text[], subject text[], session_id text[], role text[],
    actor text[], address text[], request_id text[], method text[], route text[], filter text[], patient_ids text[],
    -- An older server does not send these.
    server_request_id text[] DEFAULT NULL, automatic boolean[] DEFAULT NULL, patient_sought text[] DEFAULT NULL,
    problem text[] DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written integer;
BEGIN
    PERFORM re.commit_durably();
    -- EXECUTE plans the statement on each call. A cached plan made under a rule DO INSTEAD NOTHING would stay empty.
    EXECUTE $insert$
        INSERT INTO re.audit (at, database_user, server_at, status, organization_id, subject, session_id, role, actor,
            address, request_id, method, route, filter, patient_ids, server_request_id, automatic, patient_sought, problem)
        SELECT clock_timestamp(), session_user, to_timestamp(e.server_at), e.status, e.organization_id, e.subject,
            e.session_id, e.role, e.actor, e.address, e.request_id, e.method, e.route, e.filter::jsonb,
            e.patient_ids::text[], e.server_request_id, e.automatic, e.patient_sought, e.problem
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) AS e(server_at, status,
            organization_id, subject, session_id, role, actor, address, request_id, method, route, filter, patient_ids,
            server_request_id, automatic, patient_sought, problem)
        $insert$
    USING server_at, status, organization_id, subject, session_id, role, actor, address, request_id, method, route, filter,
        patient_ids, server_request_id, automatic, patient_sought, problem;
    GET DIAGNOSTICS written = ROW_COUNT;
    -- A rule or a trigger may have dropped some.
    IF written <> cardinality(server_at) THEN
        PERFORM re.refuse_unrecorded(format('of %s rows %s were kept', cardinality(server_at), written));
    END IF;
    RETURN written;
EXCEPTION
    -- The table has no CHECK constraint, so this means that no partition accepts the entry.
    WHEN insufficient_privilege OR check_violation THEN
        PERFORM re.refuse_unrecorded(SQLERRM);
END $$;

-- The entry of a request that writes, in the transaction that does so. `route` is below the organization's path. patient
-- and outreach are null if the request is about none.
CREATE OR REPLACE FUNCTION re.record_write(
    organization text, status integer, method text, route text, patient text, outreach uuid, filter jsonb, subject text,
    session_id text, role text, actor text, address text, request_id text, server_request_id text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entries integer;
BEGIN
    PERFORM re.commit_durably();
    -- Planned on each call and counted, as above.
    EXECUTE $insert$
        INSERT INTO re.audit (at, database_user, status, organization_id, subject, session_id, role, actor, address,
            request_id, method, route, filter, patient_ids, outreach_id, server_request_id)
        VALUES (clock_timestamp(), session_user, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        $insert$
    USING status, organization, subject, session_id, role, actor, address, request_id, method,
        '/api/v1/reengagement/{org_id}/' || route, filter, CASE WHEN patient IS NOT NULL THEN ARRAY[patient] END, outreach,
        server_request_id;
    GET DIAGNOSTICS entries = ROW_COUNT;
    IF entries <> 1 THEN
        PERFORM re.refuse_unrecorded('its row was not kept');
    END IF;
EXCEPTION WHEN insufficient_privilege OR check_violation THEN
    PERFORM re.refuse_unrecorded(SQLERRM);
END $$;

-- Stores an entry that was refused alone while others were accepted. It is shortened, so that its size cannot be the
-- cause here.
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

-- Whether an entry can be written now: one is inserted and rolled back. An error contains the reason. For ../verify,
-- and for a server's readiness.
CREATE OR REPLACE FUNCTION re.prove_audit() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM re.record_access(ARRAY[extract(epoch FROM clock_timestamp())::double precision], ARRAY[200], ARRAY[''],
        ARRAY['prove_audit'], ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], ARRAY['GET'],
        ARRAY['/ready'], ARRAY[NULL], ARRAY[NULL]);
    -- Deferred checks would run at the commit. They run now.
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE EXCEPTION USING ERRCODE = 'REBAK', MESSAGE = 'rolled back';
EXCEPTION WHEN SQLSTATE 'REBAK' THEN
    -- Rolls the entry back.
END $$;
