-- The example of the definitions: one small clinic at 2025-06-30 12:00 UTC, which is 22:00 in Sydney.
BEGIN;
\ir support/given.sql
SELECT plan(16);
SELECT given.now('2025-06-30T12:00:00Z');

INSERT INTO organizations (id, name, time_zone, appointment_value)
VALUES ('org_2abc123', 'Harbour Physiotherapy', 'Australia/Sydney', 140.00);

INSERT INTO patients (organization_id, id, name, phone, email, treatment_notes, created_at, archived_at) VALUES
 ('org_2abc123', 'patient_123', 'John Smith',   '+61400000123', 'john.smith@example.com', 'Lower back; improving.',
     '2024-11-04T02:00:00Z', NULL),
 ('org_2abc123', 'patient_456', 'Jane Doe',     '+61400000456', 'jane.doe@example.com',   NULL,
     '2024-03-11T01:30:00Z', NULL),
 ('org_2abc123', 'patient_500', 'Ana Ōtaki',    NULL,           'ana@example.com',        'Knee, week 6.',
     '2025-01-20T23:00:00Z', NULL),
 ('org_2abc123', 'patient_501', 'Liam O''Brien','+61400000501', NULL,                     NULL,
     '2025-05-02T00:00:00Z', NULL),
 ('org_2abc123', 'patient_502', 'Mei Chen',     '+61400000502', 'mei@example.com',        NULL,
     '2025-05-10T00:00:00Z', NULL),
 ('org_2abc123', 'patient_503', 'Noah Williams','+61400000503', 'noah@example.com',       'Shoulder.',
     '2025-02-01T00:00:00Z', NULL),
 ('org_2abc123', 'patient_504', 'Gone Away',    NULL,           NULL,                     NULL,
     '2024-01-01T00:00:00Z', '2025-06-01T00:00:00Z');

INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, value, created_at) VALUES
 ('org_2abc123', 'a1', 'patient_123', '2025-05-14T00:00:00Z', 'completed',      NULL,   '2025-05-01T00:00:00Z'),
 ('org_2abc123', 'a2', 'patient_123', '2025-05-28T00:00:00Z', 'no_show',        NULL,   '2025-05-14T01:00:00Z'),
 ('org_2abc123', 'a3', 'patient_123', '2025-06-18T00:00:00Z', 'late_cancelled', NULL,   '2025-06-01T00:00:00Z'),
 ('org_2abc123', 'b1', 'patient_456', '2025-05-09T03:00:00Z', 'completed',      95.50,  '2025-04-20T00:00:00Z'),
 ('org_2abc123', 'c1', 'patient_500', '2025-06-20T05:00:00Z', 'completed',      120.00, '2025-06-10T00:00:00Z'),
 ('org_2abc123', 'c2', 'patient_500', '2025-07-04T05:00:00Z', 'scheduled',      NULL,   '2025-06-20T05:30:00Z'),
 ('org_2abc123', 'd1', 'patient_501', '2025-05-30T13:59:59Z', 'completed',      NULL,   '2025-05-20T00:00:00Z'),
 ('org_2abc123', 'd2', 'patient_501', '2025-06-01T00:00:00Z', 'cancelled',      NULL,   '2025-05-31T00:00:00Z'),
 ('org_2abc123', 'f1', 'patient_503', '2025-06-16T14:00:00Z', 'completed',      NULL,   '2025-06-02T00:00:00Z'),
 ('org_2abc123', 'f2', 'patient_503', '2025-07-10T00:00:00Z', 'scheduled',      80.00,  '2025-06-29T01:00:00Z'),
 ('org_2abc123', 'g1', 'patient_504', '2025-06-25T00:00:00Z', 'no_show',        NULL,   '2025-06-01T00:00:00Z');

INSERT INTO conversations (organization_id, id, patient_id, occurred_at, sentiment) VALUES
 ('org_2abc123', 'x1', 'patient_503', '2025-06-01T02:00:00Z', 'positive');

INSERT INTO outreach_log (organization_id, id, patient_id, method, outcome, opened, notes, logged_by, created_at) VALUES
 ('org_2abc123', '00000000-0000-4000-8000-000000000001', 'patient_123', 'sms',   'no_response', false, '',
     'user_1', '2025-06-19T01:00:00Z'),
 ('org_2abc123', '00000000-0000-4000-8000-000000000002', 'patient_456', 'email', 'no_response', true,
     'opened, no reply',  'user_1', '2025-06-20T01:00:00Z'),
 ('org_2abc123', '00000000-0000-4000-8000-000000000003', 'patient_456', 'sms',   'failed',      false,
     'number not in use', 'user_2', '2025-06-21T01:00:00Z'),
 ('org_2abc123', '00000000-0000-4000-8000-000000000004', 'patient_500', 'phone', 'success',     false, 'will book',
     'user_2', '2025-06-05T00:00:00Z'),
 ('org_2abc123', '00000000-0000-4000-8000-000000000005', 'patient_503', 'email', 'success',     false, 'books online',
     'user_1', '2025-06-28T01:00:00Z'),
 ('org_2abc123', '00000000-0000-4000-8000-000000000006', 'patient_504', 'sms',   'failed',      false,
     'archived, counted in performance alone', 'user_1', '2025-06-22T01:00:00Z');

