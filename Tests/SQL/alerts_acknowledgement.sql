-- Who has acknowledged an alert, by a word or by an attempt (definitions.md, section 10), and who may see these rows.
BEGIN;
\ir support/given.sql
SELECT plan(70);
SELECT given.now('2025-06-30T12:00:00Z');
SET LOCAL reengagement.organization = 'clinic';

-- The acknowledgement of p's alert since 30 June, as one text.
CREATE FUNCTION pg_temp.answer(since date DEFAULT '2025-06-30', patient text DEFAULT 'p', organization text DEFAULT 'clinic') RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT concat_ws(' ', found.by, to_char(found.at AT TIME ZONE 'UTC', 'MM-DD HH24:MI:SS.US'), coalesce(found.until::text, 'for good'), nullif(found.note, ''))
        FROM re.acknowledgement($3, $2, $1) found), 'open')
$$;
CREATE FUNCTION pg_temp.word(action text, at timestamptz, until date DEFAULT NULL, note text DEFAULT '', by text DEFAULT 'user_1', since date DEFAULT '2025-06-30', patient text DEFAULT 'p')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, action, until, note, logged_by, created_at)
    VALUES ('clinic', $7, $6, $1, $3, $4, $5, $2)
$$;
CREATE FUNCTION pg_temp.attempt(at timestamptz, by text DEFAULT 'user_2', number integer DEFAULT 1, patient text DEFAULT 'p', outcome text DEFAULT 'failed')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.outreach_log (organization_id, id, patient_id, method, outcome, logged_by, created_at)
    VALUES ('clinic', ('00000000-0000-4000-8000-' || lpad($3::text, 12, '0'))::uuid, $4, 'phone', $5, $2, $1)
$$;
CREATE FUNCTION pg_temp.nothing() RETURNS void LANGUAGE sql AS $$
    DELETE FROM re.alert_acknowledgement;
    DELETE FROM public.outreach_log;
    SELECT given.now('2025-06-30T12:00:00Z');
$$;

SELECT given.clinic();
-- Critical since 30 June.
SELECT given.patient('p', '2025-05-16T09:00Z');
SELECT is(pg_temp.answer(), 'open', 'an alert without a word and without an attempt is open');
SELECT is(pg_temp.answer(patient => 'nobody'), 'open', 'of an unknown patient too');
SELECT is(pg_temp.answer(organization => 'nowhere'), 'open', 'of an unknown organization too');

-- Words.
SELECT pg_temp.word('acknowledge', '2025-06-30T09:00Z', note => 'Called');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 for good Called', 'a word without a day holds for good');
SELECT is(pg_temp.answer('2025-07-01'), 'open', 'of this episode alone');
SELECT is(pg_temp.answer('2025-06-29'), 'open', 'not of an earlier one either');
SELECT given.now('2026-06-30T12:00:00Z');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 for good Called', 'a year later still');
SELECT given.now('2025-06-30T08:59:59.999999Z');
SELECT is(pg_temp.answer(), 'open', 'a word stamped after now does not exist yet');
SELECT given.now('2025-06-30T09:00:00Z');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 for good Called', 'it exists from its instant on');
SELECT given.now('2025-06-30T12:00:00Z');
SELECT pg_temp.word('reopen', '2025-06-30T10:00Z', by => 'user_2');
SELECT is(pg_temp.answer(), 'open', 'a later word takes it back');
SELECT pg_temp.word('acknowledge', '2025-06-30T09:30Z', by => 'user_3');
SELECT is(pg_temp.answer(), 'open', 'of the words, that with the greatest instant counts, not that with the greatest number');
SELECT pg_temp.word('acknowledge', '2025-06-30T10:00Z', by => 'user_4');
SELECT is(pg_temp.answer(), 'user_4 06-30 10:00:00.000000 for good', 'of two words at one instant, that with the greater number counts');
SELECT pg_temp.word('reopen', '2025-06-30T10:00Z');
SELECT is(pg_temp.answer(), 'open', 'the number decides, not the kind');
SELECT pg_temp.word('acknowledge', '2025-07-01T10:00Z');
SELECT is(pg_temp.answer(), 'open', 'a word to come does not hide an earlier one');

