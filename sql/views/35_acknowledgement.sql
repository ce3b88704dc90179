-- Who has acknowledged the alert that began on the day `since` (docs/definitions.md, section 10). No row: it is open.
--
-- The latest word decides: it has the greatest instant, and of equal instants the greatest number. A word stamped after
-- now does not exist yet. Without a word that holds, the earliest attempt since then counts as an acknowledgement.
CREATE OR REPLACE FUNCTION re.acknowledgement(organization text, patient text, since date)
RETURNS TABLE (by text, at timestamptz, until date, note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT found.by, found.at, found.until, found.note
    FROM re.clock_of(organization) clock
    LEFT JOIN LATERAL (
        SELECT word.action, word.until, word.note, word.logged_by, word.created_at,
            word.action = 'acknowledge' AND (word.until IS NULL OR clock.today < word.until) AS holds
        FROM re.alert_acknowledgement word
        WHERE word.organization_id = organization AND word.patient_id = patient AND word.critical_since = since
            AND word.created_at <= clock.now
        ORDER BY word.created_at DESC, word.number DESC
        LIMIT 1
    ) latest ON true
    CROSS JOIN LATERAL (
        SELECT latest.logged_by AS by, latest.created_at AS at, latest.until, latest.note
        WHERE latest.holds
        UNION ALL
        SELECT first.logged_by, first.created_at, NULL, ''
        FROM (
            SELECT attempt.logged_by, attempt.created_at
            FROM re.attempt attempt
            WHERE attempt.organization_id = organization AND attempt.patient_id = patient
                AND attempt.day >= since AND latest.holds IS NOT TRUE
                AND CASE latest.action
                    WHEN 'reopen' THEN attempt.created_at > latest.created_at
                    WHEN 'acknowledge' THEN attempt.day >= latest.until
                    ELSE true
                END
            ORDER BY attempt.created_at, attempt.id
            LIMIT 1
        ) first
    ) found;
END;
