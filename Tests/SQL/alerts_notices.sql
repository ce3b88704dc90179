-- Notices: who is told of, for which cause and day, and how often (definitions.md, section 10).
BEGIN;
\ir support/given.sql
SELECT plan(94);
-- Deferred triggers (../../sql/flat/23_forgotten_attempts.sql) run at the end of each statement here.
SET CONSTRAINTS ALL IMMEDIATE;
SELECT given.now('2025-06-30T12:00:00Z');

-- The number of patients that the baseline and the notices add up to, and of those who are critical on the announced day.
CREATE FUNCTION pg_temp.sums(organization text DEFAULT 'clinic') RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s', announcement.baseline + coalesce((
            SELECT sum(CASE notice.kind WHEN 'critical' THEN notice.number ELSE -notice.number END)
            FROM re.notice WHERE notice.organization_id = $1), 0),
        (SELECT count(*) FROM public.patient_reengagement_master_view master
            WHERE master.organization_id = $1 AND master.last_contact_day <= announcement.announced_day - 45))
    FROM re.announcement WHERE announcement.organization_id = $1
$$;
-- Processes all pending changes in portions, and returns the new notices. Afterwards the organization must be current,
-- the announced day today, and the sums equal. The numbers may have no gap.
CREATE FUNCTION pg_temp.told(organization text DEFAULT 'clinic', most integer DEFAULT 1000) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    last bigint := coalesce((SELECT announcement.sequence FROM re.announcement WHERE announcement.organization_id = organization), 0);
BEGIN
    PERFORM set_config('reengagement.organization', organization, true);
    FOR portion IN 1..1000 LOOP
        EXIT WHEN NOT (SELECT a.remaining FROM re.advance(organization, most) a);
    END LOOP;
    IF NOT re.is_current(organization) THEN
        RAISE '% is not current', organization;
    END IF;
    IF split_part(pg_temp.sums(organization), ' ', 1) <> split_part(pg_temp.sums(organization), ' ', 2) THEN
        RAISE '%: the notices and the critical patients: %', organization, pg_temp.sums(organization);
    END IF;
    IF (SELECT announcement.announced_day <> clock.today FROM re.announcement, re.clock_of(organization) clock
        WHERE announcement.organization_id = organization)
    THEN
        RAISE '%: the announced day is not today', organization;
    END IF;
    IF (SELECT announcement.sequence FROM re.announcement WHERE announcement.organization_id = organization) - last
        <> (SELECT count(*) FROM re.notice WHERE notice.organization_id = organization AND notice.sequence > last)
    THEN
        RAISE '%: the numbers have a gap', organization;
    END IF;
    RETURN (SELECT coalesce(string_agg(concat_ws(' ', notice.kind, notice.cause, notice.day, coalesce(notice.patient_id, 'many'),
            CASE WHEN notice.patient_id IS NULL OR notice.number <> 1 THEN notice.number END), ', '
            ORDER BY notice.sequence), 'nothing')
        FROM re.notice WHERE notice.organization_id = organization AND notice.sequence > last);
END $$;
CREATE FUNCTION pg_temp.patients(prefix text, number integer, last_contact date) RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.patients (organization_id, id, name, created_at)
    SELECT 'clinic', format('%s%s', prefix, to_char(i, 'FM00')), 'Patient', (last_contact + time '09:00') AT TIME ZONE 'UTC' FROM generate_series(1, number) i
$$;
CREATE FUNCTION pg_temp.empty_derived_data() RETURNS void LANGUAGE sql AS $$
    DELETE FROM re.patient_state;
    DELETE FROM re.patient_search;
    DELETE FROM re.patient_count;
    DELETE FROM re.risk_day;
    DELETE FROM re.outreach_day;
    UPDATE re.organization_state SET building_after = '', built_at = NULL, generation = generation + 1;
$$;

-- The first build is the baseline.
SELECT given.clinic();
SELECT given.patient('old', '2025-01-01T00:00Z');
SELECT given.patient('older', '2024-01-01T00:00Z');
SELECT given.patient('new', '2025-06-01T00:00Z');
SELECT is(pg_temp.told(most => 1), 'nothing', 'the first build tells of nobody, in portions too');
SELECT is((announced_day, sequence, baseline)::text, '(2025-06-30,0,2)', 'the critical patients are the baseline') FROM re.announcement;
SELECT is(pg_temp.told(), 'nothing', 'a second advance tells of nobody');

