-- The twins of the plain answers in endpoints/, column for column, from the counters and, for a page, from its patients'
-- states. Each gives at least one row, so that none means: not current. What is looked up for each patient of a page is
-- fenced by OFFSET 0, lest the planner, which may know nothing of a table just filled, read all of it for a join. It is
-- looked up in the index of the priorities, which the page was just read from: the primary key's pages for a page's patients
-- lie as far apart as their ids, and reading those took longer the larger the clinic. The two bounds of the id say so to the
-- planner, which takes the primary key if the id is given by one.

CREATE OR REPLACE FUNCTION re.flat_risk_metrics(organization text)
RETURNS TABLE (
    critical bigint, high bigint, medium bigint, low bigint, engaged bigint,
    missed_appointments_14d bigint, failed_communications bigint, no_future_appointments bigint,
    immediate_actions_required bigint, last_updated text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.critical, p.high, p.medium, p.low, p.engaged, d.missed, d.failed, p.no_future, p.immediate, re.rfc3339(k.now)
    FROM re.flat_clock(organization) k
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(r.missed), 0)::bigint AS missed, coalesce(sum(r.failed), 0)::bigint AS failed
        FROM re.risk_day r
        WHERE r.organization_id = organization AND r.day BETWEEN k.today - 13 AND k.today
    ) d
    CROSS JOIN (
        SELECT coalesce(sum(p.number) FILTER (WHERE l.level = 'critical'), 0)::bigint AS critical,
            coalesce(sum(p.number) FILTER (WHERE l.level = 'high'), 0)::bigint AS high,
            coalesce(sum(p.number) FILTER (WHERE l.level = 'medium'), 0)::bigint AS medium,
            coalesce(sum(p.number) FILTER (WHERE l.level = 'low'), 0)::bigint AS low,
            coalesce(sum(p.number) FILTER (WHERE l.level = 'engaged'), 0)::bigint AS engaged,
            coalesce(sum(p.number) FILTER (WHERE p.class / 3 > 0), 0)::bigint AS no_future,
            coalesce(sum(p.number) FILTER (WHERE re.class_priority(p.class, p.days) = 1), 0)::bigint AS immediate
        FROM re.flat_population(organization) p
        CROSS JOIN LATERAL (SELECT re.risk_level(p.days) AS level OFFSET 0) l
    ) p;
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
    SELECT f.attempts, f.successes, re.rate(f.successes, f.attempts), f.converted, re.rate(f.converted, f.successes),
        re.average(f.microseconds, 86400000000 * f.converted),
        f.sms, f.sms - f.sms_failed, f.sms_successes, re.rate(f.sms_successes, f.sms - f.sms_failed),
        f.email, f.email_opened, f.email_successes, re.rate(f.email_successes, f.email_opened),
        f.phone, f.phone_successes, f.phone_converted, re.rate(f.phone_converted, f.phone_successes),
        55.0, 68.0,
        CASE
            WHEN f.attempts = 0 THEN 'insufficient_data'
            WHEN re.rate(f.successes, f.attempts) >= 60.0 THEN 'above_average'
            WHEN re.rate(f.successes, f.attempts) >= 50.0 THEN 'average'
            ELSE 'below_average'
        END
    FROM re.flat_clock(organization) k
    CROSS JOIN (VALUES ('last_7_days', 7), ('last_30_days', 30), ('last_90_days', 90)) AS t(timeframe, days)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(d.attempts), 0)::bigint AS attempts,
            coalesce(sum(d.successes), 0)::bigint AS successes,
            coalesce(sum(d.converted), 0)::bigint AS converted,
            coalesce(sum(d.microseconds_to_booking), 0) AS microseconds,
            coalesce(sum(d.attempts) FILTER (WHERE d.method = 'sms'), 0)::bigint AS sms,
            coalesce(sum(d.failed) FILTER (WHERE d.method = 'sms'), 0)::bigint AS sms_failed,
            coalesce(sum(d.successes) FILTER (WHERE d.method = 'sms'), 0)::bigint AS sms_successes,
            coalesce(sum(d.attempts) FILTER (WHERE d.method = 'email'), 0)::bigint AS email,
            coalesce(sum(d.opened) FILTER (WHERE d.method = 'email'), 0)::bigint AS email_opened,
            coalesce(sum(d.successes) FILTER (WHERE d.method = 'email'), 0)::bigint AS email_successes,
            coalesce(sum(d.attempts) FILTER (WHERE d.method = 'phone'), 0)::bigint AS phone,
            coalesce(sum(d.successes) FILTER (WHERE d.method = 'phone'), 0)::bigint AS phone_successes,
            coalesce(sum(d.converted) FILTER (WHERE d.method = 'phone'), 0)::bigint AS phone_converted
        FROM re.outreach_day d
        WHERE d.organization_id = organization AND d.day BETWEEN k.today - t.days + 1 AND k.today
    ) f
    WHERE t.timeframe = wanted_timeframe;
END;

