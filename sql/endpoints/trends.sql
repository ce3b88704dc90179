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
