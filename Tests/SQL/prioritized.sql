-- The prioritized list: its order, its filter, and its pages.
BEGIN;
\ir support/given.sql
SELECT plan(17);
SELECT given.now('2025-06-30T12:00:00Z');
SELECT given.clinic();
SELECT given.clinic('other');
SELECT given.patient('elsewhere', organization => 'other');

CREATE FUNCTION pg_temp.seen(patient text, days integer) RETURNS void LANGUAGE sql AS $$
    SELECT given.patient($1);
    SELECT given.appointment($1, '2025-06-30T11:00Z'::timestamptz - $2 * interval '1 day');
$$;
-- Ids whose order by byte differs from every dictionary's: upper case first, é after z, a decomposed é before z.
SELECT pg_temp.seen(id, 60)
    FROM unnest(ARRAY['Z', 'a', 'B', 'z', E'\u00e9', E'e\u0301', '10', '9', E'\u00df', '😀', E'\uffee']) id;
SELECT pg_temp.seen('score', 400);                                  -- 90
SELECT pg_temp.seen('older', 61);                                   -- 80 as well, but a day more
SELECT pg_temp.seen('second', 44);                                  -- 74: dormant, tier high
SELECT pg_temp.seen('personal', 35);                                -- 65: priority 2
SELECT pg_temp.seen('monitor', 20);                                 -- 50: priority 3
SELECT pg_temp.seen('engaged', 1);
SELECT given.patient('stale');

CREATE FUNCTION pg_temp.ids(level text, lim integer, p integer DEFAULT NULL, s integer DEFAULT NULL,
    d integer DEFAULT NULL, i text DEFAULT NULL)
RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(r.id)
        FROM re.prioritized_patients('clinic', $1, NULL, NULL, NULL, NULL, 'priority', false, $2, $3, $4, $5, NULL,
            $6) r
$$;
SELECT is(pg_temp.ids(NULL, 200),
    ARRAY['score', 'older', '10', '9', 'B', 'Z', 'a', E'e\u0301', 'z', E'\u00df', E'\u00e9', E'\uffee', '😀', 'second',
        'personal', 'monitor', 'stale', 'engaged'], 'the order is by priority, score, days, and then the id by byte');
SELECT is(pg_temp.ids(NULL, 3), ARRAY['score', 'older', '10'], 'the limit applies');
SELECT is(pg_temp.ids(level, 200), ids, 'filter ' || level)
FROM (VALUES ('high', ARRAY['second', 'personal']), ('medium', ARRAY['monitor']),
    ('engaged', ARRAY['engaged'])) v(level, ids);
SELECT is(pg_temp.ids('low', 200), ARRAY[NULL], 'a filter without matches returns one row without an id');
SELECT is((SELECT r."timestamp"
    FROM re.prioritized_patients('clinic', 'low', NULL, NULL, NULL, NULL, 'priority', false, 50, NULL, NULL, NULL,
        NULL, NULL) r), '2025-06-30T12:00:00Z', 'that row contains the time');
SELECT is((SELECT (r."timestamp", r.id)::text
    FROM re.prioritized_patients('nobody', NULL, NULL, NULL, NULL, NULL, 'priority', false, 50, NULL, NULL, NULL, NULL,
        NULL) r),
    '(2025-06-30T12:00:00Z,)', 'an unknown organization returns such a row');

-- Pages of every size. The last row of each is the cursor of the next.
CREATE FUNCTION pg_temp.walk(level text, size integer) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    last record;
    page text[];
    walked text[] := '{}';
BEGIN
    SELECT NULL::integer AS action_priority, NULL::integer AS risk_score, NULL::integer AS days_since_last_contact,
        NULL::text AS id INTO last;
    LOOP
        SELECT array_agg(r.id)
        FROM re.prioritized_patients('clinic', level, NULL, NULL, NULL, NULL, 'priority', false, size,
            last.action_priority, last.risk_score, last.days_since_last_contact, NULL, last.id) r INTO page;
        EXIT WHEN page[1] IS NULL;
        walked := walked || page;
        SELECT r.action_priority, r.risk_score, r.days_since_last_contact, r.id
        FROM re.prioritized_patients('clinic', NULL, NULL, NULL, NULL, NULL, 'priority', false, 200, NULL, NULL, NULL,
            NULL, NULL) r WHERE r.id = page[cardinality(page)] INTO last;
    END LOOP;
    RETURN walked;
END $$;
SELECT is(pg_temp.walk(level, size), pg_temp.ids(level, 200), format('pages of %s, %s', size, level))
FROM (VALUES (NULL, 1), (NULL, 2), (NULL, 5), (NULL, 17), (NULL, 18), ('critical', 4)) v(level, size);
SELECT is(pg_temp.ids(NULL, 2, 1, 79, 58, 'm'), ARRAY['second', 'personal'], 'a cursor that is no patient''s place continues after that place');

-- Times are truncated to the second.
SELECT given.appointment('engaged', '2025-06-30T11:59:59.999999Z');
SELECT given.appointment('engaged', '2025-07-01T00:00:00.500000Z', 'scheduled');
SELECT is((SELECT (r.last_appointment_date, r.next_scheduled_appointment)::text
    FROM re.prioritized_patients('clinic', 'engaged', NULL, NULL, NULL, NULL, 'priority', false, 1, NULL, NULL, NULL,
        NULL, NULL) r),
    '(2025-06-30T11:59:59Z,2025-07-01T00:00:00Z)', 'seconds are truncated, not rounded');

-- During an upgrade, a server of the former version calls the function with other parameters.
SELECT is(
    ARRAY(SELECT to_jsonb(f) FROM re.prioritized_patients('clinic', 'critical', 4, 1, 90, 400, 'score') f),
    ARRAY(SELECT to_jsonb(n) - ARRAY['treatment_notes', 'total', 'sort_name', 'critical_since']
        FROM re.prioritized_patients('clinic', 'critical',
        NULL, NULL, NULL, NULL, 'priority', false, 4, 1, 90, 400, NULL, 'score') n),
    'a server of the former version gets the same result');

SELECT * FROM finish();
ROLLBACK;
