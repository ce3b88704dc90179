/* endpoint
[{"method": "POST", "path": "alerts/reopen", "writes": true, "questions": [
    {"body": {"patient_id": "{patient_id}", "critical_since": "2025-06-28"},
     "arguments": {"patient": "{patient_id}", "since": "2025-06-28", "logged_by": "user_1"}}]}]
*/
CREATE OR REPLACE FUNCTION re.reopen_alert(
    organization text, patient text, since date, logged_by text,
    session_id text, role text, actor text, address text, request_id text, server_request_id text)
RETURNS TABLE (
    result text,
    id text, name text, phone text, email text, risk_level text, risk_score integer, critical_since text,
    days_since_last_contact integer, recommended_action text, action_priority integer,
    acknowledged_by text, acknowledged_at text, acknowledged_until text, acknowledged_note text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT * FROM re.log_alert_word(organization, patient, since, 'reopen', NULL, '', logged_by, session_id,
        role, actor, address, request_id, server_request_id);
END;
