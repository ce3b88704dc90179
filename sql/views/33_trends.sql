-- The pieces of re.plain_trends, and the last step of both the plain and the flat trends.

-- The rows of the trends: rates, trends and levels, from the numbers of each day in their order and of the period
-- before.
CREATE OR REPLACE FUNCTION re.trends_of(daily re.trend_day[], before re.trend_day) RETURNS SETOF re.trends_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first re.trend_day := daily[1];
    last re.trend_day := daily[cardinality(daily)];
BEGIN
    RETURN QUERY
    WITH channel AS (
        SELECT re.change_pct(
                sum(day.sms_successes)::bigint, sum(day.sms)::bigint, before.sms_successes, before.sms) AS sms,
            re.change_pct(
                sum(day.email_successes)::bigint, sum(day.email)::bigint, before.email_successes, before.email)
                AS email,
            re.change_pct(
                sum(day.phone_successes)::bigint, sum(day.phone)::bigint, before.phone_successes, before.phone)
                AS phone
        FROM unnest(daily) AS day
    ), movement AS (
        SELECT re.count_trend(first.days_45, last.days_45) AS critical,
            re.count_trend(first.days_30 - first.days_45, last.days_30 - last.days_45) AS high,
            last.days_30 * greatest(first.days_0, 1) < first.days_30 * greatest(last.days_0, 1) AS improvement
    )
    SELECT re.iso_date(day.day), day.new_at_risk, day.reengaged, total.attempts, day.booked,
        day.days_45, day.days_30 - day.days_45, day.days_14 - day.days_30, day.days_7 - day.days_14,
        day.days_0 - day.days_7,
        re.rate(total.successes, total.attempts), re.rate(day.converted, total.successes),
        day.sms, day.sms_successes, re.rate(day.sms_successes, day.sms),
        day.email, day.email_successes, re.rate(day.email_successes, day.email),
        day.phone, day.phone_successes, re.rate(day.phone_successes, day.phone),
        re.rate_trend(channel.sms), channel.sms, re.rate_trend(channel.email), channel.email,
        re.rate_trend(channel.phone), channel.phone,
        movement.critical, movement.high, movement.improvement
    FROM unnest(daily) AS day
    CROSS JOIN LATERAL (
        SELECT day.sms + day.email + day.phone AS attempts,
            day.sms_successes + day.email_successes + day.phone_successes AS successes
    ) total
    CROSS JOIN channel
    CROSS JOIN movement
    ORDER BY day.day;
END $$;

