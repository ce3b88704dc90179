-- One row for each organization and timeframe: all its outreach, including that to patients who no longer exist.
CREATE OR REPLACE VIEW public.reengagement_performance_view AS
SELECT clock.organization_id, frame.timeframe,
    total.outreach_attempts,
    total.successful_contacts,
    re.rate(total.successful_contacts, total.outreach_attempts) AS contact_success_rate,
    total.appointments_scheduled,
    re.rate(total.appointments_scheduled, total.successful_contacts) AS conversion_rate,
    re.average(total.seconds_to_reengage, 86400 * total.appointments_scheduled) AS avg_days_to_reengage,
    total.sms_sent, total.sms_delivered, total.sms_responded,
    re.rate(total.sms_responded, total.sms_delivered) AS sms_response_rate,
    total.email_sent, total.email_opened, total.email_responded,
    re.rate(total.email_responded, total.email_opened) AS email_response_rate,
    total.phone_attempted, total.phone_connected, total.phone_appointment_booked,
    re.rate(total.phone_appointment_booked, total.phone_connected) AS phone_conversion_rate,
    re.industry_contact_rate() AS industry_avg_contact_rate,
    re.industry_conversion_rate() AS industry_avg_conversion,
    re.performance_verdict(total.outreach_attempts, re.rate(total.successful_contacts, total.outreach_attempts))
        AS our_performance
FROM re.clock clock
CROSS JOIN re.timeframes() AS frame
CROSS JOIN LATERAL (
    -- Row-level security admits only a plain comparison with created_at to the index, so its limit is computed here.
    SELECT clock.today - frame.days + 1 AS first_day, re.before(clock.today - frame.days + 1) AS since OFFSET 0
) period
CROSS JOIN LATERAL (
    SELECT count(*) AS outreach_attempts,
        count(*) FILTER (WHERE attempt.outcome = 'success') AS successful_contacts,
        count(attempt.converted_at) AS appointments_scheduled,
        sum(extract(epoch FROM attempt.converted_at - attempt.created_at)) AS seconds_to_reengage,
        count(*) FILTER (WHERE attempt.method = 'sms') AS sms_sent,
        count(*) FILTER (WHERE attempt.method = 'sms' AND attempt.outcome <> 'failed') AS sms_delivered,
        count(*) FILTER (WHERE attempt.method = 'sms' AND attempt.outcome = 'success') AS sms_responded,
        count(*) FILTER (WHERE attempt.method = 'email') AS email_sent,
        count(*) FILTER (WHERE attempt.method = 'email' AND (attempt.outcome = 'success' OR attempt.opened))
            AS email_opened,
        count(*) FILTER (WHERE attempt.method = 'email' AND attempt.outcome = 'success') AS email_responded,
        count(*) FILTER (WHERE attempt.method = 'phone') AS phone_attempted,
        count(*) FILTER (WHERE attempt.method = 'phone' AND attempt.outcome = 'success') AS phone_connected,
        count(attempt.converted_at) FILTER (WHERE attempt.method = 'phone') AS phone_appointment_booked
    FROM re.attempt attempt
    WHERE attempt.organization_id = clock.organization_id
        AND attempt.created_at >= period.since
        AND attempt.day BETWEEN period.first_day AND clock.today
) total;
