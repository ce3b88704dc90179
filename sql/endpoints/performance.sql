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