-- Exactly 45 days.
SELECT given.patient('d44', '2025-05-17T23:59Z');
SELECT given.patient('d45', '2025-05-16T23:59Z');
SELECT is(pg_temp.told(), 'critical change 2025-06-30 d45', 'a new row tells of a patient at 45 days, and not at 44');
SELECT is((SELECT string_agg(patient_id || ' ' || critical_since, ', ' ORDER BY patient_id) FROM public.patient_reengagement_master_view WHERE critical_since IS NOT NULL),
    'd45 2025-06-30, old 2025-02-15, older 2024-02-15', 'critical_since is the last contact day + 45, of critical patients alone');
SELECT is((at, written_at > now())::text, '("2025-06-30 22:00:00+10",t)', 'the instant of a notice goes by now, and its age by the wall clock') FROM re.notice;
SELECT given.now('2025-06-30T23:59:59.999999Z');
SELECT is(pg_temp.told(), 'nothing', 'a microsecond before midnight nothing is told');
SELECT given.now('2025-07-01T00:00:00Z');
SELECT is(pg_temp.told(), 'critical time 2025-07-01 d44', 'at midnight the patient with 45 days is told of');

-- Several midnights.
SELECT given.patient('d48b', '2025-05-20T00:00Z');
SELECT given.patient('d48a', '2025-05-20T12:00Z');
SELECT given.patient('d46', '2025-05-18T00:00Z');
SELECT is(pg_temp.told(), 'nothing', 'patients who are not due yet are not told of');
SELECT given.now('2025-07-06T09:00:00Z');
SELECT is(pg_temp.told(), 'critical time 2025-07-02 d46, critical time 2025-07-04 d48a, critical time 2025-07-04 d48b',
    'each passed day has its own notices, with the day on which the patient became critical');

-- Contacts.
SELECT given.conversation('d46', '2025-07-06T08:00Z');
SELECT is(pg_temp.told(), 'resolved change 2025-07-06 d46', 'a contact resolves');
DELETE FROM public.conversations;
SELECT is(pg_temp.told(), 'critical change 2025-07-06 d46', 'a deleted contact makes critical again, on the announced day');
SELECT given.conversation('d46', '2025-07-06T08:00Z');
DELETE FROM public.conversations;
SELECT is(pg_temp.told(), 'nothing', 'a contact that comes and goes between two advances is not told of');
SELECT given.appointment('d46', '2025-07-06T10:00Z');
SELECT is(pg_temp.told(), 'nothing', 'a completed appointment to come is no contact yet');
SELECT given.now('2025-07-06T10:00:00Z');
SELECT is(pg_temp.told(), 'resolved change 2025-07-06 d46', 'it resolves at its time');
UPDATE public.appointments SET status = 'no_show';
SELECT is(pg_temp.told(), 'critical change 2025-07-06 d46', 'a corrected status makes critical again');
UPDATE public.patients SET archived_at = '2025-07-06T09:00Z' WHERE id = 'd46';
SELECT is(pg_temp.told(), 'resolved change 2025-07-06 d46', 'an archived patient is resolved');
UPDATE public.patients SET archived_at = NULL WHERE id = 'd46';
SELECT is(pg_temp.told(), 'critical change 2025-07-06 d46', 'and critical when it is back');
UPDATE public.patients SET archived_at = '2025-07-06T11:00Z' WHERE id = 'd46';
SELECT is(pg_temp.told(), 'nothing', 'an archiving to come changes nothing yet');
SELECT given.now('2025-07-06T11:00:00Z');
SELECT is(pg_temp.told(), 'resolved change 2025-07-06 d46', 'it resolves at its time');
DELETE FROM public.appointments;
UPDATE public.patients SET archived_at = NULL, id = 'renamed' WHERE id = 'd46';
SELECT is(pg_temp.told(), 'critical change 2025-07-06 renamed', 'a patient with another id is another patient');
UPDATE public.patients SET id = 'd46' WHERE id = 'renamed';
SELECT is(pg_temp.told(), 'critical change 2025-07-06 d46, resolved change 2025-07-06 renamed', 'the former id is resolved');
SELECT given.conversation('d46', '2025-05-20T08:00Z');
SELECT is(pg_temp.told(), 'nothing', 'a critical patient who stays critical with another day is not told of');

