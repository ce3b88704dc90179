-- Which servers ran when, and whether they recorded what they answered (AUDIT=off): one row for each run. ended_at is when
-- it said so, or when the next one began at its place; null while it runs, and of one that was killed and has no successor.
CREATE OR REPLACE VIEW public.audit_servers AS
WITH said AS (
    SELECT a.at, a.server_request_id AS run, a.filter ->> 'event' AS event, a.filter ->> 'audit' AS audit,
        a.filter ->> 'host' AS host, a.filter ->> 'listen' AS listen, a.filter ->> 'pid' AS pid, a.filter ->> 'version' AS version
    FROM re.audit a
    WHERE a.organization_id = '' AND a.method = 'SERVER'
)
SELECT b.host, b.listen, b.pid, b.version, b.audit, b.at AS began_at,
    coalesce(
        (SELECT max(e.at) FROM said e WHERE e.run = b.run AND e.event = 'ends'),
        (SELECT min(n.at) FROM said n WHERE (n.host, n.listen, n.event) = (b.host, b.listen, 'begins') AND n.at > b.at)
    ) AS ended_at, b.run
FROM said b
WHERE b.event = 'begins';
