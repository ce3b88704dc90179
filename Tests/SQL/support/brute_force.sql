-- The definitions word by word, without regard for speed: every patient on every day, every attempt for every booking.
-- Of the product, only re.now() and the source tables are used.
CREATE SCHEMA brute;

CREATE VIEW brute.clock AS
SELECT o.*, re.now() AS now, (re.now() AT TIME ZONE o.time_zone)::date AS today FROM public.organizations o;

CREATE VIEW brute.patient AS
SELECT p.*, c.now, c.today, c.time_zone, c.appointment_value,
    (p.created_at AT TIME ZONE c.time_zone)::date AS intake_day
FROM public.patients p JOIN brute.clock c ON c.id = p.organization_id
WHERE p.created_at <= c.now AND NOT coalesce(p.archived_at <= c.now, false);

CREATE VIEW brute.contact AS
SELECT e.organization_id, e.patient_id, e.at, (e.at AT TIME ZONE c.time_zone)::date AS day
FROM (
    SELECT organization_id, patient_id, starts_at AS at FROM public.appointments WHERE status = 'completed'
    UNION ALL SELECT organization_id, patient_id, occurred_at FROM public.conversations
    UNION ALL SELECT organization_id, patient_id, created_at FROM public.outreach_log WHERE outcome = 'success'
) e
JOIN brute.clock c ON c.id = e.organization_id
WHERE e.at <= c.now;

