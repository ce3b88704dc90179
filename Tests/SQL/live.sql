-- What the live streams ask (sql/flat/80_live.sql, sql/endpoints/live_alerts.sql).
BEGIN;
\ir support/given.sql
SELECT plan(22);
SET CONSTRAINTS ALL IMMEDIATE;
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();
SELECT given.clinic('other');

CREATE FUNCTION pg_temp.advance(organization text DEFAULT 'clinic') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('reengagement.organization', organization, true);
    FOR portion IN 1..100 LOOP
        EXIT WHEN NOT (SELECT a.remaining FROM re.advance(organization, 1000) a);
    END LOOP;
    PERFORM set_config('reengagement.organization', '', true);
END $$;
-- As the server asks.
CREATE FUNCTION pg_temp.live(after bigint DEFAULT 0, known text DEFAULT NULL, organization text DEFAULT 'clinic')
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE reengagement_api;
    RETURN QUERY SELECT * FROM re.live(ARRAY[organization], ARRAY[after], ARRAY[known]);
    RESET ROLE;
END $$;
CREATE FUNCTION pg_temp.numbers(after bigint DEFAULT 0, known text DEFAULT NULL, organization text DEFAULT 'clinic') RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s: %s %s %s', l.sequence, l.oldest, l.critical, l.new_today, l.open)
    FROM pg_temp.live(after, known, organization) AS l(organization_id text, asked_after bigint, sequence bigint, oldest bigint, state text,
        is_due boolean, critical bigint, new_today bigint, open bigint, acknowledgement text, notices json)
$$;
CREATE FUNCTION pg_temp.field(name text, after bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT to_jsonb(l) ->> name
    FROM pg_temp.live(after) AS l(organization_id text, asked_after bigint, sequence bigint, oldest bigint, state text,
        is_due boolean, critical bigint, new_today bigint, open bigint, acknowledgement text, notices json)
$$;
CREATE FUNCTION pg_temp.notices(after bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', n ->> 0, n ->> 1, n ->> 2, n ->> 3, n ->> 4), ', ')
    FROM json_array_elements(pg_temp.field('notices', after)::json) AS n
$$;

SELECT is(pg_temp.numbers(organization => 'nowhere'), '0 1:   ', 'an organization that does not exist has no numbers');
SELECT is(pg_temp.field('is_due'), 'true', 'an organization that is not built is due');
SELECT given.patient('due', '2025-05-16T09:00Z'), given.patient('week', '2025-05-10T09:00Z'), given.patient('late', '2025-05-09T09:00Z'),
    given.patient('high', '2025-05-17T09:00Z');
SELECT pg_temp.advance();
SELECT is(pg_temp.numbers(), '0 1: 3 1 2', 'critical, new today, and open of the last 7 days');
SELECT is(pg_temp.field('is_due'), 'false', 'it is not due any more');
SELECT results_eq($$ SELECT * FROM re.plain_live_alerts('clinic') $$, $$ VALUES (0::bigint, 3::bigint, 1::bigint, 2::bigint) $$, 'the plain numbers');
SELECT results_eq($$ SELECT * FROM re.flat_live_alerts('clinic') $$, $$ SELECT * FROM re.plain_live_alerts('clinic') $$, 'the flat numbers');
SELECT results_eq($$ SELECT * FROM re.plain_live_alerts('nowhere') $$, $$ VALUES (0::bigint, 0::bigint, 0::bigint, 0::bigint) $$,
    'an organization without rows has zeros');
SELECT is(pg_temp.numbers(known => pg_temp.field('state')), '0 1:   ', 'numbers that are known are not computed again');
SELECT is(pg_temp.notices(), NULL, 'the first build tells of nothing');

SELECT given.patient('new', '2025-05-12T09:00Z');
SELECT is(pg_temp.numbers(), '0 1:   ', 'while a change is pending there are no numbers');
SELECT is(pg_temp.field('is_due'), 'true', 'and it is due');
SELECT pg_temp.advance();
SELECT is(pg_temp.numbers(known => pg_temp.field('state') || 'x'), '1 1: 4 1 3', 'then there are other numbers');
SELECT is(pg_temp.notices(), '1 critical change 2025-06-30 1', 'and the notice, without its patient');
SELECT is(pg_temp.notices(1), NULL, 'no notice comes after the last number');
SELECT is(pg_temp.notices(7), NULL, 'or after a greater one');

SELECT is(pg_temp.field('acknowledgement'), '', 'no word on an alert');
INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, number, action, logged_by, created_at)
VALUES ('clinic', 'new', '2025-06-26', 7, 'acknowledge', 'user_1', '2025-06-30T11:00Z'),
    ('other', 'new', '2025-06-26', 9, 'acknowledge', 'user_1', '2025-06-30T11:00Z');
SELECT is(pg_temp.field('acknowledgement'), '7', 'the number of a word');
INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, number, action, logged_by, created_at)
VALUES ('clinic', 'new', '2025-06-26', 3, 'reopen', 'user_1', '2025-06-30T10:00Z');
SELECT is(pg_temp.field('acknowledgement'), '3 7', 'a word that was committed later with a lesser number changes it too');
SELECT pg_temp.advance();
SELECT is(pg_temp.numbers(1), '1 1: 4 1 2', 'an acknowledged alert is not open');

DELETE FROM re.notice WHERE organization_id = 'clinic';
SELECT is(pg_temp.numbers(1), '1 2: 4 1 2', 'without kept notices the oldest is the next');
INSERT INTO re.notice (organization_id, sequence, kind, cause, day, number, at)
SELECT 'clinic', number, 'critical', 'change', '2025-06-30', 1, '2025-06-30T12:00Z' FROM generate_series(2, 301) AS number;
UPDATE re.announcement SET sequence = 301 WHERE organization_id = 'clinic';
SELECT is((SELECT count(*) FROM json_array_elements(pg_temp.field('notices', 20)::json)), 200::bigint, 'at most 200 notices');
SELECT throws_ok($$ SET LOCAL ROLE reengagement_scheduler; SELECT patient_id FROM re.notice $$, '42501', NULL, 'its owner may read no patient');
SELECT * FROM finish();
ROLLBACK;
