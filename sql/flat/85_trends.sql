-- Today's levels, walked back day by day through the changes; the outreach of the period and of the one before.
CREATE OR REPLACE FUNCTION re.flat_trends(organization text, days integer)
RETURNS TABLE (
    date text, new_at_risk bigint, reengaged_successfully bigint, outreach_attempts bigint, appointments_scheduled bigint,
    critical bigint, high bigint, medium bigint, low bigint, engaged bigint,
    contact_success_rate numeric, conversion_rate numeric,
    sms_attempts bigint, sms_successes bigint, sms_success_rate numeric,
    email_attempts bigint, email_successes bigint, email_success_rate numeric,
    phone_attempts bigint, phone_successes bigint, phone_success_rate numeric,
    sms_success_rate_trend text, sms_change_pct numeric,
    email_success_rate_trend text, email_change_pct numeric,
    phone_success_rate_trend text, phone_change_pct numeric,
    critical_trend text, high_trend text, overall_improvement boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH clock AS MATERIALIZED (
        SELECT k.today, k.today - days + 1 AS first_day, k.today - 2 * days + 1 AS previous_day
        FROM re.flat_clock(organization) k
    ), counted AS MATERIALIZED (
        SELECT coalesce(sum(p.number), 0)::bigint AS d0,
            coalesce(sum(p.number) FILTER (WHERE p.days >= 7), 0)::bigint AS d7,
            coalesce(sum(p.number) FILTER (WHERE p.days >= 14), 0)::bigint AS d14,
            coalesce(sum(p.number) FILTER (WHERE p.days >= 30), 0)::bigint AS d30,
            coalesce(sum(p.number) FILTER (WHERE p.days >= 45), 0)::bigint AS d45
        FROM re.flat_population(organization) p
    ), outreach AS MATERIALIZED (
        -- A day has one row for each method, so that max() picks it.
        SELECT o.day,
            max(o.attempts) FILTER (WHERE o.method = 'sms') AS sms,
            max(o.attempts) FILTER (WHERE o.method = 'email') AS email,
            max(o.attempts) FILTER (WHERE o.method = 'phone') AS phone,
            max(o.successes) FILTER (WHERE o.method = 'sms') AS sms_successes,
            max(o.successes) FILTER (WHERE o.method = 'email') AS email_successes,
            max(o.successes) FILTER (WHERE o.method = 'phone') AS phone_successes,
            sum(o.converted)::bigint AS converted, sum(o.booked)::bigint AS booked
        FROM clock k
        JOIN re.outreach_day o ON o.day BETWEEN k.previous_day AND k.today
        WHERE o.organization_id = organization
        GROUP BY o.day
    ), day AS (
        -- The days, their changes and their outreach meet in a grouping, where a join might go through all for each.
        SELECT x.day,
            coalesce(max(x.d0), 0) AS d0, coalesce(max(x.d7), 0) AS d7, coalesce(max(x.d14), 0) AS d14,
            coalesce(max(x.d45), 0) AS d45,
            coalesce(max(x.new_at_risk), 0) AS new_at_risk, coalesce(max(x.reengaged), 0) AS reengaged,
            coalesce(max(x.sms), 0) AS sms, coalesce(max(x.email), 0) AS email, coalesce(max(x.phone), 0) AS phone,
            coalesce(max(x.sms_successes), 0) AS sms_successes, coalesce(max(x.email_successes), 0) AS email_successes,
            coalesce(max(x.phone_successes), 0) AS phone_successes,
            coalesce(max(x.converted), 0) AS converted, coalesce(max(x.booked), 0) AS booked
        FROM (
            SELECT k.first_day + i AS day, NULL::bigint AS d0, NULL::bigint AS d7, NULL::bigint AS d14, NULL::bigint AS d45,
                NULL::bigint AS new_at_risk, NULL::bigint AS reengaged,
                NULL::bigint AS sms, NULL::bigint AS email, NULL::bigint AS phone, NULL::bigint AS sms_successes,
                NULL::bigint AS email_successes, NULL::bigint AS phone_successes,
                NULL::bigint AS converted, NULL::bigint AS booked
            FROM clock k CROSS JOIN generate_series(0, days - 1) AS i
            UNION ALL
            SELECT r.day, r.d0, r.d7, r.d14, r.d45, r.new_at_risk, r.reengaged,
                NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
            FROM clock k JOIN re.risk_day r ON r.day BETWEEN k.first_day AND k.today
            WHERE r.organization_id = organization
            UNION ALL
            SELECT o.day, NULL, NULL, NULL, NULL, NULL, NULL,
                o.sms, o.email, o.phone, o.sms_successes, o.email_successes, o.phone_successes, o.converted, o.booked
            FROM clock k JOIN outreach o ON o.day >= k.first_day
        ) x
        GROUP BY x.day
    ), daily AS MATERIALIZED (
        -- What was counted on a day is what is counted today less what has changed since.
        SELECT d.*, c.d0 - coalesce(d.later_d0, 0) AS counted, c.d7 - coalesce(d.later_d7, 0) AS d7_counted,
            c.d14 - coalesce(d.later_d14, 0) AS d14_counted, c.d30 - coalesce(d.later_d30, 0) AS at_risk,
            c.d45 - coalesce(d.later_d45, 0) AS critical
        FROM (
            SELECT d.*,
                (sum(d.d0) OVER later)::bigint AS later_d0, (sum(d.d7) OVER later)::bigint AS later_d7,
                (sum(d.d14) OVER later)::bigint AS later_d14,
                (sum(d.new_at_risk - d.reengaged) OVER later)::bigint AS later_d30,
                (sum(d.d45) OVER later)::bigint AS later_d45
            FROM day d
            WINDOW later AS (ORDER BY d.day DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ) d
        CROSS JOIN counted c
    ), channel AS (
        SELECT re.change_pct(d.sms_successes, d.sms, p.sms_successes, p.sms) AS sms,
            re.change_pct(d.email_successes, d.email, p.email_successes, p.email) AS email,
            re.change_pct(d.phone_successes, d.phone, p.phone_successes, p.phone) AS phone
        FROM (
            SELECT sum(d.sms)::bigint AS sms, sum(d.sms_successes)::bigint AS sms_successes,
                sum(d.email)::bigint AS email, sum(d.email_successes)::bigint AS email_successes,
                sum(d.phone)::bigint AS phone, sum(d.phone_successes)::bigint AS phone_successes
            FROM daily d
        ) d
        CROSS JOIN (
            SELECT coalesce(sum(o.sms), 0)::bigint AS sms, coalesce(sum(o.sms_successes), 0)::bigint AS sms_successes,
                coalesce(sum(o.email), 0)::bigint AS email, coalesce(sum(o.email_successes), 0)::bigint AS email_successes,
                coalesce(sum(o.phone), 0)::bigint AS phone, coalesce(sum(o.phone_successes), 0)::bigint AS phone_successes
            FROM clock k
            JOIN outreach o ON o.day < k.first_day
        ) p
    ), movement AS (
        SELECT re.count_trend(f.critical, t.critical) AS critical,
            re.count_trend(f.at_risk - f.critical, t.at_risk - t.critical) AS high,
            t.at_risk * greatest(f.counted, 1) < f.at_risk * greatest(t.counted, 1) AS improvement
        FROM clock k
        JOIN daily f ON f.day = k.first_day
        JOIN daily t ON t.day = k.today
    )
    SELECT re.iso_date(d.day), d.new_at_risk, d.reengaged, d.sms + d.email + d.phone, d.booked,
        d.critical, d.at_risk - d.critical, d.d14_counted - d.at_risk, d.d7_counted - d.d14_counted,
        d.counted - d.d7_counted,
        re.rate(d.sms_successes + d.email_successes + d.phone_successes, d.sms + d.email + d.phone),
        re.rate(d.converted, d.sms_successes + d.email_successes + d.phone_successes),
        d.sms, d.sms_successes, re.rate(d.sms_successes, d.sms),
        d.email, d.email_successes, re.rate(d.email_successes, d.email),
        d.phone, d.phone_successes, re.rate(d.phone_successes, d.phone),
        re.rate_trend(c.sms), c.sms, re.rate_trend(c.email), c.email, re.rate_trend(c.phone), c.phone,
        m.critical, m.high, m.improvement
    FROM daily d
    CROSS JOIN channel c
    CROSS JOIN movement m
    ORDER BY d.day;
END;