-- Patients who fall due at midnight and are changed before it is announced.
SELECT given.patient(id, '2025-01-01T00:00Z') FROM unnest(ARRAY['earlier', 'later', 'named', 'gone']) id;
INSERT INTO public.conversations (organization_id, id, patient_id, occurred_at)
SELECT 'clinic', id, id, '2025-05-23T10:00Z' FROM unnest(ARRAY['earlier', 'later', 'named', 'gone']) id;
SELECT is(pg_temp.told(), 'nothing', 'four patients fall due at the next midnight');
SELECT given.now('2025-07-07T00:30:00Z');
DELETE FROM public.conversations WHERE patient_id = 'earlier';
SELECT given.conversation('later', '2025-07-07T00:10Z');
UPDATE public.patients SET name = 'Another' WHERE id = 'named';
DELETE FROM public.patients WHERE id = 'gone';
SELECT is(pg_temp.told(), 'critical change 2025-07-06 earlier, critical time 2025-07-07 named',
    'each is told of once: by the change at the day announced before, or by midnight, or not at all');
SELECT is(pg_temp.told(), 'nothing', 'and not again');
-- The same in portions of one patient.
SELECT given.now('2025-07-07T12:00:00Z');
INSERT INTO public.conversations (organization_id, id, patient_id, occurred_at)
SELECT 'clinic', 'second ' || id, id, '2025-05-24T10:00Z' FROM unnest(ARRAY['earlier', 'named']) id;
SELECT is(pg_temp.told(most => 1), 'resolved change 2025-07-07 earlier, resolved change 2025-07-07 named', 'two patients fall due at the next midnight');
SELECT given.now('2025-07-08T00:30:00Z');
DELETE FROM public.conversations WHERE id = 'second earlier';
UPDATE public.patients SET name = 'A third' WHERE id = 'named';
SELECT is(pg_temp.told(most => 1), 'critical change 2025-07-07 earlier, critical time 2025-07-08 named', 'in portions too, each is told of once');

-- Deletion, and a new import.
SELECT given.patient('back', '2025-01-01T00:00Z');
SELECT is(pg_temp.told(), 'critical change 2025-07-08 back', 'an inserted patient without a contact is told of');
SET CONSTRAINTS ALL DEFERRED;
DELETE FROM public.patients WHERE id = 'back';
SELECT given.patient('back', '2025-01-01T00:00Z');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT is(pg_temp.told(), 'nothing', 'a patient who is deleted and inserted again in one transaction is not told of');
DELETE FROM public.patients WHERE id = 'back';
SELECT is(pg_temp.told(), 'resolved change 2025-07-08 back', 'a deleted patient is resolved');
TRUNCATE public.patients CASCADE;
SELECT is(pg_temp.told(), 'resolved change 2025-07-08 d44, resolved change 2025-07-08 d45, resolved change 2025-07-08 d46, resolved change 2025-07-08 d48a, '
    'resolved change 2025-07-08 d48b, resolved change 2025-07-08 earlier, resolved change 2025-07-08 named, resolved change 2025-07-08 old, resolved change 2025-07-08 older',
    'TRUNCATE resolves all, those of the baseline too');
SELECT is(pg_temp.sums(), '0 0', 'nobody is critical');

-- More than 20 of one kind and cause.
SELECT pg_temp.patients('few', 20, '2025-01-01');
SELECT is(pg_temp.told(), (SELECT string_agg(format('critical change 2025-07-08 few%s', to_char(i, 'FM00')), ', ' ORDER BY i) FROM generate_series(1, 20) i),
    '20 patients are 20 notices');
SELECT pg_temp.patients('many', 21, '2025-01-01');
SELECT is(pg_temp.told(), 'critical change 2025-07-08 many 21', '21 patients are one notice without a name');
DELETE FROM public.patients WHERE id = 'many07';
SELECT is(pg_temp.told(), 'resolved change 2025-07-08 many07', 'one of many is resolved by its name');
SELECT is(pg_temp.sums(), '40 40', 'the numbers add up');
SELECT pg_temp.patients('third', 22, '2025-01-01');
DELETE FROM public.patients WHERE id LIKE 'few%';
SELECT is(split_part(told, ',', 1) || ' and ' || cardinality(string_to_array(told, ', ')), 'critical change 2025-07-08 many 22 and 21',
    'the limit counts for each kind by itself: 22 are one notice, and 20 are 20') FROM pg_temp.told() told;
