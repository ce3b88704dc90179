/* endpoint
[{"method": "POST", "path": "settings/webhook/rotate", "writes": true, "questions": [
    {"body": {}, "arguments": {"changed_by": "user_1", "may_sign": true}}]}]
*/
-- Replaces the secret of the webhook by the next version. Always returns one row: rotated, no_webhook or no_keys.
CREATE OR REPLACE FUNCTION re.rotate_webhook(
    organization text, changed_by text, may_sign boolean,
    -- For the audit.
    session_id text DEFAULT NULL, role text DEFAULT NULL, actor text DEFAULT NULL, address text DEFAULT NULL,
    request_id text DEFAULT NULL, server_request_id text DEFAULT NULL)
RETURNS TABLE (
    result text, secret_version integer, webhook_url text, failing_since text, last_status integer, last_test jsonb,
    digest jsonb, sending jsonb, updated_by text, updated_at text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    refusal text := re.webhook_refusal(organization, may_sign);
    rotated integer;
BEGIN
    IF refusal IS NULL THEN
        UPDATE re.webhook webhook
        SET version = webhook.version + 1, rotated_at = clock_timestamp()
        WHERE webhook.organization_id = organization
        RETURNING webhook.version INTO STRICT rotated;
        PERFORM re.record_write(organization, 200, 'POST', 'settings/webhook/rotate', NULL, NULL, NULL,
            changed_by, session_id, role, actor, address, request_id, server_request_id);
    END IF;
    RETURN QUERY SELECT coalesce(refusal, 'rotated'), rotated, stored.* FROM re.settings(organization, true) stored;
END $$;
