-- Demo data of a few physiotherapy clinics. Everything is derived from hashes of row numbers, so that the same sizes
-- give the same rows, and is relative to each organization's today.
\o /dev/null
\i session.sql
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT pg_advisory_xact_lock(hashtextextended('re.demo', 0));

-- A pseudo-random number in [0, 1): the same for the same row and the same question.
CREATE FUNCTION pg_temp.dice(seed bigint, question integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(seed, question) & 9007199254740991) / 9007199254740992.0::double precision;

CREATE FUNCTION pg_temp.pick(choices text[], seed bigint, question integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN choices[1 + floor(pg_temp.dice(seed, question) * cardinality(choices))::integer];

-- A time on the half hour within opening hours. A visit on a weekend moves to Friday or Monday.
CREATE FUNCTION pg_temp.opening_hour(day date, time_zone text, seed bigint, question integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((day + CASE extract(isodow FROM day) WHEN 6 THEN -1 WHEN 7 THEN 1 ELSE 0 END)
    + time '08:00' + floor(pg_temp.dice(seed, question) * 20) * interval '30 minutes') AT TIME ZONE time_zone;

-- The share of visits that take place: few around Christmas, fewer during the holidays in January, July and August.
CREATE FUNCTION pg_temp.season(day date) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN to_char(day, 'MMDD') >= '1222' OR to_char(day, 'MMDD') <= '0103' THEN 0.15
    WHEN to_char(day, 'MMDD') <= '0118' THEN 0.6
    WHEN extract(month FROM day) IN (7, 8) THEN 0.85
    ELSE 1.0
END;

\o
\echo '- removing earlier demo data'
\o /dev/null
CREATE TEMPORARY TABLE earlier ON COMMIT DROP AS SELECT id FROM public.organizations WHERE id ~ '^org_demo_[0-9]+$';
DELETE FROM public.appointments WHERE organization_id IN (SELECT id FROM earlier);
DELETE FROM public.conversations WHERE organization_id IN (SELECT id FROM earlier);
DELETE FROM public.outreach_log WHERE organization_id IN (SELECT id FROM earlier);
DELETE FROM public.organizations WHERE id IN (SELECT id FROM earlier);

\o
\echo '-' :organizations 'organizations of' :patients 'patients (the third has none)'
\o /dev/null
CREATE TEMPORARY TABLE clinic ON COMMIT DROP AS
SELECT number, 'org_demo_' || number AS id,
    names[1 + (number - 1) % cardinality(names)] || CASE WHEN number > cardinality(names) THEN ' ' || number ELSE '' END AS name,
    zones[1 + (number - 1) % cardinality(zones)] AS time_zone,
    prefixes[1 + (number - 1) % cardinality(zones)] AS phone_prefix,
    CASE WHEN number = 3 THEN 0 ELSE :patients END AS patients
FROM generate_series(1, :organizations) AS number, (SELECT
    ARRAY['Harbour Physiotherapy', 'Thames Street Osteopathy', 'Hudson Movement Clinic', 'Lotus Physio Care',
        'Kauri Health', 'Prairie Spine & Sport', 'Alster Therapie', 'Clínica Andina'] AS names,
    ARRAY['Australia/Sydney', 'Europe/London', 'America/New_York', 'Asia/Kolkata',
        'Pacific/Auckland', 'America/Winnipeg', 'Europe/Berlin', 'America/Santiago'] AS zones,
    -- Numbers that are reserved for fiction, if the country has any.
    ARRAY['+614915701', '+4477009001', '+120255501', '+910000000', '+640000000', '+120455501', '+490000000', '+560000000'] AS prefixes
) AS lists;

INSERT INTO public.organizations (id, name, time_zone, appointment_value, created_at)
SELECT id, name, time_zone, (ARRAY[140, 75, 180, 40, 120, 130, 65, 45])[1 + (number - 1) % 8], re.now() - interval '3 years'
FROM clinic;

-- The history of each patient: first visit, interval between visits, and last visit (negative: still in care).
CREATE TEMPORARY TABLE person ON COMMIT DROP AS
SELECT c.id AS organization_id, c.time_zone, c.phone_prefix, re.day_of(re.now(), c.time_zone) AS today, re.now() AS now,
    n AS number, 'patient_' || n AS id, s.seed,
    pg_temp.dice(s.seed, 1) < 0.06 AS never_came,
    pg_temp.dice(s.seed, 2) < 0.04 AS archived,
    i.came,
    (ARRAY[7, 7, 14, 14, 14, 21, 28, 42])[1 + floor(pg_temp.dice(s.seed, 4) * 8)::integer] AS every,
    least(i.came - 1, CASE
        WHEN pg_temp.dice(s.seed, 5) < 0.5 THEN -90
        ELSE 4 + floor(power(pg_temp.dice(s.seed, 6), 2.2) * 330)::integer
    END) AS stopped
FROM clinic c
CROSS JOIN LATERAL generate_series(1, c.patients) AS n
CROSS JOIN LATERAL (SELECT c.number * 10000000::bigint + n AS seed) s
CROSS JOIN LATERAL (SELECT 2 + floor(power(pg_temp.dice(s.seed, 3), 1.4) * 900)::integer AS came) i;
ANALYZE person;

\o
\echo '- patients'
\o /dev/null
INSERT INTO public.patients (organization_id, id, name, phone, email, treatment_notes, created_at, archived_at)
SELECT p.organization_id, p.id,
    pg_temp.pick(given, p.seed, 11) || ' ' || pg_temp.pick(family, p.seed, 12),
    CASE WHEN pg_temp.dice(p.seed, 13) < 0.92
        THEN p.phone_prefix || lpad(floor(pg_temp.dice(p.seed, 14) * 100)::text, 2, '0') END,
    CASE WHEN pg_temp.dice(p.seed, 15) < 0.88 THEN replace(p.id || '@' || p.organization_id || '.example', '_', '-') END,
    CASE WHEN pg_temp.dice(p.seed, 16) < 0.8 THEN pg_temp.pick(notes, p.seed, 17) END,
    pg_temp.opening_hour(p.today - p.came - 3, p.time_zone, p.seed, 18),
    CASE WHEN p.archived THEN pg_temp.opening_hour(
        p.today - 3 - floor(pg_temp.dice(p.seed, 19) * greatest(least(p.came, p.stopped) - 1, 1))::integer,
        p.time_zone, p.seed, 20) END
FROM person p
JOIN (VALUES
    (0.00, ARRAY['John', 'Jane', 'Liam', 'Olivia', 'Noah', 'Charlotte', 'Jack', 'Amelia', 'Henry', 'Isla', 'Thomas', 'Grace',
        'William', 'Ruby', 'Lucas', 'Ella', 'Margaret', 'Robert', 'Patricia', 'Michael'],
        ARRAY['Smith', 'Doe', 'O''Brien', 'Williams', 'Jones', 'Brown', 'Taylor', 'Wilson', 'Campbell', 'Murphy', 'Martin',
        'Anderson', 'Thompson', 'Walker', 'Harris', 'Clarke', 'Robinson', 'Kelly', 'King', 'Wright']),
    (0.62, ARRAY['José', 'Zoë', 'François', 'Søren', 'Łukasz', 'Anaïs', 'Jürgen', 'Siobhán', 'Ngọc', 'Chloë'],
        ARRAY['García', 'Nuñez', 'Lefèvre', 'Ångström', 'Wójcik', 'Müller', 'Ó Súilleabháin', 'Nguyễn', 'Çelik', 'Đặng']),
    (0.76, ARRAY['Ana', 'Hēmi', 'Kahurangi', 'Tāne', 'Mārama'], ARRAY['Ōtaki', 'Ngata', 'Paewai', 'Tūhoe', 'Parata']),
    (0.81, ARRAY['明', '丽', '伟', '婷', '美玲'], ARRAY['陈', '王', '李', '张', '林']),
    (0.86, ARRAY['محمد', 'فاطمة', 'ليلى', 'يوسف', 'نور'], ARRAY['الحسن', 'حداد', 'منصور', 'خليل', 'عبد الله']),
    (0.90, ARRAY['Анна', 'Дмитро', 'Олена', 'Иван'], ARRAY['Коваленко', 'Шевченко', 'Лысенко', 'Мельник']),
    (0.94, ARRAY['प्रिया', 'अर्जुन', 'मीरा', 'राहुल'], ARRAY['शर्मा', 'पटेल', 'सिंह', 'गुप्ता']),
    (0.97, ARRAY['Ελένη', 'Γιώργος', 'Μαρία'], ARRAY['Παπαδοπούλου', 'Νικολάου', 'Γεωργίου'])
) AS script(lowest, given, family)
    ON script.lowest = CASE
        WHEN pg_temp.dice(p.seed, 10) < 0.62 THEN 0.00 WHEN pg_temp.dice(p.seed, 10) < 0.76 THEN 0.62
        WHEN pg_temp.dice(p.seed, 10) < 0.81 THEN 0.76 WHEN pg_temp.dice(p.seed, 10) < 0.86 THEN 0.81
        WHEN pg_temp.dice(p.seed, 10) < 0.90 THEN 0.86 WHEN pg_temp.dice(p.seed, 10) < 0.94 THEN 0.90
        WHEN pg_temp.dice(p.seed, 10) < 0.97 THEN 0.94 ELSE 0.97 END
CROSS JOIN (SELECT ARRAY['Lower back; improving.', 'Knee, week 6.', 'Shoulder.', 'Post-op ACL, 3 months; cleared to jog.',
    'Neck pain, desk work; exercises given.', 'Tennis elbow; night splint.', 'Ankle sprain, grade II.',
    'Plantar fasciitis; orthotics ordered.', 'Hip replacement rehab, week 10.', 'Chronic headache; prefers mornings.',
    'Sciatica; re-assess in 2 weeks.', 'Wrist fracture; cast off.' || E'\nGrip strength 60 %.'] AS notes) n;

\o
\echo '- appointments'
\o /dev/null
-- A plan of visits from the first to the last, at most one and a half years back and two visits ahead.
INSERT INTO public.appointments (organization_id, id, patient_id, starts_at, status, value, created_at)
SELECT v.organization_id, format('appt_%s_%s', v.number, v.nth), v.id, v.starts_at,
    CASE
        WHEN v.starts_at > v.now THEN CASE WHEN v.luck < 0.95 THEN 'scheduled' ELSE 'cancelled' END
        -- The last visits before a patient leaves are missed more often.
        WHEN v.luck < CASE WHEN v.days_ago < v.stopped + 2 * v.every THEN 0.62 ELSE 0.84 END THEN 'completed'
        WHEN v.luck < 0.88 THEN 'no_show'
        WHEN v.luck < 0.93 THEN 'late_cancelled'
        WHEN v.luck < 0.995 THEN 'cancelled'
        ELSE 'scheduled'
    END,
    CASE WHEN pg_temp.dice(v.visit, 22) < 0.35 THEN (ARRAY[60, 95, 120.5, 160, 185])[1 + floor(pg_temp.dice(v.visit, 23) * 5)::integer] END,
    least(v.now - interval '1 minute' * (1 + floor(pg_temp.dice(v.visit, 24) * 600)),
        v.starts_at - interval '1 hour' * (20 + floor(pg_temp.dice(v.visit, 25) * 24 * 1.5 * v.every)))
FROM (
    SELECT p.*, k AS nth, p.seed * 1000 + k AS visit, d.days_ago, pg_temp.dice(p.seed * 1000 + k, 21) AS luck,
        pg_temp.opening_hour(p.today - d.days_ago, p.time_zone, p.seed * 1000 + k, 26) AS starts_at
    FROM person p
    CROSS JOIN LATERAL generate_series(0, least(p.came, 540) / p.every + 2) AS k
    CROSS JOIN LATERAL (
        SELECT least(p.came, 540) - k * p.every - floor(pg_temp.dice(p.seed * 1000 + k, 27) * 3)::integer AS days_ago
    ) d
    WHERE NOT p.never_came AND d.days_ago >= p.stopped
) v
WHERE pg_temp.dice(v.visit, 28) < pg_temp.season(v.today - v.days_ago);

\o
\echo '- conversations'
\o /dev/null
INSERT INTO public.conversations (organization_id, id, patient_id, occurred_at, sentiment)
SELECT t.organization_id, format('conv_%s_%s', t.number, t.nth), t.id, t.occurred_at,
    (ARRAY['positive', 'positive', 'neutral', 'neutral', 'negative', NULL])[1 + floor(pg_temp.dice(t.talk, 31) * 6)::integer]
FROM (
    SELECT p.*, k AS nth, p.seed * 1000 + k AS talk, pg_temp.opening_hour(
        p.today - greatest(p.stopped, 0)
            - floor(pg_temp.dice(p.seed * 1000 + k, 32) * greatest(least(p.came, 365) - greatest(p.stopped, 0), 1))::integer,
        p.time_zone, p.seed * 1000 + k, 33) + interval '1 minute' * floor(pg_temp.dice(p.seed * 1000 + k, 34) * 30) AS occurred_at
    FROM person p
    CROSS JOIN LATERAL generate_series(1, floor(pg_temp.dice(p.seed, 30) * 6)::integer) AS k
    WHERE NOT p.never_came
) t
WHERE t.occurred_at <= t.now;

\o
\echo '- outreach'
\o /dev/null
-- Recalls after a patient has left (the first four), and reminders over the year (the others). The staff improve during
-- the year.
CREATE TEMPORARY TABLE contact ON COMMIT DROP AS
SELECT a.*,
    CASE
        WHEN a.luck < CASE a.method WHEN 'sms' THEN 0.08 WHEN 'email' THEN 0.05 ELSE 0.02 END THEN 'failed'
        WHEN a.luck > 1 - a.ease * CASE a.method WHEN 'sms' THEN 0.62 WHEN 'email' THEN 0.45 ELSE 0.72 END THEN 'success'
        ELSE 'no_response'
    END AS outcome
FROM (
    SELECT p.organization_id, p.id, p.number, p.time_zone, p.now, k AS nth, p.seed * 1000 + k AS talk,
        pg_temp.dice(p.seed * 1000 + k, 40) AS luck,
        pg_temp.pick(ARRAY['sms', 'sms', 'sms', 'email', 'email', 'phone'], p.seed * 1000 + k, 41) AS method,
        CASE WHEN p.never_came THEN 0 WHEN k <= 4 THEN 0.3 ELSE 1.3 - d.days_ago / 900.0 END AS ease,
        pg_temp.opening_hour(p.today - d.days_ago, p.time_zone, p.seed * 1000 + k, 42)
            + interval '1 second' * floor(pg_temp.dice(p.seed * 1000 + k, 43) * 1800) AS created_at
    FROM person p
    CROSS JOIN generate_series(1, 9) AS k
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN k <= 4 THEN p.stopped - 12 - 9 * k - floor(pg_temp.dice(p.seed * 1000 + k, 44) * 8)::integer
            ELSE greatest(p.stopped, 0) + floor(pg_temp.dice(p.seed * 1000 + k, 44) * 365)::integer
        END AS days_ago
    ) d
    WHERE pg_temp.dice(p.seed * 1000 + k, 45) < CASE WHEN k <= 4 THEN 0.7 ELSE 0.55 END
        AND d.days_ago BETWEEN 0 AND least(p.came - 1, 365)
) a
WHERE a.created_at <= a.now;

INSERT INTO public.outreach_log (organization_id, id, patient_id, method, outcome, opened, notes, logged_by, created_at)
SELECT c.organization_id, md5(c.organization_id || '/' || c.number || '/' || c.nth)::uuid, c.id, c.method, c.outcome,
    c.method = 'email' AND c.outcome <> 'failed' AND pg_temp.dice(c.talk, 46) < CASE c.outcome WHEN 'success' THEN 0.9 ELSE 0.45 END,
    CASE WHEN pg_temp.dice(c.talk, 47) < 0.6 THEN
        CASE c.outcome
            WHEN 'success' THEN pg_temp.pick(ARRAY['Patient responded positively, appointment booked', 'will call back', 'books online', 'asked about Saturdays'], c.talk, 48)
            WHEN 'failed' THEN pg_temp.pick(ARRAY['number not in use', 'mailbox full', 'bounced'], c.talk, 48)
            ELSE pg_temp.pick(ARRAY['left a message', 'no reply', 'opened, no reply'], c.talk, 48)
        END
    ELSE '' END,
    pg_temp.pick(ARRAY['user_demo_aroha', 'user_demo_ben', 'user_demo_carla', 'user_demo_dev'], c.talk, 49),
    c.created_at
FROM contact c;

-- Some of the patients who were reached book within two weeks and come a few days later.
INSERT INTO public.appointments (organization_id, id, patient_id, starts_at, status, created_at)
SELECT b.organization_id, format('appt_%s_after_%s', b.number, b.nth), b.id, b.starts_at,
    CASE WHEN b.starts_at > b.now THEN 'scheduled' WHEN pg_temp.dice(b.talk, 50) < 0.85 THEN 'completed' ELSE 'no_show' END,
    b.booked_at
FROM (
    SELECT c.*, o.booked_at, pg_temp.opening_hour(
        re.day_of(o.booked_at, c.time_zone) + 2 + floor(pg_temp.dice(c.talk, 51) * 9)::integer, c.time_zone, c.talk, 52) AS starts_at
    FROM contact c
    CROSS JOIN LATERAL (
        SELECT c.created_at + interval '1 minute' * (5 + floor(power(pg_temp.dice(c.talk, 53), 2) * 19000)) AS booked_at
    ) o
    WHERE c.outcome = 'success' AND pg_temp.dice(c.talk, 54) < 0.5
) b
WHERE b.booked_at <= b.now;
-- A few patients who were away for long have booked again.
INSERT INTO public.appointments (organization_id, id, patient_id, starts_at, status, created_at)
SELECT p.organization_id, format('appt_%s_again', p.number), p.id,
    pg_temp.opening_hour(p.today + 2 + floor(pg_temp.dice(p.seed, 60) * 12)::integer, p.time_zone, p.seed, 61), 'scheduled',
    p.now - interval '1 hour' * (1 + floor(pg_temp.dice(p.seed, 62) * 100))
FROM person p
WHERE NOT p.never_came AND NOT p.archived AND p.stopped > 60 AND pg_temp.dice(p.seed, 63) < 0.08;
COMMIT;

\o
\echo '- statistics'
ANALYZE public.organizations, public.patients, public.appointments, public.conversations, public.outreach_log;
SELECT format('- done: %s patients, %s appointments, %s conversations, %s attempts',
    (SELECT count(*) FROM public.patients WHERE organization_id ~ '^org_demo_[0-9]+$'),
    (SELECT count(*) FROM public.appointments WHERE organization_id ~ '^org_demo_[0-9]+$'),
    (SELECT count(*) FROM public.conversations WHERE organization_id ~ '^org_demo_[0-9]+$'),
    (SELECT count(*) FROM public.outreach_log WHERE organization_id ~ '^org_demo_[0-9]+$')) AS done \gset
\echo :done