SELECT pg_temp.patients('fourth', 23, '2025-01-01');
DELETE FROM public.patients WHERE id LIKE 'third%';
SELECT is(pg_temp.told(), 'critical change 2025-07-08 many 23, resolved change 2025-07-08 many 22', 'a storm of changes is at most two notices');
UPDATE public.patients SET archived_at = '2025-07-08T00:00Z' WHERE id LIKE 'many%';
SELECT is(cardinality(string_to_array(told, ', ')), 20, '20 of them are archived, and told of by name') FROM pg_temp.told() told;
SELECT is(pg_temp.sums(), '23 23', 'storms in both directions add up');
SELECT pg_temp.patients('one', 20, '2025-05-25');
SELECT pg_temp.patients('two', 21, '2025-05-26');
SELECT is(pg_temp.told(), 'nothing', '41 patients fall due at the next two midnights');
SELECT given.now('2025-07-10T00:00:00Z');
SELECT is(split_part(told, ', ', 20) || ', ' || split_part(told, ', ', 21) || split_part(told, ', ', 22), 'critical time 2025-07-09 one20, critical time 2025-07-10 many 21',
    'each midnight has its own limit') FROM pg_temp.told() told;
SELECT given.now('2025-07-08T12:00:00Z');
SELECT is(pg_temp.told(), 'resolved clock 2025-07-08 many 41', 'a clock that is set back is one step');
SELECT given.now('2025-07-10T00:00:00Z');
SELECT isnt(pg_temp.told(), 'nothing', 'and forward again');
TRUNCATE public.patients CASCADE;
SELECT is(pg_temp.told(), 'resolved change 2025-07-10 many 64', 'all are resolved');

-- Today goes back.
SELECT given.patient('p1', '2025-05-26T09:00Z');
SELECT given.patient('p2', '2025-05-25T09:00Z');
SELECT is(pg_temp.told(), 'critical change 2025-07-10 p1, critical change 2025-07-10 p2', 'two critical patients, one since today and one since yesterday');
SELECT given.now('2025-07-09T23:00:00Z');
SELECT is(pg_temp.told(), 'resolved clock 2025-07-09 p1', 'today goes back: the one since today is resolved, with the new today');
SELECT given.now('2025-07-10T00:00:00Z');
SELECT is(pg_temp.told(), 'critical time 2025-07-10 p1', 'at the next midnight it is told of again');
SELECT given.now('2025-07-08T23:00:00Z');
SELECT given.patient('p3', '2025-01-01T00:00Z');
DELETE FROM public.patients WHERE id = 'p2';
SELECT is(pg_temp.told(), 'resolved clock 2025-07-08 p1, resolved clock 2025-07-08 p2, critical change 2025-07-08 p3', 'first the clock, then the rows at the new day');
TRUNCATE public.patients CASCADE;
SELECT is(pg_temp.told(), 'resolved change 2025-07-08 p3', 'all are resolved');

-- Another zone.
SELECT given.now('2025-07-10T02:00:00Z');
SELECT is(pg_temp.told(), 'nothing', 'midnights without a patient who falls due tell of nobody');
SELECT given.patient('p1', '2025-05-26T12:00Z');
SELECT given.patient('p2', '2025-05-27T12:00Z');
SELECT is(pg_temp.told(), 'critical change 2025-07-10 p1', 'critical since 10 July in UTC');
UPDATE public.organizations SET time_zone = 'Pacific/Honolulu';
SELECT is(pg_temp.told(), 'resolved clock 2025-07-09 p1', 'further west it is still 9 July');
UPDATE public.organizations SET time_zone = 'Australia/Sydney';
SELECT is(pg_temp.told(), 'critical time 2025-07-10 p1', 'further east it is 10 July again');
-- The contact of 26 May at 14:30 in UTC is of 27 May in Sydney.
SELECT given.conversation('p1', '2025-05-26T14:30Z');
SELECT given.now('2025-07-10T14:00:00Z');
SELECT is(pg_temp.told(), 'resolved change 2025-07-10 p1, critical time 2025-07-11 p1, critical time 2025-07-11 p2', 'first the rows at the day announced before, then midnight');
UPDATE public.organizations SET time_zone = 'UTC';
SELECT is(pg_temp.told(), 'resolved clock 2025-07-10 p1, resolved clock 2025-07-10 p2, critical change 2025-07-10 p1', 'back to UTC: first the clock, then the rows');

