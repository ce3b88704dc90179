-- For each patient the stretches of days with the same last contact: from_day up to, not including, to_day. A second
-- contact on one day makes an empty stretch, and so does an intake that is not before the first contact: from_day is then
-- not before to_day.
CREATE OR REPLACE VIEW re.contact_span AS
SELECT p.organization_id, p.id AS patient_id, s.from_day, coalesce(s.to_day, 'infinity') AS to_day
FROM re.patient p
CROSS JOIN LATERAL (
    SELECT array_agg(re.day_of(c.at, p.time_zone) ORDER BY re.day_of(c.at, p.time_zone)) AS days
    FROM (
        SELECT a.starts_at AS at FROM public.appointments a
        WHERE a.organization_id = p.organization_id AND a.patient_id = p.id
            AND a.status = 'completed' AND a.starts_at <= p.now
        UNION ALL
        SELECT v.occurred_at FROM public.conversations v
        WHERE v.organization_id = p.organization_id AND v.patient_id = p.id AND v.occurred_at <= p.now
        UNION ALL
        SELECT o.created_at FROM public.outreach_log o
        WHERE o.organization_id = p.organization_id AND o.patient_id = p.id
            AND o.outcome = 'success' AND o.created_at <= p.now
    ) c
) k
-- Pairs each day with the one after it, since unnest fills the shorter array up with null.
CROSS JOIN LATERAL unnest(re.day_of(p.created_at, p.time_zone) || k.days, k.days) AS s(from_day, to_day);
