/* endpoint
[{"method": "POST", "path": "log-outreach", "writes": true, "questions": [
    {"body": {"patient_id": "{patient_id}", "method": "sms", "outcome": "failed"},
     "arguments": {"patient": "{patient_id}", "method": "sms", "outcome": "failed", "opened": false, "notes": "",
        "logged_by": "user_1"}}]}]
*/
-- Always returns one row, so that a refusal is a result and not an error. Each lookup of the key is a statement of its
-- own. So under READ COMMITTED it sees what the request that it waited for has committed.
CREATE OR REPLACE FUNCTION re.log_outreach(
    organization text, patient text, method text, outcome text, opened boolean, notes text, logged_by text,
    key text,
    -- For the audit. A server older than these parameters does not pass them.
    session_id text DEFAULT NULL, role text DEFAULT NULL, actor text DEFAULT NULL, address text DEFAULT NULL,
    request_id text DEFAULT NULL, server_request_id text DEFAULT NULL)
RETURNS TABLE (result text, outreach_id uuid, logged_at text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    logged record;
BEGIN
    PERFORM re.require_known_zone(organization);
    -- Excludes a concurrent deletion of a patient's attempts. The lookups below must follow it
    -- (../flat/23_forgotten_attempts.sql).
    PERFORM pg_advisory_xact_lock_shared(hashtext('re.attempts_lock'), re.attempts_lock(organization));
    FOR try IN 1..10 LOOP
        IF key IS NOT NULL THEN
            SELECT CASE
                    WHEN (earlier.patient_id, earlier.method, earlier.outcome, earlier.opened, earlier.notes)
                        = (patient, log_outreach.method, log_outreach.outcome, log_outreach.opened, log_outreach.notes)
                    THEN 'replayed' ELSE 'conflict'
                END AS result, earlier.id, earlier.created_at
            INTO logged
            FROM public.outreach_log earlier
            WHERE earlier.organization_id = organization AND earlier.idempotency_key = key;
            IF FOUND THEN
                RETURN QUERY SELECT logged.result, logged.id, re.rfc3339(logged.created_at);
                RETURN;
            END IF;
        END IF;

        IF NOT EXISTS (SELECT FROM re.patient existing
            WHERE existing.organization_id = organization AND existing.id = patient) THEN
            RETURN QUERY SELECT 'no_patient', NULL::uuid, NULL::text;
            RETURN;
        END IF;

        INSERT INTO public.outreach_log AS attempt
            (organization_id, patient_id, method, outcome, opened, notes, logged_by, idempotency_key, created_at)
        VALUES (organization, patient, log_outreach.method, log_outreach.outcome, log_outreach.opened,
            log_outreach.notes, log_outreach.logged_by, key, re.now())
        ON CONFLICT (organization_id, idempotency_key) DO NOTHING
        RETURNING attempt.id, attempt.created_at INTO logged;
        IF FOUND THEN
            -- In the same transaction, so that no attempt is without its audit entry. Another result changes nothing
            -- and is recorded with the reads.
            PERFORM re.record_write(organization, 201, 'POST', 'log-outreach', patient, logged.id,
                jsonb_build_object('method', log_outreach.method, 'outcome', log_outreach.outcome),
                log_outreach.logged_by,
                log_outreach.session_id, log_outreach.role, log_outreach.actor, log_outreach.address,
                log_outreach.request_id, log_outreach.server_request_id);
            RETURN QUERY SELECT 'created', logged.id, re.rfc3339(logged.created_at);
            RETURN;
        END IF;
    END LOOP;

    -- Ten times another transaction has inserted a row with the key and deleted it again.
    RAISE serialization_failure USING MESSAGE = format('the idempotency key "%s" changes hands too fast', key);
END $$;
