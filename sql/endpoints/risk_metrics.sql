/* endpoint
[{"method": "GET", "path": "risk-metrics", "questions": [{"title": "risk-metrics", "query": ""}]}]
*/
CREATE OR REPLACE FUNCTION re.plain_risk_metrics(organization text)
RETURNS TABLE (
    critical bigint, high bigint, medium bigint, low bigint, engaged bigint,
    missed_appointments_14d bigint, failed_communications bigint, no_future_appointments bigint,
    immediate_actions_required bigint, last_updated text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.critical, m.high, m.medium, m.low, m.engaged,
        (SELECT count(*) FROM re.missed_appointment a
            WHERE a.organization_id = organization
                AND a.starts_at >= w.since AND a.day BETWEEN w.first_day AND k.today),
        (SELECT count(*) FROM re.patient p
            JOIN re.attempt a ON a.organization_id = p.organization_id AND a.patient_id = p.id
            WHERE p.organization_id = organization AND a.organization_id = organization AND a.outcome = 'failed'
                AND a.created_at >= w.since AND a.day BETWEEN w.first_day AND k.today),
        m.no_future_appointments,
        m.immediate_actions_required,
        re.rfc3339(k.now)
    FROM re.clock_of(organization) k
    CROSS JOIN LATERAL (SELECT k.today - 13 AS first_day, re.before(k.today - 13) AS since OFFSET 0) w
    CROSS JOIN (
        SELECT count(*) FILTER (WHERE v.risk_level = 'critical') AS critical,
            count(*) FILTER (WHERE v.risk_level = 'high') AS high,
            count(*) FILTER (WHERE v.risk_level = 'medium') AS medium,
            count(*) FILTER (WHERE v.risk_level = 'low') AS low,
            count(*) FILTER (WHERE v.risk_level = 'engaged') AS engaged,
            count(*) FILTER (WHERE v.next_scheduled_appointment IS NULL) AS no_future_appointments,
            count(*) FILTER (WHERE v.action_priority = 1) AS immediate_actions_required
        FROM public.patient_reengagement_master_view v
        WHERE v.organization_id = organization
    ) m;
END;
