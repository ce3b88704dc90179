-- Functions that servers of an earlier version call. The next release drops them. This file is the first, so that no
-- later one finds two candidates for re.is_current(organization). The bodies are plpgsql, which does not look up the
-- later files' functions before a call. A former name of a setting is in 60_refresh_on_read.

-- A server of 0.3.0 runs until the next one takes over its socket. It calls the list with these parameters, and names
-- the columns that it reads.
CREATE OR REPLACE FUNCTION re.prioritized_patients(
    organization text, wanted_level text, row_limit integer,
    after_priority integer, after_score integer, after_days integer, after_id text)
RETURNS TABLE (
    "timestamp" text, id text, name text, phone text, email text, risk_level text, risk_score integer,
    days_since_last_contact integer, last_appointment_date text, next_scheduled_appointment text,
    recommended_action text, action_priority integer, previous_response_rate numeric,
    total_lifetime_appointments integer, missed_appointments_last_90d integer, engagement_status text,
    risk_tier text, attendance_rate_percent numeric, lifetime_value numeric)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT list."timestamp", list.id, list.name, list.phone, list.email, list.risk_level, list.risk_score,
        list.days_since_last_contact, list.last_appointment_date, list.next_scheduled_appointment,
        list.recommended_action, list.action_priority, list.previous_response_rate, list.total_lifetime_appointments,
        list.missed_appointments_last_90d, list.engagement_status, list.risk_tier, list.attendance_rate_percent,
        list.lifetime_value
    FROM re.prioritized_patients(organization, wanted_level, NULL, NULL, NULL, NULL, 'priority', false, row_limit,
        after_priority, after_score, after_days, NULL, after_id) list;
END $$;

-- An endpoint's function that waits for the migration's locks still has its former body (90_dispatch), which calls
-- these.
CREATE OR REPLACE FUNCTION re.is_current(organization text, caught_up boolean) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN caught_up THEN re.is_valid_now(organization) ELSE re.is_current(organization) END;
END $$;

CREATE OR REPLACE FUNCTION re.catch_up(organization text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE re.refresh_on_read(organization) WHEN 'refreshed' THEN true WHEN 'changed' THEN false END;
END $$;

-- A call of re.log_outreach that began before the migration still calls this.
CREATE OR REPLACE FUNCTION re.record_attempt(organization text, patient text, outreach uuid, filter jsonb, subject text,
    session_id text, role text, actor text, address text, request_id text, server_request_id text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM re.record_write(organization, 201, 'POST', 'log-outreach', patient, outreach, filter, subject, session_id, role,
        actor, address, request_id, server_request_id);
END $$;