CREATE FUNCTION brute.level(days integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN days BETWEEN 0 AND 6 THEN 'engaged' WHEN days BETWEEN 7 AND 13 THEN 'low' WHEN days BETWEEN 14 AND 29
        THEN 'medium'
        WHEN days BETWEEN 30 AND 44 THEN 'high' WHEN days >= 45 THEN 'critical' END
$$;

-- The days of every patient's contacts, computed once, since the days below need them hundreds of times.
CREATE MATERIALIZED VIEW brute.history AS
SELECT p.organization_id, p.id AS patient_id, p.intake_day,
    coalesce((SELECT array_agg(DISTINCT c.day) FROM brute.contact c WHERE c.organization_id = p.organization_id
        AND c.patient_id = p.id), '{}') AS days
FROM brute.patient p
WITH NO DATA;

-- Every patient on every day of a year and on the day before.
CREATE MATERIALIZED VIEW brute.patient_day AS
SELECT x.*, lag(x.since) OVER (PARTITION BY x.organization_id, x.patient_id ORDER BY x.day) AS before
FROM (
    SELECT h.organization_id, h.patient_id, d.day, d.day = ANY (h.days) AS contact,
        d.day - coalesce((SELECT max(c) FROM unnest(h.days) c WHERE c <= d.day), CASE
            WHEN h.intake_day <= d.day THEN h.intake_day END) AS since
    FROM brute.clock o
    JOIN brute.history h ON h.organization_id = o.id
    CROSS JOIN LATERAL (SELECT o.today - i AS day FROM generate_series(0, 365) i) d
) x
WITH NO DATA;
CREATE UNIQUE INDEX ON brute.patient_day (organization_id, patient_id, day);

-- An attempt converts at the first booking for which it is the latest successful attempt and not too old.
CREATE MATERIALIZED VIEW brute.attempt AS
SELECT o.*, (o.created_at AT TIME ZONE c.time_zone)::date AS day, c.today, b.converted_at,
    (b.converted_at AT TIME ZONE c.time_zone)::date AS converted_day
FROM public.outreach_log o
JOIN brute.clock c ON c.id = o.organization_id
LEFT JOIN (
    SELECT t.organization_id, t.attempt, min(t.booked_at) AS converted_at
    FROM (
        SELECT a.organization_id, a.created_at AS booked_at, (
            SELECT s.id FROM public.outreach_log s
            WHERE s.organization_id = a.organization_id AND s.patient_id = a.patient_id AND s.outcome = 'success'
                AND s.created_at < a.created_at
            ORDER BY s.created_at DESC, s.id DESC LIMIT 1) AS attempt
        FROM public.appointments a
        JOIN brute.clock c ON c.id = a.organization_id
        WHERE a.status NOT IN ('cancelled', 'late_cancelled') AND a.created_at <= c.now
    ) t
    JOIN public.outreach_log s ON s.organization_id = t.organization_id AND s.id = t.attempt
    WHERE extract(epoch FROM t.booked_at) - extract(epoch FROM s.created_at) <= 336 * 3600
    GROUP BY t.organization_id, t.attempt
) b ON b.organization_id = o.organization_id AND b.attempt = o.id
WHERE o.created_at <= c.now
WITH NO DATA;

-- A rate with one decimal, computed in integers, with halves rounded away from zero.
CREATE FUNCTION brute.rate(part bigint, whole bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN whole = 0 THEN 0.0 ELSE div(2000 * part + whole, 2 * whole) * 0.1 END
$$;

CREATE MATERIALIZED VIEW brute.master AS
SELECT x.organization_id, x.id AS patient_id, x.name, x.phone, x.email, x.treatment_notes, x.created_at,
    x.today - x.d AS last_contact_day, x.d AS days_since_last_contact, brute.level(x.d) AS risk_level,
    x.score AS risk_score, x.tier AS risk_tier,
    x.status AS engagement_status,
    CASE WHEN x.status = 'stale' THEN 4 WHEN x.status = 'dormant' AND x.tier = 'high' THEN 1
    WHEN x.status = 'dormant' THEN 2
        WHEN x.tier = 'high' THEN 2 WHEN x.tier = 'medium' THEN 3 ELSE 4 END AS action_priority,
    CASE WHEN x.status = 'stale' THEN 'NEW: Invite to a first appointment'
        WHEN x.status = 'dormant' AND x.tier = 'high' THEN 'DORMANT: Re-engagement campaign needed'
        WHEN x.status = 'dormant' THEN 'DORMANT: Personal follow-up needed'
        WHEN x.tier = 'high' THEN 'AT RISK: Confirm the booked visit'
        WHEN x.tier = 'medium' AND x.next_at IS NOT NULL THEN 'MONITOR: Confirm the booked visit'
        WHEN x.tier = 'medium' THEN 'MONITOR: Book the next appointment'
        ELSE 'ENGAGED: Continue current care plan' END AS recommended_action,
    x.next_at AS next_scheduled_appointment,
    (SELECT max(starts_at) FROM public.appointments a WHERE a.organization_id = x.organization_id
        AND a.patient_id = x.id AND a.status = 'completed'
        AND a.starts_at <= x.now) AS last_appointment_date,
    x.missed::integer AS missed_appointments_last_90d,
    CASE WHEN x.attended + x.missed > 0 THEN brute.rate(x.attended,
        x.attended + x.missed) END AS attendance_rate_percent,
    (SELECT count(*) FROM public.appointments a WHERE a.organization_id = x.organization_id AND a.patient_id = x.id
        AND a.status = 'completed'
        AND a.starts_at <= x.now)::integer AS total_lifetime_appointments,
    (SELECT coalesce(sum(coalesce(a.value, x.appointment_value)), 0) FROM public.appointments a
        WHERE a.organization_id = x.organization_id
        AND a.patient_id = x.id AND a.status = 'completed' AND a.starts_at <= x.now) AS lifetime_value,
    (SELECT CASE WHEN count(*) > 0 THEN brute.rate(count(*) FILTER (WHERE o.outcome = 'success'), count(*)) END
        FROM public.outreach_log o
        WHERE o.organization_id = x.organization_id AND o.patient_id = x.id
        AND o.created_at <= x.now) AS previous_response_rate,
    CASE WHEN x.d >= 45 THEN x.today - x.d + 45 END AS critical_since
FROM (
    SELECT y.*, CASE WHEN y.score >= 70 THEN 'high' WHEN y.score >= 40 THEN 'medium' ELSE 'low' END AS tier,
        CASE WHEN y.next_at IS NOT NULL OR (y.touched AND y.d < 30) THEN 'active' WHEN NOT y.touched
        THEN 'stale' ELSE 'dormant' END AS status
    FROM (
        SELECT z.*, greatest(0,
            CASE WHEN z.d < 7 THEN floor(30.0 * z.d / 7) WHEN z.d < 14 THEN 30 + floor(15.0 * (z.d - 7) / 7)
                WHEN z.d < 30 THEN 45 + floor(15.0 * (z.d - 14) / 16) WHEN z.d < 45 THEN 60 + z.d - 30
                WHEN z.d < 90 THEN 75 + floor((z.d - 45) / 3.0) ELSE 90 END
            + 5 * least(z.missed, 2) - CASE WHEN z.next_at IS NOT NULL THEN 20 ELSE 0 END)::integer AS score
        FROM (
            SELECT p.*, h.since AS d,
                EXISTS (SELECT FROM brute.contact c WHERE c.organization_id = p.organization_id
                    AND c.patient_id = p.id) AS touched,
                (SELECT min(a.starts_at) FROM public.appointments a WHERE a.organization_id = p.organization_id
                    AND a.patient_id = p.id
                    AND a.status = 'scheduled' AND a.starts_at > p.now) AS next_at,
                (SELECT count(*) FROM public.appointments a WHERE a.organization_id = p.organization_id
                    AND a.patient_id = p.id
                    AND a.status IN ('no_show', 'late_cancelled') AND a.starts_at <= p.now
                    AND p.today - (a.starts_at AT TIME ZONE p.time_zone)::date BETWEEN 0 AND 89) AS missed,
                (SELECT count(*) FROM public.appointments a WHERE a.organization_id = p.organization_id
                    AND a.patient_id = p.id
                    AND a.status = 'completed' AND a.starts_at <= p.now
                    AND p.today - (a.starts_at AT TIME ZONE p.time_zone)::date BETWEEN 0 AND 89) AS attended
            FROM brute.patient p
            JOIN brute.patient_day h ON h.organization_id = p.organization_id AND h.patient_id = p.id
            AND h.day = p.today
        ) z
    ) y
) x
WHERE x.d IS NOT NULL
WITH NO DATA;

-- The change from rate s₀/n₀ to s₁/n₁, computed in integers. A rate without attempts is 0, like 0/1.
CREATE FUNCTION brute.change(organization text, method text, today date,
    days integer) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN s0 = 0 AND s1 > 0 THEN 100.0 WHEN s0 = 0 THEN 0.0
        ELSE sign(s1 * n0 - s0 * n1) * div(2000 * abs(s1 * n0 - s0 * n1) + s0 * n1, 2 * s0 * n1) * 0.1 END
    FROM (
        SELECT count(*) FILTER (WHERE outcome = 'success' AND day > $3 - $4)::numeric AS s1,
            greatest(count(*) FILTER (WHERE day > $3 - $4), 1)::numeric AS n1,
            count(*) FILTER (WHERE outcome = 'success' AND day <= $3 - $4)::numeric AS s0,
            greatest(count(*) FILTER (WHERE day <= $3 - $4), 1)::numeric AS n0
        FROM brute.attempt a
        WHERE a.organization_id = $1 AND a.method = $2 AND a.day > $3 - 2 * $4 AND a.day <= $3
    ) r
$$;

CREATE FUNCTION brute.word(change numeric) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN $1 > 5 THEN 'improving' WHEN $1 < -5 THEN 'declining' ELSE 'stable' END
$$;
CREATE FUNCTION brute.movement(f bigint, t bigint) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN f = 0 THEN CASE WHEN t > 0 THEN 'increasing' ELSE 'stable' END
        WHEN (t - f)::numeric / f > 0.05 THEN 'increasing' WHEN (f - t)::numeric / f > 0.05
        THEN 'decreasing' ELSE 'stable' END
$$;

-- The same columns as re.trends.
CREATE FUNCTION brute.trends(organization text, days integer) RETURNS SETOF record LANGUAGE sql STABLE AS $$
    WITH day AS MATERIALIZED (
        SELECT c.today, c.today - i AS day FROM brute.clock c, generate_series(0, $2 - 1) i WHERE c.id = $1
    ), patient_day AS MATERIALIZED (
        SELECT * FROM brute.patient_day p WHERE p.organization_id = $1
    ), risk AS MATERIALIZED (
        SELECT d.day, count(p.day) FILTER (WHERE since = 30) AS new_at_risk,
            count(p.day) FILTER (WHERE contact AND before >= 30) AS reengaged,
            count(*) FILTER (WHERE brute.level(since) = 'critical') AS critical,
            count(*) FILTER (WHERE brute.level(since) = 'high') AS high,
            count(*) FILTER (WHERE brute.level(since) = 'medium') AS medium,
            count(*) FILTER (WHERE brute.level(since) = 'low') AS low,
            count(*) FILTER (WHERE brute.level(since) = 'engaged') AS engaged, count(since) AS counted
        FROM day d LEFT JOIN patient_day p USING (day) GROUP BY d.day
    ), made AS MATERIALIZED (
        SELECT d.day, count(a.id) AS n, count(a.id) FILTER (WHERE outcome = 'success') AS s, count(converted_at) AS c,
            count(a.id) FILTER (WHERE method = 'sms') AS sms,
            count(a.id) FILTER (WHERE method = 'sms' AND outcome = 'success') AS sms_s,
            count(a.id) FILTER (WHERE method = 'email') AS email,
            count(a.id) FILTER (WHERE method = 'email' AND outcome = 'success') AS email_s,
            count(a.id) FILTER (WHERE method = 'phone') AS phone,
            count(a.id) FILTER (WHERE method = 'phone' AND outcome = 'success') AS phone_s
        FROM day d LEFT JOIN brute.attempt a ON a.organization_id = $1 AND a.day = d.day GROUP BY d.day
    ), whole AS MATERIALIZED (
        SELECT brute.change($1, 'sms', today, $2) AS sms, brute.change($1, 'email', today, $2) AS email,
            brute.change($1, 'phone', today, $2) AS phone,
            brute.movement(f.critical, t.critical) AS critical, brute.movement(f.high, t.high) AS high,
            coalesce((t.critical + t.high)::numeric / nullif(t.counted, 0),
                0) < coalesce((f.critical + f.high)::numeric / nullif(f.counted, 0), 0) AS improvement
        FROM (SELECT DISTINCT today FROM day) n JOIN risk t ON t.day = today JOIN risk f ON f.day = today - $2 + 1
    )
    SELECT to_char(r.day, 'YYYY-MM-DD'), r.new_at_risk, r.reengaged, m.n,
        (SELECT count(*) FROM brute.attempt a WHERE a.organization_id = $1 AND a.converted_day = r.day),
        r.critical, r.high, r.medium, r.low, r.engaged, brute.rate(m.s, m.n), brute.rate(m.c, m.s),
        m.sms, m.sms_s, brute.rate(m.sms_s, m.sms), m.email, m.email_s, brute.rate(m.email_s, m.email),
        m.phone, m.phone_s, brute.rate(m.phone_s, m.phone),
        brute.word(w.sms), w.sms, brute.word(w.email), w.email, brute.word(w.phone), w.phone, w.critical, w.high,
        w.improvement
    FROM risk r JOIN made m USING (day) CROSS JOIN whole w
    ORDER BY r.day
$$;

CREATE FUNCTION brute.performance(organization text, timeframe text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT (n, s, brute.rate(s, n), c, brute.rate(c, s), coalesce(round(waited / nullif(c, 0) / 86400, 1), 0.0),
        sms, delivered, sms_s, brute.rate(sms_s, delivered), email, opened, email_s, brute.rate(email_s, opened),
        phone, phone_s, booked, brute.rate(booked, phone_s), 55.0, 68.0,
        CASE WHEN n = 0 THEN 'insufficient_data' WHEN brute.rate(s, n) >= 60
        THEN 'above_average' WHEN brute.rate(s, n) >= 50 THEN 'average'
            ELSE 'below_average' END)::text
    FROM (
        SELECT count(*) AS n, count(*) FILTER (WHERE outcome = 'success') AS s, count(converted_at) AS c,
            sum((extract(epoch FROM converted_at) - extract(epoch FROM created_at))::numeric(60, 30)) AS waited,
            count(*) FILTER (WHERE method = 'sms') AS sms,
            count(*) FILTER (WHERE method = 'sms' AND outcome IN ('success', 'no_response')) AS delivered,
            count(*) FILTER (WHERE method = 'sms' AND outcome = 'success') AS sms_s,
            count(*) FILTER (WHERE method = 'email') AS email,
            count(*) FILTER (WHERE method = 'email' AND (opened OR outcome = 'success')) AS opened,
            count(*) FILTER (WHERE method = 'email' AND outcome = 'success') AS email_s,
            count(*) FILTER (WHERE method = 'phone') AS phone,
            count(*) FILTER (WHERE method = 'phone' AND outcome = 'success') AS phone_s,
            count(converted_at) FILTER (WHERE method = 'phone') AS booked
        FROM brute.attempt a
        WHERE a.organization_id = $1
        AND a.today - a.day BETWEEN 0 AND replace(replace($2, 'last_', ''), '_days', '')::integer - 1
    ) f
$$;

CREATE FUNCTION brute.risk_metrics(organization text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT (count(*) FILTER (WHERE risk_level = 'critical'), count(*) FILTER (WHERE risk_level = 'high'),
        count(*) FILTER (WHERE risk_level = 'medium'), count(*) FILTER (WHERE risk_level = 'low'),
        count(*) FILTER (WHERE risk_level = 'engaged'),
        (SELECT count(*) FROM public.appointments a JOIN brute.patient p
            ON (p.organization_id, p.id) = (a.organization_id, a.patient_id)
            WHERE p.organization_id = $1 AND a.status IN ('no_show', 'late_cancelled') AND a.starts_at <= p.now
                AND p.today - (a.starts_at AT TIME ZONE p.time_zone)::date BETWEEN 0 AND 13),
        (SELECT count(*) FROM brute.attempt a JOIN brute.patient p
            ON (p.organization_id, p.id) = (a.organization_id, a.patient_id)
            WHERE p.organization_id = $1 AND a.outcome = 'failed' AND p.today - a.day BETWEEN 0 AND 13),
        count(*) FILTER (WHERE next_scheduled_appointment IS NULL), count(*) FILTER (WHERE action_priority = 1),
        to_char(re.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text
    FROM brute.master WHERE organization_id = $1
$$;

CREATE FUNCTION brute.dashboard(organization text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format('%s %s', count, average), ' ' ORDER BY nr) FROM (
        SELECT nr, count(m.patient_id),
            coalesce(div(20 * sum(m.risk_score) + count(m.patient_id), 2 * count(m.patient_id)) * 0.1, 0.0) AS average
        FROM unnest(ARRAY['critical', 'high', 'medium', 'low', 'engaged']) WITH ORDINALITY l(level, nr)
        LEFT JOIN brute.master m ON m.organization_id = $1 AND m.risk_level = level
        GROUP BY nr
    ) l
$$;

-- Folding of names as in section 5 of definitions.md.
DO $$
BEGIN
    EXECUTE format($format$
        CREATE FUNCTION brute.folded(x text) RETURNS text LANGUAGE sql AS $body$
            SELECT translate(lower(public.unaccent(normalize(x, NFC)) COLLATE pg_catalog.%I), 'ς', 'σ')
        $body$ $format$,
        -- A PostgreSQL 18 without ICU has a collation of its own.
        CASE WHEN to_regcollation('pg_catalog."und-x-icu"') IS NULL THEN 'pg_unicode_fast' ELSE 'und-x-icu' END);
END $$;

CREATE FUNCTION brute.refresh() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    REFRESH MATERIALIZED VIEW brute.history;
    REFRESH MATERIALIZED VIEW brute.patient_day;
    REFRESH MATERIALIZED VIEW brute.attempt;
    ANALYZE brute.history, brute.patient_day, brute.attempt;
    REFRESH MATERIALIZED VIEW brute.master;
END $$;

-- The differences between the product and these definitions in all organizations. There should be none.
CREATE FUNCTION brute.differences() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    o text;
    n integer;
    p text;
BEGIN
    PERFORM brute.refresh();
    RETURN QUERY SELECT 'master: ' || d::text FROM (
        (TABLE patient_reengagement_master_view EXCEPT TABLE brute.master)
            UNION ALL (TABLE brute.master EXCEPT TABLE patient_reengagement_master_view)) d;
    FOR o IN SELECT id FROM public.organizations ORDER BY id LOOP
        FOREACH n IN ARRAY ARRAY[7, 30, 90, 182, 365] LOOP
            RETURN QUERY SELECT format('trends(%s, %s): %s', o, n, d) FROM (
                SELECT coalesce(a::text, 'missing') || ' <> ' || coalesce(b::text, 'missing')
                FROM (SELECT row_number() OVER () AS nr, t.* FROM re.trends(o, n) t) a
                FULL JOIN (SELECT row_number() OVER () AS nr, t.* FROM brute.trends(o, n) AS t(
                    date text, n1 bigint, n2 bigint, n3 bigint, n4 bigint, l1 bigint, l2 bigint, l3 bigint, l4 bigint,
                        l5 bigint, r1 numeric, r2 numeric,
                    s1 bigint, s2 bigint, s3 numeric, e1 bigint, e2 bigint, e3 numeric, p1 bigint, p2 bigint,
                    p3 numeric,
                    w1 text, c1 numeric, w2 text, c2 numeric, w3 text, c3 numeric, w4 text, w5 text,
                    imp boolean)) b USING (nr)
                WHERE a::text IS DISTINCT FROM b::text) d(d);
        END LOOP;
        FOREACH p IN ARRAY ARRAY['last_7_days', 'last_30_days', 'last_90_days'] LOOP
            RETURN QUERY SELECT format('performance(%s, %s): %s <> %s', o, p, f, brute.performance(o, p))
                FROM re.performance(o, p) f WHERE f::text <> brute.performance(o, p);
        END LOOP;
        RETURN QUERY SELECT format('risk_metrics(%s): %s <> %s', o, f.f, brute.risk_metrics(o)) FROM (
            SELECT (critical, high, medium, low, engaged, missed_appointments_14d, failed_communications,
                no_future_appointments, immediate_actions_required, last_updated)::text AS f
            FROM re.risk_metrics(o)) f
            WHERE f.f <> brute.risk_metrics(o);
        RETURN QUERY SELECT format('dashboard(%s): %s <> %s', o, f.f, brute.dashboard(o)) FROM (
            SELECT DISTINCT concat_ws(' ', critical_count, critical_avg_score, high_count, high_avg_score,
                medium_count, medium_avg_score,
                low_count, low_avg_score, engaged_count, engaged_avg_score) AS f FROM re.dashboard(o)) f
                WHERE f.f <> brute.dashboard(o);
        RETURN QUERY SELECT format('list(%s): %s by %s: %s, not %s', o, w, s, found.ids, wanted.ids)
            FROM unnest(ARRAY['priority', 'name', 'last_contact']) s
            CROSS JOIN (VALUES (NULL, 'dormant', NULL::integer, NULL, NULL), ('critical', NULL, 2, NULL, NULL),
                (NULL, 'active', NULL, 'medium', NULL), (NULL, NULL, NULL, NULL, 'ÓBRI'),
                (NULL, NULL, 4, NULL, '555 01')) AS w(level, status, priority, tier, q)
            CROSS JOIN LATERAL (SELECT array_agg(r.id) FILTER (WHERE r.id IS NOT NULL) AS ids, max(r.total) AS total
                FROM re.prioritized_patients(o, w.level, w.status, w.priority, w.tier, w.q, s, false, NULL, NULL, NULL,
                    NULL, NULL, NULL) r) found
            CROSS JOIN LATERAL (SELECT array_agg(m.patient_id::text ORDER BY CASE
                WHEN s = 'name' THEN brute.folded(m.name) END COLLATE "C",
                        CASE WHEN s = 'last_contact' THEN -m.days_since_last_contact END, CASE
                        WHEN s <> 'name' THEN m.action_priority END,
                        CASE WHEN s <> 'name' THEN -m.risk_score END, CASE
                        WHEN s <> 'name' THEN -m.days_since_last_contact END, m.patient_id) AS ids, count(*) AS total
                FROM brute.master m
                WHERE m.organization_id = o AND m.risk_level = coalesce(w.level, m.risk_level)
                AND m.engagement_status = coalesce(w.status, m.engagement_status)
                    AND m.action_priority = coalesce(w.priority, m.action_priority)
                    AND m.risk_tier = coalesce(w.tier, m.risk_tier)
                    AND (w.q IS NULL
                        OR position(brute.folded(w.q) IN brute.folded(concat_ws(E'\n', m.name, m.email))) > 0
                        OR w.q !~ '[^0-9 +().-]' AND position(translate(w.q, ' +().-', '') IN translate(m.phone,
                            ' +().-x', '')) > 0)) wanted
            WHERE (found.ids, found.total) IS DISTINCT FROM (wanted.ids, wanted.total);
        RETURN QUERY SELECT format('prioritized(%s): order differs', o)
            WHERE ARRAY(SELECT r.id
                FROM re.prioritized_patients(o, NULL, NULL, NULL, NULL, NULL, 'priority', false, NULL, NULL, NULL,
                    NULL, NULL, NULL) r WHERE r.id IS NOT NULL)
                <> ARRAY(SELECT patient_id::text FROM brute.master WHERE organization_id = o
                    ORDER BY action_priority, risk_score DESC, days_since_last_contact DESC, patient_id);
    END LOOP;
END $$;
