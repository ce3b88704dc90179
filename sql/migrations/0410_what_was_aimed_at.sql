-- An entry of the audit also says which id the server itself has given the request, whether a timer asked and no person,
-- which patient was aimed at whatever came of it, and which problem was the answer. No row is read or written: entries from
-- before have none of these.
ALTER TABLE re.audit
    ADD COLUMN server_request_id text,
    ADD COLUMN automatic boolean,
    ADD COLUMN patient_sought text COLLATE "C",
    ADD COLUMN problem text;

-- Their parameters grow by ones with defaults, so that a server of before is served on.
DROP FUNCTION IF EXISTS re.record_access(double precision[], integer[], text[], text[], text[], text[], text[], text[], text[],
    text[], text[], text[], text[]);
DROP FUNCTION IF EXISTS re.log_outreach(text, text, text, text, boolean, text, text, text, text, text, text, text, text);
DELETE FROM re.migration WHERE file IN ('audit/20_recording.sql', 'endpoints/log_outreach.sql', 'flat/90_dispatch.sql');
