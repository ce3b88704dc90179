/* endpoint
[{"method": "POST", "path": "settings/webhook/test", "writes": true, "questions": [
    {"body": {}, "arguments": {"changed_by": "user_1", "may_sign": true}}]}]
*/
-- Asks the sender for a ping. Always returns one row: requested, no_webhook or no_keys.
CREATE OR REPLACE FUNCTION re.test_webhook(
    organization text, changed_by text, may_sign boolean,
    -- For the audit.
    session_id text DEFAULT NULL, role text DEFAULT NULL, actor text DEFAULT NULL, address text DEFAULT NULL,
    request_id text DEFAULT NULL, server_request_id text DEFAULT NULL)
RETURNS TABLE (
    result text, webhook_url text, failing_since text, last_status integer, last_test jsonb,
    digest jsonb, sending jsonb, updated_by text, updated_at text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    refusal text := re.webhook_refusal(organization, may_sign);
BEGIN
    IF refusal IS NULL THEN
        UPDATE re.webhook webhook SET test_requested_at = clock_timestamp()
        WHERE webhook.organization_id = organization;
        PERFORM re.record_write(organization, 202, 'POST', 'settings/webhook/test', NULL, NULL, NULL,
            changed_by, session_id, role, actor, address, request_id, server_request_id);
    END IF;
    RETURN QUERY SELECT coalesce(refusal, 'requested'), stored.* FROM re.settings(organization, true) stored;
END $$;
