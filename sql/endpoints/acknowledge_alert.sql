/* endpoint
[{"method": "POST", "path": "alerts/acknowledge", "writes": true, "questions": [
    {"body": {"patient_id": "{patient_id}", "critical_since": "2025-06-28"},
     "arguments": {"patient": "{patient_id}", "since": "2025-06-28", "note": "", "logged_by": "user_1"}}]}]
*/
-- Writes a word about an alert: `acknowledge` or `reopen`. Always returns one row, so that a refusal is a result and
-- not an error. The result is one of
--
--   written     the word has been written and recorded in the audit
--   unchanged   the alert is like that already
--   bad_until   the day is not 1 to 365 days after today
--   no_patient  there is no such patient
--   over        the patient is not critical since that day; critical_since is the present one, or null
CREATE OR REPLACE FUNCTION re.log_alert_word(
    organization text, patient text, since date, action text, until date, note text,
    logged_by text, session_id text, role text, actor text, address text, request_id text, server_request_id text)
RETURNS TABLE (
    result text,
    id text, name text, phone text, email text, risk_level text, risk_score integer, critical_since text,
    days_since_last_contact integer, recommended_action text, action_priority integer,
    acknowledged_by text, acknowledged_at text, acknowledged_until text, acknowledged_note text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    given_now text := coalesce(current_setting('reengagement.now', true), '');
    outcome text;
BEGIN
    PERFORM re.require_known_zone(organization);
    -- Excludes a concurrent deletion of a patient's words. The lookups below must follow it
    -- (../flat/23_forgotten_attempts.sql).
    PERFORM pg_advisory_xact_lock_shared(hashtext('re.attempts_lock'), re.attempts_lock(organization));
    -- Of two requests for one patient, the second sees the word of the first.
    PERFORM pg_advisory_xact_lock(hashtext('re.alert_word'), hashtext(concat_ws(' ', organization, patient)));
    -- now() is the beginning of the transaction, before the lock was granted. By that clock the word of the other
    -- request would be in the future, and not exist yet. So from here on now is the time of the lock.
    IF given_now = '' THEN
        PERFORM set_config('reengagement.now', clock_timestamp()::text, true);
    END IF;

    SELECT CASE
            WHEN log_alert_word.until NOT BETWEEN clock.today + 1 AND clock.today + re.longest_snooze() THEN 'bad_until'
            WHEN alert.id IS NULL THEN 'no_patient'
            WHEN alert.critical_since IS DISTINCT FROM re.iso_date(since) THEN 'over'
            WHEN log_alert_word.action = 'reopen' AND alert.acknowledged_by IS NULL THEN 'unchanged'
            WHEN log_alert_word.action = 'acknowledge' AND (latest.action, latest.until, latest.note)
                IS NOT DISTINCT FROM (log_alert_word.action, log_alert_word.until, log_alert_word.note) THEN 'unchanged'
            ELSE 'written'
        END
    INTO outcome
    FROM re.clock_of(organization) clock
    LEFT JOIN re.alert_of(organization, patient) alert ON true
    LEFT JOIN LATERAL (
        SELECT word.action, word.until, word.note
        FROM re.alert_acknowledgement word
        WHERE word.organization_id = organization AND word.patient_id = patient AND word.critical_since = since
            AND word.created_at <= clock.now
        ORDER BY word.created_at DESC, word.number DESC
        LIMIT 1
    ) latest ON true;

    IF outcome = 'written' THEN
        INSERT INTO re.alert_acknowledgement
            (organization_id, patient_id, critical_since, action, until, note, logged_by, created_at)
        VALUES (organization, patient, since, log_alert_word.action, log_alert_word.until, log_alert_word.note,
            log_alert_word.logged_by, re.now());
        -- In the same transaction, so that no word is without its audit entry. Another result changes nothing and is
        -- recorded with the reads. The note is not recorded.
        PERFORM re.record_write(organization, 200, 'POST', 'alerts/' || log_alert_word.action, patient, NULL,
            jsonb_strip_nulls(jsonb_build_object(
                'critical_since', re.iso_date(since), 'until', re.iso_date(log_alert_word.until))),
            log_alert_word.logged_by, log_alert_word.session_id, log_alert_word.role, log_alert_word.actor,
            log_alert_word.address, log_alert_word.request_id, log_alert_word.server_request_id);
    END IF;
    RETURN QUERY
    SELECT outcome, alert.*
    FROM (SELECT OFFSET 0) always
    LEFT JOIN re.alert_of(organization, patient) alert ON true;
    PERFORM set_config('reengagement.now', given_now, true);
END $$;

CREATE OR REPLACE FUNCTION re.acknowledge_alert(
    organization text, patient text, since date, until date, note text, logged_by text,
    session_id text, role text, actor text, address text, request_id text, server_request_id text)
RETURNS TABLE (
    result text,
    id text, name text, phone text, email text, risk_level text, risk_score integer, critical_since text,
    days_since_last_contact integer, recommended_action text, action_priority integer,
    acknowledged_by text, acknowledged_at text, acknowledged_until text, acknowledged_note text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT * FROM re.log_alert_word(organization, patient, since, 'acknowledge', until, note, logged_by, session_id,
        role, actor, address, request_id, server_request_id);
END;
