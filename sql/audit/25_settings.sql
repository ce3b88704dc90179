-- The entry of a change of the settings, in the transaction that makes it (../endpoints/put_settings.sql and others).
-- It says who changed which section, and contains no value of one.
CREATE OR REPLACE FUNCTION re.record_setting(organization text, status integer, method text, route text, filter jsonb,
    subject text, session_id text, role text, actor text, address text, request_id text, server_request_id text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entries integer;
BEGIN
    -- Planned on each call and counted, as in 20_recording.sql.
    EXECUTE $insert$
        INSERT INTO re.audit (at, database_user, status, organization_id, subject, session_id, role, actor, address,
            request_id, method, route, filter, server_request_id)
        VALUES (clock_timestamp(), session_user, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        $insert$
    USING status, organization, subject, session_id, role, actor, address, request_id, method,
        '/api/v1/reengagement/{org_id}/' || route, filter, server_request_id;
    GET DIAGNOSTICS entries = ROW_COUNT;
    IF entries <> 1 THEN
        PERFORM re.refuse_unrecorded('its row was not kept');
    END IF;
EXCEPTION WHEN insufficient_privilege OR check_violation THEN
    PERFORM re.refuse_unrecorded(SQLERRM);
END $$;
