-- Section 3 of the definitions, patient by patient, at 2025-06-30 12:00 UTC.
BEGIN;
\ir support/given.sql
SELECT plan(56);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();

-- Days since the last contact are whole days between two dates, at any hour.
SELECT given.patient('d' || n) FROM unnest(ARRAY[0, 6, 7, 13, 14, 29, 30, 44, 45]) n;
SELECT given.appointment('d' || n, '2025-06-30T12:00Z'::timestamptz - n * interval '1 day')
    FROM unnest(ARRAY[0, 6, 7, 13, 14, 29, 30, 44, 45]) n;
SELECT is((given.row_of('d' || days)).risk_level || ' ' || (given.row_of('d' || days)).days_since_last_contact,
    level || ' ' || days,
    format('%s days ago', days))
FROM (VALUES (0, 'engaged'), (6, 'engaged'), (7, 'low'), (13, 'low'), (14, 'medium'), (29, 'medium'), (30, 'high'),
    (44, 'high'),
    (45, 'critical')) v(days, level);

-- Events that are contacts.
SELECT given.patient(id)
    FROM unnest(ARRAY['completed', 'talked', 'answered', 'silent', 'failed', 'missed', 'cancelled', 'future',
        'past_scheduled']) id;
SELECT given.appointment('completed', '2025-06-20T10:00Z');
SELECT given.conversation('talked', '2025-06-20T10:00Z');
SELECT given.outreach('answered', '2025-06-20T10:00Z');
SELECT given.outreach('silent', '2025-06-20T10:00Z', 'no_response', 'email', true);
SELECT given.outreach('failed', '2025-06-20T10:00Z', 'failed');
SELECT given.appointment('missed', '2025-06-20T10:00Z', 'no_show');
SELECT given.appointment('cancelled', '2025-06-20T10:00Z', 'cancelled');
SELECT given.appointment('future', '2025-06-30T12:00:00.000001Z', 'completed');
SELECT given.appointment('past_scheduled', '2025-06-20T10:00Z', 'scheduled');
SELECT is((given.row_of(id)).last_contact_day, day::date, id || ': last contact')
FROM (VALUES ('completed', '2025-06-20'), ('talked', '2025-06-20'), ('answered', '2025-06-20'),
    ('silent', '2020-01-01'),
    ('failed', '2020-01-01'), ('missed', '2020-01-01'), ('cancelled', '2020-01-01'), ('future', '2020-01-01'),
    ('past_scheduled', '2020-01-01')) v(id, day);
SELECT is((given.row_of(id)).engagement_status, status, id || ': ' || status)
FROM (VALUES ('completed', 'active'), ('talked', 'active'), ('answered', 'active'), ('silent', 'stale'),
    ('missed', 'stale'),
    ('future', 'stale'), ('d29', 'active'), ('d30', 'dormant')) v(id, status);

-- The latest contact of all kinds, and contacts before the intake.
SELECT given.patient('mixed', '2025-06-01T00:00Z');
SELECT given.appointment('mixed', '2025-05-01T10:00Z');
SELECT given.conversation('mixed', '2025-05-03T10:00Z');
SELECT given.outreach('mixed', '2025-05-02T10:00Z');
SELECT is((given.row_of('mixed')).last_contact_day, '2025-05-03'::date,
    'the latest contact counts, even before the intake');
SELECT given.patient('intake', '2025-06-29T23:59:59Z');
SELECT is((given.row_of('intake')).days_since_last_contact, 1, 'without a contact the day of intake counts');

-- Patients who exist.
SELECT given.patient('archived_now', archived_at => '2025-06-30T12:00:00Z');
SELECT given.patient('archived_later', archived_at => '2025-06-30T12:00:00.000001Z');
SELECT given.patient('created_now', '2025-06-30T12:00:00Z');
SELECT given.patient('created_later', '2025-06-30T12:00:00.000001Z');
SELECT given.appointment('created_later', '2025-06-20T10:00Z');
SELECT is((given.row_of(id)).patient_id IS NOT NULL, there, format('%s: %s', id, there))
FROM (VALUES ('archived_now', false), ('archived_later', true), ('created_now', true), ('created_later', false)) v(id,
    there);

-- The next appointment.
SELECT given.patient('up');
SELECT given.appointment('up', '2025-06-30T12:00:00Z', 'scheduled');
SELECT is((given.row_of('up')).next_scheduled_appointment, NULL, 'an appointment at this instant is not upcoming');
SELECT given.appointment('up', '2025-07-02T12:00:00Z', 'cancelled');
SELECT given.appointment('up', '2025-07-09T12:00:00Z', 'scheduled', booked_at => '2025-07-01T00:00Z');
SELECT is((given.row_of('up')).next_scheduled_appointment, '2025-07-09T12:00:00Z'::timestamptz,
    'the start of an appointment makes it upcoming, not its booking');
SELECT given.appointment('up', '2025-06-30T12:00:00.000001Z', 'scheduled');
SELECT is((given.row_of('up')).next_scheduled_appointment, '2025-06-30T12:00:00.000001Z'::timestamptz,
    'the earliest upcoming appointment counts');
