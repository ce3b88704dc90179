-- Where the look for an organization's marks begins. The entries of marks that are gone stay in an index until a vacuum
-- takes them, and while any session holds an old snapshot none can: a look from the beginning would walk over all of them.
--
-- The marks of an organization are in the order of (xid, patient), xid being the transaction that has left them. Its row
-- keeps a floor in that order, and a few transactions beside it, so that
--
--   in a snapshot that has this row, each of the organization's marks is at the floor or behind it, or is of one of those.
--
-- An advance writes them (re.settle), in one statement and so by one snapshot T, after it has taken its marks:
--
--   1. The horizon is a transaction below which all had ended in T, but for those that are noted as running: no
--      transaction from the horizon on (the advance's own is one) and none of the noted is below the floor unnoticed.
--   2. The floor is the first mark that T has below the horizon, or the horizon itself. So of what had ended in T, no
--      mark below the floor is left: it was rolled back, taken by an earlier advance, or by this one.
--   3. Whoever sees the row sees the advance committed, hence all that T saw, its deletions and all that had ended then.
--      On a standby too, which learns of commits in their order. Prepared transactions count as running.
--
-- Numbers of transactions mean something in the cluster that has given them only. A row that a dump has brought was
-- written by another transaction than the one it names, and so was one that somebody has written by hand or a migration
-- has touched: its floor is none. (Were the two the same number by chance, what is written there later is behind it still.)
-- A physical copy, a promoted standby and pg_upgrade go on with the numbers.

-- 0 is no transaction: all marks are behind it.
CREATE OR REPLACE FUNCTION re.floor_of(written_by xid, floor_by xid, floor xid8) RETURNS xid8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN written_by = floor_by THEN floor ELSE '0'::xid8 END;

-- By the snapshot of the statement that asks. Without those noted, one that is open for long would hold the floor, and the
-- marks that are gone would gather behind it. One that has begun just now is waited for: a look for each would cost more.
CREATE OR REPLACE FUNCTION re.mark_horizon(OUT horizon xid8, OUT running xid8[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH snapshot AS MATERIALIZED (
        SELECT pg_snapshot_xmax(s)::text::bigint AS ends, s FROM pg_current_snapshot() AS s
    ), old AS MATERIALIZED (
        SELECT r.xid
        FROM snapshot, pg_snapshot_xip(snapshot.s) AS r(xid)
        WHERE r.xid::text::bigint < snapshot.ends - 100
        ORDER BY r.xid
        LIMIT 8
    )
    SELECT least(pg_snapshot_xmax(snapshot.s), pg_current_xact_id(), (
            SELECT r.xid FROM pg_snapshot_xip(snapshot.s) AS r(xid)
            WHERE r.xid NOT IN (SELECT o.xid FROM old o) ORDER BY r.xid LIMIT 1)),
        ARRAY(SELECT o.xid FROM old o)
    FROM snapshot;
END;

-- An organization's marks from a floor on, in their order. The limit leads the planner to the index whatever it believes of
-- their number.
CREATE OR REPLACE FUNCTION re.marks_behind(organization text, floor xid8, floor_patient text, most bigint)
RETURNS TABLE (xid xid8, patient_id text, answers_only boolean, marked_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.xid, d.patient_id, d.answers_only, d.marked_at
    FROM re.dirty d
    WHERE d.organization_id = organization AND (d.xid, d.patient_id) >= (floor, floor_patient)
    ORDER BY d.organization_id, d.xid, d.patient_id
    LIMIT most;
END;

-- All its marks in their order: those of the transactions noted beside the floor lie below it. Of each at most so many.
CREATE OR REPLACE FUNCTION re.marks_of(organization text, most bigint)
RETURNS TABLE (xid xid8, patient_id text, answers_only boolean, marked_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.xid, m.patient_id, m.answers_only, m.marked_at
    FROM re.state_of(organization) s
    CROSS JOIN LATERAL (SELECT re.floor_of(s.xmin, s.marks_from_by, s.marks_from) AS floor OFFSET 0) f
    CROSS JOIN LATERAL (
        SELECT n.xid, n.patient_id, n.answers_only, n.marked_at
        FROM unnest(s.marks_running) AS r(xid)
        CROSS JOIN LATERAL (
            SELECT d.xid, d.patient_id, d.answers_only, d.marked_at
            FROM re.dirty d
            WHERE d.organization_id = organization AND d.xid = r.xid AND d.xid < f.floor
            ORDER BY d.organization_id, d.xid, d.patient_id
            LIMIT most
        ) n
        UNION ALL
        SELECT b.xid, b.patient_id, b.answers_only, b.marked_at
        FROM re.marks_behind(organization, f.floor, s.marks_from_patient, most) b
    ) m
    WHERE s.organization_id = organization;
END;
