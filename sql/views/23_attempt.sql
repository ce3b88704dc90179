-- Every attempt made until now, to any patient, with its day and the first booking attributed to it. A booking belongs
-- to the latest successful attempt before it. So the bookings of an attempt are later than it, not later than the next
-- successful attempt, within the attribution window and not later than now. Of two attempts at the same instant, the
-- lower id has none.
CREATE OR REPLACE VIEW re.attempt AS
SELECT attempt.organization_id, attempt.patient_id, attempt.id, attempt.method, attempt.outcome, attempt.opened,
    attempt.notes, attempt.logged_by, attempt.created_at,
    re.day_of(attempt.created_at, clock.time_zone) AS day,
    booking.converted_at,
    re.day_of(booking.converted_at, clock.time_zone) AS converted_day
FROM re.clock clock
JOIN public.outreach_log attempt ON attempt.organization_id = clock.organization_id AND attempt.created_at <= clock.now
LEFT JOIN LATERAL (
    SELECT min(appointment.created_at) AS converted_at
    FROM public.appointments appointment
    WHERE attempt.outcome = 'success'
        AND appointment.organization_id = attempt.organization_id AND appointment.patient_id = attempt.patient_id
        AND appointment.status NOT IN ('cancelled', 'late_cancelled')
        AND appointment.created_at > attempt.created_at
        AND appointment.created_at <= least(clock.now, attempt.created_at + re.attribution_window(), (
            SELECT next.created_at
            FROM public.outreach_log next
            WHERE next.organization_id = attempt.organization_id AND next.patient_id = attempt.patient_id
                AND next.outcome = 'success'
                AND (next.created_at, next.id) > (attempt.created_at, attempt.id)
            ORDER BY next.created_at, next.id
            LIMIT 1))
) booking ON true;
