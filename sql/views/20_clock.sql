-- Each organization's now, time zone and today. Without OFFSET 0 the planner copies the conversions into every row and
-- every condition that uses them: a plain list of 2,000 patients then takes 125 ms instead of 78.
CREATE OR REPLACE VIEW re.clock AS
SELECT organization.id AS organization_id, organization.time_zone, organization.appointment_value,
    clock.now, clock.today
FROM public.organizations organization
CROSS JOIN LATERAL (
    SELECT instant.now, re.day_of(instant.now, organization.time_zone) AS today
    FROM (SELECT re.now() AS now OFFSET 0) instant
    OFFSET 0
) clock;

-- The same for one organization. If it has no row, the time zone is UTC.
CREATE OR REPLACE FUNCTION re.clock_of(organization text)
RETURNS TABLE (now timestamptz, today date, time_zone text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT instant.now, coalesce(clock.today, re.day_of(instant.now, 'UTC')), coalesce(clock.time_zone, 'UTC')
    FROM (SELECT re.now() AS now) instant
    LEFT JOIN re.clock clock ON clock.organization_id = organization
    OFFSET 0;
END;
