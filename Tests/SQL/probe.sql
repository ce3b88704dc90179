-- Whether a kept answer may be sent again: the state of an organization.
BEGIN;
\ir support/given.sql
SELECT plan(33);
SELECT given.now('2025-06-30T12:00:00.7Z');
SELECT given.clinic(o), given.patient('p_' || o, organization => o) FROM unnest(ARRAY['a', 'b']) o;

-- Notes a's state, and says whether the last one noted was the same.
CREATE TABLE given.note (state text);
GRANT ALL ON given.note TO PUBLIC;
GRANT USAGE ON SCHEMA given TO PUBLIC;
CREATE FUNCTION given.is_same() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    before text := (SELECT state FROM given.note);
    state text := (SELECT p.state FROM re.probe('a') p);
BEGIN
    DELETE FROM given.note;
    INSERT INTO given.note VALUES (state);
    RETURN state = before;
END $$;
CREATE FUNCTION given.advanced() RETURNS boolean LANGUAGE sql AS $$ SELECT re.refresh_on_read('a') = 'refreshed' $$;

SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'none before it is built');
SELECT is(given.advanced(), true, 'built');
SELECT given.is_same();
SELECT is(given.is_same(), true, 'the same as long as nothing changes');
SELECT is((SELECT p.now FROM re.probe('a') p), '2025-06-30T12:00:00Z', 'with the time, cut to the second');
SELECT given.now('2025-06-30T23:59:59Z');
SELECT is(given.is_same(), true, 'and as the day goes on');
SELECT is((SELECT p.now FROM re.probe('a') p), '2025-06-30T23:59:59Z', 'which the time follows');
SELECT given.now('2025-07-01T00:00:00Z');
SELECT is(given.is_same(), false, 'another the next day');
SELECT given.now('2025-06-30T12:00:00Z');
SELECT is(given.is_same(), false, 'and where now has gone back');
SELECT is_empty($$ SELECT FROM re.probe('nobody') $$, 'none of an organization that has never been');

-- What is written.
SELECT given.conversation('p_b', '2025-06-29T12:00Z', 'b');
SELECT is(given.is_same(), true, 'another organization''s rows are not its own');
SELECT given.conversation('p_a', '2025-06-29T12:00Z', 'a');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'none while a mark is pending');
SELECT is(given.advanced(), true, 'advanced');
SELECT is(given.is_same(), false, 'another after an advance');
UPDATE public.organizations SET appointment_value = 1 WHERE id = 'a';
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'none while what only answers show is pending');
SELECT is(given.advanced(), true, 'advanced');
SELECT is(given.is_same(), false, 'and another');
DELETE FROM public.patients WHERE organization_id = 'a';
SELECT is(given.advanced(), true, 'the last patient goes');
SELECT is(given.is_same(), false, 'and that is another');
DELETE FROM public.organizations WHERE id = 'a';
SELECT given.clinic('a');
SELECT is(given.advanced(), true, 'gone, come again and built');
SELECT is(given.is_same(), false, 'an organization that comes again does not begin with a state it had');
UPDATE re.organization_state SET building_after = '' WHERE organization_id = 'a';
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'none while it is being built');
UPDATE re.organization_state SET building_after = NULL WHERE organization_id = 'a';
SAVEPOINT here;
UPDATE re.organization_state SET advanced_at = advanced_at WHERE organization_id = 'a';
SELECT is(given.is_same(), false, 'whoever writes its row makes it another, as a restored copy does');
ROLLBACK TO here;

-- What falls due.
SELECT given.patient('q', organization => 'a'), given.conversation('q', '2025-06-30T13:00Z', 'a');
SELECT given.advanced();
SELECT given.is_same();
SELECT given.now('2025-06-30T12:59:59.999999Z');
SELECT is(given.is_same(), true, 'until what is to come comes');
SELECT given.now('2025-06-30T13:00:00Z');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'none from then on');
SELECT given.now('2025-06-30T12:00:00Z');

-- As the server asks: bound by the very statement, whatever was bound before.
PREPARE probe(text) AS SELECT p.state, p.now FROM (SELECT set_config('reengagement.organization', $1, true) AS organization OFFSET 0) b
    CROSS JOIN LATERAL re.probe(b.organization) p;
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;
SELECT re.refresh_on_read('b');
SET LOCAL ROLE reengagement_api;
SELECT isnt_empty('EXECUTE probe(''a'')', 'the server''s role, bound to nothing before');
SELECT is(current_setting('reengagement.organization'), 'a', 'is bound by it');
SELECT isnt_empty('EXECUTE probe(''b'')', 'to another, too');
SELECT is(current_setting('reengagement.organization'), 'b', 'is bound by it');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'sees no other organization''s state');
SELECT set_config('reengagement.organization', '', true);
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'and none where it is bound to none');
RESET ROLE;
SELECT given.conversation('q', '2025-06-29T13:00Z', 'a');
SET LOCAL ROLE reengagement_api;
SELECT is_empty('EXECUTE probe(''a'')', 'nor misses a mark for having been bound too late');
SELECT isnt_empty('EXECUTE probe(''b'')', 'which is nothing to another organization');
RESET ROLE;
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM (VALUES ('a')) AS o(id), re.probe(o.id)), 0::bigint, 'as for whoever sees all');

SELECT * FROM finish();
ROLLBACK;
