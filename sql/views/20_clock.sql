-- Each organization's now, zone and today. OFFSET 0 keeps the planner from copying the conversions into every row and
-- every condition that uses them.
CREATE OR REPLACE VIEW re.clock AS
SELECT o.id AS organization_id, o.time_zone, o.appointment_value, n.now, n.today
FROM public.organizations o
CROSS JOIN LATERAL (
    SELECT t.now, re.day_of(t.now, o.time_zone) AS today
    FROM (SELECT re.now() AS now OFFSET 0) t
    OFFSET 0
) n;

-- The same for one organization, in UTC where it has no row.
CREATE OR REPLACE FUNCTION re.clock_of(organization text)
RETURNS TABLE (now timestamptz, today date, time_zone text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.now, coalesce(c.today, re.day_of(n.now, 'UTC')), coalesce(c.time_zone, 'UTC')
    FROM (SELECT re.now() AS now) n
    LEFT JOIN re.clock c ON c.organization_id = organization
    OFFSET 0;
END;
