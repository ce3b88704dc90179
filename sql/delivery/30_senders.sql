-- What senders report of themselves, and what the server's metrics say of them. The functions have the rights of
-- reengagement_scheduler, as in 10_webhooks.

-- Raises one of the totals of all senders.
CREATE OR REPLACE FUNCTION re.count_sent(total text, amount bigint DEFAULT 1) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE re.sender_total stored SET number = stored.number + amount WHERE stored.name = total;
END $$;

-- Records that a sender is running. A sender that was silent for a day is forgotten.
CREATE OR REPLACE FUNCTION re.report_sender(name text, channels jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    figures jsonb := channels || jsonb_build_object(
        'webhook_lag_seconds', coalesce((
            SELECT max(extract(epoch FROM clock_timestamp() - oldest.written_at))::bigint
            FROM re.untold_webhooks() untold
            CROSS JOIN LATERAL (
                SELECT notice.written_at FROM re.notice notice
                WHERE notice.organization_id = untold.organization_id AND notice.sequence > untold.told_sequence
                ORDER BY notice.sequence LIMIT 1
            ) oldest), 0),
        'webhooks_failing', (
            SELECT count(*) FROM re.webhook webhook
            JOIN re.setting setting ON setting.organization_id = webhook.organization_id
            WHERE setting.webhook_url IS NOT NULL AND webhook.failing_since IS NOT NULL));
BEGIN
    INSERT INTO re.sender_state AS stored (sender, seen_at, figures) VALUES (name, clock_timestamp(), figures)
    ON CONFLICT (sender) DO UPDATE SET seen_at = excluded.seen_at, figures = excluded.figures;
    DELETE FROM re.sender_state stored WHERE stored.seen_at < clock_timestamp() - interval '1 day';
END $$;

-- For the metrics. `seen_seconds` is null if no sender has run in the last day. The figures are those of the sender that
-- reported last.
CREATE OR REPLACE FUNCTION re.sender_figures()
RETURNS TABLE (senders bigint, organizations bigint, seen_seconds integer, webhook_lag_seconds bigint, webhooks_failing bigint,
    webhooks_delivered bigint, webhooks_failed bigint, digests_sent bigint, digests_failed bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT
        (SELECT count(*) FROM re.sender_state running WHERE running.seen_at > clock_timestamp() - interval '1 minute'),
        (SELECT count(*) FROM re.setting setting WHERE setting.webhook_url IS NOT NULL OR setting.digest IS NOT NULL),
        extract(epoch FROM clock_timestamp() - last.seen_at)::integer,
        (last.figures ->> 'webhook_lag_seconds')::bigint, (last.figures ->> 'webhooks_failing')::bigint,
        total.webhooks_delivered, total.webhooks_failed, total.digests_sent, total.digests_failed
    FROM (
        SELECT sum(stored.number) FILTER (WHERE stored.name = 'webhooks_delivered')::bigint AS webhooks_delivered,
            sum(stored.number) FILTER (WHERE stored.name = 'webhooks_failed')::bigint AS webhooks_failed,
            sum(stored.number) FILTER (WHERE stored.name = 'digests_sent')::bigint AS digests_sent,
            sum(stored.number) FILTER (WHERE stored.name = 'digests_failed')::bigint AS digests_failed
        FROM re.sender_total stored
    ) total
    LEFT JOIN LATERAL (
        SELECT reported.seen_at, reported.figures FROM re.sender_state reported
        ORDER BY reported.seen_at DESC LIMIT 1
    ) last ON true;
END $$;
