/* endpoint
[{"method": "GET", "path": "dashboard", "questions": [{"title": "dashboard", "query": ""}]}]
*/
CREATE OR REPLACE FUNCTION re.plain_dashboard(organization text)
RETURNS TABLE (
    total_patients bigint,
    critical_count bigint, critical_avg_score numeric, high_count bigint, high_avg_score numeric,
    medium_count bigint, medium_avg_score numeric, low_count bigint, low_avg_score numeric,
    engaged_count bigint, engaged_avg_score numeric,
    immediate_actions_needed bigint, last_updated text, time_zone text,
    id text, name text, risk_level text, risk_score integer, action text, days_since_contact integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH patient AS MATERIALIZED (
        SELECT master.patient_id, master.name, master.risk_level, master.risk_score, master.action_priority,
            master.recommended_action, master.days_since_last_contact
        FROM public.patient_reengagement_master_view master
        WHERE master.organization_id = organization
    ), level AS (
        SELECT patient.risk_level, count(*) AS number, sum(patient.risk_score) AS score
        FROM patient
        GROUP BY patient.risk_level
    ), summary AS (
        SELECT coalesce(sum(level.number), 0)::bigint AS total_patients,
            coalesce(sum(level.number) FILTER (WHERE level.risk_level = 'critical'), 0)::bigint AS critical,
            coalesce(sum(level.number) FILTER (WHERE level.risk_level = 'high'), 0)::bigint AS high,
            coalesce(sum(level.number) FILTER (WHERE level.risk_level = 'medium'), 0)::bigint AS medium,
            coalesce(sum(level.number) FILTER (WHERE level.risk_level = 'low'), 0)::bigint AS low,
            coalesce(sum(level.number) FILTER (WHERE level.risk_level = 'engaged'), 0)::bigint AS engaged,
            sum(level.score) FILTER (WHERE level.risk_level = 'critical') AS critical_score,
            sum(level.score) FILTER (WHERE level.risk_level = 'high') AS high_score,
            sum(level.score) FILTER (WHERE level.risk_level = 'medium') AS medium_score,
            sum(level.score) FILTER (WHERE level.risk_level = 'low') AS low_score,
            sum(level.score) FILTER (WHERE level.risk_level = 'engaged') AS engaged_score
        FROM level
    ), top AS (
        SELECT * FROM patient
        ORDER BY patient.action_priority, patient.risk_score DESC, patient.days_since_last_contact DESC,
            patient.patient_id
        LIMIT re.top_patients()
    )
    SELECT summary.total_patients,
        summary.critical, re.average(summary.critical_score, summary.critical),
        summary.high, re.average(summary.high_score, summary.high),
        summary.medium, re.average(summary.medium_score, summary.medium),
        summary.low, re.average(summary.low_score, summary.low),
        summary.engaged, re.average(summary.engaged_score, summary.engaged),
        (SELECT count(*) FROM patient WHERE patient.action_priority = 1),
        re.rfc3339(re.now()), (SELECT clock.time_zone FROM re.clock_of(organization) clock),
        top.patient_id, top.name, top.risk_level, top.risk_score, top.recommended_action, top.days_since_last_contact
    FROM summary
    LEFT JOIN top ON true
    ORDER BY top.action_priority, top.risk_score DESC, top.days_since_last_contact DESC, top.patient_id;
END;
