-- Each organization is compared in one snapshot: its pending changes are applied in the same transaction, so writers
-- need not pause.
SET client_min_messages = notice;
\i session.sql
SET search_path = pg_catalog;
\o /dev/null
CREATE TEMPORARY TABLE fault (organization_id text, what text);
CREATE TEMPORARY TABLE compared (organization_id text);
\i questions.sql
CREATE TEMPORARY TABLE walked (
    nr bigserial, priority integer, score integer, days integer, name text, id text, answer text);

CREATE FUNCTION pg_temp.note(organization text, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pg_temp.fault VALUES (organization, what);
    IF (SELECT count(*) FROM pg_temp.fault WHERE fault.organization_id = organization) <= 50 THEN
        RAISE WARNING '%: %', organization, what;
    END IF;
END $$;

CREATE FUNCTION pg_temp.compare(organization text, call text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    difference text;
BEGIN
    EXECUTE format($query$
        SELECT format('flat %%s, plain %%s', coalesce(flat.answer, 'nothing'), coalesce(plain.answer, 'nothing'))
        FROM (SELECT row_number() OVER () AS nr, response::text AS answer FROM re.flat_%1$s response) flat
        FULL JOIN (SELECT row_number() OVER () AS nr, response::text AS answer FROM re.plain_%1$s response) plain
            USING (nr)
        WHERE flat.answer IS DISTINCT FROM plain.answer
        ORDER BY nr
        LIMIT 1
        $query$, format(call, quote_literal(organization))) INTO difference;
    IF difference IS NOT NULL THEN
        PERFORM pg_temp.note(organization, format('%s: %s', format(call, quote_literal(organization)), difference));
    END IF;
END $$;

-- Compares the list, read page by page, with the plain list, notes included. A cursor may contain a truncated name.
CREATE FUNCTION pg_temp.walk(
    organization text, sort text DEFAULT 'priority', level text DEFAULT NULL, status text DEFAULT NULL,
    priority integer DEFAULT NULL, tier text DEFAULT NULL, search text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last record;
    page integer;
    difference text;
BEGIN
    TRUNCATE pg_temp.walked RESTART IDENTITY;
    SELECT NULL::integer AS priority, NULL::integer AS score, NULL::integer AS days, NULL::text AS name,
        NULL::text AS id
    INTO last;
    LOOP
        INSERT INTO pg_temp.walked (priority, score, days, name, id, answer)
        SELECT listed.action_priority, listed.risk_score, listed.days_since_last_contact, left(listed.sort_name, 50),
            listed.id, listed::text
        FROM re.flat_prioritized_patients(organization, level, status, priority, tier, search, sort, true, 200,
            last.priority, last.score, last.days, last.name, last.id) listed
        WHERE listed.id IS NOT NULL;
        GET DIAGNOSTICS page = ROW_COUNT;
        EXIT WHEN page < 200;
        SELECT * INTO last FROM pg_temp.walked ORDER BY walked.nr DESC LIMIT 1;
    END LOOP;
    SELECT format('flat %s, plain %s', coalesce(flat.answer, 'nothing'), coalesce(plain.answer, 'nothing'))
    INTO difference
    FROM (SELECT walked.nr, walked.answer FROM pg_temp.walked) flat
    FULL JOIN (SELECT row_number() OVER () AS nr, listed::text AS answer
        FROM re.plain_prioritized_patients(organization, level, status, priority, tier, search, sort, true,
            NULL, NULL, NULL, NULL, NULL, NULL) listed
        WHERE listed.id IS NOT NULL) plain USING (nr)
    WHERE flat.answer IS DISTINCT FROM plain.answer
    ORDER BY nr
    LIMIT 1;
    IF difference IS NOT NULL THEN
        PERFORM pg_temp.note(organization, format('walk by %s through %s: %s', sort,
            coalesce(concat_ws(' ', level, status, priority, tier, quote_literal(search)), 'all'), difference));
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
                SELECT state.patient_id::text, state.risk_group, state.last_contact_day, state.contact_days,
                    state.missed_days, state.attempts, state.valid_from, state.valid_until, state.day_from,
                    state.day_until, state.folded_name, state.folded_email, state.phone_digits, state.acknowledged_by,
                    state.acknowledged_at, state.acknowledged_until, state.acknowledgement_note,
                    coalesce((SELECT search.pieces FROM re.patient_search search
                        WHERE search.organization_id = organization AND search.patient_id = state.patient_id), '{}')
                        AS pieces
                FROM re.patient_state state
                WHERE state.organization_id = organization AND state.patient_id = ANY (patients)
            ), fresh AS (
                SELECT state.patient_id::text, state.risk_group, state.last_contact_day, state.contact_days,
                    state.missed_days, state.attempts, state.valid_from, state.valid_until, state.day_from,
                    state.day_until, state.folded_name, state.folded_email, state.phone_digits, state.acknowledged_by,
                    state.acknowledged_at, state.acknowledged_until, state.acknowledgement_note, state.pieces
                FROM re.fresh_state(organization, patients) state
            )
            SELECT 'state kept: ' || state::text FROM (TABLE kept EXCEPT TABLE fresh) state
            UNION ALL
            SELECT 'state should be: ' || state::text FROM (TABLE fresh EXCEPT TABLE kept) state
            UNION ALL
            SELECT format('%s is searched, but has no state that counts', search.patient_id)
            FROM re.patient_search search
            WHERE search.organization_id = organization AND search.patient_id = ANY (patients) AND NOT EXISTS (
                SELECT FROM re.patient_state state
                WHERE state.organization_id = organization AND state.patient_id = search.patient_id
                    AND state.risk_group IS NOT NULL)
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
            SELECT span.from_day, span.to_day FROM re.contact_span span
            WHERE span.organization_id = organization AND span.from_day < span.to_day
        ), attempt AS MATERIALIZED (
            SELECT attempt.*, EXISTS (SELECT FROM re.patient
                WHERE patient.organization_id = organization AND patient.id = attempt.patient_id) AS exists
            FROM re.attempt WHERE attempt.organization_id = organization
        ), member AS MATERIALIZED (
            SELECT master.last_contact_day, re.risk_group(master.next_scheduled_appointment IS NOT NULL,
                master.engagement_status, master.missed_appointments_last_90d) AS risk_group,
                EXISTS (SELECT FROM re.acknowledgement(organization, master.patient_id,
                    master.last_contact_day + re.critical_risk_days())) AS is_acknowledged
            FROM public.patient_reengagement_master_view master WHERE master.organization_id = organization
        ), threshold(days, reached, ended, change) AS (
            -- A span counts in a column from its day on. Its end takes it out again, or counts as a return.
            VALUES (0, 'd0', 'd0', -1), (re.low_risk_days(), 'd7', 'd7', -1), (re.medium_risk_days(), 'd14', 'd14', -1),
                (re.high_risk_days(), 'new_at_risk', 'reengaged', 1), (re.critical_risk_days(), 'd45', 'd45', -1)
        ), counter(name, number) AS (
            SELECT format('patient_count %s %s', member.risk_group, member.last_contact_day), count(*)
            FROM member GROUP BY member.risk_group, member.last_contact_day
            UNION ALL
            SELECT format('patient_count %s -infinity', member.risk_group), count(*)
            FROM member GROUP BY member.risk_group
            UNION ALL
            SELECT format('patient_count %s %s acknowledged', member.risk_group, day), count(*)
            FROM member CROSS JOIN LATERAL unnest(ARRAY[member.last_contact_day, '-infinity']) AS day
            WHERE member.is_acknowledged
            GROUP BY member.risk_group, day
            UNION ALL
            SELECT format('risk_day %s %s', counter.day, counter.kind), counter.number
            FROM span
            CROSS JOIN threshold
            CROSS JOIN LATERAL (
                SELECT span.from_day + threshold.days AS day, threshold.reached AS kind, 1 AS number
                UNION ALL
                SELECT span.to_day, threshold.ended, threshold.change WHERE span.to_day < 'infinity'
            ) counter
            WHERE span.from_day + threshold.days < span.to_day
            UNION ALL
            SELECT format('risk_day %s missed', missed.day), 1
            FROM re.missed_appointment missed WHERE missed.organization_id = organization
            UNION ALL
            SELECT format('risk_day %s failed', attempt.day), 1
            FROM attempt WHERE attempt.outcome = 'failed' AND attempt.exists
            UNION ALL
            SELECT format('outreach_day %s %s %s', counter.day, attempt.method, counter.kind), counter.number
            FROM attempt
            CROSS JOIN LATERAL (VALUES (attempt.day, 'attempts', 1),
                (attempt.day, 'successes', (attempt.outcome = 'success')::integer),
                (attempt.day, 'failed', (attempt.outcome = 'failed')::integer),
                (attempt.day, 'opened', (attempt.outcome = 'success' OR attempt.opened)::integer),
                (attempt.day, 'converted', (attempt.converted_at IS NOT NULL)::integer),
                (attempt.day, 'microseconds', extract(epoch FROM attempt.converted_at - attempt.created_at) * 1000000),
                (attempt.converted_day, 'booked', (attempt.converted_at IS NOT NULL)::integer))
                AS counter(day, kind, number)
        ), kept(name, number) AS (
            SELECT format('patient_count %s %s', counter.risk_group, counter.last_contact_day), counter.number
            FROM re.patient_count counter WHERE counter.organization_id = organization
            UNION ALL
            SELECT format('patient_count %s %s acknowledged', counter.risk_group, counter.last_contact_day),
                counter.acknowledged
            FROM re.patient_count counter WHERE counter.organization_id = organization
            UNION ALL
            SELECT format('risk_day %s %s', risk_day.day, counter.kind), counter.number
            FROM re.risk_day
            CROSS JOIN LATERAL (VALUES ('d0', risk_day.d0), ('d7', risk_day.d7), ('d14', risk_day.d14),
                ('d45', risk_day.d45), ('new_at_risk', risk_day.new_at_risk), ('reengaged', risk_day.reengaged),
                ('missed', risk_day.missed), ('failed', risk_day.failed)) AS counter(kind, number)
            WHERE risk_day.organization_id = organization
            UNION ALL
            SELECT format('outreach_day %s %s %s', outreach_day.day, outreach_day.method, counter.kind), counter.number
            FROM re.outreach_day
            CROSS JOIN LATERAL (VALUES ('attempts', outreach_day.attempts), ('successes', outreach_day.successes),
                ('failed', outreach_day.failed), ('opened', outreach_day.opened), ('converted', outreach_day.converted),
                ('microseconds', outreach_day.microseconds_to_booking), ('booked', outreach_day.booked))
                AS counter(kind, number)
            WHERE outreach_day.organization_id = organization
        )
        SELECT format('counter %s: %s kept, %s counted', total.name, total.kept, total.counted)
        FROM (
            SELECT side.name, coalesce(sum(side.number) FILTER (WHERE side.is_kept), 0) AS kept,
                coalesce(sum(side.number) FILTER (WHERE NOT side.is_kept), 0) AS counted
            FROM (
                SELECT kept.name, kept.number, true AS is_kept FROM kept
                UNION ALL
                SELECT counter.name, counter.number, false FROM counter
            ) AS side
            GROUP BY side.name
        ) total
        WHERE total.kept <> total.counted
    LOOP
        PERFORM pg_temp.note(organization, difference);
    END LOOP;
END $$;

-- Compares the told patients with those whom the plain view calls critical, and the notices with their number.
CREATE FUNCTION pg_temp.compare_told(organization text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    difference text;
BEGIN
    FOR difference IN
        WITH told AS (
            SELECT told.patient_id::text, told.last_contact_day FROM re.told_patient told
            WHERE told.organization_id = organization
        ), critical AS (
            SELECT master.patient_id::text, master.last_contact_day FROM public.patient_reengagement_master_view master
            WHERE master.organization_id = organization AND master.risk_level = 'critical'
        )
        SELECT 'told of: ' || told::text FROM (TABLE told EXCEPT TABLE critical) told
        UNION ALL
        SELECT 'not told of: ' || critical::text FROM (TABLE critical EXCEPT TABLE told) critical
        UNION ALL
        SELECT format('the notices say %s critical patients, and %s are told of', said.number, told.number)
        FROM (
            SELECT announcement.baseline + coalesce((
                SELECT sum(CASE notice.kind WHEN 'critical' THEN notice.number ELSE -notice.number END)
                FROM re.notice notice WHERE notice.organization_id = organization), 0) AS number
            FROM re.announcement announcement WHERE announcement.organization_id = organization
        ) said
        CROSS JOIN (SELECT count(*) AS number FROM told) told
        WHERE said.number <> told.number
    LOOP
        PERFORM pg_temp.note(organization, difference);
    END LOOP;
END $$;

-- Parts of the name, the e-mail address and the phone number of one patient.
CREATE FUNCTION pg_temp.some_searches(organization text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT search.piece
    FROM (
        SELECT patient.* FROM public.patients patient
        WHERE patient.organization_id = organization ORDER BY md5(patient.id) LIMIT 1
    ) patient
    CROSS JOIN LATERAL (VALUES (trim(substr(patient.name, 2, 4))), (trim(substr(patient.email, 3, 6))),
        (substr(re.digits(patient.phone), 3, 5))) AS search(piece)
    WHERE length(search.piece) >= 3 AND re.folded(search.piece) <> ''
$$;

-- A login that sees no patients would compare two empty results and find them equal.
CREATE FUNCTION pg_temp.compare_sight(organization text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    there bigint := (SELECT count(*) FROM public.patients patient WHERE patient.organization_id = organization
        AND patient.created_at <= re.now() AND (patient.archived_at IS NULL OR patient.archived_at > re.now()));
    seen bigint := (SELECT count(*) FROM public.patient_reengagement_master_view master
        WHERE master.organization_id = organization);
BEGIN
    IF seen <> there THEN
        PERFORM pg_temp.note(organization, format('the views show %s of %s patients to %s', seen, there, current_user));
    END IF;
END $$;

CREATE FUNCTION pg_temp.compare_all(organization text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    call text;
    sort text;
    search text;
BEGIN
    PERFORM pg_temp.compare_sight(organization);
    -- The numbers of a digest, which is no endpoint.
    PERFORM pg_temp.compare(organization, format('digest_numbers(%L, %L, %L)', organization, clock.today - 7, clock.today))
    FROM re.clock_of(organization) clock;
    FOR call IN SELECT question.call FROM pg_temp.question WHERE question.has_flat ORDER BY question.call LOOP
        PERFORM pg_temp.compare(organization, call);
    END LOOP;
    FOREACH sort IN ARRAY ARRAY['priority', 'name', 'last_contact'] LOOP
        PERFORM pg_temp.walk(organization, sort);
        PERFORM pg_temp.walk(organization, sort, status => 'dormant', tier => 'medium');
        FOR search IN SELECT * FROM pg_temp.some_searches(organization) LOOP
            PERFORM pg_temp.walk(organization, sort, search => search);
            PERFORM pg_temp.walk(organization, sort, priority => 2, search => search);
        END LOOP;
    END LOOP;
    PERFORM pg_temp.walk(organization, level => wanted)
    FROM unnest(ARRAY['critical', 'high', 'medium', 'low', 'engaged']) AS wanted;
    PERFORM pg_temp.walk(organization, status => wanted) FROM unnest(ARRAY['active', 'dormant', 'stale']) AS wanted;
    PERFORM pg_temp.walk(organization, priority => wanted) FROM generate_series(1, 4) AS wanted;
    PERFORM pg_temp.walk(organization, tier => wanted) FROM unnest(ARRAY['high', 'medium', 'low']) AS wanted;
    PERFORM pg_temp.compare_states(organization);
    PERFORM pg_temp.compare_counters(organization);
    PERFORM pg_temp.compare_told(organization);
END $$;

-- An error in one organization is recorded, and the others are compared. True: there are further pending changes.
CREATE FUNCTION pg_temp.advance(organization text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT advanced.remaining AND NOT advanced.busy FROM re.advance(organization, 1000) advanced);
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

SELECT pg_temp.note('what answers rest on', foundation.fault || '; run migrate') FROM re.foundation_faults() foundation;
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
        PERFORM pg_temp.note(coalesce(nullif(audit.organization_id, ''), 'the audit'), 'the audit: ' || audit.fault)
        FROM re.audit_faults() audit;
        RAISE NOTICE 'the audit: % entries, % seals, % since the last seal', (SELECT count(*) FROM re.audit),
            (SELECT count(*) FROM re.audit_seal), (SELECT count(*) FROM re.audit entry WHERE entry.transaction >= (
                SELECT coalesce(max(seal.to_transaction), 0) FROM re.audit_seal seal));
    END IF;
END $$;
DO $$
DECLARE
    owner text := (SELECT min(role.rolname) FROM pg_proc function JOIN pg_roles role ON role.oid = function.proowner
        WHERE function.pronamespace = 're'::regnamespace AND function.prosecdef AND role.rolsuper);
BEGIN
    IF owner IS NOT NULL THEN
        RAISE WARNING 'functions that run with the rights of their owner belong to the superuser %; docs/operating.md ("Install") says how another comes to own them',
            owner;
    END IF;
END $$;
SELECT pg_temp.note('the registry',
    format('endpoints/%s.sql has no sample question, so %s is not compared', flat.name, flat.oid))
FROM (SELECT function.oid::regprocedure AS oid, substr(function.proname, length('flat_') + 1) AS name
    FROM pg_proc function
    WHERE function.pronamespace = 're'::regnamespace AND starts_with(function.proname, 'flat_')) flat
JOIN pg_proc plain ON plain.pronamespace = 're'::regnamespace AND plain.proname = 'plain_' || flat.name
WHERE flat.name NOT IN (SELECT question.name FROM question) AND flat.name <> 'digest_numbers';
SELECT pg_temp.note(organization.id, 'has no organization_state')
FROM public.organizations organization
WHERE NOT EXISTS (SELECT FROM re.organization_state state WHERE state.organization_id = organization.id);
SELECT format('CALL pg_temp.verify(%L)', state.organization_id)
FROM re.organization_state state
WHERE :'organization' IN ('', state.organization_id)
ORDER BY state.organization_id
\gexec
\o
SELECT (SELECT count(*) FROM fault), (SELECT count(*) FROM compared), re.is_bound();