-- The number of patients with at least so many days since their last contact: on each day on which it changed, and then
-- day by day. The numbers are sums of changes. An interval with the same last contact reaches each number of days at
-- most once and ends at most once, so all patients need not be counted for each day.
CREATE OR REPLACE FUNCTION re.levels_by_day(organization text, first_day date, today date)
RETURNS TABLE (day date, new_at_risk bigint, reengaged bigint,
    days_0 bigint, days_7 bigint, days_14 bigint, days_30 bigint, days_45 bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH span AS MATERIALIZED (
        SELECT contact.from_day, contact.to_day
        FROM re.contact_span contact
        WHERE contact.organization_id = organization AND contact.to_day >= first_day AND contact.from_day <= today
    ), begun AS (
        -- By the first day, the intervals that are longer than so many days.
        SELECT span.from_day AS day,
            count(*) FILTER (WHERE span.from_day < span.to_day) AS days_0,
            count(*) FILTER (WHERE span.from_day + re.low_risk_days() < span.to_day) AS days_7,
            count(*) FILTER (WHERE span.from_day + re.medium_risk_days() < span.to_day) AS days_14,
            count(*) FILTER (WHERE span.from_day + re.high_risk_days() < span.to_day) AS days_30,
            count(*) FILTER (WHERE span.from_day + re.critical_risk_days() < span.to_day) AS days_45
        FROM span
        GROUP BY span.from_day
    ), ended AS (
        SELECT span.to_day AS day,
            count(*) FILTER (WHERE span.from_day < span.to_day) AS days_0,
            count(*) FILTER (WHERE span.from_day + re.low_risk_days() < span.to_day) AS days_7,
            count(*) FILTER (WHERE span.from_day + re.medium_risk_days() < span.to_day) AS days_14,
            count(*) FILTER (WHERE span.from_day + re.high_risk_days() < span.to_day) AS days_30,
            count(*) FILTER (WHERE span.from_day + re.critical_risk_days() < span.to_day) AS days_45
        FROM span
        WHERE span.to_day <= today
        GROUP BY span.to_day
    ), change AS (
        -- A change before the first day counts on the first day, except as new at risk.
        SELECT greatest(begun.day + reached.threshold, first_day) AS day, reached.threshold, reached.number,
            CASE
                WHEN reached.threshold = re.high_risk_days() AND begun.day + reached.threshold >= first_day
                    THEN reached.number
                ELSE 0
            END AS new_at_risk,
            0 AS reengaged
        FROM begun
        CROSS JOIN LATERAL (VALUES (0, begun.days_0), (re.low_risk_days(), begun.days_7),
            (re.medium_risk_days(), begun.days_14), (re.high_risk_days(), begun.days_30),
            (re.critical_risk_days(), begun.days_45)) AS reached(threshold, number)
        WHERE begun.day + reached.threshold <= today
        UNION ALL
        SELECT ended.day, left_behind.threshold, -left_behind.number, 0,
            CASE WHEN left_behind.threshold = re.high_risk_days() THEN left_behind.number ELSE 0 END
        FROM ended
        CROSS JOIN LATERAL (VALUES (0, ended.days_0), (re.low_risk_days(), ended.days_7),
            (re.medium_risk_days(), ended.days_14), (re.high_risk_days(), ended.days_30),
            (re.critical_risk_days(), ended.days_45)) AS left_behind(threshold, number)
    ), total AS (
        SELECT calendar.day,
            coalesce(sum(change.new_at_risk), 0)::bigint AS new_at_risk,
            coalesce(sum(change.reengaged), 0)::bigint AS reengaged,
            coalesce(sum(change.number) FILTER (WHERE change.threshold = 0), 0) AS days_0,
            coalesce(sum(change.number) FILTER (WHERE change.threshold = re.low_risk_days()), 0) AS days_7,
            coalesce(sum(change.number) FILTER (WHERE change.threshold = re.medium_risk_days()), 0) AS days_14,
            coalesce(sum(change.number) FILTER (WHERE change.threshold = re.high_risk_days()), 0) AS days_30,
            coalesce(sum(change.number) FILTER (WHERE change.threshold = re.critical_risk_days()), 0) AS days_45
        FROM (SELECT first_day + number AS day FROM generate_series(0, today - first_day) AS number) calendar
        LEFT JOIN change ON change.day = calendar.day
        GROUP BY calendar.day
    )
    SELECT total.day, total.new_at_risk, total.reengaged,
        (sum(total.days_0) OVER so_far)::bigint, (sum(total.days_7) OVER so_far)::bigint,
        (sum(total.days_14) OVER so_far)::bigint, (sum(total.days_30) OVER so_far)::bigint,
        (sum(total.days_45) OVER so_far)::bigint
    FROM total
    WINDOW so_far AS (ORDER BY total.day);
END;

-- The attempts of each day that has any, and the number of them that have converted.
CREATE OR REPLACE FUNCTION re.outreach_by_day(organization text, first_day date, last_day date)
RETURNS TABLE (day date, sms bigint, email bigint, phone bigint,
    sms_successes bigint, email_successes bigint, phone_successes bigint, converted bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT attempt.day,
        count(*) FILTER (WHERE attempt.method = 'sms'),
        count(*) FILTER (WHERE attempt.method = 'email'),
        count(*) FILTER (WHERE attempt.method = 'phone'),
        count(*) FILTER (WHERE attempt.method = 'sms' AND attempt.outcome = 'success'),
        count(*) FILTER (WHERE attempt.method = 'email' AND attempt.outcome = 'success'),
        count(*) FILTER (WHERE attempt.method = 'phone' AND attempt.outcome = 'success'),
        count(attempt.converted_at)
    FROM re.attempt attempt
    WHERE attempt.organization_id = organization AND attempt.created_at >= re.before(first_day)
        AND attempt.day BETWEEN first_day AND last_day
    GROUP BY attempt.day;
END;

-- The bookings of each day that has any. An attempt converts up to 336 hours after it was made.
CREATE OR REPLACE FUNCTION re.bookings_by_day(organization text, first_day date, last_day date)
RETURNS TABLE (day date, number bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT attempt.converted_day, count(*)
    FROM re.attempt attempt
    WHERE attempt.organization_id = organization
        AND attempt.created_at >= re.before(first_day) - re.attribution_window()
        AND attempt.converted_day BETWEEN first_day AND last_day
    GROUP BY attempt.converted_day;
END;
