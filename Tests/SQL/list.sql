-- The filtered, searched and sorted list. Values are checked by hand, and every order of pages against the plain list.
BEGIN;
\ir support/given.sql
SELECT no_plan();
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();
SELECT given.clinic('other');

-- A patient whose last contact was the given number of days ago.
CREATE FUNCTION pg_temp.patient(id text, name text, email text DEFAULT NULL, phone text DEFAULT NULL,
    days integer DEFAULT 60, o text DEFAULT 'clinic')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.patients (organization_id, id, name, email, phone, treatment_notes, created_at)
        VALUES ($6, $1, $2, $3, $4, 'Notes of ' || $1, '2020-01-01Z');
    SELECT given.appointment($1, '2025-06-30T11:00Z'::timestamptz - $5 * interval '1 day', organization => $6);
$$;
CREATE FUNCTION pg_temp.build(o text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    advance record;
BEGIN
    PERFORM set_config('reengagement.organization', o, true);
    LOOP
        advance := re.advance(o, 1000);
        EXIT WHEN NOT advance.remaining;
    END LOOP;
END $$;
CREATE FUNCTION pg_temp.asked(twin text, q text, sort text, level text, status text, priority integer, tier text,
    lim integer, c record) RETURNS SETOF record
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT f.id, f.total, f.sort_name, f.action_priority, f.risk_score, f.days_since_last_contact, f.treatment_notes, f::text
        FROM re.%sprioritized_patients(''clinic'', $1, $2, $3, $4, $5, $6, true, $7, $8, $9, $10, $11, $12) f', twin)
        USING level, status, priority, tier, q, sort, lim, c.priority, c.score, c.days, c.name, c.id;
END $$;
CREATE FUNCTION pg_temp.ids(q text DEFAULT NULL, sort text DEFAULT 'name', level text DEFAULT NULL,
    status text DEFAULT NULL, priority integer DEFAULT NULL, tier text DEFAULT NULL)
RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(f.id) FILTER (WHERE f.id IS NOT NULL), '{}')
        FROM re.flat_prioritized_patients('clinic', level, status, priority, tier, q, sort, false, 200, NULL, NULL,
            NULL, NULL, NULL) f
$$;
-- All pages of the plain or the flat query, as whole rows. The cursor's name is cut short, as by the server.
CREATE FUNCTION pg_temp.walk(twin text, size integer, q text, sort text, level text DEFAULT NULL,
    status text DEFAULT NULL, priority integer DEFAULT NULL, tier text DEFAULT NULL)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    c record;
    page record;
    walked text[] := '{}';
BEGIN
    SELECT NULL::integer AS priority, NULL::integer AS score, NULL::integer AS days, NULL::text AS name,
        NULL::text AS id INTO c;
    LOOP
        SELECT array_agg(p.answer) AS answers, array_agg(p.id) AS ids, array_agg(p.name) AS names,
        array_agg(p.p) AS ps, array_agg(p.s) AS ss, array_agg(p.d) AS ds, count(p.id) AS n
        INTO page
        FROM pg_temp.asked(twin, q, sort, level, status, priority, tier, size, c) AS p(id text, total bigint,
            name text, p integer, s integer, d integer, notes text, answer text);
        EXIT WHEN page.n = 0;
        walked := walked || page.answers;
        -- A limit, in case a page repeats.
        EXIT WHEN page.n < size OR size IS NULL OR cardinality(walked) > 3000;
        SELECT page.ps[size] AS priority, page.ss[size] AS score, page.ds[size] AS days,
            left(page.names[size], 40) AS name, page.ids[size] AS id INTO c;
    END LOOP;
    RETURN walked;
END $$;

