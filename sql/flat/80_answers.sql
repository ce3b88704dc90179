-- The flat queries: the same columns as the plain queries in endpoints/, from the counters and, for a page, from its
-- patients' states. Each returns at least one row, so that no row means that the data are not current (90_dispatch).
-- Subqueries end in OFFSET 0 where an expression is used by several columns: it is then computed once.

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

CREATE OR REPLACE FUNCTION re.flat_performance(organization text, wanted_timeframe text)
RETURNS TABLE (
    outreach_attempts bigint, successful_contacts bigint, contact_success_rate numeric,
    appointments_scheduled bigint, conversion_rate numeric, avg_days_to_reengage numeric,
    sms_sent bigint, sms_delivered bigint, sms_responded bigint, sms_response_rate numeric,
    email_sent bigint, email_opened bigint, email_responded bigint, email_response_rate numeric,
    phone_attempted bigint, phone_connected bigint, phone_appointment_booked bigint, phone_conversion_rate numeric,
    industry_avg_contact_rate numeric, industry_avg_conversion numeric, our_performance text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT total.attempts, total.successes, re.rate(total.successes, total.attempts), total.converted,
        re.rate(total.converted, total.successes),
        re.average(total.microseconds, 86400000000 * total.converted),
        total.sms, total.sms - total.sms_failed, total.sms_successes,
        re.rate(total.sms_successes, total.sms - total.sms_failed),
        total.email, total.email_opened, total.email_successes, re.rate(total.email_successes, total.email_opened),
        total.phone, total.phone_successes, total.phone_converted,
        re.rate(total.phone_converted, total.phone_successes),
        re.industry_contact_rate(), re.industry_conversion_rate(),
        re.performance_verdict(total.attempts, re.rate(total.successes, total.attempts))
    FROM re.flat_clock(organization) clock
    CROSS JOIN re.timeframes() AS frame
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(counter.attempts), 0)::bigint AS attempts,
            coalesce(sum(counter.successes), 0)::bigint AS successes,
            coalesce(sum(counter.converted), 0)::bigint AS converted,
            coalesce(sum(counter.microseconds_to_booking), 0) AS microseconds,
            coalesce(sum(counter.attempts) FILTER (WHERE counter.method = 'sms'), 0)::bigint AS sms,
            coalesce(sum(counter.failed) FILTER (WHERE counter.method = 'sms'), 0)::bigint AS sms_failed,
            coalesce(sum(counter.successes) FILTER (WHERE counter.method = 'sms'), 0)::bigint AS sms_successes,
            coalesce(sum(counter.attempts) FILTER (WHERE counter.method = 'email'), 0)::bigint AS email,
            coalesce(sum(counter.opened) FILTER (WHERE counter.method = 'email'), 0)::bigint AS email_opened,
            coalesce(sum(counter.successes) FILTER (WHERE counter.method = 'email'), 0)::bigint AS email_successes,
            coalesce(sum(counter.attempts) FILTER (WHERE counter.method = 'phone'), 0)::bigint AS phone,
            coalesce(sum(counter.successes) FILTER (WHERE counter.method = 'phone'), 0)::bigint AS phone_successes,
            coalesce(sum(counter.converted) FILTER (WHERE counter.method = 'phone'), 0)::bigint AS phone_converted
        FROM re.outreach_day counter
        WHERE counter.organization_id = organization
            AND counter.day BETWEEN clock.today - frame.days + 1 AND clock.today
    ) total
    WHERE frame.timeframe = wanted_timeframe;
END;

CREATE OR REPLACE FUNCTION re.flat_prioritized_patients(
    organization text, wanted_level text, wanted_status text, wanted_priority integer, wanted_tier text,
    wanted_text text, sort_by text, with_notes boolean, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_name text, after_id text)
RETURNS SETOF re.list_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH page AS MATERIALIZED (
        SELECT list.*
        FROM re.flat_list(organization, wanted_level, wanted_status, wanted_priority, wanted_tier, wanted_text, sort_by,
            row_limit, after_priority, after_score, after_days, after_name, after_id) list
    )
    SELECT re.rfc3339(clock.now), patient.id, patient.name, patient.phone, patient.email, patient.level, patient.score,
        patient.days, patient.last_appointment, patient.next_appointment, patient.action, patient.priority,
        patient.previous_response_rate, patient.completed, patient.missed, patient.status, patient.tier,
        patient.attendance, patient.lifetime_value, CASE WHEN with_notes THEN notes.treatment_notes END, page.total,
        page.sort_name
    FROM re.flat_clock(organization) clock
    CROSS JOIN page
    CROSS JOIN LATERAL (
        SELECT newest.appointment_value
        FROM re.state_of(organization) newest
        WHERE newest.organization_id = organization
        OFFSET 0
    ) clinic
    LEFT JOIN LATERAL (
        SELECT state.patient_id AS id, state.name, state.phone, state.email, re.risk_level(page.days) AS level,
            page.days, risk.score, risk.priority, risk.status, risk.tier,
            re.recommended_action(risk.status, risk.tier, re.has_appointment(page.risk_group)) AS action,
            re.rfc3339(state.last_appointment_date) AS last_appointment,
            re.rfc3339(state.next_scheduled_appointment) AS next_appointment,
            state.previous_response_rate, cardinality(state.completed_days) AS completed, recent.missed,
            re.rate_or_null(recent.completed, recent.completed + recent.missed) AS attendance,
            state.known_value + state.without_value * clinic.appointment_value AS lifetime_value
        FROM re.listed_state(organization, page.risk_group, clock.today - page.days, page.patient_id) state
        CROSS JOIN LATERAL (
            SELECT known.score, known.priority, re.group_status(page.risk_group, page.days) AS status,
                re.risk_tier(known.score) AS tier
            FROM (
                SELECT re.group_score(page.risk_group, page.days) AS score,
                    re.group_priority(page.risk_group, page.days) AS priority
                OFFSET 0
            ) known
            OFFSET 0
        ) risk
        CROSS JOIN LATERAL (
            SELECT
                re.number_of_days(state.completed_days, clock.today - re.attendance_days() + 1, clock.today)
                    AS completed,
                re.number_of_days(state.missed_days, clock.today - re.attendance_days() + 1, clock.today) AS missed
            OFFSET 0
        ) recent
        OFFSET 0
    ) patient ON true
    LEFT JOIN LATERAL (
        SELECT stored.treatment_notes FROM re.patient stored
        WHERE with_notes AND stored.organization_id = organization AND stored.id = page.patient_id
        OFFSET 0
    ) notes ON true
    -- Notes are read from the source, which may be of a later moment than the derived rows. So no pending change is
    -- admitted.
    WHERE NOT with_notes OR re.is_current(organization)
    ORDER BY page.number;
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
    ORDER BY top.priority, top.score DESC, top.days DESC, top.id;
END;
