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
    SELECT patients.critical, patients.high, patients.medium, patients.low, patients.engaged,
        (SELECT count(*) FROM re.missed_appointment missed
            WHERE missed.organization_id = organization
                AND missed.starts_at >= period.since AND missed.day BETWEEN period.first_day AND clock.today),
        (SELECT count(*) FROM re.patient patient
            JOIN re.attempt attempt
                ON attempt.organization_id = patient.organization_id AND attempt.patient_id = patient.id
            WHERE patient.organization_id = organization AND attempt.organization_id = organization
                AND attempt.outcome = 'failed'
                AND attempt.created_at >= period.since AND attempt.day BETWEEN period.first_day AND clock.today),
        patients.no_future_appointments,
        patients.immediate_actions_required,
        re.rfc3339(clock.now)
    FROM re.clock_of(organization) clock
    CROSS JOIN LATERAL (
        -- Row-level security admits only plain comparisons with a column to an index, so the limit is computed here.
        SELECT clock.today - re.alert_days() + 1 AS first_day,
            re.before(clock.today - re.alert_days() + 1) AS since
        OFFSET 0
    ) period
    CROSS JOIN (
        SELECT count(*) FILTER (WHERE patient.risk_level = 'critical') AS critical,
            count(*) FILTER (WHERE patient.risk_level = 'high') AS high,
            count(*) FILTER (WHERE patient.risk_level = 'medium') AS medium,
            count(*) FILTER (WHERE patient.risk_level = 'low') AS low,
            count(*) FILTER (WHERE patient.risk_level = 'engaged') AS engaged,
            count(*) FILTER (WHERE patient.next_scheduled_appointment IS NULL) AS no_future_appointments,
            count(*) FILTER (WHERE patient.action_priority = 1) AS immediate_actions_required
        FROM public.patient_reengagement_master_view patient
        WHERE patient.organization_id = organization
    ) patients;
END;

CREATE OR REPLACE FUNCTION re.flat_risk_metrics(organization text)
RETURNS TABLE (
    critical bigint, high bigint, medium bigint, low bigint, engaged bigint,
    missed_appointments_14d bigint, failed_communications bigint, no_future_appointments bigint,
    immediate_actions_required bigint, last_updated text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT patients.critical, patients.high, patients.medium, patients.low, patients.engaged,
        recent.missed, recent.failed, patients.without_appointment, patients.immediate, re.rfc3339(clock.now)
    FROM re.flat_clock(organization) clock
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(change.missed), 0)::bigint AS missed, coalesce(sum(change.failed), 0)::bigint AS failed
        FROM re.risk_day change
        WHERE change.organization_id = organization
            AND change.day BETWEEN clock.today - re.alert_days() + 1 AND clock.today
    ) recent
    CROSS JOIN (
        SELECT coalesce(sum(counter.number) FILTER (WHERE risk.level = 'critical'), 0)::bigint AS critical,
            coalesce(sum(counter.number) FILTER (WHERE risk.level = 'high'), 0)::bigint AS high,
            coalesce(sum(counter.number) FILTER (WHERE risk.level = 'medium'), 0)::bigint AS medium,
            coalesce(sum(counter.number) FILTER (WHERE risk.level = 'low'), 0)::bigint AS low,
            coalesce(sum(counter.number) FILTER (WHERE risk.level = 'engaged'), 0)::bigint AS engaged,
            coalesce(sum(counter.number) FILTER (WHERE NOT re.has_appointment(counter.risk_group)), 0)::bigint
                AS without_appointment,
            coalesce(sum(counter.number) FILTER (
                WHERE re.group_priority(counter.risk_group, counter.days) = 1), 0)::bigint AS immediate
        FROM re.flat_population(organization) counter
        CROSS JOIN LATERAL (SELECT re.risk_level(counter.days) AS level OFFSET 0) risk
    ) patients;
END;
