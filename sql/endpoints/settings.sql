/* endpoint
[{"method": "GET", "path": "settings", "cached": false, "arguments": {"is_admin": true}, "questions": [{}]}]
*/
-- Always one row, also for an organization that never set anything. A section that is not set is null. A caller who is
-- no administrator gets scheme and host of the webhook's URL, which often is a secret, and no addresses of people.
CREATE OR REPLACE FUNCTION re.settings(organization text, is_admin boolean)
RETURNS TABLE (
    webhook_url text, failing_since text, last_status integer, last_test jsonb, digest jsonb, sending jsonb,
    updated_by text, updated_at text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM re.require_known_zone(organization);
    RETURN QUERY
    SELECT
        CASE WHEN is_admin THEN setting.webhook_url
            ELSE substring(setting.webhook_url FROM '(?i)^https?://(?:\[[^]]*\]|[^/:?]+)') END,
        re.rfc3339(webhook.failing_since), webhook.last_status, webhook.last_test,
        CASE WHEN is_admin THEN setting.digest ELSE setting.digest || '{"to": []}' END,
        CASE WHEN is_admin THEN setting.sending ELSE setting.sending || '{"staff_addresses": []}' END,
        setting.updated_by, re.rfc3339(setting.updated_at)
    FROM (SELECT 1) always
    LEFT JOIN re.setting setting ON setting.organization_id = organization
    LEFT JOIN re.webhook webhook
        ON webhook.organization_id = setting.organization_id AND setting.webhook_url IS NOT NULL;
END $$;

-- Why the webhook cannot be used: no_webhook, or no_keys if the server that asks has no keys to sign with. Null if it
-- can. It locks the settings, so that no change comes in between.
CREATE OR REPLACE FUNCTION re.webhook_refusal(organization text, may_sign boolean) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM re.require_known_zone(organization);
    PERFORM FROM re.setting setting
    WHERE setting.organization_id = organization AND setting.webhook_url IS NOT NULL FOR UPDATE;
    RETURN CASE WHEN NOT FOUND THEN 'no_webhook' WHEN may_sign IS NOT TRUE THEN 'no_keys' END;
END $$;