-- A rebuild, and emptied derived data.
INSERT INTO re.pending_change (organization_id) VALUES ('clinic');
SELECT is(pg_temp.told(), 'nothing', 'a rebuild tells of nobody');
INSERT INTO re.pending_change (organization_id) VALUES ('clinic');
SELECT is(pg_temp.told(most => 1), 'nothing', 'in portions neither');
SELECT pg_temp.empty_derived_data();
SELECT is(pg_temp.told(most => 1), 'nothing', 'emptied derived data are built again without a notice, and are no new baseline');
SELECT given.patient('p0', '2025-01-01T00:00Z');
DELETE FROM public.patients WHERE id = 'p1';
SELECT pg_temp.empty_derived_data();
DELETE FROM re.pending_change;
SELECT is(pg_temp.told(), 'critical change 2025-07-10 p0, resolved change 2025-07-10 p1', 'a rebuild tells of what differs');
SELECT pg_temp.empty_derived_data();
SELECT given.now('2025-07-11T10:00:00Z');
SELECT is(pg_temp.told(most => 1), 'critical time 2025-07-11 p2', 'a midnight during a rebuild is told of as a midnight');

-- The 30 days.
SELECT is(pg_temp.sums(), '2 2', 'two patients are critical');
UPDATE re.notice SET written_at = clock_timestamp() - interval '30 days' + interval '1 hour';
SELECT given.patient('p4', '2025-01-01T00:00Z');
SELECT is(pg_temp.told(), 'critical change 2025-07-11 p4', 'before 30 days have passed');
SELECT is(min(notice.sequence), 1::bigint, 'every notice is kept') FROM re.notice;
UPDATE re.notice SET written_at = clock_timestamp() - interval '30 days 1 second' WHERE sequence <= (SELECT sequence - 2 FROM re.announcement);
SELECT given.patient('p5', '2025-01-01T00:00Z');
SELECT is(pg_temp.told(), 'critical change 2025-07-11 p5', 'after 30 days');
SELECT is(announcement.sequence - min(notice.sequence), 2::bigint, 'older notices are dropped, and the others kept') FROM re.notice, re.announcement GROUP BY announcement.sequence;
SELECT is(pg_temp.sums(), '4 4', 'the baseline contains those that were dropped');
UPDATE re.notice SET written_at = '2020-01-01Z';
UPDATE public.patients SET name = 'Another' WHERE id = 'p5';
SELECT is(pg_temp.told(), 'nothing', 'all are dropped');
SELECT is((SELECT count(*) FROM re.notice)::text || ' ' || baseline, '0 4', 'then the baseline is everybody') FROM re.announcement;

-- re.skip_notices.
DELETE FROM public.patients WHERE id = 'p5';
SELECT is(pg_temp.told(), 'resolved change 2025-07-11 p5', 'numbers go on after all notices were dropped');
CREATE TEMPORARY TABLE before AS SELECT announcement.sequence, probe.state FROM re.announcement, re.probe('clinic') probe;
SELECT lives_ok('SELECT re.skip_notices()', 'an operator skips the notices');
SELECT is((announcement.sequence - before.sequence, (SELECT count(*) FROM re.notice))::text, '(1000000,0)', 'the numbers rise by a million, and no notice is kept') FROM before, re.announcement;
SELECT is(pg_temp.sums(), '3 3', 'the baseline contains the dropped ones');
SELECT ok(before.state <> probe.state, 'no cached response with the former numbers is used') FROM before, re.probe('clinic') probe;
DELETE FROM public.patients WHERE id = 'p4';
SELECT is(pg_temp.told(), 'resolved change 2025-07-11 p4', 'the next notice');
SELECT is((SELECT sequence FROM re.notice), before.sequence + 1000001, 'has the next number') FROM before;
SET LOCAL ROLE reengagement_api;
SELECT throws_ok('SELECT re.skip_notices()', '42501', NULL, 'the server''s role may not skip notices');
RESET ROLE;

-- Midnights of unusual days.
CREATE FUNCTION pg_temp.zone(id text, zone text, now text) RETURNS text LANGUAGE sql AS $$
    SELECT given.now(now), given.clinic(id, zone);
    SELECT pg_temp.told(id);
