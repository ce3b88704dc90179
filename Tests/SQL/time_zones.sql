-- A time zone must be spelt exactly as in PostgreSQL's list, and PostgreSQL must apply its summer time.
BEGIN;
\ir support/given.sql
SELECT plan(25);

SELECT lives_ok(format($$ SELECT given.clinic(%L, %L) $$, 'org ' || zone, zone), 'accepted zone ' || zone)
FROM unnest(ARRAY['UTC', 'Australia/Sydney', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe',
    'Pacific/Chatham',
    'America/Argentina/Buenos_Aires', 'EST5EDT']) zone;
SELECT throws_ok(format($$ SELECT given.clinic('bad', %L) $$, zone), '23514', NULL, 'refused zone ' || quote_literal(zone))
FROM unnest(ARRAY['CET', 'EET', 'MET', 'WET', 'utc', 'est', 'EDT', 'foo+3', '+02:00', 'europe/paris', ' UTC',
    'Nowhere/Land', '']) zone;
SELECT throws_ok($$ UPDATE organizations SET time_zone = 'CET' $$, '23514', NULL, 'an UPDATE to an invalid zone is refused');

-- A name that the zone database has dropped since must not prevent other changes.
ALTER TABLE organizations DISABLE TRIGGER check_inserted_time_zones;
SELECT given.clinic('old', 'Dropped/Zone');
ALTER TABLE organizations ENABLE TRIGGER check_inserted_time_zones;
SELECT lives_ok($$ UPDATE organizations SET name = 'renamed' WHERE id = 'old' $$, 'an UPDATE of another column accepts a dropped zone');
SELECT lives_ok($$ UPDATE organizations SET time_zone = time_zone, name = 'again' WHERE id = 'old' $$,
    'an UPDATE of the zone to itself accepts a dropped zone');
SELECT throws_ok($$ INSERT INTO organizations (id, name, time_zone) VALUES ('fine', 'x', 'UTC'),
    ('new', 'x', 'Dropped/Zone') $$,
    '23514', NULL, 'every row of a statement is checked');

SELECT * FROM finish();
ROLLBACK;