-- The queries run as the server's role, bound to the organization.
SET LOCAL ROLE reengagement_api;
SET LOCAL reengagement.organization = 'org_2abc123';

SELECT is(
    (r.critical, r.high, r.medium, r.low, r.engaged, r.missed_appointments_14d, r.failed_communications,
        r.no_future_appointments, r.immediate_actions_required, r.last_updated)::text,
    '(3,1,0,1,1,1,1,4,2,2025-06-30T12:00:00Z)', 'risk-metrics')
FROM re.risk_metrics('org_2abc123') r;

SELECT is(p::text,
    '(6,2,33.3,2,100.0,3.0,3,1,0,0.0,2,2,1,50.0,1,1,1,100.0,55.0,68.0,below_average)', 'performance, last_30_days')
FROM re.performance('org_2abc123', 'last_30_days') p;

SELECT results_eq(
    $$ SELECT id, risk_level, risk_score, days_since_last_contact, last_appointment_date, next_scheduled_appointment,
        recommended_action, action_priority, previous_response_rate
        FROM re.prioritized_patients('org_2abc123', NULL, NULL, NULL, NULL, NULL, 'priority', false, 50, NULL, NULL,
            NULL, NULL, NULL) $$,
    $$ VALUES
        ('patient_123', 'critical', 85, 47, '2025-05-14T00:00:00Z', NULL, 'DORMANT: Re-engagement campaign needed', 1,
            0.0),
        ('patient_456', 'critical', 77, 52, '2025-05-09T03:00:00Z', NULL, 'DORMANT: Re-engagement campaign needed', 1,
            0.0),
        ('patient_501', 'high', 61, 31, '2025-05-30T13:59:59Z', NULL, 'DORMANT: Personal follow-up needed', 2, NULL),
        ('patient_502', 'critical', 77, 51, NULL, NULL, 'NEW: Invite to a first appointment', 4, NULL),
        ('patient_500', 'low', 16, 10, '2025-06-20T05:00:00Z', '2025-07-04T05:00:00Z',
            'ENGAGED: Continue current care plan', 4, 100.0),
        ('patient_503', 'engaged', 0, 2, '2025-06-16T14:00:00Z', '2025-07-10T00:00:00Z',
            'ENGAGED: Continue current care plan', 4, 100.0)
    $$, 'prioritized: order and risk');

SELECT results_eq(
    $$ SELECT id, name, phone, email, total_lifetime_appointments, missed_appointments_last_90d, engagement_status,
        risk_tier,
        attendance_rate_percent, lifetime_value
        FROM re.prioritized_patients('org_2abc123', NULL, NULL, NULL, NULL, NULL, 'priority', false, 50, NULL, NULL,
            NULL, NULL, NULL) $$,
    $$ VALUES
        ('patient_123', 'John Smith', '+61400000123', 'john.smith@example.com', 1, 2, 'dormant', 'high', 33.3, 140.0),
        ('patient_456', 'Jane Doe', '+61400000456', 'jane.doe@example.com', 1, 0, 'dormant', 'high', 100.0, 95.5),
        ('patient_501', 'Liam O''Brien', '+61400000501', NULL, 1, 0, 'dormant', 'medium', 100.0, 140.0),
        ('patient_502', 'Mei Chen', '+61400000502', 'mei@example.com', 0, 0, 'stale', 'high', NULL, 0.0),
        ('patient_500', 'Ana Ōtaki', NULL, 'ana@example.com', 1, 0, 'active', 'low', 100.0, 120.0),
        ('patient_503', 'Noah Williams', '+61400000503', 'noah@example.com', 1, 0, 'active', 'low', 100.0, 140.0)
    $$, 'prioritized: the other columns');

SELECT results_eq(
    $$ SELECT DISTINCT "timestamp"
        FROM re.prioritized_patients('org_2abc123', NULL, NULL, NULL, NULL, NULL, 'priority', false, 50, NULL, NULL,
            NULL, NULL, NULL) $$,
    ARRAY['2025-06-30T12:00:00Z'], 'prioritized: every row contains now');

SELECT is(
    (SELECT (total_patients, critical_count, critical_avg_score, high_count, high_avg_score, medium_count,
        medium_avg_score,
        low_count, low_avg_score, engaged_count, engaged_avg_score, immediate_actions_needed, last_updated,
        time_zone)::text
    FROM re.dashboard('org_2abc123') LIMIT 1),
    '(6,3,79.7,1,61.0,0,0.0,1,16.0,1,0.0,2,2025-06-30T12:00:00Z,Australia/Sydney)', 'dashboard: summary');

