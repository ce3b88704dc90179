-- Every attempt made until now, to whichever patient, with its day and the first booking attributed to it. A booking
-- belongs to the latest successful attempt before it, so an attempt's bookings lie after it, not after the next
-- successful one (of two at one instant the lower id gets none), within 336 hours, and not after now.
CREATE OR REPLACE VIEW re.attempt AS
SELECT o.organization_id, o.patient_id, o.id, o.method, o.outcome, o.opened, o.notes, o.logged_by, o.created_at,
    re.day_of(o.created_at, c.time_zone) AS day,
    b.converted_at,
    re.day_of(b.converted_at, c.time_zone) AS converted_day
FROM re.clock c
JOIN public.outreach_log o ON o.organization_id = c.organization_id AND o.created_at <= c.now
LEFT JOIN LATERAL (
    SELECT min(a.created_at) AS converted_at
    FROM public.appointments a
    WHERE o.outcome = 'success'
        AND a.organization_id = o.organization_id AND a.patient_id = o.patient_id
        AND a.status NOT IN ('cancelled', 'late_cancelled')
        AND a.created_at > o.created_at
        AND a.created_at <= least(c.now, o.created_at + interval '336 hours', (
            SELECT n.created_at
            FROM public.outreach_log n
            WHERE n.organization_id = o.organization_id AND n.patient_id = o.patient_id AND n.outcome = 'success'
                AND (n.created_at, n.id) > (o.created_at, o.id)
            ORDER BY n.created_at, n.id
            LIMIT 1))
) b ON true;
