-- Settings: the sections, the numbers of two organizations, and what a PUT does to the webhook. The end-to-end tests
-- (test_settings.py) ask through the API.
BEGIN;
\ir support/given.sql
SELECT plan(22);
SELECT given.now('2025-06-30T12:00:00Z');
GRANT USAGE ON SCHEMA given TO PUBLIC;

CREATE FUNCTION given.put(organization text, sections text, url text DEFAULT NULL, digest text DEFAULT NULL,
    sending text DEFAULT NULL, may_sign boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('reengagement.organization', organization, true);
    SET LOCAL ROLE reengagement_api;
    SELECT put.result || coalesce(' ' || put.secret_version, '') INTO answer
    FROM re.put_settings(organization, sections, url, digest, sending, 'u', may_sign) put;
    RESET ROLE;
    RETURN answer;
END $$;
CREATE FUNCTION given.webhook(organization text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', w.version, w.generation, w.told_sequence, w.failures, w.is_gone, w.last_status)
    FROM re.webhook w WHERE w.organization_id = organization
$$;

SELECT is((SELECT count(*) FROM re.settings('a', true)), 1::bigint, 'an organization without settings has one row');
SELECT is(given.put('a', ''), 'stored', 'no section is a success');
SELECT is((SELECT count(*) FROM re.setting), 0::bigint, 'no section writes nothing');
SELECT is(given.put('a', 'webhook', 'https://x.example/', may_sign => false), 'no_keys', 'a URL needs keys');
SELECT is((SELECT count(*) FROM re.setting), 0::bigint, 'a refusal writes nothing');
SELECT is(given.put('a', 'webhook,sending', 'https://x.example/', NULL, '{"sms_from": "+1"}'), 'stored 1', 'the first URL has version 1');
SELECT is(given.webhook('a'), '1 1 0 0 f', 'the first URL begins with no notice told');
SELECT is(given.put('b', 'sending', NULL, NULL, '{"sms_from": "+1"}'), 'sms_from_taken', 'a number of another organization is refused');
SELECT is(given.put('b', 'sending', NULL, NULL, '{"sms_from": null}') || given.put('c', 'sending', NULL, NULL, '{"sms_from": null}'),
    'storedstored', 'no number is nobody''s');
SELECT is(given.put('a', 'sending', NULL, NULL, '{"sms_from": "+1"}'), 'stored', 'an organization keeps its number');
INSERT INTO re.announcement (organization_id, announced_day, sequence) VALUES ('a', '2025-06-30', 9);
UPDATE re.webhook SET failures = 2, failing_since = now(), retry_at = now(), is_gone = true, last_status = 410;
SELECT is(given.put('a', 'webhook', 'https://x.example/'), 'stored', 'the same URL shows no secret');
SELECT is(given.webhook('a'), '1 2 0 0 f 410', 'the same URL keeps the place reached');
SELECT is(given.put('a', 'webhook', 'https://y.example/'), 'stored', 'another URL shows no secret');
SELECT is(given.webhook('a'), '1 3 9 0 f', 'another URL begins at the present notice');
SELECT is(given.put('a', 'webhook'), 'stored', 'a webhook is removed');
SELECT is((SELECT webhook_url FROM re.settings('a', true)), NULL, 'and gone');
SELECT is(given.put('a', 'webhook', 'https://y.example/'), 'stored 2', 'the version counts on');
SELECT results_eq($$ SELECT filter ->> 'sections' FROM re.audit WHERE organization_id = 'a' ORDER BY at $$,
    ARRAY['webhook,sending', 'sending', 'webhook', 'webhook', 'webhook', 'webhook'], 'each change is recorded');
SELECT is(given.put('a', 'digest', NULL, '{"to": ["x"]}'), 'stored', 'a digest is set');
SELECT is((SELECT concat_ws(' ', webhook_url, digest, sending) FROM re.settings('a', false)),
    'https://y.example {"to": []} {"sms_from": "+1", "staff_addresses": []}', 'a member sees no address of a person');
SELECT is(given.put('d', 'webhook', 'https://[2001:db8::1]:8443/a:b'), 'stored 1', 'an address in brackets is set');
SELECT is((SELECT webhook_url FROM re.settings('d', false)), 'https://[2001:db8::1]', 'a member sees scheme and host alone');
SELECT * FROM finish();
ROLLBACK;
