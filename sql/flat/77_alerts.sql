-- A page of the alerts, in their order: the latest day first, and within a day the order of priority. All patients of
-- one day have equally many days since the last contact, so their risk group decides, and then the id.
--
-- Each step is one day, and one risk group, or several with the same order key. The counters name the days and risk
-- groups that have an alert in the wanted state, so each step but the first adds at least one patient to the page. The
-- patients are read from two indexes, of open and of acknowledged alerts. So acknowledged alerts cost nothing where
-- open ones are wanted, and no step reads more than the page needs.
--
-- Day and risk group are given as two bounds of the index's whole order. Given as equalities they fit the index of the
-- priorities too, and a planner without statistics reads that: at 20,000 patients of one day it passes 6,656
-- acknowledged alerts to find 10 open ones.
CREATE OR REPLACE FUNCTION re.flat_alert_page(
    organization text, today date, days integer, wanted_state text, row_limit integer,
    after_since date, after_priority integer, after_score integer, after_id text)
RETURNS TABLE (
    number bigint, patient_id text, risk_group integer, last_contact_day date, name text, phone text, email text,
    acknowledged_by text, acknowledged_at timestamptz, acknowledged_until date, acknowledgement_note text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    is_open_wanted boolean := wanted_state <> 'acknowledged';
    is_acknowledged_wanted boolean := wanted_state <> 'open';
    after_day date := after_since - re.critical_risk_days();
    after_urgency integer := re.urgency(after_priority, after_score);
    shown bigint := 0;
    added bigint;
    step record;
BEGIN
    FOR step IN
        SELECT counter.day, counter.urgency, array_agg(counter.risk_group) AS risk_groups
        FROM (
            SELECT stored.last_contact_day AS day, stored.risk_group,
                (re.group_urgencies())[re.array_index(stored.risk_group, today - stored.last_contact_day)] AS urgency
            FROM re.patient_count stored
            WHERE stored.organization_id = organization
                AND stored.last_contact_day > today - days - re.critical_risk_days()
                AND stored.last_contact_day <= today - re.critical_risk_days()
                AND stored.last_contact_day <= coalesce(after_day, 'infinity')
                AND (is_open_wanted AND stored.number > stored.acknowledged
                    OR is_acknowledged_wanted AND stored.acknowledged > 0)
        ) counter
        WHERE after_day IS NULL OR counter.day < after_day OR counter.urgency >= after_urgency
        GROUP BY counter.day, counter.urgency
        ORDER BY counter.day DESC, counter.urgency
    LOOP
        EXIT WHEN shown >= row_limit;
        RETURN QUERY
        SELECT shown + row_number() OVER (ORDER BY alert.patient_id), alert.*
        FROM (
            SELECT state.patient_id, bound.risk_group::integer, step.day, state.name, state.phone, state.email,
                state.acknowledged_by, state.acknowledged_at, state.acknowledged_until, state.acknowledgement_note
            FROM (
                SELECT CASE WHEN step.day = after_day AND step.urgency = after_urgency THEN after_id ELSE '' END AS id
                OFFSET 0
            ) first
            CROSS JOIN unnest(step.risk_groups) AS bound(risk_group)
            CROSS JOIN LATERAL (
                (SELECT open.patient_id, open.name, open.phone, open.email, open.acknowledged_by, open.acknowledged_at,
                        open.acknowledged_until, open.acknowledgement_note
                    FROM re.patient_state open
                    WHERE is_open_wanted AND open.organization_id = organization AND open.acknowledged_by IS NULL
                        AND open.risk_group IS NOT NULL
                        AND (open.last_contact_day, open.risk_group, open.patient_id)
                            > (step.day, bound.risk_group, first.id)
                        AND (open.last_contact_day, open.risk_group) <= (step.day, bound.risk_group)
                    ORDER BY open.last_contact_day, open.risk_group, open.patient_id
                    LIMIT row_limit - shown)
                UNION ALL
                (SELECT known.patient_id, known.name, known.phone, known.email, known.acknowledged_by,
                        known.acknowledged_at, known.acknowledged_until, known.acknowledgement_note
                    FROM re.patient_state known
                    WHERE is_acknowledged_wanted AND known.organization_id = organization
                        AND known.acknowledged_by IS NOT NULL
                        AND known.risk_group IS NOT NULL
                        AND (known.last_contact_day, known.risk_group, known.patient_id)
                            > (step.day, bound.risk_group, first.id)
                        AND (known.last_contact_day, known.risk_group) <= (step.day, bound.risk_group)
                    ORDER BY known.last_contact_day, known.risk_group, known.patient_id
                    LIMIT row_limit - shown)
            ) state
            ORDER BY state.patient_id
            LIMIT row_limit - shown
        ) alert;
        GET DIAGNOSTICS added = ROW_COUNT;
        shown := shown + added;
    END LOOP;
END $$;
