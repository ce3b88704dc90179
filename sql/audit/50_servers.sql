-- One row for each run of a server, and whether it recorded its responses (AUDIT=off). ended_at is the time that it
-- recorded, or the start of the next run at the same place. It is null for a running server, and for one that was
-- killed and has no successor.
CREATE OR REPLACE VIEW public.audit_servers AS
WITH said AS (
    SELECT a.at, a.server_request_id AS run, a.filter ->> 'event' AS event, a.filter ->> 'audit' AS audit,
        a.filter ->> 'host' AS host, a.filter ->> 'listen' AS listen, a.filter ->> 'pid' AS pid, a.filter ->> 'version' AS version
    FROM re.audit a
    WHERE a.organization_id = '' AND a.method = 'SERVER'
)
SELECT b.host, b.listen, b.pid, b.version, b.audit, b.at AS began_at, coalesce(b.said_ended_at, b.next_began_at) AS ended_at, b.run
FROM (
    -- Window functions read the rows once. A server that restarts in a loop has many.
    SELECT s.*, max(s.at) FILTER (WHERE s.event = 'ends') OVER (PARTITION BY s.run) AS said_ended_at,
        min(s.at) FILTER (WHERE s.event = 'begins') OVER (PARTITION BY s.host, s.listen
            ORDER BY s.at DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_began_at
    FROM said s
) b
WHERE b.event = 'begins';
