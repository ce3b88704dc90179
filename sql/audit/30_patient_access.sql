-- Who saw this patient, requested them or wrote about them: one row for each response that contained them, and one if a
-- patient was requested and not shown (HEAD, 404). patients/search is a POST that only reads. The index is by
-- organization and time, so a query should name both.
CREATE OR REPLACE VIEW public.audit_patient_access AS
SELECT a.organization_id, p.patient_id, a.at, a.subject, a.actor, a.role, a.session_id, a.address,
    CASE
        WHEN a.patient_ids IS NULL THEN 'sought'
        WHEN a.method = 'POST' AND a.route NOT LIKE '%/patients/search' THEN 'wrote'
        ELSE 'saw'
    END AS access,
    a.route, a.filter, a.status, a.request_id, a.outreach_id, a.automatic, a.server_request_id,
    a.server_at, a.database_user
FROM re.audit a
CROSS JOIN LATERAL unnest(coalesce(a.patient_ids, ARRAY[a.patient_sought])) AS p(patient_id)
-- Requests for another organization, or by an unknown person, are only in audit_refused_attempts.
WHERE a.patient_ids IS NOT NULL OR a.patient_sought IS NOT NULL AND a.status NOT IN (401, 403);
