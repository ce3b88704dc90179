-- One row per organization and timeframe: all its outreach, whatever has become of the patient since.
CREATE OR REPLACE VIEW public.reengagement_performance_view AS
SELECT c.organization_id, t.timeframe,
    f.outreach_attempts,
    f.successful_contacts,
    re.rate(f.successful_contacts, f.outreach_attempts) AS contact_success_rate,
    f.appointments_scheduled,
    re.rate(f.appointments_scheduled, f.successful_contacts) AS conversion_rate,
    re.average(f.seconds_to_reengage, 86400 * f.appointments_scheduled) AS avg_days_to_reengage,
    f.sms_sent, f.sms_delivered, f.sms_responded,
    re.rate(f.sms_responded, f.sms_delivered) AS sms_response_rate,
    f.email_sent, f.email_opened, f.email_responded,
    re.rate(f.email_responded, f.email_opened) AS email_response_rate,
    f.phone_attempted, f.phone_connected, f.phone_appointment_booked,
    re.rate(f.phone_appointment_booked, f.phone_connected) AS phone_conversion_rate,
    55.0 AS industry_avg_contact_rate,
    68.0 AS industry_avg_conversion,
    CASE
        WHEN f.outreach_attempts = 0 THEN 'insufficient_data'
        WHEN re.rate(f.successful_contacts, f.outreach_attempts) >= 60.0 THEN 'above_average'
        WHEN re.rate(f.successful_contacts, f.outreach_attempts) >= 50.0 THEN 'average'
        ELSE 'below_average'
    END AS our_performance
FROM re.clock c
CROSS JOIN (VALUES ('last_7_days', 7), ('last_30_days', 30), ('last_90_days', 90)) AS t(timeframe, days)
CROSS JOIN LATERAL (
    SELECT c.today - t.days + 1 AS first_day, re.before(c.today - t.days + 1) AS since OFFSET 0
) w
CROSS JOIN LATERAL (
    SELECT count(*) AS outreach_attempts,
        count(*) FILTER (WHERE a.outcome = 'success') AS successful_contacts,
        count(a.converted_at) AS appointments_scheduled,
        sum(extract(epoch FROM a.converted_at - a.created_at)) AS seconds_to_reengage,
        count(*) FILTER (WHERE a.method = 'sms') AS sms_sent,
        count(*) FILTER (WHERE a.method = 'sms' AND a.outcome <> 'failed') AS sms_delivered,
        count(*) FILTER (WHERE a.method = 'sms' AND a.outcome = 'success') AS sms_responded,
        count(*) FILTER (WHERE a.method = 'email') AS email_sent,
        count(*) FILTER (WHERE a.method = 'email' AND (a.outcome = 'success' OR a.opened)) AS email_opened,
        count(*) FILTER (WHERE a.method = 'email' AND a.outcome = 'success') AS email_responded,
        count(*) FILTER (WHERE a.method = 'phone') AS phone_attempted,
        count(*) FILTER (WHERE a.method = 'phone' AND a.outcome = 'success') AS phone_connected,
        count(a.converted_at) FILTER (WHERE a.method = 'phone') AS phone_appointment_booked
    FROM re.attempt a
    WHERE a.organization_id = c.organization_id
        AND a.created_at >= w.since
        AND a.day BETWEEN w.first_day AND c.today
) f;