-- A snooze.
SELECT pg_temp.nothing();
SELECT pg_temp.word('acknowledge', '2025-06-30T09:00Z', '2025-07-07', 'In a week');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 2025-07-07 In a week', 'a word with a day holds');
SELECT given.now('2025-07-06T23:59:59.999999Z');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 2025-07-07 In a week', 'up to the midnight that begins its day');
SELECT given.now('2025-07-07T00:00:00Z');
SELECT is(pg_temp.answer(), 'open', 'and passes by itself');
SELECT pg_temp.attempt('2025-06-30T10:00Z');
SELECT pg_temp.attempt('2025-07-06T23:59:59.999999Z', number => 2);
SELECT is(pg_temp.answer(), 'open', 'attempts during the snooze do not acknowledge the alert after it');
SELECT given.now('2025-07-07T12:00:00Z');
SELECT pg_temp.attempt('2025-07-07T08:00Z', 'user_3', 3);
SELECT pg_temp.attempt('2025-07-07T07:00Z', 'user_4', 4);
SELECT is(pg_temp.answer(), 'user_4 07-07 07:00:00.000000 for good', 'the earliest attempt on its day or later does');
SELECT given.now('2025-07-06T12:00:00Z');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 2025-07-07 In a week', 'while the snooze holds, it is acknowledged by the word');
SELECT pg_temp.word('acknowledge', '2025-07-06T09:00Z', by => 'user_5');
SELECT given.now('2025-07-08T12:00:00Z');
SELECT is(pg_temp.answer(), 'user_5 07-06 09:00:00.000000 for good', 'a later word without a day replaces the snooze');
SELECT pg_temp.nothing();
SELECT pg_temp.word('acknowledge', '2025-06-28T09:00Z', '2025-06-29', since => '2025-06-30');
SELECT pg_temp.attempt('2025-06-29T10:00Z');
SELECT is(pg_temp.answer(), 'open', 'an attempt after a snooze, but before the alert begins, does not acknowledge it');
SELECT pg_temp.attempt('2025-06-30T10:00Z', number => 2);
SELECT is(pg_temp.answer(), 'user_2 06-30 10:00:00.000000 for good', 'one on its first day does');

-- In the clinic's zone.
SELECT pg_temp.nothing();
UPDATE public.organizations SET time_zone = 'Australia/Sydney';
SELECT pg_temp.word('acknowledge', '2025-06-30T09:00Z', '2025-07-07');
SELECT given.now('2025-07-06T13:59:59.999999Z');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 2025-07-07', 'a snooze holds up to midnight in the clinic''s zone');
SELECT given.now('2025-07-06T14:00:00Z');
SELECT is(pg_temp.answer(), 'open', 'and passes at that midnight');
SELECT pg_temp.nothing();
SELECT pg_temp.attempt('2025-06-29T13:59:59.999999Z');
SELECT is(pg_temp.answer(), 'open', 'an attempt a microsecond before 30 June in the clinic''s zone does not count');
SELECT pg_temp.attempt('2025-06-29T14:00Z', number => 2);
SELECT is(pg_temp.answer(), 'user_2 06-29 14:00:00.000000 for good', 'one at its midnight does');
UPDATE public.organizations SET time_zone = 'UTC';
SELECT is(pg_temp.answer(), 'open', 'in UTC it is of the day before');

-- Attempts.
SELECT pg_temp.nothing();
SELECT pg_temp.attempt('2025-06-29T23:59:59.999999Z');
SELECT is(pg_temp.answer(), 'open', 'an attempt on the day before the alert begins does not count');
SELECT pg_temp.attempt('2025-06-30T00:00Z', outcome => outcome, number => number)
FROM (VALUES ('success', 4), ('no_response', 3), ('failed', 2)) attempt(outcome, number);
SELECT is(pg_temp.answer(), 'user_2 06-30 00:00:00.000000 for good', 'an attempt on the first day acknowledges the alert');
UPDATE public.outreach_log SET logged_by = 'user_of_' || outcome WHERE created_at = '2025-06-30T00:00Z';
SELECT is(pg_temp.answer(), 'user_of_failed 06-30 00:00:00.000000 for good', 'of attempts at one instant that with the lesser id, of whatever outcome');
DELETE FROM public.outreach_log WHERE outcome = 'failed';
SELECT is(pg_temp.answer(), 'user_of_no_response 06-30 00:00:00.000000 for good', 'a deleted attempt acknowledges nothing');
SELECT pg_temp.attempt('2025-06-30T12:00:00.000001Z', number => 5);
DELETE FROM public.outreach_log WHERE created_at < '2025-06-30T12:00Z';
SELECT is(pg_temp.answer(), 'open', 'an attempt stamped after now does not exist yet');
SELECT pg_temp.nothing();
SELECT pg_temp.attempt('2025-06-30T08:00Z');
SELECT pg_temp.word('acknowledge', '2025-06-30T09:00Z');
SELECT is(pg_temp.answer(), 'user_1 06-30 09:00:00.000000 for good', 'a word that holds counts more than an earlier attempt');
SELECT pg_temp.word('reopen', '2025-06-30T10:00Z');
SELECT is(pg_temp.answer(), 'open', 'a reopening takes back earlier attempts');
SELECT pg_temp.attempt('2025-06-30T10:00Z', number => 2);
SELECT is(pg_temp.answer(), 'open', 'and one at its instant');
SELECT pg_temp.attempt('2025-06-30T10:00:00.000001Z', 'user_3', 3);
SELECT is(pg_temp.answer(), 'user_3 06-30 10:00:00.000001 for good', 'a later one acknowledges again');
SELECT pg_temp.word('reopen', '2025-06-30T11:00Z');
SELECT is(pg_temp.answer(), 'open', 'until the alert is reopened again');

