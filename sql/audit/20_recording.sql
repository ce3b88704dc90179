-- What the server has answered, many entries at once: one array for each column. The entries are several organizations',
-- so it runs as a role that is bound to none, may insert, and may read nothing.
CREATE OR REPLACE FUNCTION re.record_access(
    at double precision[], status integer[], organization_id text[], subject text[], session_id text[], role text[],
    actor text[], address text[], request_id text[], method text[], route text[], filter text[], patient_ids text[])
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO re.audit (at, status, organization_id, subject, session_id, role, actor, address, request_id, method,
        route, filter, patient_ids)
    SELECT to_timestamp(e.at), e.status, e.organization_id, e.subject, e.session_id, e.role, e.actor, e.address,
        e.request_id, e.method, e.route, e.filter::jsonb, e.patient_ids::text[]
    FROM unnest(at, status, organization_id, subject, session_id, role, actor, address, request_id, method, route,
        filter, patient_ids) AS e(at, status, organization_id, subject, session_id, role, actor, address, request_id,
        method, route, filter, patient_ids);
    RETURN cardinality(at);
END $$;
