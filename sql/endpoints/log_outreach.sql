/* endpoint
[{"method": "POST", "path": "log-outreach", "writes": true, "questions": [
    {"body": {"patient_id": "{patient_id}", "method": "sms", "outcome": "failed"},
     "arguments": {"patient": "{patient_id}", "method": "sms", "outcome": "failed", "opened": false, "notes": "",
        "logged_by": "user_1"}}]}]
*/
-- One row whatever happens, so that a refusal is an answer and not an error. Each look at the key is a statement of its
-- own, hence sees what the request it waited for has committed (under READ COMMITTED).
CREATE OR REPLACE FUNCTION re.log_outreach(
    organization text, patient text, method text, outcome text, opened boolean, notes text, logged_by text,
    key text,
    -- Who else the audit names; a server that is older than it does not say.
    session_id text DEFAULT NULL, role text DEFAULT NULL, actor text DEFAULT NULL, address text DEFAULT NULL,
    request_id text DEFAULT NULL, server_request_id text DEFAULT NULL)
RETURNS TABLE (result text, outreach_id uuid, logged_at text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    logged record;
BEGIN
    -- The answer promises durability. Only ever raised: a stronger setting stays.
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;

    PERFORM re.require_known_zone(organization);
    -- Who forgets a patient waits for it, and this for him; each look below comes after (../flat/23_forgotten_attempts.sql).
    PERFORM pg_advisory_xact_lock_shared(hashtext('re.attempts_lock'), re.attempts_lock(organization));
    FOR attempt IN 1..10 LOOP
        IF key IS NOT NULL THEN
            SELECT CASE
                    WHEN (o.patient_id, o.method, o.outcome, o.opened, o.notes)
                        = (patient, log_outreach.method, log_outreach.outcome, log_outreach.opened, log_outreach.notes)
                    THEN 'replayed' ELSE 'conflict'
                END AS result, o.id, o.created_at
            INTO logged
            FROM public.outreach_log o
            WHERE o.organization_id = organization AND o.idempotency_key = key;
            IF FOUND THEN
                RETURN QUERY SELECT logged.result, logged.id, re.rfc3339(logged.created_at);
                RETURN;
            END IF;
        END IF;

        IF NOT EXISTS (SELECT FROM re.patient p WHERE p.organization_id = organization AND p.id = patient) THEN
            RETURN QUERY SELECT 'no_patient', NULL::uuid, NULL::text;
            RETURN;
        END IF;

        INSERT INTO public.outreach_log AS o
            (organization_id, patient_id, method, outcome, opened, notes, logged_by, idempotency_key, created_at)
        VALUES (organization, patient, log_outreach.method, log_outreach.outcome, log_outreach.opened,
            log_outreach.notes, log_outreach.logged_by, key, re.now())
        ON CONFLICT (organization_id, idempotency_key) DO NOTHING
        RETURNING o.id, o.created_at INTO logged;
        IF FOUND THEN
            -- In the same transaction: there is no attempt without its entry. Whatever else is answered changes nothing,
            -- and is recorded with the reads.
            PERFORM re.record_attempt(organization, patient, logged.id,
                jsonb_build_object('method', log_outreach.method, 'outcome', log_outreach.outcome), log_outreach.logged_by,
                log_outreach.session_id, log_outreach.role, log_outreach.actor, log_outreach.address,
                log_outreach.request_id, log_outreach.server_request_id);
            RETURN QUERY SELECT 'created', logged.id, re.rfc3339(logged.created_at);
            RETURN;
        END IF;
    END LOOP;

    -- Ten times in a row somebody took the key and deleted the row again.
    RAISE serialization_failure USING MESSAGE = format('the idempotency key "%s" changes hands too fast', key);
END $$;
