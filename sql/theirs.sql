-- The objects that a site has added to this project's tables exist before this run and are not in the list. They are not
-- recorded (note.sql), so that the site may drop them. Every function in re and every right belongs to the project, even
-- if the site has created it.
CREATE TEMPORARY TABLE theirs ON COMMIT DROP AS
SELECT n.kind, n.name FROM re.foundation_now() n
WHERE n.kind IN ('table', 'column', 'not null', 'default', 'view', 'constraint', 'index', 'trigger', 'row security', 'owner')
    AND n.name NOT LIKE 'of function %'
    AND EXISTS (SELECT FROM re.foundation f WHERE f.kind = 'version')
    AND NOT EXISTS (SELECT FROM re.foundation f WHERE (f.kind, f.name) = (n.kind, n.name));

-- A database from before the list: the objects of this project on its source tables.
INSERT INTO theirs
SELECT n.kind, n.name FROM re.foundation_now() n
JOIN (VALUES
    ('organizations', '{id,name,time_zone,appointment_value,created_at}'::text[]),
    ('patients', '{organization_id,id,name,phone,email,treatment_notes,created_at,archived_at}'),
    ('appointments', '{organization_id,id,patient_id,starts_at,status,value,created_at}'),
    ('conversations', '{organization_id,id,patient_id,occurred_at,sentiment}'),
    ('outreach_log', '{organization_id,id,patient_id,method,outcome,opened,notes,logged_by,idempotency_key,created_at}')
) AS t (name, columns) ON n.relation = 'public.' || t.name
WHERE NOT EXISTS (SELECT FROM re.migration m WHERE m.file = 'migrations/0310_as_declared.sql') AND CASE n.kind
    WHEN 'index' THEN split_part(n.name, '.', 2) NOT IN ('appointments_by_patient_booking', 'appointments_of_patient',
        'conversations_by_patient', 'missed_appointments_by_start', 'outreach_log_by_time', 'outreach_log_of_patient')
    WHEN 'constraint' THEN n.name !~ ('\.(' || t.name || '_(pkey|organization_id_(patient_id_fkey|fkey|idempotency_key_key))'
        '|\w+_is_in_years_1_to_9999|(status|sentiment|method|outcome)_is_known|(value|appointment_value)_is_not_negative'
        '|id_is_1_to_200_characters|id_can_be_a_path_segment|treatment_notes_have_at_most_100000_characters)$')
    ELSE n.kind IN ('column', 'not null', 'default') AND split_part(n.name, '.', 3) <> ALL (t.columns)
END;
