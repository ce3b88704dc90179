-- An attempt for a missing patient counts like that of a patient who is not yet created: only in the outreach figures
-- (definitions.md, sections 1 and 3). The flat and the plain queries agree, after a build and after an advance.
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
-- Attempts and successes of the week, attempts of today, failures and patients of the alerts, and listed patients.
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
SELECT is(pg_temp.figures(kind), '3 1 2 2 2 2', kind || 'while the patients exist') FROM unnest(ARRAY['plain_', 'flat_']) kind;
TRUNCATE patients CASCADE;
SELECT is(pg_temp.figures(kind), '3 1 2 0 0 0', kind || 'after the patients are deleted by TRUNCATE') FROM unnest(ARRAY['plain_', 'flat_']) kind;
SELECT is((SELECT string_agg(patient_id || ' ' || coalesce(risk_group::text, 'none') || cardinality(contact_days), ', ' ORDER BY patient_id) FROM re.patient_state),
    'p1 none0, p2 none0', 'no state counts the deleted patients');
SELECT is((SELECT count(*) FROM re.patient_search), 0::bigint, 'no search entry of them remains');
SELECT is(valid_until, '2025-06-30T12:00:01Z'::timestamptz, 'the data is valid until the next attempt counts') FROM re.organization_state WHERE organization_id = 'clinic';
SELECT given.now('2025-06-30T12:00:01Z');
SELECT is(pg_temp.figures(kind), '4 2 3 0 0 0', kind || 'at the time of the next attempt') FROM unnest(ARRAY['plain_', 'flat_']) kind;
SELECT pg_temp.build();
SELECT is(pg_temp.figures('flat_'), '4 2 3 0 0 0', 'a build from the log and the patients gives the same');
SELECT is((SELECT sum(d0) FROM re.risk_day), NULL, 'a build without patients counts no contact');
SELECT given.patient('p1');
SELECT is(pg_temp.figures(kind), '4 2 3 1 1 1', kind || 'with one patient created again') FROM unnest(ARRAY['plain_', 'flat_']) kind;
SELECT is((given.row_of('p1')).last_contact_day, date '2025-06-30', 'the patient has the contacts again');
SELECT pg_temp.build();
SELECT is(pg_temp.figures('flat_'), '4 2 3 1 1 1', 'a build gives the same');
DELETE FROM patients;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT is(pg_temp.figures(kind), '2 1 2 0 0 0', kind || 'after a deleted patient''s attempts are deleted') FROM unnest(ARRAY['plain_', 'flat_']) kind;

SELECT * FROM finish();
ROLLBACK;
