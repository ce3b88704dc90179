-- The state of an organization, which decides whether the server may send a cached response again.
BEGIN;
\ir support/given.sql
SELECT plan(37);
SELECT given.now('2025-06-30T12:00:00.7Z');
SELECT given.clinic(o), given.patient('p_' || o, organization => o) FROM unnest(ARRAY['a', 'b']) o;

-- Stores the state of organization a, and returns whether it equals the state stored before.
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

SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'there is no state before the data is built');
SELECT is(given.advanced(), true, 'the data is built');
SELECT given.is_same();
SELECT is(given.is_same(), true, 'the state is the same while nothing changes');
SELECT is((SELECT p.now FROM re.probe('a') p), '2025-06-30T12:00:00Z', 'the time is truncated to the second');
SELECT given.now('2025-06-30T23:59:59Z');
SELECT is(given.is_same(), true, 'the state is the same later on the same day');
SELECT is((SELECT p.now FROM re.probe('a') p), '2025-06-30T23:59:59Z', 'the time is the current one');
SELECT given.now('2025-07-01T00:00:00Z');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'there is no state until the next midnight is announced');
SELECT is(given.advanced(), true, 'a read announces it');
SELECT is(given.is_same(), false, 'the state is another on the next day');
SELECT given.now('2025-06-30T12:00:00Z');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'there is no state if the time has moved back');
SELECT is(given.advanced(), true, 'a read brings the announced day back');
SELECT is(given.is_same(), false, 'the state is another if the time has moved back');
SELECT is_empty($$ SELECT FROM re.probe('nobody') $$, 'an unknown organization has no state');

-- Writes.
SELECT given.conversation('p_b', '2025-06-29T12:00Z', 'b');
SELECT is(given.is_same(), true, 'rows of another organization do not change the state');
SELECT given.conversation('p_a', '2025-06-29T12:00Z', 'a');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'there is no state with a pending change');
SELECT is(given.advanced(), true, 'the pending change is refreshed');
SELECT is(given.is_same(), false, 'the state is another after a refresh');
UPDATE public.organizations SET appointment_value = 1 WHERE id = 'a';
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'there is no state with a pending change that only responses show');
SELECT is(given.advanced(), true, 'that change is refreshed');
SELECT is(given.is_same(), false, 'the state is another after that refresh');
DELETE FROM public.patients WHERE organization_id = 'a';
SELECT is(given.advanced(), true, 'the deletion of the last patient is refreshed');
SELECT is(given.is_same(), false, 'the state is another after the deletion');
DELETE FROM public.organizations WHERE id = 'a';
SELECT given.clinic('a');
SELECT is(given.advanced(), true, 'an organization that is deleted and created again is built');
SELECT is(given.is_same(), false, 'an organization that is created again does not get a former state');
UPDATE re.organization_state SET building_after = '' WHERE organization_id = 'a';
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'there is no state during a build');
UPDATE re.organization_state SET building_after = NULL WHERE organization_id = 'a';
SAVEPOINT here;
UPDATE re.organization_state SET advanced_at = advanced_at WHERE organization_id = 'a';
SELECT is(given.is_same(), false, 'any write to its row changes the state, as a restored copy does');
ROLLBACK TO here;

-- Events that become due.
SELECT given.patient('q', organization => 'a'), given.conversation('q', '2025-06-30T13:00Z', 'a');
SELECT given.advanced();
SELECT given.is_same();
SELECT given.now('2025-06-30T12:59:59.999999Z');
SELECT is(given.is_same(), true, 'the state is the same until an event is due');
SELECT given.now('2025-06-30T13:00:00Z');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'there is no state once an event is due');
SELECT given.now('2025-06-30T12:00:00Z');

-- The server's statement, which binds the session itself. A former binding does not matter.
PREPARE probe(text) AS SELECT p.state, p.now
    FROM (SELECT set_config('reengagement.organization', $1, true) AS organization OFFSET 0) b
    CROSS JOIN LATERAL re.probe(b.organization) p;
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;
SELECT re.refresh_on_read('b');
SET LOCAL ROLE reengagement_api;
SELECT isnt_empty('EXECUTE probe(''a'')', 'the server''s role gets a state without a former binding');
SELECT is(current_setting('reengagement.organization'), 'a', 'the statement binds the session');
SELECT isnt_empty('EXECUTE probe(''b'')', 'the server''s role gets the state of another organization');
SELECT is(current_setting('reengagement.organization'), 'b', 'the statement binds the session to the other organization');
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'the server''s role sees no state of another organization');
SELECT set_config('reengagement.organization', '', true);
SELECT is_empty($$ SELECT FROM re.probe('a') $$, 'the server''s role sees no state if it is bound to no organization');
RESET ROLE;
SELECT given.conversation('q', '2025-06-29T13:00Z', 'a');
SET LOCAL ROLE reengagement_api;
SELECT is_empty('EXECUTE probe(''a'')', 'the statement sees a pending change, because it binds the session in time');
SELECT isnt_empty('EXECUTE probe(''b'')', 'a pending change does not affect another organization');
RESET ROLE;
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM (VALUES ('a')) AS o(id), re.probe(o.id)), 0::bigint, 'a role that is not bound gets no state with a pending change either');

SELECT * FROM finish();
ROLLBACK;
