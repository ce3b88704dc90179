-- A time zone that PostgreSQL no longer knows affects only its organizations, and only until it is known again.
BEGIN;
\ir support/given.sql
\ir ../../sql/questions.sql
SELECT plan(21 + (SELECT count(DISTINCT name) FROM question)::integer);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic(o, 'Europe/Paris'), given.patient('p', '2025-06-01T00:00Z', organization => o) FROM unnest(ARRAY['bad', 'good']) o;
CREATE FUNCTION pg_temp.bind(organization text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('reengagement.organization', organization, true) $$;
CREATE FUNCTION pg_temp.due() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(o, ' ' ORDER BY o) FROM re.organizations_due(1000000) o WHERE o IN ('bad', 'good') $$;
-- Simulates that the zone database has dropped a name: the rows contain a name that is unknown.
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
SELECT is(re.is_current('bad'), false, 'an organization without a known zone is not current');
SELECT is_empty($$ SELECT FROM re.probe('bad') $$, 'an organization without a known zone has no state for cached responses');
SELECT throws_ok(format('SELECT * FROM re.%s', call), 'REZON', 'PostgreSQL no longer knows the time_zone "Gone/Zone" of organization "bad"', call || ' reports the unknown zone')
FROM (
    SELECT replace(format(min(q.call), quote_literal('bad')), '{patient_id}', 'p') AS call FROM pg_temp.question q GROUP BY q.name
    UNION ALL VALUES ('patient_detail(''bad'', ''nobody'')'), ('advance(''bad'', 10)')
) q;
SELECT is(pg_temp.due(), 'bad', 'the organization is due, so that the worker notices');
SELECT is_empty($$ SELECT FROM re.organizations_due(1000000, '{bad}') o WHERE o = 'bad' $$, 'the organization is not due if it is excluded');
SELECT pg_temp.bind('good');
SELECT is(total_patients, 1::bigint, 'the dashboard of the other organization returns a result') FROM re.dashboard('good') LIMIT 1;
SELECT given.conversation('p', '2025-06-29T12:00Z', 'good');
SELECT is(pg_temp.due(), 'bad good', 'the other organization is due after a change');
SELECT is((SELECT a.refreshed FROM re.advance('good', 10) a), 1, 'the other organization is refreshed');

-- The zone is known again.
UPDATE re.organization_state SET time_zone = 'Asia/Tokyo' WHERE organization_id = 'bad';
ALTER TABLE organizations DISABLE TRIGGER USER;
UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'bad';
SELECT pg_temp.bind('bad');
SELECT is(total_patients, 1::bigint, 'the dashboard returns a result after the zone is known again') FROM re.dashboard('bad') LIMIT 1;
ALTER TABLE organizations ENABLE TRIGGER USER;

-- The zone is corrected.
SELECT pg_temp.lose_zone();
UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'bad';
SELECT is(total_patients, 1::bigint, 'the dashboard returns a result after the zone is corrected') FROM re.dashboard('bad') LIMIT 1;
SELECT is((SELECT s.time_zone FROM re.organization_state s WHERE s.organization_id = 'bad'), 'Asia/Tokyo', 'the derived data has the corrected zone');
SELECT is(re.is_current('bad'), true, 'the organization is current');
SELECT is(pg_temp.due(), NULL, 'no organization is due');
SELECT isnt_empty($$ SELECT FROM re.patient_detail('bad', 'p') $$, 'the patient is shown');

-- The zone is corrected without a pending change.
SELECT pg_temp.lose_zone();
ALTER TABLE organizations DISABLE TRIGGER USER;
UPDATE organizations SET time_zone = 'America/New_York' WHERE id = 'bad';
ALTER TABLE organizations ENABLE TRIGGER USER;
SELECT is(re.is_current('bad'), false, 'the organization is not current after a correction without a pending change');
SELECT is(ARRAY(SELECT d::text FROM re.dashboard('bad') d), ARRAY(SELECT d::text FROM re.plain_dashboard('bad') d), 'the result after a correction without a pending change is right');
SELECT is((SELECT s.time_zone FROM re.organization_state s WHERE s.organization_id = 'bad'), 'America/New_York', 'the derived data has that zone');

-- An organization with too many patients for a refresh on read.
SELECT given.clinic('large');
SELECT given.patient('p' || i, '2025-06-01T00:00Z', organization => 'large') FROM generate_series(1, 300) i;
SELECT pg_temp.bind('large');
SELECT pg_temp.lose_zone('large');
SELECT throws_ok($$ SELECT * FROM re.dashboard('large') $$, 'REZON', NULL, 'the plain query reports the unknown zone too');
UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = 'large';
SELECT is(total_patients, 300::bigint, 'the plain query returns a result after the correction') FROM re.dashboard('large') LIMIT 1;

SELECT * FROM finish();
ROLLBACK;
