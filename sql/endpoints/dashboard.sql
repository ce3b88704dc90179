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
        SELECT m.patient_id, m.name, m.risk_level, m.risk_score, m.action_priority, m.recommended_action,
            m.days_since_last_contact
        FROM public.patient_reengagement_master_view m
        WHERE m.organization_id = organization
    ), level AS (
        SELECT p.risk_level, count(*) AS number, sum(p.risk_score) AS score FROM patient p GROUP BY p.risk_level
    ), summary AS (
        SELECT coalesce(sum(l.number), 0)::bigint AS total_patients,
            coalesce(sum(l.number) FILTER (WHERE l.risk_level = 'critical'), 0)::bigint AS critical,
            coalesce(sum(l.number) FILTER (WHERE l.risk_level = 'high'), 0)::bigint AS high,
            coalesce(sum(l.number) FILTER (WHERE l.risk_level = 'medium'), 0)::bigint AS medium,
            coalesce(sum(l.number) FILTER (WHERE l.risk_level = 'low'), 0)::bigint AS low,
            coalesce(sum(l.number) FILTER (WHERE l.risk_level = 'engaged'), 0)::bigint AS engaged,
            sum(l.score) FILTER (WHERE l.risk_level = 'critical') AS critical_score,
            sum(l.score) FILTER (WHERE l.risk_level = 'high') AS high_score,
            sum(l.score) FILTER (WHERE l.risk_level = 'medium') AS medium_score,
            sum(l.score) FILTER (WHERE l.risk_level = 'low') AS low_score,
            sum(l.score) FILTER (WHERE l.risk_level = 'engaged') AS engaged_score
        FROM level l
    ), top AS (
        SELECT * FROM patient p
        ORDER BY p.action_priority, p.risk_score DESC, p.days_since_last_contact DESC, p.patient_id
        LIMIT 10
    )
    SELECT s.total_patients,
        s.critical, re.average(s.critical_score, s.critical), s.high, re.average(s.high_score, s.high),
        s.medium, re.average(s.medium_score, s.medium), s.low, re.average(s.low_score, s.low),
        s.engaged, re.average(s.engaged_score, s.engaged),
        (SELECT count(*) FROM patient p WHERE p.action_priority = 1),
        re.rfc3339(re.now()), (SELECT c.time_zone FROM re.clock_of(organization) c),
        t.patient_id, t.name, t.risk_level, t.risk_score, t.recommended_action, t.days_since_last_contact
    FROM summary s
    LEFT JOIN top t ON true
    ORDER BY t.action_priority, t.risk_score DESC, t.days_since_last_contact DESC, t.patient_id;
END;
