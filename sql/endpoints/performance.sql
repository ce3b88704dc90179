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
    -- The outer join answers zeros for an organization that has no row.
    SELECT coalesce(v.outreach_attempts, 0), coalesce(v.successful_contacts, 0), coalesce(v.contact_success_rate, 0.0),
        coalesce(v.appointments_scheduled, 0), coalesce(v.conversion_rate, 0.0), coalesce(v.avg_days_to_reengage, 0.0),
        coalesce(v.sms_sent, 0), coalesce(v.sms_delivered, 0), coalesce(v.sms_responded, 0),
        coalesce(v.sms_response_rate, 0.0),
        coalesce(v.email_sent, 0), coalesce(v.email_opened, 0), coalesce(v.email_responded, 0),
        coalesce(v.email_response_rate, 0.0),
        coalesce(v.phone_attempted, 0), coalesce(v.phone_connected, 0), coalesce(v.phone_appointment_booked, 0),
        coalesce(v.phone_conversion_rate, 0.0),
        coalesce(v.industry_avg_contact_rate, 55.0), coalesce(v.industry_avg_conversion, 68.0),
        coalesce(v.our_performance, 'insufficient_data')
    FROM (VALUES (true)) AS one_row
    LEFT JOIN public.reengagement_performance_view v
        ON v.organization_id = organization AND v.timeframe = wanted_timeframe;
END;
