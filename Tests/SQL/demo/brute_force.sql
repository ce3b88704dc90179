-- Compares every figure of the demo data with the brute-force definitions.
BEGIN;
\ir ../support/given.sql
\ir ../support/brute_force.sql
SELECT plan(4);

SELECT cmp_ok((SELECT count(*) FROM patient_reengagement_master_view), '>', 100::bigint, 'there are patients to compare');
SELECT is((SELECT string_agg(d, E'\n') FROM (SELECT d FROM brute.differences() d LIMIT 5) d), NULL, 'the figures do not differ');

-- The default size has an example of everything.
SELECT is_empty($$
    SELECT word FROM unnest(ARRAY['critical', 'high', 'medium', 'low', 'engaged', 'active', 'dormant', 'stale',
        'NEW: Invite to a first appointment', 'DORMANT: Re-engagement campaign needed',
        'DORMANT: Personal follow-up needed',
        'AT RISK: Confirm the booked visit', 'MONITOR: Confirm the booked visit', 'MONITOR: Book the next appointment',
        'ENGAGED: Continue current care plan']) word
    WHERE NOT EXISTS (SELECT FROM patient_reengagement_master_view v
        WHERE word IN (v.risk_level, v.engagement_status, v.recommended_action)) $$,
    'every level, status and action occurs');
SELECT ok(missed_appointments_14d > 0 AND failed_communications > 0 AND no_future_appointments > 0
    AND immediate_actions_required > 0
    AND (SELECT sms_responded > 0 AND email_responded > 0 AND phone_appointment_booked > 0
        FROM re.performance('org_demo_1', 'last_30_days'))
    AND (SELECT sum(new_at_risk) > 0 AND sum(reengaged_successfully) > 0 AND sum(appointments_scheduled) > 0
        FROM re.trends('org_demo_1', 30)),
    'every alert, channel and trend has data') FROM re.risk_metrics('org_demo_1');

SELECT * FROM finish();
ROLLBACK;
