/* endpoint
[{"method": "PUT", "path": "settings", "writes": true, "questions": [
    {"body": {}, "arguments": {"sections": "", "changed_by": "user_1", "may_sign": true}}]}]
*/
-- Replaces the sections in the comma-separated list, and leaves the others. Always returns one row, so that a refusal
-- is a result and not an error:
--
--   stored             secret_version is not null if the secret is to be shown
--   no_keys            a URL was given, and the server that asks has no keys to sign with
--   sms_from_taken     another organization has this number
--
-- The row of re.setting is locked first, so that changes of one organization take turns.
CREATE OR REPLACE FUNCTION re.put_settings(
    organization text, sections text, new_url text, new_digest text, new_sending text, changed_by text,
    may_sign boolean,
    -- For the audit.
    session_id text DEFAULT NULL, role text DEFAULT NULL, actor text DEFAULT NULL, address text DEFAULT NULL,
    request_id text DEFAULT NULL, server_request_id text DEFAULT NULL)
RETURNS TABLE (
    result text, secret_version integer, webhook_url text, failing_since text, last_status integer, last_test jsonb,
    digest jsonb, sending jsonb, updated_by text, updated_at text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    given text[] := string_to_array(sections, ',');
    old re.setting;
    shown integer;
    violated text;
BEGIN
    IF cardinality(given) > 0 THEN
        PERFORM re.require_known_zone(organization);
        IF new_url IS NOT NULL AND may_sign IS NOT TRUE THEN
            result := 'no_keys';
            RETURN NEXT;
            RETURN;
        END IF;
        BEGIN
            INSERT INTO re.setting (organization_id, updated_by, updated_at)
            VALUES (organization, changed_by, re.now())
            ON CONFLICT (organization_id) DO NOTHING;
            SELECT setting.* INTO STRICT old
            FROM re.setting setting WHERE setting.organization_id = organization FOR UPDATE;

            UPDATE re.setting setting
            SET webhook_url = CASE WHEN 'webhook' = ANY (given) THEN new_url ELSE old.webhook_url END,
                digest = CASE WHEN 'digest' = ANY (given) THEN new_digest::jsonb ELSE old.digest END,
                digest_set_at = CASE WHEN 'digest' = ANY (given) AND old.digest IS DISTINCT FROM new_digest::jsonb
                    THEN re.now() ELSE old.digest_set_at END,
                sending = CASE WHEN 'sending' = ANY (given) THEN new_sending::jsonb ELSE old.sending END,
                updated_by = changed_by, updated_at = re.now()
            WHERE setting.organization_id = organization;
        EXCEPTION WHEN unique_violation THEN
            -- The error's text contains the number, and this transaction reveals no more than that it is taken.
            GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
            IF violated <> 'setting_of_sms_from' THEN
                RAISE;
            END IF;
            result := 'sms_from_taken';
            RETURN NEXT;
            RETURN;
        END;

        IF 'webhook' = ANY (given) THEN
            shown := re.restart_webhook(organization, old.webhook_url, new_url);
        END IF;
        PERFORM re.record_write(organization, 200, 'PUT', 'settings', NULL, NULL,
            jsonb_build_object('sections', sections),
            changed_by, session_id, role, actor, address, request_id, server_request_id);
    END IF;

    RETURN QUERY SELECT 'stored', shown, stored.* FROM re.settings(organization, true) stored;
END $$;

-- Begins anew with a webhook after a PUT has named its URL, or forgets everything but the version after a PUT has
-- removed it. Returns the version of the secret if there was no URL before.
CREATE OR REPLACE FUNCTION re.restart_webhook(organization text, old_url text, new_url text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_same boolean := coalesce(old_url = new_url, false);
    reached bigint := CASE WHEN new_url IS NOT NULL THEN coalesce((
        SELECT announcement.sequence FROM re.announcement announcement
        WHERE announcement.organization_id = organization), 0) END;
    present integer;
BEGIN
    INSERT INTO re.webhook AS webhook (organization_id, version, generation, told_sequence)
    SELECT organization, 1, 1, reached WHERE new_url IS NOT NULL
    ON CONFLICT (organization_id) DO NOTHING;
    IF FOUND THEN
        RETURN 1;
    END IF;
    UPDATE re.webhook webhook
    SET version = webhook.version + CASE WHEN old_url IS NULL AND new_url IS NOT NULL THEN 1 ELSE 0 END,
        -- The secrets from before a removal do not sign.
        rotated_at = CASE WHEN old_url IS NOT NULL AND new_url IS NOT NULL THEN webhook.rotated_at END,
        generation = webhook.generation + 1,
        told_sequence = CASE WHEN is_same THEN webhook.told_sequence ELSE reached END,
        failures = 0, failing_since = NULL, retry_at = NULL, is_gone = false,
        -- Both are about the receiver at the URL before.
        last_status = CASE WHEN is_same THEN webhook.last_status END,
        last_test = CASE WHEN is_same THEN webhook.last_test END,
        test_requested_at = CASE WHEN new_url IS NOT NULL THEN webhook.test_requested_at END
    WHERE webhook.organization_id = organization
    RETURNING webhook.version INTO present;
    RETURN CASE WHEN old_url IS NULL AND new_url IS NOT NULL THEN present END;
END $$;
