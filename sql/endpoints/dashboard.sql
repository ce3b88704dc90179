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

CREATE OR REPLACE FUNCTION re.flat_dashboard(organization text)
RETURNS TABLE (
    total_patients bigint,
    critical_count bigint, critical_avg_score numeric, high_count bigint, high_avg_score numeric,
    medium_count bigint, medium_avg_score numeric, low_count bigint, low_avg_score numeric,
    engaged_count bigint, engaged_avg_score numeric,
    immediate_actions_needed bigint, last_updated text, time_zone text,
    id text, name text, risk_level text, risk_score integer, action text, days_since_contact integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH level AS (
        SELECT re.risk_level(counter.days) AS level, sum(counter.number)::bigint AS number,
            sum(counter.number * re.group_score(counter.risk_group, counter.days)) AS score,
            coalesce(sum(counter.number) FILTER (WHERE re.group_priority(counter.risk_group, counter.days) = 1), 0)
                AS immediate
        FROM re.flat_population(organization) counter
        GROUP BY re.risk_level(counter.days)
    ), summary AS (
        SELECT coalesce(sum(level.number), 0)::bigint AS total_patients,
            coalesce(sum(level.number) FILTER (WHERE level.level = 'critical'), 0)::bigint AS critical,
            coalesce(sum(level.number) FILTER (WHERE level.level = 'high'), 0)::bigint AS high,
            coalesce(sum(level.number) FILTER (WHERE level.level = 'medium'), 0)::bigint AS medium,
            coalesce(sum(level.number) FILTER (WHERE level.level = 'low'), 0)::bigint AS low,
            coalesce(sum(level.number) FILTER (WHERE level.level = 'engaged'), 0)::bigint AS engaged,
            sum(level.score) FILTER (WHERE level.level = 'critical') AS critical_score,
            sum(level.score) FILTER (WHERE level.level = 'high') AS high_score,
            sum(level.score) FILTER (WHERE level.level = 'medium') AS medium_score,
            sum(level.score) FILTER (WHERE level.level = 'low') AS low_score,
            sum(level.score) FILTER (WHERE level.level = 'engaged') AS engaged_score,
            coalesce(sum(level.immediate), 0)::bigint AS immediate
        FROM level
    ), page AS MATERIALIZED (
        SELECT next.*
        FROM re.flat_page(organization, false, re.any_first_days(), re.any_last_days(), re.top_patients(),
            NULL, NULL, NULL, NULL) next
    )
    SELECT summary.total_patients,
        summary.critical, re.average(summary.critical_score, summary.critical),
        summary.high, re.average(summary.high_score, summary.high),
        summary.medium, re.average(summary.medium_score, summary.medium),
        summary.low, re.average(summary.low_score, summary.low),
        summary.engaged, re.average(summary.engaged_score, summary.engaged),
        summary.immediate, re.rfc3339(clock.now),
        (SELECT newest.time_zone FROM re.state_of(organization) newest),
        top.id, top.name, top.level, top.score, top.action, top.days
    FROM re.flat_clock(organization) clock
    CROSS JOIN summary
    LEFT JOIN LATERAL (
        SELECT page.*, state.patient_id AS id, state.name, re.risk_level(page.days) AS level,
            re.recommended_action(re.group_status(page.risk_group, page.days), re.risk_tier(page.score),
                re.has_appointment(page.risk_group)) AS action
        FROM page
        CROSS JOIN LATERAL re.listed_state(
            organization, page.risk_group, clock.today - page.days, page.patient_id) state
    ) top ON true
    -- A column of a function's result has the database's collation.
    ORDER BY top.priority, top.score DESC, top.days DESC, top.id COLLATE "C";
END;
