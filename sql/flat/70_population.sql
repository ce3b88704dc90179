-- The parts of the flat queries. They read only the derived tables, which may be of an earlier moment than the snapshot.
--
-- The flat query of an endpoint is in the file of its plain query, ../endpoints/NAME.sql. It has the same parameters and
-- columns, and reads the counters and, for a page, its patients' states. It returns at least one row, so that no row
-- means that the data are not current (90_dispatch).
--
-- The functions of the flat queries inherit the planner settings of the function that calls them (90_dispatch).
--
-- OFFSET 0 keeps a subquery apart from the query around it. Measured with 20,000 patients:
--
--   flat_clock       today is a parameter in the queries around it. Without it, today is computed where it is compared,
--                    and row-level security admits only plain comparisons with a column to an index. A list of 200 then
--                    reads 13,767 buffers instead of 843.
--   flat_population  limits the index scan to the scored days. Without it the dashboard reads 208 buffers instead
--                    of 164.
--   flat_page        computes the order key and the fewest days of a risk group once. Without the first, a list of 50
--                    takes 34 ms of CPU time instead of 3, without the second 12.
--   listed_state     keeps the lookup in its index. Without it the dashboard reads 1,938 buffers instead of 164.

CREATE OR REPLACE FUNCTION re.flat_clock(organization text) RETURNS TABLE (now timestamptz, today date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT clock.now, re.day_of(clock.now, state.time_zone)
    FROM re.state_of(organization) state
    CROSS JOIN LATERAL (SELECT re.now() AS now) clock
    WHERE state.organization_id = organization
    OFFSET 0;
END;

-- The number of patients by risk group and days since the last contact, in at most 9 × 91 rows. The last row of a risk
-- group is for 90 days and more, where neither level nor score changes: the group's total less the rows of the last 90
-- days.
CREATE OR REPLACE FUNCTION re.flat_population(organization text)
RETURNS TABLE (risk_group integer, days integer, number bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH recent AS MATERIALIZED (
        SELECT counter.risk_group, clock.today - counter.last_contact_day AS days, counter.number
        FROM re.flat_clock(organization) clock
        CROSS JOIN LATERAL (
            SELECT stored.risk_group::integer AS risk_group, stored.last_contact_day, stored.number
            FROM re.patient_count stored
            WHERE stored.organization_id = organization AND stored.last_contact_day > clock.today - re.last_scored_day()
            OFFSET 0
        ) counter
    ), recent_total AS (
        SELECT recent.risk_group, sum(recent.number)::bigint AS number FROM recent GROUP BY recent.risk_group
    )
    SELECT counter.risk_group, counter.days, counter.number
    FROM (
        SELECT recent.risk_group, recent.days, recent.number FROM recent
        UNION ALL
        SELECT total.risk_group::integer, re.last_scored_day(), total.number - coalesce(recent_total.number, 0)
        FROM re.patient_count total
        LEFT JOIN recent_total ON recent_total.risk_group = total.risk_group
        WHERE total.organization_id = organization AND total.last_contact_day = '-infinity'
    ) counter
    WHERE counter.number <> 0;
END;

-- The number of patients, and of those whose last contact lies in their risk group's interval of days.
CREATE OR REPLACE FUNCTION re.flat_count(
    organization text, today date, is_filtered boolean, first_days date[], last_days date[])
RETURNS TABLE (patients bigint, fitting bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF is_filtered THEN
        SELECT coalesce(sum(counter.number), 0), coalesce(sum(counter.number) FILTER (
            WHERE today - counter.days
                BETWEEN first_days[counter.risk_group + 1] AND last_days[counter.risk_group + 1]), 0)
        INTO patients, fitting
        FROM re.flat_population(organization) counter;
    ELSE
        SELECT coalesce(sum(total.number), 0) INTO patients
        FROM re.patient_count total
        WHERE total.organization_id = organization AND total.last_contact_day = '-infinity';
        fitting := patients;
    END IF;
    RETURN NEXT;
END $$;

-- The next patients of the list in the order of priority or of the last contact, among those whose last contact lies in
-- their risk group's interval of days. All filters are such intervals.
--
-- Within a risk group the order of priority is (last contact day, id), the order of an index: with more days since the
-- last contact the score never falls, and the number of the action priority never rises. So each risk group is one
-- stream, and the list merges nine streams. The order of the last contact merges the same streams differently.
--
-- Each stream is read only as far as the page can need. The first risk group contains a whole page up to some order key,
-- if it has so many patients. No patient with a higher order key can be on the page.
CREATE OR REPLACE FUNCTION re.flat_page(
    organization text, by_contact boolean, first_days date[], last_days date[], row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_id text)
RETURNS TABLE (patient_id text, risk_group integer, days integer, score integer, priority integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH stream AS MATERIALIZED (
        SELECT risk.risk_group, cursor.today, cursor.most_days, start.first_day,
            last_days[risk.risk_group + 1] AS last_day,
            -- In the stream that contains the cursor's patient, the page continues after that patient's id.
            CASE WHEN start.first_day = next.day AND next.has_same_key THEN after_id ELSE '' END AS first_id
        FROM (
            SELECT clock.today, calendar.most_days,
                re.cursor_order_key(by_contact, after_priority, after_score, after_days, calendar.most_days)
                    AS order_key
            FROM re.flat_clock(organization) clock
            -- The calendar of the source begins with year 1 in UTC.
            CROSS JOIN LATERAL (SELECT clock.today - date '0001-01-01' + 2 AS most_days) calendar
            OFFSET 0
        ) cursor
        CROSS JOIN generate_series(0, 8) AS risk(risk_group)
        CROSS JOIN LATERAL (
            -- The page continues with patients that have fewer days than the cursor's order key means in this group.
            SELECT CASE
                    WHEN after_id IS NULL THEN '-infinity'
                    ELSE cursor.today - fewest.days + CASE WHEN same.has_same_key THEN 0 ELSE 1 END
                END AS day, same.has_same_key
            FROM (
                SELECT re.fewest_days(risk.risk_group, cursor.order_key, cursor.most_days, by_contact) AS days OFFSET 0
            ) fewest
            CROSS JOIN LATERAL (
                SELECT re.group_order_key(risk.risk_group, fewest.days, by_contact) = cursor.order_key AS has_same_key
            ) same
        ) next
        CROSS JOIN LATERAL (SELECT greatest(next.day, first_days[risk.risk_group + 1]) AS first_day) start
    ), reach AS MATERIALIZED (
        SELECT re.group_order_key(foremost.risk_group, foremost.today - last.last_contact_day, by_contact) AS order_key
        FROM (
            SELECT stream.*
            FROM stream
            CROSS JOIN LATERAL (
                SELECT state.last_contact_day
                FROM re.patient_state state
                WHERE state.organization_id = organization AND state.risk_group = stream.risk_group
                    AND (state.last_contact_day, state.patient_id) > (stream.first_day, stream.first_id)
                    AND state.last_contact_day <= stream.last_day
                ORDER BY state.last_contact_day, state.patient_id
                LIMIT 1
            ) first
            ORDER BY re.group_order_key(stream.risk_group, stream.today - first.last_contact_day, by_contact)
            LIMIT 1
        ) foremost
        CROSS JOIN LATERAL (
            SELECT state.last_contact_day
            FROM re.patient_state state
            WHERE state.organization_id = organization AND state.risk_group = foremost.risk_group
                AND (state.last_contact_day, state.patient_id) > (foremost.first_day, foremost.first_id)
                AND state.last_contact_day <= foremost.last_day
            ORDER BY state.last_contact_day, state.patient_id
            LIMIT 1 OFFSET greatest(row_limit, 1) - 1
        ) last
        -- A null row_limit is unlimited.
        WHERE row_limit > 0
    )
    SELECT page.patient_id, page.risk_group, page.days, re.group_score(page.risk_group, page.days),
        re.group_priority(page.risk_group, page.days)
    FROM (
        SELECT patient.patient_id, stream.risk_group, patient.days,
            re.group_order_key(stream.risk_group, patient.days, by_contact) AS order_key
        FROM stream
        LEFT JOIN reach ON true
        CROSS JOIN LATERAL (
            SELECT CASE
                    WHEN reach.order_key IS NULL THEN stream.last_day
                    ELSE least(stream.last_day, stream.today
                        - re.fewest_days(stream.risk_group, reach.order_key, stream.most_days, by_contact))
                END AS day
        ) last
        CROSS JOIN LATERAL (
            SELECT state.patient_id, stream.today - state.last_contact_day AS days
            FROM re.patient_state state
            WHERE state.organization_id = organization AND state.risk_group = stream.risk_group
                AND (state.last_contact_day, state.patient_id) > (stream.first_day, stream.first_id)
                AND state.last_contact_day <= last.day
            ORDER BY state.last_contact_day, state.patient_id
            LIMIT row_limit
        ) patient
        ORDER BY order_key, patient.patient_id
        LIMIT row_limit
    ) page
    ORDER BY page.order_key, page.patient_id;
END;

-- The state of a patient that is on a page. It is looked up in the index of the priorities, from which the page has
-- just been read. The primary key's pages for these patients are as far apart as their ids. The two bounds of the id
-- are an equality that the planner does not take for one; given as one, it chooses the primary key.
--
-- The columns are named. PostgreSQL stores those of a `*` when it creates the function, and a migration that adds one to
-- the table would make every call fail.
CREATE OR REPLACE FUNCTION re.listed_state(organization text, wanted_group integer, contact_day date, patient text)
RETURNS TABLE (
    patient_id text, name text, phone text, email text, last_appointment_date timestamptz,
    next_scheduled_appointment timestamptz, previous_response_rate numeric, completed_days date[], missed_days date[],
    known_value numeric, without_value integer, folded_name text, folded_email text, phone_digits text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT state.patient_id, state.name, state.phone, state.email, state.last_appointment_date,
        state.next_scheduled_appointment, state.previous_response_rate, state.completed_days, state.missed_days,
        state.known_value, state.without_value, state.folded_name, state.folded_email, state.phone_digits
    FROM re.patient_state state
    WHERE state.organization_id = organization AND state.risk_group = wanted_group
        AND state.last_contact_day = contact_day
        AND state.patient_id >= patient AND state.patient_id <= patient
    OFFSET 0;
END;
