/* endpoint
[{"method": "GET", "path": "trends", "questions": [
    {"query": "period=7d&metrics=risk_levels,success_rates,channel_performance", "arguments": {"days": 7}},
    {"title": "trends 30 d", "query": "period=30d", "arguments": {"days": 30}},
    {"query": "period=90d&metrics=risk_levels", "arguments": {"days": 90}},
    {"query": "period=6m", "arguments": {"days": 182}},
    {"title": "trends 1 y, all metrics", "query": "period=1y&metrics=risk_levels,success_rates,channel_performance",
     "arguments": {"days": 365}}]}]
*/
-- The trends from the source. The pieces may be separate, since a STABLE function sees the snapshot of the statement
-- that calls it.
CREATE OR REPLACE FUNCTION re.plain_trends(organization text, days integer) RETURNS SETOF re.trends_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (SELECT clock.today FROM re.clock_of(organization) clock);
    first_day date := today - days + 1;
    daily re.trend_day[];
    before re.trend_day;
BEGIN
    -- Materialized, so that no join computes them again.
    WITH level AS MATERIALIZED (
        SELECT * FROM re.levels_by_day(organization, first_day, today)
    ), outreach AS MATERIALIZED (
        SELECT * FROM re.outreach_by_day(organization, first_day, today)
    ), booking AS MATERIALIZED (
        SELECT * FROM re.bookings_by_day(organization, first_day, today)
    )
    SELECT array_agg(ROW(level.day, level.new_at_risk, level.reengaged,
            level.days_0, level.days_7, level.days_14, level.days_30, level.days_45,
            coalesce(outreach.sms, 0), coalesce(outreach.email, 0), coalesce(outreach.phone, 0),
            coalesce(outreach.sms_successes, 0), coalesce(outreach.email_successes, 0),
            coalesce(outreach.phone_successes, 0),
            coalesce(outreach.converted, 0), coalesce(booking.number, 0))::re.trend_day ORDER BY level.day)
    INTO daily
    FROM level
    LEFT JOIN outreach ON outreach.day = level.day
    LEFT JOIN booking ON booking.day = level.day;

    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        coalesce(sum(outreach.sms), 0), coalesce(sum(outreach.email), 0), coalesce(sum(outreach.phone), 0),
        coalesce(sum(outreach.sms_successes), 0), coalesce(sum(outreach.email_successes), 0),
        coalesce(sum(outreach.phone_successes), 0), NULL, NULL
    INTO before
    FROM re.outreach_by_day(organization, first_day - days, first_day - 1) outreach;

    RETURN QUERY SELECT * FROM re.trends_of(daily, before);
END $$;

-- The trends from the counters.
CREATE OR REPLACE FUNCTION re.flat_trends(organization text, days integer) RETURNS SETOF re.trends_row
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (SELECT clock.today FROM re.flat_clock(organization) clock);
    first_day date := today - days + 1;
    daily re.trend_day[];
    before re.trend_day;
BEGIN
    SELECT array_agg(ROW(level.day, level.new_at_risk, level.reengaged,
            level.days_0, level.days_7, level.days_14, level.days_30, level.days_45,
            coalesce(outreach.sms, 0), coalesce(outreach.email, 0), coalesce(outreach.phone, 0),
            coalesce(outreach.sms_successes, 0), coalesce(outreach.email_successes, 0),
            coalesce(outreach.phone_successes, 0),
            coalesce(outreach.converted, 0), coalesce(outreach.booked, 0))::re.trend_day ORDER BY level.day)
    INTO daily
    FROM re.flat_levels_by_day(organization, first_day, today) level
    LEFT JOIN re.flat_outreach_by_day(organization, first_day, today) outreach ON outreach.day = level.day;

    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        coalesce(sum(outreach.sms), 0), coalesce(sum(outreach.email), 0), coalesce(sum(outreach.phone), 0),
        coalesce(sum(outreach.sms_successes), 0), coalesce(sum(outreach.email_successes), 0),
        coalesce(sum(outreach.phone_successes), 0), NULL, NULL
    INTO before
    FROM re.flat_outreach_by_day(organization, first_day - days, first_day - 1) outreach;

    RETURN QUERY SELECT * FROM re.trends_of(daily, before);
