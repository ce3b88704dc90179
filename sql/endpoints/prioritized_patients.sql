/* endpoint
[{"method": "GET", "path": "patients/prioritized", "arguments": {"sort_by": "priority", "with_notes": false, "row_limit": 51},
  "questions": [
    {"title": "list of 50", "query": "limit=50"},
    {"title": "list of 200", "query": "limit=200", "arguments": {"row_limit": 201}},
    {"title": "list of 50, critical", "query": "limit=50&risk_level=critical", "arguments": {"wanted_level": "critical"}},
    {"title": "list of 50, high", "query": "limit=50&risk_level=high", "arguments": {"wanted_level": "high"}},
    {"title": "list of 50, medium", "query": "limit=50&risk_level=medium", "arguments": {"wanted_level": "medium"}},
    {"title": "list of 50, low", "query": "limit=50&risk_level=low", "arguments": {"wanted_level": "low"}},
    {"title": "list of 50, engaged", "query": "limit=50&risk_level=engaged", "arguments": {"wanted_level": "engaged"}},
    {"query": "engagement_status=dormant&include=notes", "arguments": {"wanted_status": "dormant", "with_notes": true}},
    {"query": "action_priority=2&sort=last_contact", "arguments": {"wanted_priority": 2, "sort_by": "last_contact"}},
    {"query": "risk_tier=medium&sort=name", "arguments": {"wanted_tier": "medium", "sort_by": "name"}},
    {"query": "q=ana", "arguments": {"wanted_text": "ana"}}]},
{"method": "POST", "path": "patients/search", "arguments": {"sort_by": "priority", "with_notes": false, "row_limit": 51},
  "questions": [
    {"body": {}},
    {"body": {"q": "ana", "sort": "name", "include": "notes"},
     "arguments": {"wanted_text": "ana", "sort_by": "name", "with_notes": true}}]}]
*/
-- The list goes on after the patient whose place is given, in the order of priority or of last contact by its numbers and
-- id, in that of names by its folded name and id; all null is the first page. A name may be cut short by the caller: it
-- stands for the whole one of that patient, while there is one that begins with it.
CREATE OR REPLACE FUNCTION re.plain_prioritized_patients(
    organization text, wanted_level text, wanted_status text, wanted_priority integer, wanted_tier text,
    wanted_text text, sort_by text, with_notes boolean, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_name text, after_id text)
RETURNS TABLE (
    "timestamp" text, id text, name text, phone text, email text, risk_level text, risk_score integer,
    days_since_last_contact integer, last_appointment_date text, next_scheduled_appointment text,
    recommended_action text, action_priority integer, previous_response_rate numeric,
    total_lifetime_appointments integer, missed_appointments_last_90d integer, engagement_status text,
    risk_tier text, attendance_rate_percent numeric, lifetime_value numeric,
    treatment_notes text, total bigint, sort_name text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH asked AS MATERIALIZED (
        SELECT re.now() AS now, re.search_text(wanted_text) AS term, re.search_digits(wanted_text) AS digits,
            CASE WHEN sort_by = 'name' THEN coalesce((
                SELECT n.folded
                FROM public.patient_reengagement_master_view m
                CROSS JOIN LATERAL (SELECT re.folded(m.name) AS folded OFFSET 0) n
                WHERE m.organization_id = organization AND m.patient_id = after_id AND starts_with(n.folded, after_name)
            ), after_name) END AS after_name
    ), matching AS MATERIALIZED (
        SELECT m.*, CASE WHEN sort_by = 'name' THEN re.folded(m.name) END COLLATE "C" AS sort_name,
            CASE WHEN sort_by = 'last_contact' THEN -m.days_since_last_contact END AS by_days,
            CASE WHEN sort_by = 'name' THEN 0 ELSE m.action_priority END AS by_priority,
            CASE WHEN sort_by = 'name' THEN 0 ELSE -m.risk_score END AS by_score,
            CASE WHEN sort_by = 'name' THEN 0 ELSE -m.days_since_last_contact END AS then_by_days
        FROM asked k
        CROSS JOIN public.patient_reengagement_master_view m
        WHERE m.organization_id = organization
            AND (wanted_level IS NULL OR m.risk_level = wanted_level)
            AND (wanted_status IS NULL OR m.engagement_status = wanted_status)
            AND (wanted_priority IS NULL OR m.action_priority = wanted_priority)
            AND (wanted_tier IS NULL OR m.risk_tier = wanted_tier)
            AND (wanted_text IS NULL OR strpos(re.folded(m.name), k.term) > 0 OR strpos(re.folded(m.email), k.term) > 0
                OR strpos(re.digits(m.phone), k.digits) > 0)
    )
    SELECT re.rfc3339(k.now), v.patient_id, v.name, v.phone, v.email, v.risk_level, v.risk_score,
        v.days_since_last_contact, re.rfc3339(v.last_appointment_date), re.rfc3339(v.next_scheduled_appointment),
        v.recommended_action, v.action_priority, v.previous_response_rate, v.total_lifetime_appointments,
        v.missed_appointments_last_90d, v.engagement_status, v.risk_tier, v.attendance_rate_percent, v.lifetime_value,
        CASE WHEN with_notes THEN v.treatment_notes END,
        CASE WHEN wanted_text IS NULL OR t.number <= 1000 THEN t.number END, v.sort_name
    FROM asked k
    CROSS JOIN (SELECT count(*) AS number FROM matching) t
    LEFT JOIN LATERAL (
        SELECT *
        FROM matching m
        WHERE after_id IS NULL
            OR CASE sort_by
                WHEN 'name' THEN (m.sort_name, m.patient_id) > (k.after_name COLLATE "C", after_id)
                WHEN 'last_contact' THEN (m.by_days, m.by_priority, m.by_score, m.patient_id)
                    > (-after_days, after_priority, -after_score, after_id)
                ELSE (m.by_priority, m.by_score, m.then_by_days, m.patient_id)
                    > (after_priority, -after_score, -after_days, after_id)
            END
        ORDER BY m.sort_name, m.by_days, m.by_priority, m.by_score, m.then_by_days, m.patient_id
        LIMIT row_limit
    ) v ON true
    ORDER BY v.sort_name, v.by_days, v.by_priority, v.by_score, v.then_by_days, v.patient_id;
END;
