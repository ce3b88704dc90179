-- Until the endpoint alerts/live defines it.
CREATE OR REPLACE FUNCTION re.live_alerts(organization text)
RETURNS TABLE (sequence bigint, critical bigint, new_today bigint, open bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce((SELECT announcement.sequence FROM re.announcement announcement
            WHERE announcement.organization_id = organization), 0), 0::bigint, 0::bigint, 0::bigint;
END;