-- Forbidden words.
SELECT throws_ok($$ SELECT pg_temp.word('reopen', '2025-06-30Z', '2025-07-07') $$, '23514', NULL, 'a reopening has no day');
SELECT throws_ok($$ SELECT pg_temp.word('reopen', '2025-06-30Z', note => 'x') $$, '23514', NULL, 'and no note');
SELECT throws_ok($$ SELECT pg_temp.word('forget', '2025-06-30Z') $$, '23514', NULL, 'there are two kinds of words');
SELECT lives_ok($$ SELECT pg_temp.word('acknowledge', '2025-06-30Z', note => repeat('🐨', 1000)) $$, 'a note of 1000 code points');
SELECT throws_ok($$ SELECT pg_temp.word('acknowledge', '2025-06-30Z', note => repeat('x', 1001)) $$, '23514', NULL, 'a note of 1001 is refused');
SELECT throws_ok(format('SELECT pg_temp.word(%L, %L, %L)', 'acknowledge', at, until), '23514', NULL, format('no infinite time: %s %s', at, until))
FROM (VALUES ('infinity', '2025-07-07'), ('2025-06-30Z', 'infinity')) endless(at, until);

-- The derived data.
CREATE FUNCTION pg_temp.stored() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    FOR portion IN 1..100 LOOP
        EXIT WHEN NOT (SELECT a.remaining FROM re.advance('clinic', 10) a);
    END LOOP;
    RETURN (SELECT concat_ws(' ', re.is_current('clinic'), coalesce(state.acknowledged_by, 'open'), state.acknowledged_until,
            (SELECT sum(counter.acknowledged) FROM re.patient_count counter WHERE counter.organization_id = 'clinic' AND counter.last_contact_day = state.last_contact_day))
        FROM re.patient_state state WHERE state.organization_id = 'clinic' AND state.patient_id = 'p');
END $$;
SELECT pg_temp.nothing();
SELECT is(pg_temp.stored(), 't open 0', 'the derived data have the open alert');
SELECT pg_temp.word('acknowledge', '2025-06-30T09:00Z', '2025-07-07');
SELECT is(re.is_current('clinic'), false, 'a word makes them outdated');
SELECT is(pg_temp.stored(), 't user_1 2025-07-07 1', 'they have the acknowledgement, and count it');
SELECT given.now('2025-07-07T00:00:00Z');
SELECT is(re.is_current('clinic'), false, 'the midnight of its day makes them outdated');
SELECT is(pg_temp.stored(), 't open 0', 'the alert is open again');
SELECT given.now('2025-07-06T12:00:00Z');
SELECT is(pg_temp.stored(), 't user_1 2025-07-07 1', 'and acknowledged if today goes back');
UPDATE re.alert_acknowledgement SET until = NULL;
SELECT is(pg_temp.stored(), 't user_1 1', 'a changed word changes them');
SELECT pg_temp.attempt('2025-07-06T10:00Z');
DELETE FROM re.alert_acknowledgement;
SELECT is(pg_temp.stored(), 't user_2 1', 'after the word is deleted, the attempt acknowledges the alert');
TRUNCATE public.outreach_log;
SELECT is(pg_temp.stored(), 't open 0', 'TRUNCATE of the log opens it');
SELECT given.patient('q', '2025-05-23T09:00Z');
SELECT pg_temp.word('acknowledge', '2025-07-06T09:00Z', since => '2025-07-07', patient => 'q');
SELECT is(pg_temp.stored(), 't open 0', 'an acknowledged alert that has yet to begin');
SELECT given.now('2025-07-07T00:00:00Z');
SELECT is(pg_temp.stored(), 't open 0', 'its midnight');
SELECT is((SELECT string_agg(concat_ws(' ', kind, cause, day, patient_id), ', ') FROM re.notice WHERE patient_id = 'q'), 'critical time 2025-07-07 q', 'is told of all the same');