SELECT is((given.row_of('up')).engagement_status, 'active', 'a patient with an upcoming appointment and no contact is active');
SELECT is((given.row_of('up')).risk_score, 70, 'the risk score is 90 for recency, less 20');

-- The last 90 days begin on 2 April.
SELECT given.patient('window');
SELECT given.appointment('window', '2025-04-01T23:59:59.999999Z', 'no_show');
SELECT given.appointment('window', '2025-04-01T23:59:59.999999Z', 'completed');
SELECT is((given.row_of('window')).missed_appointments_last_90d, 0, 'a missed appointment 91 days ago does not count');
SELECT is((given.row_of('window')).attendance_rate_percent, NULL, 'no attendance without an appointment in 90 days');
SELECT given.appointment('window', '2025-04-02T00:00:00Z', 'no_show');
SELECT is((given.row_of('window')).missed_appointments_last_90d, 1, 'a missed appointment on the first of 90 days counts');
SELECT is((given.row_of('window')).attendance_rate_percent, 0.0, 'attendance 0 of 1');
SELECT given.appointment('window', '2025-04-02T00:00:00Z', 'completed');
SELECT given.appointment('window', '2025-06-30T12:00:00Z', 'late_cancelled');
SELECT given.appointment('window', '2025-06-30T12:00:00.000001Z', 'late_cancelled');
SELECT given.appointment('window', '2025-06-01T12:00:00Z', 'cancelled');
SELECT is((given.row_of('window')).missed_appointments_last_90d, 2,
    'a late cancellation is missed once its start has passed, and a cancellation is not');
SELECT is((given.row_of('window')).attendance_rate_percent, 33.3, 'attendance 1 of 3');
SELECT is((given.row_of('window')).risk_score, 90 - 1 + 10, 'the risk score is that of 89 days plus 10 for two missed');

-- Lifetime figures.
SELECT given.patient('life');
SELECT given.appointment('life', '2021-01-01T10:00Z', value => 99.95);
SELECT given.appointment('life', '2022-01-01T10:00Z');
SELECT given.appointment('life', '2023-01-01T10:00Z', value => 0);
SELECT given.appointment('life', '2024-01-01T10:00Z', 'no_show', value => 500);
SELECT given.appointment('life', '2026-01-01T10:00Z', value => 500);
SELECT is((given.row_of('life')).lifetime_value, 239.95, 'the lifetime value adds up values, or the organization''s value where null');
SELECT is((given.row_of('life')).total_lifetime_appointments, 3, 'only completed appointments count');
SELECT is((given.row_of('life')).last_appointment_date, '2023-01-01T10:00Z'::timestamptz, 'the latest completed appointment counts');
SELECT is((given.row_of('silent')).lifetime_value, 0.0, 'the lifetime value without appointments is 0');
SELECT is((given.row_of('silent')).last_appointment_date, NULL, 'a patient without appointments has no last appointment');

-- The response rate counts all outreach ever.
SELECT given.patient('reached');
SELECT is((given.row_of('reached')).previous_response_rate, NULL, 'no response rate without outreach');
SELECT given.outreach('reached', '2020-02-01T10:00Z', 'failed');
SELECT is((given.row_of('reached')).previous_response_rate, 0.0, '0 of 1');
SELECT given.outreach('reached', '2025-06-30T12:00Z', 'success');
SELECT given.outreach('reached', '2025-06-30T12:00Z', 'no_response');
SELECT given.outreach('reached', '2025-06-30T12:00:00.000001Z', 'success');
SELECT is((given.row_of('reached')).previous_response_rate, 33.3, 'the response rate is 1 of 3, without the later attempt');
SELECT is((given.row_of('reached')).days_since_last_contact, 0, 'a success is a contact at once');

-- The view has two names.
SELECT results_eq('SELECT * FROM patient_reengagement_master ORDER BY patient_id',
    'SELECT * FROM patient_reengagement_master_view ORDER BY patient_id',
    'patient_reengagement_master has the same rows');
SELECT columns_are('patient_reengagement_master', ARRAY(
    SELECT attname FROM pg_attribute WHERE attrelid = 'patient_reengagement_master_view'::regclass AND attnum > 0));
SELECT results_eq(
    $$ SELECT (attname || ' ' || format_type(atttypid, atttypmod)) COLLATE "default" FROM pg_attribute
        WHERE attrelid = 'patient_reengagement_master_view'::regclass AND attnum > 0 ORDER BY attnum $$,
    ARRAY['organization_id text', 'patient_id text', 'name text', 'phone text', 'email text', 'treatment_notes text',
        'created_at timestamp with time zone', 'last_contact_day date', 'days_since_last_contact integer',
        'risk_level text',
        'risk_score integer', 'risk_tier text', 'engagement_status text', 'action_priority integer',
        'recommended_action text',
        'next_scheduled_appointment timestamp with time zone', 'last_appointment_date timestamp with time zone',
        'missed_appointments_last_90d integer', 'attendance_rate_percent numeric',
        'total_lifetime_appointments integer',
        'lifetime_value numeric', 'previous_response_rate numeric', 'critical_since date'],
    'the columns of section 6 in order');

SELECT * FROM finish();
ROLLBACK;