$$;
SELECT is(pg_temp.zone('apia', 'Pacific/Apia', '2011-12-30T09:59:59Z'), 'nothing', 'Apia, a second before 31 December 2011');
SELECT given.patient('skipped', '2011-11-15T12:00Z', organization => 'apia');
SELECT given.patient('last', '2011-11-14T23:00Z', organization => 'apia');
SELECT given.patient('next', '2011-11-16T23:00Z', organization => 'apia');
SELECT is(pg_temp.told('apia'), 'critical change 2011-12-29 last', 'it is 29 December');
SELECT given.now('2011-12-30T10:00:00Z');
SELECT is(pg_temp.told('apia'), 'critical time 2011-12-30 skipped, critical time 2011-12-31 next', 'it is 31 December: the day that the zone skipped has passed too');
SELECT is(pg_temp.zone('santiago', 'America/Santiago', '2025-09-07T03:59:59.999999Z'), 'nothing', 'Santiago, before a midnight that does not exist');
SELECT given.patient('p', '2025-07-24T12:00Z', organization => 'santiago');
SELECT is(pg_temp.told('santiago'), 'nothing', 'it is 6 September');
SELECT given.now('2025-09-07T04:00:00Z');
SELECT is(pg_temp.told('santiago'), 'critical time 2025-09-07 p', '7 September begins at 01:00');
SELECT is(pg_temp.zone('ny', 'America/New_York', '2025-03-09T04:59:59Z'), 'nothing', 'New York, before the day of 23 hours');
SELECT given.patient(day::text, (day - 45 + time '12:00') AT TIME ZONE 'UTC', organization => 'ny') FROM unnest(ARRAY['2025-03-09', '2025-03-10', '2025-11-02', '2025-11-03']::date[]) day;
SELECT is(string_agg(at || ' ' || told, '; ' ORDER BY at),
    '2025-03-09T04:59:59Z nothing; 2025-03-09T05:00:00Z critical time 2025-03-09 2025-03-09; 2025-03-10T03:59:59Z nothing; 2025-03-10T04:00:00Z critical time 2025-03-10 2025-03-10; '
    '2025-11-02T03:59:59Z nothing; 2025-11-02T04:00:00Z critical time 2025-11-02 2025-11-02; 2025-11-03T04:59:59Z nothing; 2025-11-03T05:00:00Z critical time 2025-11-03 2025-11-03',
    'the days of 23 and of 25 hours begin and end at local midnight')
FROM (SELECT at, (SELECT pg_temp.told('ny') FROM (SELECT given.now(at)) moved) AS told FROM unnest(ARRAY['2025-03-09T04:59:59Z', '2025-03-09T05:00:00Z', '2025-03-10T03:59:59Z',
    '2025-03-10T04:00:00Z', '2025-11-02T03:59:59Z', '2025-11-02T04:00:00Z', '2025-11-03T04:59:59Z', '2025-11-03T05:00:00Z']) at) moments;
SELECT is(pg_temp.zone('st_johns', 'America/St_Johns', '2010-11-07T02:29:59Z'), 'nothing', 'St John''s, before the midnight after which the clock goes back');
SELECT given.patient('p', '2010-09-23T12:00Z', organization => 'st_johns');
SELECT is(pg_temp.told('st_johns'), 'nothing', 'it is 6 November');
SELECT given.now('2010-11-07T02:30:30Z');
SELECT is(pg_temp.told('st_johns'), 'critical time 2010-11-07 p', 'it is 7 November for a minute');
SELECT given.now('2010-11-07T02:45:00Z');
SELECT is(pg_temp.told('st_johns'), 'resolved clock 2010-11-06 p', 'it is 6 November again');
SELECT given.now('2010-11-07T03:30:00Z');
SELECT is(pg_temp.told('st_johns'), 'critical time 2010-11-07 p', 'it is 7 November again');

-- An organization is deleted, and comes back.
DELETE FROM public.organizations WHERE id = 'st_johns';
SELECT is(pg_temp.told('st_johns'), 'resolved change 2010-11-07 p', 'the patients of a deleted organization are resolved');
SELECT given.clinic('st_johns');
SELECT given.patient('p', '2010-09-20T12:00Z', organization => 'st_johns');
SELECT is(pg_temp.told('st_johns'), 'critical change 2010-11-07 p', 'an organization that comes back goes on with its numbers');
SELECT is(string_agg(sequence::text, ' ' ORDER BY sequence), '1 2 3 4 5', 'without a gap') FROM re.notice WHERE organization_id = 'st_johns';

SELECT * FROM finish();
ROLLBACK;
