-- Each organization is compared in one snapshot: its pending changes are applied in the same transaction, so writers
-- need not pause.
SET client_min_messages = notice;
\i session.sql
SET search_path = pg_catalog;
\o /dev/null
CREATE TEMPORARY TABLE fault (organization_id text, what text);
CREATE TEMPORARY TABLE compared (organization_id text);
\i questions.sql
CREATE TEMPORARY TABLE walked (nr bigserial, priority integer, score integer, days integer, name text, id text, answer text);

CREATE FUNCTION pg_temp.note(organization text, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pg_temp.fault VALUES (organization, what);
    IF (SELECT count(*) FROM pg_temp.fault f WHERE f.organization_id = organization) <= 20 THEN
        RAISE WARNING '%: %', organization, what;
    END IF;
END $$;

CREATE FUNCTION pg_temp.compare(organization text, call text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    difference text;
BEGIN
    EXECUTE format($query$
        SELECT format('flat %%s, plain %%s', coalesce(f.answer, 'nothing'), coalesce(p.answer, 'nothing'))
        FROM (SELECT row_number() OVER () AS nr, t::text AS answer FROM re.flat_%1$s t) f
        FULL JOIN (SELECT row_number() OVER () AS nr, t::text AS answer FROM re.plain_%1$s t) p USING (nr)
        WHERE f.answer IS DISTINCT FROM p.answer
        ORDER BY nr
        LIMIT 1
        $query$, format(call, quote_literal(organization))) INTO difference;
    IF difference IS NOT NULL THEN
        PERFORM pg_temp.note(organization, format('%s: %s', format(call, quote_literal(organization)), difference));
    END IF;
END $$;

-- Compares the list, read page by page, with the plain list, notes included. A cursor may contain a truncated name.
CREATE FUNCTION pg_temp.walk(organization text, sort text DEFAULT 'priority', level text DEFAULT NULL, status text DEFAULT NULL,
    priority integer DEFAULT NULL, tier text DEFAULT NULL, q text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last record;
    page integer;
    difference text;
BEGIN
    TRUNCATE pg_temp.walked RESTART IDENTITY;
    SELECT NULL::integer AS priority, NULL::integer AS score, NULL::integer AS days, NULL::text AS name, NULL::text AS id INTO last;
    LOOP
        INSERT INTO pg_temp.walked (priority, score, days, name, id, answer)
        SELECT t.action_priority, t.risk_score, t.days_since_last_contact, left(t.sort_name, 50), t.id, t::text
        FROM re.flat_prioritized_patients(organization, level, status, priority, tier, q, sort, true, 200,
            last.priority, last.score, last.days, last.name, last.id) t
        WHERE t.id IS NOT NULL;
        GET DIAGNOSTICS page = ROW_COUNT;
        EXIT WHEN page < 200;
        SELECT * INTO last FROM pg_temp.walked w ORDER BY w.nr DESC LIMIT 1;
    END LOOP;
    SELECT format('flat %s, plain %s', coalesce(f.answer, 'nothing'), coalesce(p.answer, 'nothing')) INTO difference
    FROM (SELECT w.nr, w.answer FROM pg_temp.walked w) f
    FULL JOIN (SELECT row_number() OVER () AS nr, t::text AS answer
        FROM re.plain_prioritized_patients(organization, level, status, priority, tier, q, sort, true, NULL, NULL, NULL, NULL, NULL, NULL) t
        WHERE t.id IS NOT NULL) p USING (nr)
    WHERE f.answer IS DISTINCT FROM p.answer
    ORDER BY nr
    LIMIT 1;
    IF difference IS NOT NULL THEN
        PERFORM pg_temp.note(organization, format('walk by %s through %s: %s', sort, coalesce(concat_ws(' ', level, status, priority, tier, quote_literal(q)), 'all'), difference));
    END IF;
END $$;

CREATE FUNCTION pg_temp.compare_states(organization text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    patients text[];
    last text := '';
    difference text;
    done bigint := 0;
BEGIN
    LOOP
        patients := re.patients_after(organization, last, 10000);
        EXIT WHEN patients = '{}';
        FOR difference IN
            WITH kept AS (
                SELECT s.patient_id::text, s.risk_group, s.last_contact_day, s.contact_days, s.missed_days, s.attempts,
                    s.valid_from, s.valid_until, s.day_from, s.day_until, s.folded_name, s.folded_email, s.phone_digits,
                    coalesce((SELECT p.pieces FROM re.patient_search p
                        WHERE p.organization_id = organization AND p.patient_id = s.patient_id), '{}') AS pieces
                FROM re.patient_state s WHERE s.organization_id = organization AND s.patient_id = ANY (patients)
            ), fresh AS (
                SELECT f.patient_id::text, f.risk_group, f.last_contact_day, f.contact_days, f.missed_days, f.attempts,
                    f.valid_from, f.valid_until, f.day_from, f.day_until, f.folded_name, f.folded_email, f.phone_digits, f.pieces
                FROM re.fresh_state(organization, patients) f
            )
            SELECT 'state kept: ' || k::text FROM (TABLE kept EXCEPT TABLE fresh) k
            UNION ALL
            SELECT 'state should be: ' || f::text FROM (TABLE fresh EXCEPT TABLE kept) f
            UNION ALL
            SELECT format('%s is searched, but has no state that counts', p.patient_id)
            FROM re.patient_search p
            WHERE p.organization_id = organization AND p.patient_id = ANY (patients) AND NOT EXISTS (
                SELECT FROM re.patient_state s WHERE s.organization_id = organization AND s.patient_id = p.patient_id AND s.risk_group IS NOT NULL)
        LOOP
            PERFORM pg_temp.note(organization, difference);
        END LOOP;
        last := patients[cardinality(patients)];
        done := done + cardinality(patients);
        IF cardinality(patients) = 10000 THEN
            RAISE NOTICE '%: % states compared', organization, done;
        END IF;
    END LOOP;
END $$;

-- Compares the counters with numbers from the plain views, computed in the simplest way.
CREATE FUNCTION pg_temp.compare_counters(organization text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    difference text;
BEGIN
    FOR difference IN
        WITH span AS MATERIALIZED (
            SELECT s.from_day, s.to_day FROM re.contact_span s WHERE s.organization_id = organization AND s.from_day < s.to_day
        ), attempt AS MATERIALIZED (
            SELECT a.*, EXISTS (SELECT FROM re.patient p WHERE p.organization_id = organization AND p.id = a.patient_id) AS exists
            FROM re.attempt a WHERE a.organization_id = organization
        ), member AS MATERIALIZED (
            SELECT v.last_contact_day, re.risk_group(v.next_scheduled_appointment IS NOT NULL, v.engagement_status,
                v.missed_appointments_last_90d) AS risk_group
            FROM public.patient_reengagement_master_view v WHERE v.organization_id = organization
        ), counter(name, number) AS (
            SELECT format('patient_count %s %s', m.risk_group, m.last_contact_day), count(*) FROM member m GROUP BY m.risk_group, m.last_contact_day
            UNION ALL SELECT format('patient_count %s -infinity', m.risk_group), count(*) FROM member m GROUP BY m.risk_group
            UNION ALL
            SELECT format('risk_day %s %s', c.day, c.kind), c.number
            FROM span s
            CROSS JOIN LATERAL (
                SELECT s.from_day + t.days AS day, CASE t.days WHEN 30 THEN 'new_at_risk' ELSE 'd' || t.days END AS kind, 1 AS number
                FROM unnest(ARRAY[0, 7, 14, 30, 45]) AS t(days) WHERE s.from_day + t.days < s.to_day
                UNION ALL
                SELECT s.to_day, CASE t.days WHEN 30 THEN 'reengaged' ELSE 'd' || t.days END, CASE t.days WHEN 30 THEN 1 ELSE -1 END
                FROM unnest(ARRAY[0, 7, 14, 30, 45]) AS t(days) WHERE s.from_day + t.days < s.to_day AND s.to_day < 'infinity'
            ) c
            UNION ALL SELECT format('risk_day %s missed', m.day), 1 FROM re.missed_appointment m WHERE m.organization_id = organization
            UNION ALL SELECT format('risk_day %s failed', a.day), 1 FROM attempt a WHERE a.outcome = 'failed' AND a.exists
            UNION ALL
            SELECT format('outreach_day %s %s %s', c.day, a.method, c.kind), c.number
            FROM attempt a
            CROSS JOIN LATERAL (VALUES (a.day, 'attempts', 1), (a.day, 'successes', (a.outcome = 'success')::integer),
                (a.day, 'failed', (a.outcome = 'failed')::integer),
                (a.day, 'opened', (a.outcome = 'success' OR a.opened)::integer),
                (a.day, 'converted', (a.converted_at IS NOT NULL)::integer),
                (a.day, 'microseconds', extract(epoch FROM a.converted_at - a.created_at) * 1000000),
                (a.converted_day, 'booked', (a.converted_at IS NOT NULL)::integer)) AS c(day, kind, number)
        ), kept(name, number) AS (
            SELECT format('patient_count %s %s', c.risk_group, c.last_contact_day), c.number FROM re.patient_count c WHERE c.organization_id = organization
            UNION ALL
            SELECT format('risk_day %s %s', r.day, c.kind), c.number
            FROM re.risk_day r
            CROSS JOIN LATERAL (VALUES ('d0', r.d0), ('d7', r.d7), ('d14', r.d14), ('d45', r.d45), ('new_at_risk', r.new_at_risk),
                ('reengaged', r.reengaged), ('missed', r.missed), ('failed', r.failed)) AS c(kind, number)
            WHERE r.organization_id = organization
            UNION ALL
            SELECT format('outreach_day %s %s %s', o.day, o.method, c.kind), c.number
            FROM re.outreach_day o
            CROSS JOIN LATERAL (VALUES ('attempts', o.attempts), ('successes', o.successes), ('failed', o.failed),
                ('opened', o.opened), ('converted', o.converted), ('microseconds', o.microseconds_to_booking),
                ('booked', o.booked)) AS c(kind, number)
            WHERE o.organization_id = organization
        )
        SELECT format('counter %s: %s kept, %s counted', b.name, coalesce(sum(b.number) FILTER (WHERE b.is_kept), 0),
            coalesce(sum(b.number) FILTER (WHERE NOT b.is_kept), 0))
        FROM (SELECT k.name, k.number, true AS is_kept FROM kept k UNION ALL SELECT c.name, c.number, false FROM counter c) b
        GROUP BY b.name
        HAVING coalesce(sum(b.number) FILTER (WHERE b.is_kept), 0) <> coalesce(sum(b.number) FILTER (WHERE NOT b.is_kept), 0)
    LOOP
        PERFORM pg_temp.note(organization, difference);
    END LOOP;
END $$;

-- Parts of the name, the e-mail address and the phone number of one patient.
CREATE FUNCTION pg_temp.some_searches(organization text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT s.piece
    FROM (SELECT * FROM public.patients p WHERE p.organization_id = organization ORDER BY md5(p.id) LIMIT 1) p
    CROSS JOIN LATERAL (VALUES (trim(substr(p.name, 2, 4))), (trim(substr(p.email, 3, 6))), (substr(re.digits(p.phone), 3, 5))) AS s(piece)
    WHERE length(s.piece) >= 3 AND re.folded(s.piece) <> ''
$$;

-- A login that sees no patients would compare two empty results and find them equal.
CREATE FUNCTION pg_temp.compare_sight(organization text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    there bigint := (SELECT count(*) FROM public.patients p WHERE p.organization_id = organization
        AND p.created_at <= re.now() AND (p.archived_at IS NULL OR p.archived_at > re.now()));
    seen bigint := (SELECT count(*) FROM public.patient_reengagement_master_view v WHERE v.organization_id = organization);
BEGIN
    IF seen <> there THEN
        PERFORM pg_temp.note(organization, format('the views show %s of %s patients to %s', seen, there, current_user));
    END IF;
END $$;

CREATE FUNCTION pg_temp.compare_all(organization text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    call text;
    sort text;
    q text;
BEGIN
    PERFORM pg_temp.compare_sight(organization);
    FOR call IN SELECT q.call FROM pg_temp.question q WHERE q.has_flat ORDER BY q.call LOOP
        PERFORM pg_temp.compare(organization, call);
    END LOOP;
    FOREACH sort IN ARRAY ARRAY['priority', 'name', 'last_contact'] LOOP
        PERFORM pg_temp.walk(organization, sort);
        PERFORM pg_temp.walk(organization, sort, status => 'dormant', tier => 'medium');
        FOR q IN SELECT * FROM pg_temp.some_searches(organization) LOOP
            PERFORM pg_temp.walk(organization, sort, q => q);
            PERFORM pg_temp.walk(organization, sort, priority => 2, q => q);
        END LOOP;
    END LOOP;
    PERFORM pg_temp.walk(organization, level => l) FROM unnest(ARRAY['critical', 'high', 'medium', 'low', 'engaged']) AS l;
    PERFORM pg_temp.walk(organization, status => s) FROM unnest(ARRAY['active', 'dormant', 'stale']) AS s;
    PERFORM pg_temp.walk(organization, priority => p) FROM generate_series(1, 4) AS p;
    PERFORM pg_temp.walk(organization, tier => t) FROM unnest(ARRAY['high', 'medium', 'low']) AS t;
    PERFORM pg_temp.compare_states(organization);
    PERFORM pg_temp.compare_counters(organization);
END $$;

-- An error in one organization is recorded, and the others are compared. True: there are further pending changes.
CREATE FUNCTION pg_temp.advance(organization text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT a.remaining AND NOT a.busy FROM re.advance(organization, 1000) a);
EXCEPTION WHEN OTHERS THEN
    PERFORM pg_temp.note(organization, 'could not be brought up to date: ' || SQLERRM);
    RETURN NULL;
END $$;

-- False: the data are not current. In a transaction with one snapshot another session's advance may have intervened.
CREATE FUNCTION pg_temp.is_compared(organization text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM re.advance(organization, 100000);
    IF NOT re.is_current(organization) THEN
        RETURN false;
    END IF;
    PERFORM pg_temp.compare_all(organization);
    INSERT INTO pg_temp.compared VALUES (organization);
    RETURN true;
EXCEPTION
    WHEN serialization_failure THEN
        RETURN false;
    WHEN OTHERS THEN
        PERFORM pg_temp.note(organization, 'could not be compared: ' || SQLERRM);
        RETURN true;
END $$;

CREATE PROCEDURE pg_temp.verify(organization text) LANGUAGE plpgsql AS $$
DECLARE
    remaining boolean;
    found_before bigint := (SELECT count(*) FROM pg_temp.fault);
    faults bigint;
BEGIN
    PERFORM set_config('reengagement.organization', organization, false);
    FOR attempt IN 1..50 LOOP
        LOOP
            remaining := pg_temp.advance(organization);
            COMMIT;
            IF remaining IS NULL THEN
                RETURN;
            END IF;
            EXIT WHEN NOT remaining;
        END LOOP;
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        IF pg_temp.is_compared(organization) THEN
            faults := (SELECT count(*) FROM pg_temp.fault) - found_before;
            RAISE NOTICE '%: %', organization, CASE faults WHEN 0 THEN 'equal' ELSE faults || ' differences' END;
            COMMIT;
            RETURN;
        END IF;
        ROLLBACK;
        PERFORM pg_sleep(0.1);
    END LOOP;
    PERFORM pg_temp.note(organization, 'could not be brought up to date: others hold its lock');
    COMMIT;
END $$;

SELECT pg_temp.note('what answers rest on', f.fault || '; run migrate') FROM re.foundation_faults() f;
DO $$
BEGIN
    IF current_setting('reengagement.now', true) <> '' THEN
        RAISE NOTICE 'reengagement.now is set to %: every answer is as of then', current_setting('reengagement.now');
    END IF;
    -- Skipped without a message for a login that may only read.
    IF has_function_privilege('re.prove_audit()', 'EXECUTE') THEN
        PERFORM re.prove_audit();
    END IF;
EXCEPTION WHEN OTHERS THEN
    PERFORM pg_temp.note('the audit', 'takes no entry: ' || SQLERRM);
END $$;
-- All sealed entries and seals exist unchanged. Skipped without a message for a login that may not read all of them.
DO $$
BEGIN
    IF has_table_privilege('re.audit', 'SELECT') AND has_table_privilege('re.audit_seal', 'SELECT')
        AND has_function_privilege('re.audit_faults()', 'EXECUTE') AND NOT re.is_bound()
    THEN
        PERFORM pg_temp.note(coalesce(nullif(f.organization_id, ''), 'the audit'), 'the audit: ' || f.fault)
        FROM re.audit_faults() f;
        RAISE NOTICE 'the audit: % entries, % seals, % since the last seal', (SELECT count(*) FROM re.audit),
            (SELECT count(*) FROM re.audit_seal), (SELECT count(*) FROM re.audit a WHERE a.transaction >= (
                SELECT coalesce(max(s.to_transaction), 0) FROM re.audit_seal s));
    END IF;
END $$;
DO $$
DECLARE
    owner text := (SELECT min(r.rolname) FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
        WHERE p.pronamespace = 're'::regnamespace AND p.prosecdef AND r.rolsuper);
BEGIN
    IF owner IS NOT NULL THEN
        RAISE WARNING 'functions that run with the rights of their owner belong to the superuser %; docs/operating.md ("Install") says how another comes to own them',
            owner;
    END IF;
END $$;
SELECT pg_temp.note('the registry', format('endpoints/%s.sql has no sample question, so %s is not compared', f.name, f.oid))
FROM (SELECT p.oid::regprocedure AS oid, substr(p.proname, length('flat_') + 1) AS name
    FROM pg_proc p WHERE p.pronamespace = 're'::regnamespace AND starts_with(p.proname, 'flat_')) f
JOIN pg_proc p ON p.pronamespace = 're'::regnamespace AND p.proname = 'plain_' || f.name
WHERE f.name NOT IN (SELECT q.name FROM question q);
SELECT pg_temp.note(o.id, 'has no organization_state')
FROM public.organizations o WHERE NOT EXISTS (SELECT FROM re.organization_state s WHERE s.organization_id = o.id);
SELECT format('CALL pg_temp.verify(%L)', s.organization_id)
FROM re.organization_state s
WHERE :'organization' IN ('', s.organization_id)
ORDER BY s.organization_id
\gexec
\o
SELECT (SELECT count(*) FROM fault), (SELECT count(*) FROM compared), re.is_bound();
