-- Refused requests: without a valid token (401), for another organization (403), or for a patient who does not exist
-- (404). organization_id and patient_id are the requested ones, of_organization is the caller's own. A query should
-- name a period.
--
-- A 401 has no known person. Equal ones are one row for a minute at most: `attempts` counts them from `first` to
-- `last`. If there were too many kinds in a minute, the requested ids, the reason or the address are missing.
CREATE OR REPLACE VIEW public.audit_refused_attempts AS
SELECT coalesce(a.filter ->> 'org_id', CASE WHEN a.status <> 401 THEN a.organization_id END) AS organization_id,
    -- Entries from before patient_sought have the id of a 404 in their filter.
    coalesce(a.patient_sought, a.filter ->> 'patient_id') AS patient_id,
    a.at, a.status, a.problem, a.filter ->> 'reason' AS reason,
    CASE WHEN a.filter ->> 'attempts' ~ '^\d{1,9}$' THEN (a.filter ->> 'attempts')::integer ELSE 1 END AS attempts,
    a.filter ->> 'first' AS first, a.filter ->> 'last' AS last,
    nullif(a.subject, '') AS subject, nullif(a.organization_id, '') AS of_organization, a.role, a.session_id, a.actor,
    a.address, a.method, a.route, a.automatic, a.request_id, a.server_request_id
FROM re.audit a
WHERE a.status IN (401, 403, 404);