-- Case, accents and composed letters.
SELECT is(re.folded(given), wanted, format('%s folds to %s', given, wanted))
FROM (VALUES ('Ångström', 'angstrom'), (normalize('Ångström', NFD), 'angstrom'), ('STRASSE', 'strasse'),
    ('Straße', 'strasse'),
    ('ΟΔΥΣΣΕΎΣ', 'οδυσσευσ'), ('Οδυσσεύς', 'οδυσσευσ'), ('İSTANBUL', 'istanbul'), ('ısTANbul', 'istanbul'),
    ('Łukasz Đặng', 'lukasz dang'),
    ('Œuvre', 'oeuvre'), ('100%_\''', '100%_\'''), ('陈', '陈'), (U&'\0301', ''), ('', '')) AS v(given, wanted);
SELECT is(re.search_digits(given), wanted, format('%s is a number: %s', given, wanted))
FROM (VALUES ('+49 (30) 12-3.4', '49301234'), ('123', '123'), ('12', NULL), ('(1) 2', NULL), ('...', NULL),
    ('12a3', NULL), (E'12\t3', NULL), ('١٢٣', NULL), (NULL, NULL)) AS v(given, wanted);

SELECT pg_temp.patient('angstrom', 'Åsa Ångström', 'asa@Example.com', '+46 8 123 45 67'),
    pg_temp.patient('decomposed', normalize('Åke Ångström', NFD), days => 50),
    pg_temp.patient('plain', 'AKE ANGSTROM', days => 40), pg_temp.patient('odysseus', 'Οδυσσεύς'),
    pg_temp.patient('upper', 'ΟΔΥΣΣΕΎΣ'),
    pg_temp.patient('turkish', 'İpek Işık'), pg_temp.patient('percent', '100% real', days => 3),
    pg_temp.patient('underscore', 'a_b_c', 'under_score@example.com'),
    pg_temp.patient('backslash', 'back\slash'),
    pg_temp.patient('quote', 'Siobhán O''Brien', phone => '(030) 555-01 99'), pg_temp.patient('empty', ''),
    pg_temp.patient('empty2', ''),
    pg_temp.patient('short', 'Al', 'al@e.x'), pg_temp.patient('chinese', '陈美玲'), pg_temp.patient('sharp', 'Gauß'),
    pg_temp.patient('marks', '... !!!'), pg_temp.patient('emoji', '😀😀😀 b'),
    pg_temp.patient('long', repeat('ab', 5000) || ' Needle'),
    pg_temp.patient('longer', repeat('ab', 5000) || ' needle 2', phone => repeat('9', 1200) || '777'),
    pg_temp.patient('ann1', 'Ann'), pg_temp.patient('ann2', 'ANN', days => 10),
    pg_temp.patient('Ann0', 'änn', days => 20), pg_temp.patient('anna', 'Anna'),
    pg_temp.patient('dup', 'Needle', 'needle@needle.needle');
SELECT pg_temp.patient('elsewhere', 'Åsa Ångström', 'needle@other', '+46 8 123 45 67', o => 'other');
SELECT pg_temp.build('other'), pg_temp.build('clinic');
SELECT is(re.is_current('clinic'), true, 'the derived data is built');

SELECT is(pg_temp.ids(q), wanted::text[], format('%s finds %s', q, wanted))
FROM (VALUES ('ÅNGSTRÖM', '{decomposed,plain,angstrom}'), ('angstrom', '{decomposed,plain,angstrom}'),
    (normalize('ångström', NFD), '{decomposed,plain,angstrom}'),
    ('οδυσσεύς', '{odysseus,upper}'), ('ΣΕΥΣ', '{odysseus,upper}'), ('ipek', '{turkish}'), ('IŞIK', '{turkish}'),
    ('ışık', '{turkish}'),
    ('100%', '{percent}'), ('00% r', '{percent}'), ('%%%', '{}'), ('a_b', '{underscore}'), ('a%c', '{}'),
    ('r_s', '{underscore}'), ('___', '{}'), ('k\s', '{backslash}'), ('\\\', '{}'),
    ('O''b', '{quote}'), ('siobhan o', '{quote}'), ('陈美玲', '{chinese}'), ('GAUSS', '{sharp}'), ('auß', '{sharp}'),
    ('...', '{marks}'), ('!!!', '{marks}'), ('😀😀😀', '{emoji}'),
    (' needle', '{long,longer}'), ('needle', '{long,longer,dup}'), ('EXAMPLE.com', '{underscore,angstrom}'),
    ('812345', '{angstrom}'), ('+46 (8) 12', '{angstrom}'), ('0199', '{quote}'), ('555-0', '{quote}'),
    ('9777', '{longer}'), ('456 8', '{}'), ('000', '{}'),
    ('ann', '{Ann0,ann1,ann2,anna}'), ('nobody at all', '{}')) AS v(q, wanted);
SELECT is(pg_temp.ids(E'e\u0301x'), '{underscore,angstrom}', 'a term of three code points that compose to two letters is valid');
SELECT throws_ok(format('SELECT * FROM re.%sprioritized_patients(''clinic'', NULL, NULL, NULL, NULL, U&''\0301\0308\0301'', ''priority'', false, 2, NULL, NULL, NULL, NULL, NULL)', twin),
    'RE422', NULL, 'a term that folds to nothing is refused: ' || twin) FROM unnest(ARRAY['', 'flat_', 'plain_']) twin;
SELECT throws_ok('SELECT * FROM re.prioritized_patients(''nobody'', NULL, NULL, NULL, NULL, U&''\0301\0308\0301'', ''priority'', false, 2, NULL, NULL, NULL, NULL, NULL)',
    'RE422', NULL, 'a term that folds to nothing is refused in an unknown organization');

-- Orders: by the bytes of the folded name, then by the bytes of the id.
SELECT is(pg_temp.ids(),
    ARRAY['empty', 'empty2', 'marks', 'percent', 'underscore', 'long', 'longer', 'decomposed', 'plain', 'short',
        'Ann0', 'ann1', 'ann2', 'anna', 'angstrom',
    'backslash', 'sharp', 'turkish', 'dup', 'quote', 'odysseus', 'upper', 'chinese', 'emoji'], 'by name');
SELECT is((pg_temp.ids(sort => 'last_contact'))[1:2] || (pg_temp.ids(sort => 'last_contact'))[20:24],
    '{angstrom,ann1,decomposed,plain,Ann0,ann2,percent}', 'by last contact');
SELECT is(pg_temp.ids(level => 'high', sort => 'priority'), '{plain}', 'high');
SELECT is(pg_temp.ids(status => 'active', sort => 'last_contact'), '{Ann0,ann2,percent}', 'active');
SELECT is(pg_temp.ids(status => 'stale'), '{}', 'stale');
SELECT is(pg_temp.ids(priority => 3), '{Ann0}', 'action priority 3');
SELECT is(pg_temp.ids(tier => 'low'), '{percent,ann2}', 'tier low');
SELECT is(pg_temp.ids(status => 'dormant', level => 'critical', q => 'ang'), '{decomposed,angstrom}',
    'a patient must match all filters');
SELECT is(ARRAY(SELECT DISTINCT f.total
    FROM re.flat_prioritized_patients('clinic', NULL, 'active', NULL, NULL, NULL, 'name', false, 1, NULL, NULL, NULL,
        'ann', 'ann1') f), '{3}', 'the total counts all pages');
SELECT is((SELECT (f.id, f.total, f.treatment_notes)::text
    FROM re.flat_prioritized_patients('clinic', NULL, 'stale', NULL, NULL, NULL, 'name', true, 1, NULL, NULL, NULL,
        NULL, NULL) f), '(,0,)', 'the total of no patients is zero');
SELECT is((SELECT (f.id, f.total)::text
    FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'name', true, 1, NULL, NULL, NULL, 'zz',
        'zz') f), '(odysseus,24)', 'the total after a cursor with an unknown name');
SELECT is((SELECT (f.id, f.total)::text
    FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, 'needle', 'name', true, 1, NULL, NULL, NULL,
        '😀', 'zz') f), '(,3)', 'the total on a page after the last');
SELECT is((SELECT array_agg(f.treatment_notes)
    FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, 'angstrom', 'name', notes, 5, NULL, NULL, NULL,
        NULL, NULL) f), wanted, format('notes: %s', notes))
FROM (VALUES (true, ARRAY['Notes of decomposed', 'Notes of plain', 'Notes of angstrom']),
    (false, ARRAY[NULL, NULL, NULL])) AS v(notes, wanted);
-- Two patients whose names are longer than a cursor's.
SELECT is((SELECT f.id
    FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'name', true, 1, NULL, NULL, NULL,
        repeat('ab', 100), 'long') f), 'longer', 'a cursor with a shortened name continues after its patient');
SELECT is((SELECT f.id
    FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'name', true, 1, NULL, NULL, NULL,
        repeat('ab', 100), 'gone') f), 'long', 'a cursor with a shortened name of a deleted patient begins at that name');

-- Enough patients for every way to find a page: 1,333 that are too many for the search index, names with long common
-- prefixes, and ties.
INSERT INTO patients (organization_id, id, name, email, phone, created_at)
SELECT 'clinic', 'm' || n, CASE n % 13 WHEN 0 THEN 'Équal' WHEN 1 THEN repeat('ö', 199 + n % 3) || n % 7 WHEN 2
    THEN repeat('x', 250 + n % 2) ELSE 'Zoé ' || (n * 7919) % 1000 END,
    CASE WHEN n % 3 < 2 THEN 'box' || n || '@example.org' END, '0' || n * 37,
    '2025-06-30Z'::timestamptz - (n % 120) * interval '1 day'
FROM generate_series(1, 1600) n;
INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, created_at)
SELECT 'clinic', 'a' || n, 'm' || n,
    '2025-06-30Z'::timestamptz - (n % 97 - CASE WHEN n % 5 = 0 THEN 200 ELSE 0 END) * interval '1 day',
    (ARRAY['completed', 'no_show', 'late_cancelled', 'scheduled', 'scheduled'])[1 + n % 5],
    '2020-01-01Z' FROM generate_series(1, 1600) n WHERE n % 4 > 0;
\set nightly 0
\getenv nightly NIGHTLY
SELECT pg_temp.build('clinic');
SELECT is((SELECT f.total
    FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, q, 'priority', false, 1, NULL, NULL, NULL,
        NULL, NULL) f), wanted, format('of %s there are %s', q, wanted))
FROM (VALUES ('example.org', NULL::bigint), ('box1@', 1), ('box1', 476), ('equal', 123), ('zoe', NULL),
    ('xxx', 123)) AS v(q, wanted);
SELECT is(pg_temp.walk('flat_', 500, q, sort, level, status, priority, tier),
    pg_temp.walk('plain_', NULL, q, sort, level, status, priority, tier),
    format('pages by %s of %s', sort, coalesce(concat_ws(' ', q, level, status, priority, tier), 'all')))
FROM unnest(ARRAY['priority', 'name', 'last_contact']) sort,
    (VALUES (NULL, NULL, NULL, NULL::integer, NULL), ('example.org', NULL, NULL, NULL, NULL),
        ('equal', NULL, NULL, NULL, NULL), ('zoe', NULL, 'dormant', NULL, NULL), (NULL, 'high', NULL, NULL, NULL),
        (NULL, NULL, 'active', NULL, NULL), (NULL, NULL, NULL, 2, NULL), (NULL, NULL, NULL, 4, 'low'),
        (NULL, NULL, NULL, NULL, 'medium'), ('ooo', 'critical', NULL, NULL, NULL),
        ('org', NULL, 'stale', NULL, NULL)) AS v(q, level, status, priority, tier)
-- The plain pages take long. Outside the nightly run, each order and each filter is tested, not each pair.
WHERE :'nightly' = '1' OR sort = 'name' OR coalesce(q, level, status, tier) IS NULL AND priority IS NULL;
-- Small pages, with cursors at equal and long names.
SELECT is(pg_temp.walk('flat_', 25, NULL, 'name', 'high'), pg_temp.walk('plain_', NULL, NULL, 'name', 'high'),
    'small pages by name');
SELECT is(pg_temp.walk('flat_', 20, 'xxx', 'name'), pg_temp.walk('plain_', NULL, 'xxx', 'name'),
    'small pages through long names');

-- Notes are read from the source. With a pending change they could be newer than the rest, so that the flat query
-- returns nothing.
UPDATE patients SET name = 'Ann Later',
    treatment_notes = 'Later notes' WHERE organization_id = 'clinic' AND id = 'ann1';
SELECT is((SELECT count(*)
    FROM re.flat_prioritized_patients('clinic', NULL, NULL, NULL, NULL, 'ann', 'name', notes, 5, NULL, NULL, NULL,
        NULL, NULL)), wanted, format('flat query with a pending change, notes %s', notes))
FROM (VALUES (true, 0::bigint), (false, 4)) AS v(notes, wanted);
SELECT is((SELECT (f.name, f.treatment_notes)::text
    FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, 'ann lat', 'name', true, 5, NULL, NULL, NULL, NULL,
        NULL) f), '("Ann Later","Later notes")', 'name and notes are of one moment');

-- A renamed patient is found at once by the new name, and no longer by the old one.
UPDATE patients SET name = 'Renamed', email = NULL WHERE organization_id = 'clinic' AND id = 'angstrom';
SELECT pg_temp.build('clinic');
SELECT is(pg_temp.ids(q), wanted::text[], q || ' after the change')
    FROM (VALUES ('renamed', '{angstrom}'), ('ångström', '{decomposed,plain}')) AS v(q, wanted);
UPDATE patients SET archived_at = '2025-06-01Z' WHERE organization_id = 'clinic' AND id = 'angstrom';
DELETE FROM patients WHERE organization_id = 'clinic' AND id = 'plain';
SELECT pg_temp.build('clinic');
SELECT is(pg_temp.ids(q), wanted::text[], q || ' after the patient is archived or deleted')
    FROM (VALUES ('renamed', '{}'), ('ångström', '{decomposed}')) AS v(q, wanted);
SELECT is((SELECT count(*) FROM re.patient_search WHERE patient_id IN ('angstrom', 'plain')), 0::bigint,
    'no search entry of them remains');

-- Privileges of the search.
SET LOCAL ROLE reengagement_api;
SELECT set_config('reengagement.organization', 'clinic', true);
SELECT is(ARRAY(SELECT s.patient_id
    FROM re.search(o, 'ngstrom', NULL, array_fill('-infinity'::date, ARRAY[9]), array_fill('infinity'::date, ARRAY[9]),
        10) s), wanted::text[], 'a search in ' || o)
FROM (VALUES ('clinic', '{decomposed}'), ('other', '{}')) AS v(o, wanted);
RESET ROLE;
ALTER TABLE re.patient_state DISABLE ROW LEVEL SECURITY;
SET LOCAL ROLE reengagement_api;
SELECT is_empty('SELECT * FROM re.search(''other'', ''ngstrom'', NULL, array_fill(''-infinity''::date, ARRAY[9]), array_fill(''infinity''::date, ARRAY[9]), 10)',
    'a search finds no patient of another organization, even without policies on the states');
RESET ROLE;
ALTER TABLE re.patient_state ENABLE ROW LEVEL SECURITY;
SET LOCAL ROLE reengagement_api;
SELECT throws_ok('SELECT count(*) FROM re.patient_search', '42501', NULL, 'the server''s role cannot read the search index');
SELECT set_config('reengagement.organization', '', true);
SELECT is_empty('SELECT * FROM re.search(''clinic'', ''ngstrom'', NULL, array_fill(''-infinity''::date, ARRAY[9]), array_fill(''infinity''::date, ARRAY[9]), 10)',
    'bound to no organization, a search finds no patient');
RESET ROLE;
SELECT set_config('reengagement.organization', '', true);
SELECT is(pg_temp.ids('ångström'), '{decomposed}', 'an operator who is bound to no organization finds the same');

SELECT * FROM finish();
ROLLBACK;
