/* endpoint
[{"method": "GET", "path": "alerts", "arguments": {"days": 7, "wanted_state": "open", "row_limit": 51},
  "questions": [
    {"title": "alerts", "query": ""},
    {"title": "alerts of 90 days, all", "query": "days=90&state=all&limit=200",
     "arguments": {"days": 90, "wanted_state": "all", "row_limit": 201}},
    {"query": "days=30&state=acknowledged", "arguments": {"days": 30, "wanted_state": "acknowledged"}}]}]
*/
-- The page after a cursor: after the given day, numbers and id in the order of the alerts. Without a cursor all are
-- null.
CREATE OR REPLACE FUNCTION re.plain_alerts(
    organization text, days integer, wanted_state text, row_limit integer,
    after_since date, after_priority integer, after_score integer, after_id text)
RETURNS TABLE (
    "timestamp" text, critical bigint, new_today bigint, open bigint, acknowledged bigint, sequence bigint,
    id text, name text, phone text, email text, risk_level text, risk_score integer, critical_since text,
    days_since_last_contact integer, recommended_action text, action_priority integer,
    acknowledged_by text, acknowledged_at text, acknowledged_until text, acknowledged_note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH clock AS MATERIALIZED (
        SELECT clock.now, clock.today FROM re.clock_of(organization) clock
    ), patient AS MATERIALIZED (
        SELECT master.*
        FROM public.patient_reengagement_master_view master
        WHERE master.organization_id = organization AND master.critical_since IS NOT NULL
    ), alert AS MATERIALIZED (
        SELECT patient.*, acknowledgement.by, acknowledgement.at, acknowledgement.until, acknowledgement.note,
            CASE WHEN acknowledgement.by IS NULL THEN 'open' ELSE 'acknowledged' END AS state
        FROM clock
        JOIN patient ON patient.critical_since > clock.today - days
        LEFT JOIN LATERAL re.acknowledgement(organization, patient.patient_id, patient.critical_since)
            acknowledgement ON true
    )
    SELECT re.rfc3339(clock.now), patients.critical, patients.new_today, alerts.open, alerts.acknowledged,
        coalesce((SELECT announcement.sequence FROM re.announcement announcement
            WHERE announcement.organization_id = organization), 0),
        page.patient_id, page.name, page.phone, page.email, page.risk_level, page.risk_score,
        re.iso_date(page.critical_since), page.days_since_last_contact, page.recommended_action, page.action_priority,
        page.by, re.rfc3339(page.at), re.iso_date(page.until), page.note
    FROM clock
    CROSS JOIN LATERAL (
        SELECT count(*) AS critical, count(*) FILTER (WHERE patient.critical_since = clock.today) AS new_today
        FROM patient
    ) patients
    CROSS JOIN (
        SELECT count(*) FILTER (WHERE alert.state = 'open') AS open,
            count(*) FILTER (WHERE alert.state = 'acknowledged') AS acknowledged
        FROM alert
    ) alerts
    LEFT JOIN LATERAL (
        SELECT alert.*
        FROM alert
        WHERE (wanted_state = 'all' OR alert.state = wanted_state)
            AND (after_id IS NULL
                OR (alert.days_since_last_contact, alert.action_priority, -alert.risk_score, alert.patient_id)
                > (clock.today - after_since + re.critical_risk_days(), after_priority, -after_score, after_id))
        ORDER BY alert.days_since_last_contact, alert.action_priority, alert.risk_score DESC, alert.patient_id
        LIMIT row_limit
    ) page ON true
    ORDER BY page.days_since_last_contact, page.action_priority, page.risk_score DESC, page.patient_id;
END;

CREATE OR REPLACE FUNCTION re.flat_alerts(
    organization text, days integer, wanted_state text, row_limit integer,
    after_since date, after_priority integer, after_score integer, after_id text)
RETURNS TABLE (
    "timestamp" text, critical bigint, new_today bigint, open bigint, acknowledged bigint, sequence bigint,
    id text, name text, phone text, email text, risk_level text, risk_score integer, critical_since text,
    days_since_last_contact integer, recommended_action text, action_priority integer,
    acknowledged_by text, acknowledged_at text, acknowledged_until text, acknowledged_note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT re.rfc3339(clock.now), patients.critical, patients.new_today, alerts.open, alerts.acknowledged,
        coalesce((SELECT announcement.sequence FROM re.announcement announcement
            WHERE announcement.organization_id = organization), 0),
        alert.id, alert.name, alert.phone, alert.email, alert.level, alert.score, alert.since, alert.days,
        alert.action, alert.priority, alert.by, alert.at, alert.until, alert.note
    FROM re.flat_clock(organization) clock
    CROSS JOIN (
        SELECT coalesce(sum(counter.number), 0)::bigint AS critical,
            coalesce(sum(counter.number) FILTER (WHERE counter.days = re.critical_risk_days()), 0)::bigint AS new_today
        FROM re.flat_population(organization) counter
        WHERE counter.days >= re.critical_risk_days()
    ) patients
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(counter.number - counter.acknowledged), 0)::bigint AS open,
            coalesce(sum(counter.acknowledged), 0)::bigint AS acknowledged
        FROM re.patient_count counter
        WHERE counter.organization_id = organization
            AND counter.last_contact_day > clock.today - days - re.critical_risk_days()
            AND counter.last_contact_day <= clock.today - re.critical_risk_days()
    ) alerts
    LEFT JOIN LATERAL (
        SELECT page.number, page.patient_id AS id, page.name, page.phone, page.email,
            re.risk_level(contact.days) AS level, risk.score, re.iso_date(page.last_contact_day
                + re.critical_risk_days()) AS since,
            contact.days, re.recommended_action(re.group_status(page.risk_group, contact.days),
                re.risk_tier(risk.score), re.has_appointment(page.risk_group)) AS action,
            re.group_priority(page.risk_group, contact.days) AS priority, page.acknowledged_by AS by,
            re.rfc3339(page.acknowledged_at) AS at, re.iso_date(page.acknowledged_until) AS until,
            page.acknowledgement_note AS note
        FROM re.flat_alert_page(organization, clock.today, days, wanted_state, row_limit, after_since, after_priority,
            after_score, after_id) page
        CROSS JOIN LATERAL (SELECT clock.today - page.last_contact_day AS days OFFSET 0) contact
        CROSS JOIN LATERAL (SELECT re.group_score(page.risk_group, contact.days) AS score OFFSET 0) risk
    ) alert ON true
    ORDER BY alert.number;
END;