END $$;

-- The number of patients with at least so many days since their last contact, on each day: today's numbers minus the
-- changes after that day. new_at_risk and reengaged are the changes for 30 days.
CREATE OR REPLACE FUNCTION re.flat_levels_by_day(organization text, first_day date, today date)
RETURNS TABLE (day date, new_at_risk bigint, reengaged bigint,
    days_0 bigint, days_7 bigint, days_14 bigint, days_30 bigint, days_45 bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH counted AS MATERIALIZED (
        SELECT coalesce(sum(counter.number), 0)::bigint AS days_0,
            coalesce(sum(counter.number) FILTER (WHERE counter.days >= re.low_risk_days()), 0)::bigint AS days_7,
            coalesce(sum(counter.number) FILTER (WHERE counter.days >= re.medium_risk_days()), 0)::bigint AS days_14,
            coalesce(sum(counter.number) FILTER (WHERE counter.days >= re.high_risk_days()), 0)::bigint AS days_30,
            coalesce(sum(counter.number) FILTER (WHERE counter.days >= re.critical_risk_days()), 0)::bigint AS days_45
        FROM re.flat_population(organization) counter
    ), change AS (
        SELECT calendar.day, coalesce(risk.d0, 0) AS d0, coalesce(risk.d7, 0) AS d7, coalesce(risk.d14, 0) AS d14,
            coalesce(risk.d45, 0) AS d45, coalesce(risk.new_at_risk, 0) AS new_at_risk,
            coalesce(risk.reengaged, 0) AS reengaged
        FROM (SELECT first_day + number AS day FROM generate_series(0, today - first_day) AS number) calendar
        LEFT JOIN (
            SELECT * FROM re.risk_day stored
            WHERE stored.organization_id = organization AND stored.day BETWEEN first_day AND today
        ) risk ON risk.day = calendar.day
    ), later AS (
        SELECT change.day, change.new_at_risk, change.reengaged,
            coalesce(sum(change.d0) OVER later_days, 0)::bigint AS d0,
            coalesce(sum(change.d7) OVER later_days, 0)::bigint AS d7,
            coalesce(sum(change.d14) OVER later_days, 0)::bigint AS d14,
            coalesce(sum(change.new_at_risk - change.reengaged) OVER later_days, 0)::bigint AS d30,
            coalesce(sum(change.d45) OVER later_days, 0)::bigint AS d45
        FROM change
        WINDOW later_days AS (ORDER BY change.day DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
    SELECT later.day, later.new_at_risk, later.reengaged, counted.days_0 - later.d0, counted.days_7 - later.d7,
        counted.days_14 - later.d14, counted.days_30 - later.d30, counted.days_45 - later.d45
    FROM later
    CROSS JOIN counted;
END;

-- The outreach of each day that has any. A day has one row for each method, which max() picks.
CREATE OR REPLACE FUNCTION re.flat_outreach_by_day(organization text, first_day date, last_day date)
RETURNS TABLE (day date, sms bigint, email bigint, phone bigint,
    sms_successes bigint, email_successes bigint, phone_successes bigint, converted bigint, booked bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT counter.day,
        max(counter.attempts) FILTER (WHERE counter.method = 'sms'),
        max(counter.attempts) FILTER (WHERE counter.method = 'email'),
        max(counter.attempts) FILTER (WHERE counter.method = 'phone'),
        max(counter.successes) FILTER (WHERE counter.method = 'sms'),
        max(counter.successes) FILTER (WHERE counter.method = 'email'),
        max(counter.successes) FILTER (WHERE counter.method = 'phone'),
        sum(counter.converted)::bigint,
        sum(counter.booked)::bigint
    FROM re.outreach_day counter
    WHERE counter.organization_id = organization AND counter.day BETWEEN first_day AND last_day
    GROUP BY counter.day;
END;