SELECT results_eq(
    $$ SELECT id, name, risk_level, risk_score, action, days_since_contact FROM re.dashboard('org_2abc123') $$,
    $$ VALUES
        ('patient_123', 'John Smith', 'critical', 85, 'DORMANT: Re-engagement campaign needed', 47),
        ('patient_456', 'Jane Doe', 'critical', 77, 'DORMANT: Re-engagement campaign needed', 52),
        ('patient_501', 'Liam O''Brien', 'high', 61, 'DORMANT: Personal follow-up needed', 31),
        ('patient_502', 'Mei Chen', 'critical', 77, 'NEW: Invite to a first appointment', 51),
        ('patient_500', 'Ana Ōtaki', 'low', 16, 'ENGAGED: Continue current care plan', 10),
        ('patient_503', 'Noah Williams', 'engaged', 0, 'ENGAGED: Continue current care plan', 2)
    $$, 'dashboard: top priority patients');

SELECT is(
    (SELECT (organization_id, id, risk_score, treatment_notes, created_at, last_contact_day)::text
    FROM re.patient_detail('org_2abc123', 'patient_123')),
    '(org_2abc123,patient_123,85,"Lower back; improving.",2024-11-04T02:00:00Z,2025-05-14)', 'patient detail');

SELECT is(
    (SELECT outreach::jsonb FROM re.patient_detail('org_2abc123', 'patient_123')),
    '[{"outreach_id": "00000000-0000-4000-8000-000000000001", "method": "sms", "outcome": "no_response", "opened": false,
       "notes": "", "logged_by": "user_1", "logged_at": "2025-06-19T01:00:00Z"}]'::jsonb, 'patient detail: outreach');

SELECT is_empty($$ SELECT FROM re.patient_detail('org_2abc123', 'patient_504') $$, 'patient detail: an archived patient has none');

SELECT results_eq(
    $$ SELECT date, new_at_risk, reengaged_successfully, outreach_attempts, appointments_scheduled, critical, high,
        medium, low, engaged
        FROM re.trends('org_2abc123', 7) $$,
    $$ VALUES
        ('2025-06-24', 0::bigint, 0::bigint, 0::bigint, 0::bigint, 2::bigint, 1::bigint, 1::bigint, 1::bigint,
            1::bigint),
        ('2025-06-25', 0, 0, 0, 0, 2, 1, 1, 1, 1),
        ('2025-06-26', 0, 0, 0, 0, 2, 1, 1, 1, 1),
        ('2025-06-27', 0, 0, 0, 0, 2, 1, 1, 2, 0),
        ('2025-06-28', 0, 0, 1, 0, 3, 0, 1, 1, 1),
        ('2025-06-29', 1, 0, 0, 1, 3, 1, 0, 1, 1),
        ('2025-06-30', 0, 0, 0, 0, 3, 1, 0, 1, 1)
    $$, 'trends, 7d: days and levels');

SELECT results_eq(
    $$ SELECT DISTINCT sms_success_rate_trend, sms_change_pct, email_success_rate_trend, email_change_pct,
        phone_success_rate_trend, phone_change_pct, critical_trend, high_trend, overall_improvement
        FROM re.trends('org_2abc123', 7) $$,
    $$ VALUES ('stable', 0.0, 'improving', 100.0, 'stable', 0.0, 'increasing', 'stable', false) $$,
    'trends, 7d: channels and distribution');

SELECT results_eq(
    $$ SELECT date, new_at_risk, reengaged_successfully, outreach_attempts, appointments_scheduled
        FROM re.trends('org_2abc123', 30)
        WHERE (new_at_risk, reengaged_successfully, outreach_attempts, appointments_scheduled) <> (0, 0, 0, 0) $$,
    $$ VALUES
        ('2025-06-01', 0::bigint, 1::bigint, 0::bigint, 0::bigint),
        ('2025-06-05', 0, 1, 1, 0),
        ('2025-06-08', 1, 0, 0, 0),
        ('2025-06-09', 1, 0, 0, 0),
        ('2025-06-10', 0, 0, 0, 1),
        ('2025-06-13', 1, 0, 0, 0),
        ('2025-06-19', 0, 0, 1, 0),
        ('2025-06-20', 0, 0, 1, 0),
        ('2025-06-21', 0, 0, 1, 0),
        ('2025-06-22', 0, 0, 1, 0),
        ('2025-06-28', 0, 0, 1, 0),
        ('2025-06-29', 1, 0, 0, 1)
    $$, 'trends, 30d: the days with events');

SELECT is((SELECT count(*) FROM re.trends('org_2abc123', 30)), 30::bigint, 'trends, 30d: one row for each day');

SELECT results_eq(
    $$ SELECT DISTINCT sms_success_rate_trend, sms_change_pct, email_success_rate_trend, email_change_pct,
        phone_success_rate_trend, phone_change_pct, critical_trend, high_trend, overall_improvement
        FROM re.trends('org_2abc123', 30) $$,
    $$ VALUES ('stable', 0.0, 'improving', 100.0, 'improving', 100.0, 'increasing', 'increasing', false) $$,
    'trends, 30d: channels and distribution');

SELECT is(
    (SELECT (critical, high, medium, low, engaged)::text FROM re.trends('org_2abc123', 30) WHERE date = '2025-06-30'),
    '(3,1,0,1,1)', 'trends, 30d: the last day is the current distribution');

SELECT * FROM finish();
ROLLBACK;
