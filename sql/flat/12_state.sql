-- An organization's row. A snapshot has one of it at most, the newest of those that it could have: so the first that is met
-- from the greatest generation down is the one, and whatever else has gone before it is not read. Without the order a look would go
-- through every version that a held snapshot keeps. (xmin and tableoid: which version it is, 95_probe.)
CREATE OR REPLACE FUNCTION re.state_of(organization text)
RETURNS TABLE (
    organization_id text, generation bigint, building_after text, time_zone text, appointment_value numeric,
    valid_from timestamptz, valid_until timestamptz, day_from date, day_until date,
    marks_from xid8, marks_from_patient text, marks_running xid8[], marks_from_by xid, xmin xid, tableoid oid)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.organization_id, s.generation, s.building_after, s.time_zone, s.appointment_value,
        s.valid_from, s.valid_until, s.day_from, s.day_until,
        s.marks_from, s.marks_from_patient, s.marks_running, s.marks_from_by, s.xmin, s.tableoid
    FROM re.organization_state s
    WHERE s.organization_id = organization
    ORDER BY s.generation DESC
    LIMIT 1;
END;
