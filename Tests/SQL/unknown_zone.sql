-- A zone that PostgreSQL no longer knows is the trouble of the organizations that have it, and heals with its cause.
BEGIN;
\ir support/given.sql
\ir ../../sql/questions.sql
SELECT plan(21 + (SELECT count(DISTINCT name) FROM question)::integer);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic(o, 'Europe/Paris'), given.patient('p', '2025-06-01T00:00Z', organization => o) FROM unnest(ARRAY['bad', 'good']) o;
CREATE FUNCTION pg_temp.bind(organization text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('reengagement.organization', organization, true) $$;
CREATE FUNCTION pg_temp.due() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(o, ' ' ORDER BY o) FROM re.organizations_due(1000000) o WHERE o IN ('bad', 'good') $$;
-- As if the zone database had dropped the name: it is what the rows say, and unknown.
CREATE FUNCTION pg_temp.lose_zone(organization text DEFAULT 'bad') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE organizations DISABLE TRIGGER USER;
    UPDATE organizations SET time_zone = 'Gone/Zone' WHERE id = lose_zone.organization;
    ALTER TABLE organizations ENABLE TRIGGER USER;
    UPDATE re.organization_state SET time_zone = 'Gone/Zone' WHERE organization_id = lose_zone.organization;
END $$;
SELECT pg_temp.bind(o), re.advance(o, 10) FROM unnest(ARRAY['bad', 'good']) o;
SELECT is(re.is_current('bad') AND re.is_current('good'), true, 'both are current');
SELECT pg_temp.lose_zone();

SELECT pg_temp.bind('bad');
SELECT is(re.is_current('bad'), false, 'without its zone it is not current');
SELECT is_empty($$ SELECT FROM re.probe('bad') $$, 'no kept answer is sent');
SELECT throws_ok(format('SELECT * FROM re.%s', call), 'REZON', 'PostgreSQL no longer knows the time_zone "Gone/Zone" of organization "bad"', call || ' says so')
FROM (
    SELECT replace(format(min(q.call), quote_literal('bad')), '{patient_id}', 'p') AS call FROM pg_temp.question q GROUP BY q.name
    UNION ALL VALUES ('patient_detail(''bad'', ''nobody'')'), ('advance(''bad'', 10)')
) q;
SELECT is(pg_temp.due(), 'bad', 'it is due, so that it is noticed');
SELECT is_empty($$ SELECT FROM re.organizations_due(1000000, '{bad}') o WHERE o = 'bad' $$, 'unless it is to be left alone');
SELECT pg_temp.bind('good');
SELECT is(total_patients, 1::bigint, 'the other is answered') FROM re.dashboard('good') LIMIT 1;
SELECT given.conversation('p', '2025-06-29T12:00Z', 'good');
SELECT is(pg_temp.due(), 'bad good', 'found due');
SELECT is((SELECT a.refreshed FROM re.advance('good', 10) a), 1, 'and advanced');

-- The zone comes back.
UPDATE re.organization_state SET time_zone = 'Asia/Tokyo' WHERE organization_id = 'bad';
ALTER TABLE organizations DISABLE TRIGGER USER;
UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'bad';
SELECT pg_temp.bind('bad');
SELECT is(total_patients, 1::bigint, 'a zone that is back heals it') FROM re.dashboard('bad') LIMIT 1;
ALTER TABLE organizations ENABLE TRIGGER USER;

-- It is corrected.
SELECT pg_temp.lose_zone();
UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'bad';
SELECT is(total_patients, 1::bigint, 'a corrected zone heals it') FROM re.dashboard('bad') LIMIT 1;
SELECT is((SELECT s.time_zone FROM re.organization_state s WHERE s.organization_id = 'bad'), 'Asia/Tokyo', 'in the new zone');
SELECT is(re.is_current('bad'), true, 'which is current');
SELECT is(pg_temp.due(), NULL, 'and nobody is due');
SELECT isnt_empty($$ SELECT FROM re.patient_detail('bad', 'p') $$, 'its patient is there');

-- Corrected without a mark.
SELECT pg_temp.lose_zone();
ALTER TABLE organizations DISABLE TRIGGER USER;
UPDATE organizations SET time_zone = 'America/New_York' WHERE id = 'bad';
ALTER TABLE organizations ENABLE TRIGGER USER;
SELECT is(re.is_current('bad'), false, 'a zone corrected without a mark');
SELECT is(ARRAY(SELECT d::text FROM re.dashboard('bad') d), ARRAY(SELECT d::text FROM re.plain_dashboard('bad') d), 'heals it too');
SELECT is((SELECT s.time_zone FROM re.organization_state s WHERE s.organization_id = 'bad'), 'America/New_York', 'in the new zone');

-- One with more patients than are caught up with at once.
SELECT given.clinic('large');
SELECT given.patient('p' || i, '2025-06-01T00:00Z', organization => 'large') FROM generate_series(1, 300) i;
SELECT pg_temp.bind('large');
SELECT pg_temp.lose_zone('large');
SELECT throws_ok($$ SELECT * FROM re.dashboard('large') $$, 'REZON', NULL, 'what would be answered from the plain views says so too');
UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'large';
SELECT is(total_patients, 300::bigint, 'and is answered from them once it is corrected') FROM re.dashboard('large') LIMIT 1;

SELECT * FROM finish();
ROLLBACK;
