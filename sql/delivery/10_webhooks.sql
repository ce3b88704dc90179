-- What a sender asks about webhooks (docs/definitions.md, section 10). All times are of the wall clock.
--
-- These functions run with the rights of reengagement_scheduler, since a sender serves all organizations. The server's
-- role has no right to other organizations' rows of these tables.
--
-- A sender claims a webhook by a lease, commits, and only then uses the network. So any number of senders never send
-- twice at a time for one organization. The webhook of a sender that has died is free again when the lease ends.

-- The time after which a request that failed is repeated. `failures` counts the failures in a row, this one included.
CREATE OR REPLACE FUNCTION re.webhook_pause(failures integer) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY[interval '5 seconds', '5 minutes', '30 minutes', '2 hours', '5 hours', '10 hours'])[least(failures, 6)];

-- The least time between two requests, unless the first one failed or a PUT has named the URL since.
CREATE OR REPLACE FUNCTION re.webhook_gap() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '60 seconds';

-- How long the version before a rotation signs too.
CREATE OR REPLACE FUNCTION re.webhook_overlap() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '24 hours';

-- Whether the version before signs too, for a webhook whose present version signs since a rotation.
CREATE OR REPLACE FUNCTION re.old_version_signs(version integer, rotated_at timestamptz, now timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN version > 1 AND coalesce(rotated_at > now - re.webhook_overlap(), false);

-- The receivers that have not been told of the newest notice, and the time from which on they may be told.
CREATE OR REPLACE FUNCTION re.untold_webhooks()
RETURNS TABLE (organization_id text, told_sequence bigint, due_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT webhook.organization_id, coalesce(webhook.told_sequence, 0),
        greatest(webhook.leased_until, CASE
            WHEN webhook.failures > 0 THEN webhook.retry_at
            WHEN webhook.sent_generation = webhook.generation THEN webhook.sent_at + re.webhook_gap()
        END, '-infinity')
    FROM re.setting setting
    JOIN re.webhook webhook ON webhook.organization_id = setting.organization_id
    JOIN re.announcement announcement ON announcement.organization_id = setting.organization_id
    WHERE setting.webhook_url IS NOT NULL AND NOT webhook.is_gone
        AND announcement.sequence > coalesce(webhook.told_sequence, 0);
END;

-- Leases at most `most` webhooks that have something to tell. The URL is read after the row is locked, so that it
-- belongs to the returned generation.
CREATE OR REPLACE FUNCTION re.claim_webhooks(most integer, lease_time interval)
RETURNS TABLE (organization_id text, generation bigint, lease bigint, url text, version integer, old_version_signs boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    claimed record;
BEGIN
    FOR claimed IN
        WITH due AS MATERIALIZED (
            SELECT locked.organization_id
            FROM re.webhook locked
            JOIN re.untold_webhooks() untold ON untold.organization_id = locked.organization_id
            WHERE untold.due_at <= clock_timestamp()
                -- Checked again on the row as it is once it is locked.
                AND coalesce(locked.leased_until <= clock_timestamp(), true) AND NOT locked.is_gone
            ORDER BY untold.due_at
            LIMIT most
            FOR NO KEY UPDATE OF locked SKIP LOCKED
        )
        UPDATE re.webhook webhook
        SET lease = webhook.lease + 1, leased_until = clock_timestamp() + lease_time
        FROM due
        WHERE webhook.organization_id = due.organization_id
        RETURNING webhook.organization_id, webhook.generation, webhook.lease, webhook.version, webhook.rotated_at
    LOOP
        RETURN QUERY
        SELECT claimed.organization_id, claimed.generation, claimed.lease, setting.webhook_url, claimed.version,
            re.old_version_signs(claimed.version, claimed.rotated_at, clock_timestamp())
        FROM re.setting setting
        WHERE setting.organization_id = claimed.organization_id AND setting.webhook_url IS NOT NULL;
    END LOOP;
END $$;

-- Records the answer to a request that told of `told`. `status` is null if no answer came.
CREATE OR REPLACE FUNCTION re.record_webhook(
    organization text, of_generation bigint, of_lease bigint, told bigint, status integer)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_good boolean := coalesce(status BETWEEN 200 AND 299, false);
    ended timestamptz := clock_timestamp();
BEGIN
    UPDATE re.webhook webhook
    SET leased_until = NULL,
        sent_at = ended, sent_generation = of_generation,
        told_sequence = CASE WHEN is_good THEN greatest(webhook.told_sequence, told) ELSE webhook.told_sequence END,
        failures = CASE WHEN is_good THEN 0 ELSE webhook.failures + 1 END,
        failing_since = CASE WHEN NOT is_good THEN coalesce(webhook.failing_since, ended) END,
        retry_at = CASE WHEN NOT is_good THEN ended + re.webhook_pause(webhook.failures + 1) END,
        last_status = status,
        is_gone = coalesce(status = 410, false)
    WHERE webhook.organization_id = organization AND webhook.lease = of_lease AND webhook.generation = of_generation;
    IF NOT FOUND THEN
        -- A PUT has begun anew meanwhile.
        UPDATE re.webhook webhook SET leased_until = NULL
        WHERE webhook.organization_id = organization AND webhook.lease = of_lease;
    END IF;
    PERFORM re.count_sent(CASE WHEN is_good THEN 'webhooks_delivered' ELSE 'webhooks_failed' END);
END $$;

-- Gives a webhook back for which nothing was sent. It is claimed again after the pause.
CREATE OR REPLACE FUNCTION re.release_webhook(organization text, of_lease bigint, pause interval) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE re.webhook webhook SET leased_until = clock_timestamp() + pause
    WHERE webhook.organization_id = organization AND webhook.lease = of_lease;
END $$;

-- Leases at most `most` requested pings. `requested_at` identifies the request.
CREATE OR REPLACE FUNCTION re.claim_pings(most integer, lease_time interval)
RETURNS TABLE (organization_id text, generation bigint, requested_at text, url text, version integer, old_version_signs boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    claimed record;
BEGIN
    FOR claimed IN
        WITH due AS MATERIALIZED (
            SELECT locked.organization_id
            FROM re.webhook locked
            WHERE locked.test_requested_at IS NOT NULL
                AND (locked.test_requested_at IS DISTINCT FROM locked.test_claimed
                    OR coalesce(locked.test_leased_until <= clock_timestamp(), true))
            ORDER BY locked.test_requested_at
            LIMIT most
            FOR NO KEY UPDATE OF locked SKIP LOCKED
        )
        UPDATE re.webhook webhook
        SET test_claimed = webhook.test_requested_at, test_leased_until = clock_timestamp() + lease_time
        FROM due
        WHERE webhook.organization_id = due.organization_id
        RETURNING webhook.organization_id, webhook.generation, webhook.test_claimed, webhook.version, webhook.rotated_at
    LOOP
        RETURN QUERY
        SELECT claimed.organization_id, claimed.generation, claimed.test_claimed::text, setting.webhook_url,
            claimed.version,
            re.old_version_signs(claimed.version, claimed.rotated_at, clock_timestamp())
        FROM re.setting setting
        WHERE setting.organization_id = claimed.organization_id AND setting.webhook_url IS NOT NULL;
    END LOOP;
END $$;

-- Records the outcome of a ping, and nothing else. A request that came meanwhile stays.
CREATE OR REPLACE FUNCTION re.record_ping(
    organization text, of_generation bigint, requested_at text, started_at timestamptz, status integer,
    duration_ms integer, error text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE re.webhook webhook
    SET last_test = CASE
            WHEN webhook.generation = of_generation THEN jsonb_build_object('at', re.rfc3339(started_at),
                'status', status, 'duration_ms', duration_ms, 'error', error)
            ELSE webhook.last_test
        END,
        test_requested_at = nullif(webhook.test_requested_at, requested_at::timestamptz),
        test_leased_until = CASE
            WHEN webhook.test_claimed = requested_at::timestamptz THEN NULL ELSE webhook.test_leased_until END
    WHERE webhook.organization_id = organization;
END $$;

-- The organizations with a webhook or a digest whose derived data are not current, so that notices may be missing.
CREATE OR REPLACE FUNCTION re.organizations_to_send(most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT due.organization
    FROM re.organizations_due(1000000) AS due(organization)
    JOIN re.setting setting ON setting.organization_id = due.organization
    WHERE setting.webhook_url IS NOT NULL OR setting.digest IS NOT NULL
    LIMIT most;
END $$;
