-- Who tried, and was refused: without a valid token (401), in another organization (403), or for a patient whom there is not
-- (404). By organization_id and patient_id of what was aimed at; of_organization is the caller's own. Ask with a span of time.
--
-- Of 401 nobody is known: those of one kind stand together for a minute at most, which `attempts` counts from `first` to
-- `last`, and where too many kinds came in a minute, what was aimed at, the reason or the address is missing.
CREATE OR REPLACE VIEW public.audit_refused_attempts AS
SELECT coalesce(a.filter ->> 'org_id', CASE WHEN a.status <> 401 THEN a.organization_id END) AS organization_id,
    -- Before there was patient_sought, the filter alone named whom a 404 was about.
    coalesce(a.patient_sought, a.filter ->> 'patient_id') AS patient_id,
    a.at, a.status, a.problem, a.filter ->> 'reason' AS reason,
    CASE WHEN a.filter ->> 'attempts' ~ '^\d{1,9}$' THEN (a.filter ->> 'attempts')::integer ELSE 1 END AS attempts,
    a.filter ->> 'first' AS first, a.filter ->> 'last' AS last,
    nullif(a.subject, '') AS subject, nullif(a.organization_id, '') AS of_organization, a.role, a.session_id, a.actor,
    a.address, a.method, a.route, a.automatic, a.request_id, a.server_request_id
FROM re.audit a
WHERE a.status IN (401, 403, 404);