CREATE OR REPLACE FUNCTION re.flat_prioritized_patients(
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
    WITH page AS MATERIALIZED (
        SELECT p.*
        FROM re.flat_list(organization, wanted_level, wanted_status, wanted_priority, wanted_tier, wanted_text, sort_by, row_limit,
            after_priority, after_score, after_days, after_name, after_id) p
    )
    SELECT re.rfc3339(k.now), v.id, v.name, v.phone, v.email, v.level, v.score, v.days, v.last, v.next, v.action,
        v.priority, v.previous_response_rate, v.completed, v.missed, v.status, v.tier, v.attendance, v.lifetime_value,
        CASE WHEN with_notes THEN n.treatment_notes END, p.total, p.sort_name
    FROM re.flat_clock(organization) k
    CROSS JOIN page p
    CROSS JOIN LATERAL (
        SELECT o.appointment_value FROM re.state_of(organization) o WHERE o.organization_id = organization OFFSET 0
    ) o
    LEFT JOIN LATERAL (
        SELECT s.patient_id AS id, s.name, s.phone, s.email, re.risk_level(p.days) AS level, p.days,
            f.score, f.priority, f.status, f.tier,
            re.recommended_action(f.status, f.tier, p.class / 3 = 0) AS action,
            re.rfc3339(s.last_appointment_date) AS last, re.rfc3339(s.next_scheduled_appointment) AS next,
            s.previous_response_rate, cardinality(s.completed_days) AS completed, n.missed,
            re.rate_or_null(n.completed, n.completed + n.missed) AS attendance,
            s.known_value + s.without_value * o.appointment_value AS lifetime_value
        FROM (
            SELECT s.*
            FROM re.patient_state s
            WHERE s.organization_id = organization AND s.class = p.class AND s.last_contact_day = k.today - p.days
                AND s.patient_id >= p.patient_id AND s.patient_id <= p.patient_id
            OFFSET 0
        ) s
        CROSS JOIN LATERAL (
            SELECT c.score, c.priority, re.class_status(p.class, p.days) AS status, re.risk_tier(c.score) AS tier
            FROM (SELECT re.class_score(p.class, p.days) AS score, re.class_priority(p.class, p.days) AS priority OFFSET 0) c
            OFFSET 0
        ) f
        CROSS JOIN LATERAL (
            SELECT re.number_of_days(s.completed_days, k.today - 89, k.today) AS completed,
                re.number_of_days(s.missed_days, k.today - 89, k.today) AS missed
            OFFSET 0
        ) n
        OFFSET 0
    ) v ON true
    LEFT JOIN LATERAL (
        SELECT r.treatment_notes FROM re.patient r
        WHERE with_notes AND r.organization_id = organization AND r.id = p.patient_id
        OFFSET 0
    ) n ON true
    -- Notes are read from the source, where they may be of a later moment than the derived rows (90_dispatch).
    WHERE NOT with_notes OR re.is_current(organization)
    ORDER BY p.nr;
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
        SELECT re.risk_level(p.days) AS level, sum(p.number)::bigint AS number,
            sum(p.number * re.class_score(p.class, p.days)) AS score,
            coalesce(sum(p.number) FILTER (WHERE re.class_priority(p.class, p.days) = 1), 0) AS immediate
        FROM re.flat_population(organization) p
        GROUP BY 1
    ), summary AS (
        SELECT coalesce(sum(l.number), 0)::bigint AS total_patients,
            coalesce(sum(l.number) FILTER (WHERE l.level = 'critical'), 0)::bigint AS critical,
            coalesce(sum(l.number) FILTER (WHERE l.level = 'high'), 0)::bigint AS high,
            coalesce(sum(l.number) FILTER (WHERE l.level = 'medium'), 0)::bigint AS medium,
            coalesce(sum(l.number) FILTER (WHERE l.level = 'low'), 0)::bigint AS low,
            coalesce(sum(l.number) FILTER (WHERE l.level = 'engaged'), 0)::bigint AS engaged,
            sum(l.score) FILTER (WHERE l.level = 'critical') AS critical_score,
            sum(l.score) FILTER (WHERE l.level = 'high') AS high_score,
            sum(l.score) FILTER (WHERE l.level = 'medium') AS medium_score,
            sum(l.score) FILTER (WHERE l.level = 'low') AS low_score,
            sum(l.score) FILTER (WHERE l.level = 'engaged') AS engaged_score,
            coalesce(sum(l.immediate), 0)::bigint AS immediate
        FROM level l
    ), page AS MATERIALIZED (
        SELECT p.*
        FROM re.flat_page(organization, false, array_fill('-infinity'::date, ARRAY[9]), array_fill('infinity'::date, ARRAY[9]), 10,
            NULL, NULL, NULL, NULL) p
    )
    SELECT s.total_patients,
        s.critical, re.average(s.critical_score, s.critical), s.high, re.average(s.high_score, s.high),
        s.medium, re.average(s.medium_score, s.medium), s.low, re.average(s.low_score, s.low),
        s.engaged, re.average(s.engaged_score, s.engaged),
        s.immediate, re.rfc3339(k.now),
        (SELECT o.time_zone FROM re.organization_state o WHERE o.organization_id = organization),
        t.id, t.name, t.level, t.score, t.action, t.days
    FROM re.flat_clock(organization) k
    CROSS JOIN summary s
    LEFT JOIN LATERAL (
        SELECT p.*, s.id, s.name, re.risk_level(p.days) AS level,
            re.recommended_action(re.class_status(p.class, p.days), re.risk_tier(p.score), p.class / 3 = 0) AS action
        FROM page p
        CROSS JOIN LATERAL (
            SELECT s.patient_id AS id, s.name
            FROM re.patient_state s
            WHERE s.organization_id = organization AND s.class = p.class AND s.last_contact_day = k.today - p.days
                AND s.patient_id >= p.patient_id AND s.patient_id <= p.patient_id
            OFFSET 0
        ) s
    ) t ON true
    ORDER BY t.priority, t.score DESC, t.days DESC, t.id;
END;
