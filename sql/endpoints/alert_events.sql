/* endpoint
[{"method": "GET", "path": "alerts/events", "arguments": {"after": 0, "row_limit": 200},
  "questions": [
    {"title": "events", "query": ""},
    {"query": "after=3&limit=1", "arguments": {"after": 3, "row_limit": 1}}]}]
*/
-- The notices are stored in their order, so one query serves a clinic of any size. It first brings the derived data up
-- to date, which writes the notices of the midnights and changes since then.
CREATE OR REPLACE FUNCTION re.alert_events(organization text, after bigint, row_limit integer)
RETURNS TABLE (
    sequence bigint, oldest bigint, reset boolean,
    event_sequence bigint, event_kind text, event_cause text, event_day text, event_patient_id text,
    event_number bigint, event_at text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    LOCK TABLE re.organization_state IN ACCESS SHARE MODE;
    IF NOT re.is_current(organization) THEN
        PERFORM re.require_known_zone(organization);
        PERFORM re.refresh_on_read(organization);
    END IF;
    RETURN QUERY
    SELECT kept.latest, kept.oldest, kept.is_reset, notice.sequence, notice.kind, notice.cause,
        re.iso_date(notice.day), notice.patient_id::text, notice.number, re.rfc3339(notice.at)
    FROM (
        SELECT known.latest, known.oldest, after < known.oldest - 1 OR after > known.latest AS is_reset
        FROM (
            SELECT told.latest, coalesce((SELECT first.sequence FROM re.notice first
                WHERE first.organization_id = organization ORDER BY first.sequence LIMIT 1), told.latest + 1) AS oldest
            FROM (
                SELECT coalesce((SELECT announcement.sequence FROM re.announcement announcement
                    WHERE announcement.organization_id = organization), 0) AS latest
                OFFSET 0
            ) told
            OFFSET 0
        ) known
        OFFSET 0
    ) kept
    LEFT JOIN LATERAL (
        SELECT stored.*
        FROM re.notice stored
        WHERE NOT kept.is_reset AND stored.organization_id = organization AND stored.sequence > after
        ORDER BY stored.sequence
        LIMIT row_limit
    ) notice ON true
    ORDER BY notice.sequence;
END $$;
