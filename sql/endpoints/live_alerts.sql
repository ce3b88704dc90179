/* endpoint
[{"method": "GET", "path": "alerts/live", "streams": true, "cached": false, "questions": [{"query": ""}]}]
*/

-- The first message of a stream. The later ones come from re.live (../flat/80_live.sql).
CREATE OR REPLACE FUNCTION re.plain_live_alerts(organization text)
RETURNS TABLE (sequence bigint, critical bigint, new_today bigint, open bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce((SELECT announcement.sequence FROM re.announcement announcement
            WHERE announcement.organization_id = organization), 0),
        count(*), count(*) FILTER (WHERE patient.critical_since = clock.today),
        count(*) FILTER (WHERE patient.critical_since > clock.today - re.counted_alert_days()
            AND NOT EXISTS (SELECT FROM re.acknowledgement(organization, patient.patient_id, patient.critical_since)))
    FROM re.clock_of(organization) clock
    LEFT JOIN public.patient_reengagement_master_view patient
        ON patient.organization_id = organization AND patient.critical_since IS NOT NULL
    WHERE patient.patient_id IS NOT NULL;
END;

CREATE OR REPLACE FUNCTION re.flat_live_alerts(organization text)
RETURNS TABLE (sequence bigint, critical bigint, new_today bigint, open bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce((SELECT announcement.sequence FROM re.announcement announcement
            WHERE announcement.organization_id = organization), 0),
        counted.critical, counted.new_today, counted.open
    FROM re.flat_clock(organization) clock
    CROSS JOIN LATERAL re.flat_alert_counts(organization, clock.today) counted;
END;
