/* endpoint
[{"method": "GET", "path": "performance", "questions": [
    {"title": "performance 7 d", "query": "timeframe=last_7_days", "arguments": {"wanted_timeframe": "last_7_days"}},
    {"title": "performance 30 d", "query": "timeframe=last_30_days", "arguments": {"wanted_timeframe": "last_30_days"}},
    {"title": "performance 90 d", "query": "timeframe=last_90_days", "arguments": {"wanted_timeframe": "last_90_days"}}]}]
*/
CREATE OR REPLACE FUNCTION re.plain_performance(organization text, wanted_timeframe text)
RETURNS TABLE (
    outreach_attempts bigint, successful_contacts bigint, contact_success_rate numeric,
    appointments_scheduled bigint, conversion_rate numeric, avg_days_to_reengage numeric,
    sms_sent bigint, sms_delivered bigint, sms_responded bigint, sms_response_rate numeric,
    email_sent bigint, email_opened bigint, email_responded bigint, email_response_rate numeric,
    phone_attempted bigint, phone_connected bigint, phone_appointment_booked bigint, phone_conversion_rate numeric,
    industry_avg_contact_rate numeric, industry_avg_conversion numeric, our_performance text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- An organization without a row has zeros.
    SELECT coalesce(total.outreach_attempts, 0), coalesce(total.successful_contacts, 0),
        coalesce(total.contact_success_rate, 0.0),
        coalesce(total.appointments_scheduled, 0), coalesce(total.conversion_rate, 0.0),
        coalesce(total.avg_days_to_reengage, 0.0),
        coalesce(total.sms_sent, 0), coalesce(total.sms_delivered, 0), coalesce(total.sms_responded, 0),
        coalesce(total.sms_response_rate, 0.0),
        coalesce(total.email_sent, 0), coalesce(total.email_opened, 0), coalesce(total.email_responded, 0),
        coalesce(total.email_response_rate, 0.0),
        coalesce(total.phone_attempted, 0), coalesce(total.phone_connected, 0),
        coalesce(total.phone_appointment_booked, 0),
        coalesce(total.phone_conversion_rate, 0.0),
        re.industry_contact_rate(), re.industry_conversion_rate(),
        coalesce(total.our_performance, 'insufficient_data')
    FROM (VALUES (true)) AS one_row
    LEFT JOIN public.reengagement_performance_view total
        ON total.organization_id = organization AND total.timeframe = wanted_timeframe;
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
