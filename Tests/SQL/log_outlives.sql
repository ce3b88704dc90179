-- An attempt of a patient who is not there counts as that of one not yet created: in outreach figures, nowhere else
-- (definitions.md, sections 1 and 3); in the flat answers as in the plain ones, and after a build as after an advance.
BEGIN;
\ir support/given.sql
SELECT plan(17);
SELECT given.now('2025-06-30T12:00:00Z');
SET LOCAL reengagement.organization = 'clinic';

CREATE FUNCTION pg_temp.build() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE re.organization_state SET building_after = '' WHERE organization_id = 'clinic';
    DELETE FROM re.patient_state;
    DELETE FROM re.patient_search;
    DELETE FROM re.patient_count;
    DELETE FROM re.risk_day;
    DELETE FROM re.outreach_day;
END $$;
-- Attempts and successes of a week and today's; failures and patients told by the alerts; patients listed.
CREATE FUNCTION pg_temp.figures(kind text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    FOR portion IN 1..100 LOOP
        EXIT WHEN NOT (SELECT a.remaining FROM re.advance('clinic', 1) a);
    END LOOP;
    EXECUTE format($query$
        SELECT concat_ws(' ', p.outreach_attempts, p.successful_contacts,
            (SELECT t.outreach_attempts FROM re.%1$strends('clinic', 7) t WHERE t.date = '2025-06-30'), r.failed_communications,
            r.critical + r.high + r.medium + r.low + r.engaged, d.total_patients)
        FROM re.%1$sperformance('clinic', 'last_7_days') p, re.%1$srisk_metrics('clinic') r, re.%1$sdashboard('clinic') d
        $query$, kind) INTO found;
    RETURN found;
END $$;

SELECT given.clinic();
SELECT given.patient('p1');
SELECT given.patient('p2');
SELECT given.outreach('p1', '2025-06-30T09:00Z', 'success');
SELECT given.outreach('p1', '2025-06-29T09:00Z', 'failed');
SELECT given.outreach('p2', '2025-06-30T10:00Z', 'failed');
SELECT given.outreach('p2', '2025-06-30T12:00:01Z', 'success');
SELECT is(pg_temp.figures(kind), '3 1 2 2 2 2', kind || 'while the patients are there') FROM unnest(ARRAY['plain_', 'flat_']) kind;
TRUNCATE patients CASCADE;
SELECT is(pg_temp.figures(kind), '3 1 2 0 0 0', kind || 'when they are not') FROM unnest(ARRAY['plain_', 'flat_']) kind;
SELECT is((SELECT string_agg(patient_id || ' ' || coalesce(risk_group::text, 'none') || cardinality(contact_days), ', ' ORDER BY patient_id) FROM re.patient_state),
    'p1 none0, p2 none0', 'no state counts them');
SELECT is((SELECT count(*) FROM re.patient_search), 0::bigint, 'and no search finds them');
SELECT is(valid_until, '2025-06-30T12:00:01Z'::timestamptz, 'until the next attempt counts') FROM re.organization_state WHERE organization_id = 'clinic';
SELECT given.now('2025-06-30T12:00:01Z');
SELECT is(pg_temp.figures(kind), '4 2 3 0 0 0', kind || 'which it does in time') FROM unnest(ARRAY['plain_', 'flat_']) kind;
SELECT pg_temp.build();
SELECT is(pg_temp.figures('flat_'), '4 2 3 0 0 0', 'a build of log and patients comes to the same');
SELECT is((SELECT sum(d0) FROM re.risk_day), NULL, 'and counts no contact');
SELECT given.patient('p1');
SELECT is(pg_temp.figures(kind), '4 2 3 1 1 1', kind || 'when one is there again') FROM unnest(ARRAY['plain_', 'flat_']) kind;
SELECT is((given.row_of('p1')).last_contact_day, date '2025-06-30', 'with its contacts');
SELECT pg_temp.build();
SELECT is(pg_temp.figures('flat_'), '4 2 3 1 1 1', 'built');
DELETE FROM patients;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT is(pg_temp.figures(kind), '2 1 2 0 0 0', kind || 'and gone with them when it is deleted') FROM unnest(ARRAY['plain_', 'flat_']) kind;

SELECT * FROM finish();
ROLLBACK;
