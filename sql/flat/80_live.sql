-- What the live streams ask (docs/definitions.md, section 10).

-- The critical patients, those of today, and the open alerts of the counted days. All others are recent: with their
-- number subtracted from the total, no counter of an older day is read.
CREATE OR REPLACE FUNCTION re.flat_alert_counts(organization text, today date)
RETURNS TABLE (critical bigint, new_today bigint, open bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(sum(counter.number) FILTER (WHERE counter.last_contact_day = '-infinity'), 0)::bigint
            - coalesce(sum(counter.number) FILTER (
                WHERE counter.last_contact_day > today - re.critical_risk_days()), 0)::bigint,
        coalesce(sum(counter.number) FILTER (
            WHERE counter.last_contact_day = today - re.critical_risk_days()), 0)::bigint,
        coalesce(sum(counter.number - counter.acknowledged) FILTER (
            WHERE counter.last_contact_day > today - re.critical_risk_days() - re.counted_alert_days()
                AND counter.last_contact_day <= today - re.critical_risk_days()), 0)::bigint
    FROM (
        SELECT total.last_contact_day, total.number, 0 AS acknowledged
        FROM re.patient_count total
        WHERE total.organization_id = organization AND total.last_contact_day = '-infinity'
        UNION ALL
        SELECT recent.last_contact_day, recent.number, recent.acknowledged
        FROM re.patient_count recent
        WHERE recent.organization_id = organization
            AND recent.last_contact_day > today - re.critical_risk_days() - re.counted_alert_days()
    ) counter;
END;

-- For each organization and the number after which its streams wait: the newest number, the least that is kept, the
-- counts, a text that changes with each word on an alert, and the next notices, at most 200.
--
-- `state` changes with the counts. They are null if it is the one that the caller knows already, so that an organization
-- without a change costs a few index lookups. They and `state` are null while the derived data are not current. `is_due`
-- says that an advance would change that.
--
-- It runs with the rights of reengagement_scheduler, since one statement asks for all organizations. It returns no
-- patient's id.
CREATE OR REPLACE FUNCTION re.live(organizations text[], after bigint[], known text[] DEFAULT NULL)
RETURNS TABLE (
    organization_id text, asked_after bigint, sequence bigint, oldest bigint, state text, is_due boolean,
    critical bigint, new_today bigint, open bigint, acknowledgement text, notices json)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT asked.organization_id, asked.after, coalesce(announcement.sequence, 0),
        coalesce(kept.sequence, coalesce(announcement.sequence, 0) + 1), current.state,
        current.state IS NULL AND EXISTS (SELECT FROM re.state_of(asked.organization_id)),
        counted.critical, counted.new_today, counted.open, word.numbers, next.notices
    FROM unnest(organizations, after, known) AS asked(organization_id, after, known)
    LEFT JOIN re.announcement announcement ON announcement.organization_id = asked.organization_id
    LEFT JOIN LATERAL (
        SELECT notice.sequence FROM re.notice notice
        WHERE notice.organization_id = asked.organization_id
        ORDER BY notice.sequence LIMIT 1
    ) kept ON true
    LEFT JOIN LATERAL (
        SELECT row.generation || ' ' || row.today AS state, row.today FROM re.current_state(asked.organization_id) row
    ) current ON true
    LEFT JOIN LATERAL (
        SELECT counts.critical, counts.new_today, counts.open
        FROM re.flat_alert_counts(asked.organization_id, current.today) counts
        WHERE current.state IS NOT NULL AND current.state IS DISTINCT FROM asked.known
        OFFSET 0
    ) counted ON true
    CROSS JOIN LATERAL (
        -- A word that commits after one with a greater number changes the text too.
        SELECT coalesce(string_agg(newest.number::text, ' ' ORDER BY newest.number), '') AS numbers
        FROM (
            SELECT stored.number FROM re.alert_acknowledgement stored
            WHERE stored.organization_id = asked.organization_id
            ORDER BY stored.number DESC LIMIT 8
        ) newest
    ) word
    CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(following.sequence, following.kind, following.cause, following.day,
            following.number, extract(epoch FROM clock_timestamp() - following.written_at)::double precision)
            ORDER BY following.sequence) AS notices
        FROM (
            SELECT notice.sequence, notice.kind, notice.cause, notice.day, notice.number, notice.written_at
            FROM re.notice notice
            WHERE notice.organization_id = asked.organization_id AND notice.sequence > asked.after
                AND announcement.sequence > asked.after
            ORDER BY notice.sequence LIMIT 200
        ) following
    ) next;
END $$;