-- Words are deleted with their patient, and outlive an import.
CREATE FUNCTION pg_temp.words() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(organization_id || ' ' || patient_id, ', ' ORDER BY organization_id, patient_id), 'none') FROM re.alert_acknowledgement
$$;
SELECT pg_temp.word('acknowledge', '2025-07-06T09:00Z');
DELETE FROM public.patients;
INSERT INTO public.patients (organization_id, id, name, created_at) VALUES ('clinic', 'p', 'P', '2025-05-16T09:00Z');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT is(pg_temp.words(), 'clinic p', 'a transaction that deletes all patients and inserts some again keeps the words of those');
SELECT is(pg_temp.stored(), 't user_1 1', 'and the alert stays acknowledged');
TRUNCATE public.patients CASCADE;
SELECT is(pg_temp.words(), 'clinic p', 'TRUNCATE keeps them');
SELECT given.patient('p', '2025-05-16T09:00Z');
DELETE FROM public.patients;
SELECT is(pg_temp.words(), 'none', 'the deletion of a patient deletes its words');
SELECT pg_temp.word('acknowledge', '2025-07-06T09:00Z', patient => 'nobody');
DELETE FROM public.organizations;
SELECT is(pg_temp.words(), 'none', 'the deletion of an organization deletes its words, those of unknown patients too');

-- Who may see the rows.
CREATE FUNCTION pg_temp.refresh(organization text) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('reengagement.organization', organization, true);
    SELECT re.advance(organization, 1000);
$$;
SELECT given.clinic(organization), given.patient('p_' || organization, organization => organization) FROM unnest(ARRAY['a', 'b']) organization;
INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, action, logged_by, created_at)
SELECT organization, 'p_' || organization, '2025-06-30', 'acknowledge', 'user_1', '2025-06-30Z' FROM unnest(ARRAY['a', 'b']) organization;
SELECT FROM unnest(ARRAY['clinic', 'a', 'b']) organization, pg_temp.refresh(organization);
SELECT given.patient('second', organization => organization) FROM unnest(ARRAY['a', 'b']) organization;
SELECT FROM unnest(ARRAY['clinic', 'a', 'b']) organization, pg_temp.refresh(organization);
CREATE ROLE test_bound_reader NOLOGIN;
GRANT reengagement_bound TO test_bound_reader;
GRANT USAGE ON SCHEMA re, given TO test_bound_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON re.announcement, re.told_patient, re.notice, re.alert_acknowledgement TO test_bound_reader;
-- Without those of the organization that was deleted.
CREATE FUNCTION given.seen() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT string_agg(organization_id, ',' ORDER BY organization_id) FROM re.announcement WHERE organization_id <> 'clinic'),
        (SELECT string_agg(patient_id, ',' ORDER BY organization_id, patient_id) FROM re.told_patient),
        (SELECT string_agg(organization_id, ',' ORDER BY organization_id) FROM re.notice WHERE organization_id <> 'clinic'),
        (SELECT string_agg(patient_id, ',' ORDER BY patient_id) FROM re.alert_acknowledgement))
$$;
SELECT is(given.seen(), 'a,b p_a,second,p_b,second a,b p_a,p_b', 'a superuser sees the rows of all organizations');
SET LOCAL reengagement.organization = 'a';
SET LOCAL ROLE test_bound_reader;
SELECT is(given.seen(), 'a p_a,second a p_a', 'a bound role sees those of one organization');
SET LOCAL reengagement.organization = '';
SELECT is(given.seen(), '', 'and none without an organization');
SET LOCAL reengagement.organization = 'b';
SELECT throws_ok(statement, '42501', NULL, statement) FROM unnest(ARRAY[
    $$INSERT INTO re.announcement (organization_id, announced_day) VALUES ('c', '2025-06-30')$$,
    $$INSERT INTO re.told_patient (organization_id, patient_id, last_contact_day) VALUES ('a', 'x', '2025-01-01')$$,
    $$INSERT INTO re.notice (organization_id, sequence, kind, cause, day, number, at) VALUES ('a', 9, 'critical', 'change', '2025-06-30', 1, now())$$,
    $$INSERT INTO re.alert_acknowledgement (organization_id, patient_id, critical_since, action, logged_by, created_at) VALUES ('a', 'p', '2025-06-30', 'reopen', 'u', now())$$]) statement;
DELETE FROM re.announcement; DELETE FROM re.told_patient; DELETE FROM re.notice; DELETE FROM re.alert_acknowledgement;
RESET ROLE;
SELECT is(given.seen(), 'a p_a,second a p_a', 'a bound role deletes no row of another organization');

SELECT * FROM finish();
ROLLBACK;
