-- What a sender asks about digests (docs/definitions.md, section 10). Day, time and the 4 hours go by now, the pauses
-- between attempts by the wall clock. The functions have the rights of reengagement_scheduler, as in 10_webhooks.

-- How long after its time a digest is still sent.
CREATE OR REPLACE FUNCTION re.digest_window() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '4 hours';

-- The first instant at which clocks in the zone show this time, or the first after it if they skip it.
--
-- PostgreSQL takes the second of two such instants, and counts a skipped time on from the hour before it.
CREATE OR REPLACE FUNCTION re.first_instant(shown timestamp, time_zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    near timestamptz := shown AT TIME ZONE time_zone;
    low timestamptz := near - interval '1 day';
    high timestamptz := near + interval '1 day';
    middle timestamptz;
    found timestamptz;
BEGIN
    -- By the zone's distance from UTC the day before and the day after.
    SELECT min(candidate.at) INTO found
    FROM (
        SELECT (shown AT TIME ZONE 'UTC') - ((instant.at AT TIME ZONE time_zone) - (instant.at AT TIME ZONE 'UTC')) AS at
        FROM (VALUES (low), (near), (high)) AS instant(at)
    ) candidate
    WHERE candidate.at AT TIME ZONE time_zone = shown;
    IF found IS NOT NULL THEN
        RETURN found;
    END IF;
    -- Skipped: the change of the clocks lies between the two, and before it they show less.
    WHILE high - low > interval '1 second' LOOP
        middle := date_trunc('second', low + (high - low) / 2);
        IF middle AT TIME ZONE time_zone > shown THEN
            high := middle;
        ELSE
            low := middle;
        END IF;
    END LOOP;
    RETURN high;
END $$;

-- The digests whose time has come less than 4 hours ago: those of today and, after midnight, of yesterday.
CREATE OR REPLACE FUNCTION re.due_digests() RETURNS TABLE (organization_id text, day date, due_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT setting.organization_id, due.day, due.at
    FROM re.setting setting
    CROSS JOIN (SELECT re.now() AS now OFFSET 0) clock
    -- Before the derived data are built, the zone in them is not the clinic's.
    LEFT JOIN LATERAL re.state_of(setting.organization_id) state ON true
    CROSS JOIN LATERAL (SELECT coalesce(state.time_zone, 'UTC') AS time_zone OFFSET 0) clinic
    CROSS JOIN LATERAL (
        SELECT candidate.day, re.first_instant(candidate.day + (setting.digest ->> 'at')::time, clinic.time_zone) AS at
        FROM (
            -- Null in a zone that PostgreSQL no longer knows, and then no day of the week is right.
            SELECT re.day_or_null(clock.now, clinic.time_zone) - past.days AS day
            FROM (VALUES (0), (1)) AS past(days)
            OFFSET 0
        ) candidate
        WHERE (setting.digest -> 'days') ? to_char(candidate.day, 'dy')
        OFFSET 0
    ) due
    WHERE setting.digest IS NOT NULL AND state.building_after IS NULL
        AND due.at <= clock.now AND clock.now < due.at + re.digest_window()
        -- None for an hour that was past when it was set.
        AND due.at >= coalesce(setting.digest_set_at, '-infinity');
END;

-- Claims at most `most` digests, each for one organization and day. What a caller claims and does not record is not
-- sent again. `seconds_left` is the time until it is too late.
CREATE OR REPLACE FUNCTION re.claim_digests(most integer)
RETURNS TABLE (organization_id text, day date, attempt integer, recipients json, refused json, told_day date,
    clinic_name text, seconds_left integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM re.end_digests();
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT due.organization_id, due.day, due.due_at
        FROM re.due_digests() due
        LEFT JOIN re.digest_sent stored ON stored.organization_id = due.organization_id AND stored.day = due.day
        WHERE stored.day IS NULL OR stored.result = 'retry' AND stored.retry_at <= clock_timestamp()
        ORDER BY due.due_at
        LIMIT most
    ), claimed AS (
        -- The condition is checked again once the row is locked.
        INSERT INTO re.digest_sent AS stored (organization_id, day, claimed_at)
        SELECT due.organization_id, due.day, clock_timestamp() FROM due
        ON CONFLICT (organization_id, day) DO UPDATE
        SET claimed_at = clock_timestamp(), result = NULL, attempts = stored.attempts + 1
        WHERE stored.result = 'retry' AND stored.retry_at <= clock_timestamp()
        RETURNING stored.organization_id, stored.day, stored.attempts, stored.refused
    )
    SELECT claimed.organization_id, claimed.day, claimed.attempts, (setting.digest -> 'to')::json,
        to_json(claimed.refused),
        coalesce((
            SELECT earlier.day FROM re.digest_sent earlier
            WHERE earlier.organization_id = claimed.organization_id AND earlier.day < claimed.day
                AND earlier.result IN ('sent', 'unknown')
            ORDER BY earlier.day DESC LIMIT 1), claimed.day - 1),
        setting.sending ->> 'clinic_name',
        extract(epoch FROM due.due_at + re.digest_window() - re.now())::integer
    FROM claimed
    JOIN due ON due.organization_id = claimed.organization_id AND due.day = claimed.day
    JOIN re.setting setting ON setting.organization_id = claimed.organization_id;
END $$;

-- Records the result of an attempt: sent, unknown (the relay may have it), refused, or retry after the pause.
CREATE OR REPLACE FUNCTION re.record_digest(
    organization text, of_day date, of_attempt integer, new_result text, newly_refused text[], pause interval)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE re.digest_sent stored
    SET result = new_result, refused = stored.refused || newly_refused,
        retry_at = CASE WHEN new_result = 'retry' THEN clock_timestamp() + pause END
    WHERE stored.organization_id = organization AND stored.day = of_day AND stored.attempts = of_attempt
        AND stored.result IS NULL;
    IF FOUND AND new_result <> 'retry' THEN
        PERFORM re.count_sent(CASE WHEN new_result IN ('sent', 'unknown') THEN 'digests_sent' ELSE 'digests_failed' END);
    END IF;
END $$;

-- Counts digests that were never sent: their 4 hours are over, or the sender that claimed them has died.
CREATE OR REPLACE FUNCTION re.end_digests() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended bigint;
BEGIN
    UPDATE re.digest_sent stored SET result = CASE WHEN stored.result IS NULL THEN 'lost' ELSE 'expired' END
    WHERE stored.result IS NULL AND stored.claimed_at < clock_timestamp() - interval '1 hour'
        OR stored.result = 'retry' AND stored.claimed_at < clock_timestamp() - re.digest_window() - interval '1 hour';
    GET DIAGNOSTICS ended = ROW_COUNT;
    IF ended > 0 THEN
        PERFORM re.count_sent('digests_failed', ended);
    END IF;
END $$;

-- The numbers of a digest: the patients who have become critical after `told_day` and until `day`, those whose alerts of
-- the counted days are open, and all critical ones.
CREATE OR REPLACE FUNCTION re.plain_digest_numbers(organization text, told_day date, of_day date)
RETURNS TABLE (new bigint, open bigint, critical bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT count(*) FILTER (WHERE patient.critical_since > told_day AND patient.critical_since <= of_day),
        count(*) FILTER (WHERE patient.critical_since > clock.today - re.counted_alert_days()
            AND NOT EXISTS (SELECT FROM re.acknowledgement(organization, patient.patient_id, patient.critical_since))),
        count(*)
    FROM re.clock_of(organization) clock
    JOIN public.patient_reengagement_master_view patient
        ON patient.organization_id = organization AND patient.critical_since IS NOT NULL;
END;

CREATE OR REPLACE FUNCTION re.flat_digest_numbers(organization text, told_day date, of_day date)
RETURNS TABLE (new bigint, open bigint, critical bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(sum(counter.number) FILTER (
            WHERE counter.last_contact_day > told_day - re.critical_risk_days()
                AND counter.last_contact_day <= of_day - re.critical_risk_days()), 0)::bigint,
        coalesce(sum(counter.number - counter.acknowledged) FILTER (
            WHERE counter.last_contact_day > clock.today - re.critical_risk_days() - re.counted_alert_days()), 0)::bigint,
        coalesce(sum(counter.number), 0)::bigint
    FROM re.flat_clock(organization) clock
    LEFT JOIN re.patient_count counter
        ON counter.organization_id = organization AND counter.last_contact_day > '-infinity'
            AND counter.last_contact_day <= clock.today - re.critical_risk_days();
END;
