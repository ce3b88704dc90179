/* endpoint
[{"method": "GET", "path": "absences", "questions": [{"query": ""}]}]
*/
-- An endpoint for the test `changes`, which changes it in each way that a new version may.
CREATE OR REPLACE FUNCTION re.plain_absences(organization text)
RETURNS TABLE (missed bigint, last_updated text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT total.missed, re.rfc3339(clock.now)
    FROM re.clock_of(organization) clock
    CROSS JOIN (
        SELECT count(*) AS missed FROM re.missed_appointment appointment
        WHERE appointment.organization_id = organization
    ) total;
END;

CREATE OR REPLACE FUNCTION re.flat_absences(organization text)
RETURNS TABLE (missed bigint, last_updated text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT total.missed, re.rfc3339(clock.now)
    FROM re.flat_clock(organization) clock
    CROSS JOIN (
        SELECT coalesce(sum(counter.missed), 0)::bigint AS missed FROM re.risk_day counter
        WHERE counter.organization_id = organization
    ) total;
END;
