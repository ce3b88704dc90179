-- Who saw this patient, or wrote about them: one row for each answer that showed them; patients/search reads by POST. Ask
-- with an organization, and best with a span of time, which are what the index knows.
CREATE OR REPLACE VIEW public.audit_patient_access AS
SELECT a.organization_id, p.patient_id, a.at, a.subject, a.actor, a.role, a.session_id, a.address,
    CASE WHEN a.method = 'POST' AND a.route NOT LIKE '%/patients/search' THEN 'wrote' ELSE 'saw' END AS access,
    a.route, a.filter, a.status, a.request_id, a.outreach_id
FROM re.audit a
CROSS JOIN LATERAL unnest(a.patient_ids) AS p(patient_id)
WHERE a.patient_ids IS NOT NULL;
