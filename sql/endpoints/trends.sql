/* endpoint
[{"method": "GET", "path": "trends", "questions": [
    {"query": "period=7d&metrics=risk_levels,success_rates,channel_performance", "arguments": {"days": 7}},
    {"title": "trends 30 d", "query": "period=30d", "arguments": {"days": 30}},
    {"query": "period=90d&metrics=risk_levels", "arguments": {"days": 90}},
    {"query": "period=6m", "arguments": {"days": 182}},
    {"title": "trends 1 y, all metrics", "query": "period=1y&metrics=risk_levels,success_rates,channel_performance",
     "arguments": {"days": 365}}]}]
*/
-- The levels come from changes: a stretch of days with the same last contact passes each threshold at most once and
-- ends at most once, so that sums of changes, day after day, replace a count of every patient on every day.
CREATE OR REPLACE FUNCTION re.plain_trends(organization text, days integer)
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
        -- An attempt can convert up to 336 hours after it was made.
        SELECT k.today, k.today - days + 1 AS first_day,
            re.before(k.today - days + 1) - interval '336 hours' AS attempts_since,
            k.today - 2 * days + 1 AS previous_day, re.before(k.today - 2 * days + 1) AS previous_since
        FROM re.clock_of(organization) k
    ), span AS MATERIALIZED (
        SELECT s.from_day, s.to_day
        FROM clock k
        JOIN re.contact_span s ON s.to_day >= k.first_day AND s.from_day <= k.today
        WHERE s.organization_id = organization
    ), begun AS (
        -- By the day they begin, the stretches that last beyond 0, 7, 14, 30 and 45 days.
        SELECT s.from_day,
            count(*) FILTER (WHERE s.from_day < s.to_day) AS d0,
            count(*) FILTER (WHERE s.from_day + 7 < s.to_day) AS d7,
            count(*) FILTER (WHERE s.from_day + 14 < s.to_day) AS d14,
            count(*) FILTER (WHERE s.from_day + 30 < s.to_day) AS d30,
            count(*) FILTER (WHERE s.from_day + 45 < s.to_day) AS d45
        FROM span s
        GROUP BY s.from_day
    ), ended AS (
        SELECT s.to_day,
            count(*) FILTER (WHERE s.from_day < s.to_day) AS d0,
            count(*) FILTER (WHERE s.from_day + 7 < s.to_day) AS d7,
            count(*) FILTER (WHERE s.from_day + 14 < s.to_day) AS d14,
            count(*) FILTER (WHERE s.from_day + 30 < s.to_day) AS d30,
            count(*) FILTER (WHERE s.from_day + 45 < s.to_day) AS d45
        FROM clock k
        JOIN span s ON s.to_day <= k.today
        GROUP BY s.to_day
    ), change AS (
        -- What came before the first day counts as come on it.
        SELECT greatest(b.from_day + t.threshold, k.first_day) AS day, t.*,
            CASE WHEN t.threshold = 30 AND b.from_day + 30 >= k.first_day THEN t.number ELSE 0 END AS new_at_risk,
            0 AS reengaged
        FROM clock k
        JOIN begun b ON true
        CROSS JOIN LATERAL (VALUES (0, b.d0), (7, b.d7), (14, b.d14), (30, b.d30), (45, b.d45)) AS t(threshold, number)
        WHERE b.from_day + t.threshold <= k.today
        UNION ALL
        SELECT e.to_day, t.threshold, -t.number, 0, CASE WHEN t.threshold = 30 THEN t.number ELSE 0 END
        FROM ended e
        CROSS JOIN LATERAL (VALUES (0, e.d0), (7, e.d7), (14, e.d14), (30, e.d30), (45, e.d45)) AS t(threshold, number)
    ), risk AS (
        SELECT c.day,
            sum(c.new_at_risk)::bigint AS new_at_risk,
            sum(c.reengaged)::bigint AS reengaged,
            sum(c.number) FILTER (WHERE c.threshold = 0) AS d0,
            sum(c.number) FILTER (WHERE c.threshold = 7) AS d7,
            sum(c.number) FILTER (WHERE c.threshold = 14) AS d14,
            sum(c.number) FILTER (WHERE c.threshold = 30) AS d30,
            sum(c.number) FILTER (WHERE c.threshold = 45) AS d45
        FROM change c
        GROUP BY c.day
    ), attempt AS MATERIALIZED (
        SELECT a.day, a.method, a.outcome = 'success' AS successful, a.converted_at IS NOT NULL AS converted, a.converted_day
        FROM clock k
        JOIN re.attempt a ON a.created_at >= k.attempts_since
        WHERE a.organization_id = organization
    ), made AS (
        SELECT a.day,
            count(*) AS attempts,
            count(*) FILTER (WHERE a.successful) AS successes,
            count(*) FILTER (WHERE a.converted) AS converted,
            count(*) FILTER (WHERE a.method = 'sms') AS sms,
            count(*) FILTER (WHERE a.method = 'sms' AND a.successful) AS sms_successes,
            count(*) FILTER (WHERE a.method = 'email') AS email,
            count(*) FILTER (WHERE a.method = 'email' AND a.successful) AS email_successes,
            count(*) FILTER (WHERE a.method = 'phone') AS phone,
            count(*) FILTER (WHERE a.method = 'phone' AND a.successful) AS phone_successes
        FROM attempt a
        GROUP BY a.day
    ), booked AS (
        SELECT a.converted_day AS day, count(*) AS number FROM attempt a WHERE a.converted GROUP BY a.converted_day
    ), previous AS (
        SELECT count(*) FILTER (WHERE a.method = 'sms') AS sms,
            count(*) FILTER (WHERE a.method = 'sms' AND a.outcome = 'success') AS sms_successes,
            count(*) FILTER (WHERE a.method = 'email') AS email,
            count(*) FILTER (WHERE a.method = 'email' AND a.outcome = 'success') AS email_successes,
            count(*) FILTER (WHERE a.method = 'phone') AS phone,
            count(*) FILTER (WHERE a.method = 'phone' AND a.outcome = 'success') AS phone_successes
        FROM clock k
        JOIN re.attempt a ON a.created_at >= k.previous_since AND a.day BETWEEN k.previous_day AND k.first_day - 1
        WHERE a.organization_id = organization
    ), daily AS (
        SELECT d.day,
            coalesce(r.new_at_risk, 0) AS new_at_risk, coalesce(r.reengaged, 0) AS reengaged,
            coalesce(m.attempts, 0) AS attempts, coalesce(m.successes, 0) AS successes,
            coalesce(m.converted, 0) AS converted, coalesce(b.number, 0) AS booked,
            coalesce(m.sms, 0) AS sms, coalesce(m.sms_successes, 0) AS sms_successes,
            coalesce(m.email, 0) AS email, coalesce(m.email_successes, 0) AS email_successes,
            coalesce(m.phone, 0) AS phone, coalesce(m.phone_successes, 0) AS phone_successes,
            (sum(r.d0) OVER so_far)::bigint AS d0, (sum(r.d7) OVER so_far)::bigint AS d7,
            (sum(r.d14) OVER so_far)::bigint AS d14, (sum(r.d30) OVER so_far)::bigint AS d30,
            (sum(r.d45) OVER so_far)::bigint AS d45
        FROM clock k
        CROSS JOIN LATERAL (
            SELECT k.first_day + i AS day FROM generate_series(0, days - 1) AS i
        ) d
        LEFT JOIN risk r ON r.day = d.day
        LEFT JOIN made m ON m.day = d.day
        LEFT JOIN booked b ON b.day = d.day
        WINDOW so_far AS (ORDER BY d.day)
    ), level AS (
        SELECT d.day,
            coalesce(d.d45, 0) AS critical,
            coalesce(d.d30, 0) - coalesce(d.d45, 0) AS high,
            coalesce(d.d14, 0) - coalesce(d.d30, 0) AS medium,
            coalesce(d.d7, 0) - coalesce(d.d14, 0) AS low,
            coalesce(d.d0, 0) - coalesce(d.d7, 0) AS engaged,
            coalesce(d.d30, 0) AS at_risk, coalesce(d.d0, 0) AS counted
        FROM daily d
    ), channel AS (
        SELECT re.change_pct(sum(d.sms_successes)::bigint, sum(d.sms)::bigint, min(p.sms_successes), min(p.sms)) AS sms,
            re.change_pct(sum(d.email_successes)::bigint, sum(d.email)::bigint, min(p.email_successes), min(p.email))
                AS email,
            re.change_pct(sum(d.phone_successes)::bigint, sum(d.phone)::bigint, min(p.phone_successes), min(p.phone))
                AS phone
        FROM daily d
        CROSS JOIN previous p
    ), movement AS (
        SELECT re.count_trend(f.critical, t.critical) AS critical,
            re.count_trend(f.high, t.high) AS high,
            t.at_risk * greatest(f.counted, 1) < f.at_risk * greatest(t.counted, 1) AS improvement
        FROM clock k
        JOIN level f ON f.day = k.first_day
        JOIN level t ON t.day = k.today
    )
    SELECT re.iso_date(d.day), d.new_at_risk, d.reengaged, d.attempts, d.booked,
        l.critical, l.high, l.medium, l.low, l.engaged,
        re.rate(d.successes, d.attempts), re.rate(d.converted, d.successes),
        d.sms, d.sms_successes, re.rate(d.sms_successes, d.sms),
        d.email, d.email_successes, re.rate(d.email_successes, d.email),
        d.phone, d.phone_successes, re.rate(d.phone_successes, d.phone),
        re.rate_trend(c.sms), c.sms, re.rate_trend(c.email), c.email, re.rate_trend(c.phone), c.phone,
        v.critical, v.high, v.improvement
    FROM daily d
    JOIN level l ON l.day = d.day
    CROSS JOIN channel c
    CROSS JOIN movement v
    ORDER BY d.day;
END;
