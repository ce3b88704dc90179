-- Rows of a clinic of any size over two years: on average exactly 12 appointments, 4 conversations and 3 attempts for a
-- patient. Patient n is the same in every organization, so that clinics of different sizes are alike. All values derive
-- from hashes of n and from `loaded_at`, the start of the run.
CREATE SCHEMA bench;

CREATE TABLE bench.clock (loaded_at timestamptz NOT NULL, time_zone text NOT NULL, today date NOT NULL);
INSERT INTO bench.clock
SELECT date_trunc('second', now()), z.name, (now() AT TIME ZONE z.name)::date FROM (VALUES ('Australia/Sydney')) AS z(name);

-- The duration of loading, for later runs that find the rows loaded.
CREATE TABLE bench.loading (patients bigint PRIMARY KEY, took json NOT NULL);

-- A pseudo-random number in [0, 1), the same for the same row and question.
CREATE FUNCTION bench.dice(seed bigint, question integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(seed, question) & 9007199254740991) / 9007199254740992.0::double precision;

CREATE FUNCTION bench.below(bound bigint, seed bigint, question integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN floor(bench.dice(seed, question) * bound)::integer;

CREATE FUNCTION bench.pick(choices text[], seed bigint, question integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN choices[1 + bench.below(cardinality(choices), seed, question)];

-- A time within the opening hours, 8:00 to 18:00.
CREATE FUNCTION bench.opened(day date, time_zone text, seed bigint, question integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (day + interval '8 hours' + interval '1 second' * bench.below(36000, seed, question)) AT TIME ZONE time_zone;

-- `came` is the number of days since intake, and `stopped` since the last visit. A third of the patients is in
-- treatment, most with a booked visit. Of the others some left long ago. Every 32nd patient has neither visits nor
-- conversations, and the patient before has twice as many conversations.
CREATE FUNCTION bench.person(first bigint, last bigint)
RETURNS TABLE (n bigint, id text, stale boolean, came integer, stopped integer, is_booked boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.n, 'patient_' || c.n, c.n % 32 = 0, c.came,
        CASE
            WHEN c.luck < 0.35 THEN bench.below(least(30, c.came - 12), c.n, 3)
            WHEN c.luck < 0.85 THEN floor(power(bench.dice(c.n, 3), 1.5) * (c.came - 12))::integer
            ELSE c.came - 12 - bench.below(least(60, c.came - 12), c.n, 3)
        END,
        c.luck < 0.28
    FROM (
        SELECT n, CASE WHEN n % 16 = 1 THEN 14 + bench.below(30, n, 1) ELSE 90 + bench.below(640, n, 1) END AS came,
            bench.dice(n, 2) AS luck
        FROM generate_series(first, last) AS n
    ) c;
END;

CREATE FUNCTION bench.patients(organization text, first bigint, last bigint)
RETURNS TABLE (organization_id text, id text, name text, phone text, email text, treatment_notes text,
    created_at timestamptz, archived_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT organization, p.id, p.given || ' ' || p.family, format('+61 4%s', lpad((p.n % 100000000)::text, 8, '0')),
        format('%s.%s.%s@example.com', lower(p.given), lower(p.family), p.n),
        bench.pick(ARRAY['Lower back; improving.', 'Knee, week 6.', 'Shoulder.', 'Post-op ACL; cleared to jog.',
            'Neck pain, desk work; exercises given.', 'Tennis elbow; night splint.', 'Ankle sprain, grade II.'], p.n, 6),
        bench.opened(k.today - p.came, k.time_zone, p.n, 7),
        CASE WHEN p.n % 50 = 7 THEN bench.opened(k.today - bench.below(p.came, p.n, 8), k.time_zone, p.n, 9) END
    FROM bench.clock k
    CROSS JOIN (
        SELECT *, bench.pick(ARRAY['Aroha', 'Ben', 'Carla', 'Dev', 'Emma', 'Farid', 'Grace', 'Hugo', 'Ines', 'Jack', 'Kim',
                'Liam', 'Mei', 'Noah', 'Olga', 'Priya', 'Ruth', 'Sofia', 'Tom', 'Zoe'], n, 4) AS given,
            bench.pick(ARRAY['Adams', 'Brown', 'Chen', 'Davis', 'Evans', 'Foster', 'Green', 'Hughes', 'Jones', 'Kaur', 'Lee',
                'Martin', 'Nguyen', 'Patel', 'Roberts', 'Singh', 'Smith', 'Taylor', 'Wilson', 'Young'], n, 5) AS family
        FROM bench.person(first, last)
    ) p;
END;

-- Visits from intake to the last one in even steps. For patients with a booked visit the twelfth is in the future.
CREATE FUNCTION bench.appointments(organization text, first bigint, last bigint)
RETURNS TABLE (organization_id text, id text, patient_id text, starts_at timestamptz, status text, value numeric,
    created_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT organization, format('appt_%s_%s', v.n, v.k), v.id, v.starts_at,
        CASE
            WHEN v.stale THEN CASE WHEN v.k = 11 THEN 'no_show' ELSE 'cancelled' END
            WHEN v.starts_at > v.loaded_at THEN 'scheduled'
            WHEN v.luck < 0.80 THEN 'completed'
            WHEN v.luck < 0.86 THEN 'no_show'
            WHEN v.luck < 0.90 THEN 'late_cancelled'
            WHEN v.luck < 0.98 THEN 'cancelled'
            ELSE 'scheduled'
        END,
        CASE WHEN bench.dice(v.visit, 13) < 0.35 THEN 60 + 5 * bench.below(30, v.visit, 14) END,
        least(v.starts_at - interval '1 minute' * (600 + bench.below(30000, v.visit, 15)),
            v.loaded_at - interval '1 minute' * (1 + bench.below(20000, v.visit, 16)))
    FROM (
        SELECT p.*, k.loaded_at, visit.k, p.n * 16 + visit.k AS visit, bench.dice(p.n * 16 + visit.k, 10) AS luck,
            bench.opened(
                k.today - CASE
                    WHEN p.is_booked AND NOT p.stale AND visit.k = 11 THEN -1 - bench.below(21, p.n, 11)
                    ELSE p.stopped + (p.came - p.stopped) * (11 - visit.k) / 12
                END, k.time_zone, p.n * 16 + visit.k, 12) AS starts_at
        FROM bench.clock k CROSS JOIN bench.person(first, last) p CROSS JOIN generate_series(0, 11) AS visit(k)
    ) v;
END;

CREATE FUNCTION bench.conversations(organization text, first bigint, last bigint)
RETURNS TABLE (organization_id text, id text, patient_id text, occurred_at timestamptz, sentiment text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT organization, format('conv_%s_%s', p.n, t.k), p.id,
        least(k.loaded_at - interval '1 minute' * bench.below(600, p.n * 16 + t.k, 20),
            bench.opened(k.today - p.stopped - bench.below(p.came - p.stopped, p.n * 16 + t.k, 21), k.time_zone, p.n * 16 + t.k, 22)),
        (ARRAY['positive', 'positive', 'neutral', 'negative', NULL])[1 + bench.below(5, p.n * 16 + t.k, 23)]
    FROM bench.clock k
    CROSS JOIN bench.person(first, last) p
    CROSS JOIN LATERAL generate_series(1, CASE p.n % 32 WHEN 0 THEN 0 WHEN 31 THEN 8 ELSE 4 END) AS t(k);
END;

-- One recall after the patient's last visit, and reminders before it.
CREATE FUNCTION bench.outreach(organization text, first bigint, last bigint)
RETURNS TABLE (organization_id text, id uuid, patient_id text, method text, outcome text, opened boolean, notes text,
    logged_by text, created_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT organization, md5(format('%s/%s/%s', organization, a.n, a.k))::uuid, a.id, a.method,
        CASE WHEN a.luck < 0.07 THEN 'failed' WHEN a.luck < 0.55 AND NOT a.stale THEN 'success' ELSE 'no_response' END,
        a.method = 'email' AND a.luck > 0.3,
        CASE WHEN a.luck BETWEEN 0.2 AND 0.8
            THEN bench.pick(ARRAY['will call back', 'books online', 'left a message', 'asked about Saturdays'], a.talk, 34)
            ELSE '' END,
        bench.pick(ARRAY['user_aroha', 'user_ben', 'user_carla'], a.talk, 35),
        least(a.loaded_at - interval '1 minute' * bench.below(600, a.talk, 36), bench.opened(a.today - a.days_ago, a.time_zone, a.talk, 37))
    FROM (
        SELECT p.*, k.loaded_at, k.today, k.time_zone, t.k, t.k + p.n * 16 AS talk, bench.dice(t.k + p.n * 16, 30) AS luck,
            bench.pick(ARRAY['sms', 'sms', 'sms', 'email', 'email', 'phone'], t.k + p.n * 16, 31) AS method,
            CASE WHEN t.k = 1 AND p.stopped >= 35 THEN p.stopped - 14 - bench.below(20, p.n, 32)
                ELSE p.stopped + bench.below(p.came - p.stopped, t.k + p.n * 16, 33) END AS days_ago
        FROM bench.clock k CROSS JOIN bench.person(first, last) p CROSS JOIN generate_series(1, 3) AS t(k)
    ) a;
END;

-- A bulk import of a practice-management system: one past visit for each of this many patients.
CREATE FUNCTION bench.imported_appointments(organization text, import text, number bigint)
RETURNS TABLE (organization_id text, id text, patient_id text, starts_at timestamptz, status text, created_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT organization, format('import_%s_%s', import, n), 'patient_' || n, v.starts_at,
        CASE WHEN bench.dice(n, 41) < 0.85 THEN 'completed' ELSE 'no_show' END, v.starts_at - interval '3 days'
    FROM bench.clock k
    CROSS JOIN generate_series(1, number) AS n
    CROSS JOIN LATERAL (SELECT bench.opened(k.today - 1 - bench.below(200, n, 42), k.time_zone, n, 43) AS starts_at) v;
END;
