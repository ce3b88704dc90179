-- What the senders claim and record: webhooks, pings and digests (sql/delivery).
BEGIN;
\ir support/given.sql
SELECT plan(42);

-- The instant of a local time.
SELECT is(re.first_instant(shown::timestamp, zone), at::timestamptz, shown || ' in ' || zone)
FROM (VALUES
    ('2026-07-01 07:30', 'Australia/Sydney', '2026-06-30 21:30Z'),
    ('2026-03-08 02:30', 'America/New_York', '2026-03-08 07:00Z'),
    ('2026-03-08 03:00', 'America/New_York', '2026-03-08 07:00Z'),
    ('2026-11-01 01:30', 'America/New_York', '2026-11-01 05:30Z'),
    ('2026-10-04 02:15', 'Australia/Lord_Howe', '2026-10-03 15:30Z'),
    ('2026-04-05 01:45', 'Australia/Lord_Howe', '2026-04-04 14:45Z'),
    ('2026-09-06 00:30', 'America/Santiago', '2026-09-06 04:00Z'),
    ('2011-12-30 07:30', 'Pacific/Apia', '2011-12-30 10:00Z')) AS example(shown, zone, at);

-- Digests by time.
CREATE FUNCTION pg_temp.due(now timestamptz) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('reengagement.now', now::text, true);
    RETURN (SELECT string_agg(due.organization_id || ' ' || due.day, ', ' ORDER BY due.organization_id, due.day)
        FROM re.due_digests() due);
END $$;
CREATE FUNCTION pg_temp.with_digest(organization text, zone text, at text, days text, set_at timestamptz DEFAULT '2025-01-01')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM given.clinic(organization, zone);
    INSERT INTO re.setting (organization_id, digest, digest_set_at, updated_by, updated_at)
    VALUES (organization, jsonb_build_object('to', '["a@b.example"]'::jsonb, 'at', at, 'days', days::jsonb), set_at, 'user_1', now());
    UPDATE re.organization_state SET time_zone = zone, building_after = NULL WHERE organization_id = organization;
END $$;
SELECT pg_temp.with_digest('sydney', 'Australia/Sydney', '07:30', '["mon", "tue"]');
SELECT is(pg_temp.due('2026-06-28 21:29:59Z'), NULL, 'before its time there is none');
SELECT is(pg_temp.due('2026-06-28 21:30:00Z'), 'sydney 2026-06-29', 'from its time on it is due');
SELECT is(pg_temp.due('2026-06-29 01:29:59Z'), 'sydney 2026-06-29', 'for four hours');
SELECT is(pg_temp.due('2026-06-29 01:30:00Z'), NULL, 'and no longer');
SELECT is(pg_temp.due('2026-06-30 22:00:00Z'), NULL, 'on another day there is none');
UPDATE re.setting SET digest_set_at = '2026-06-28 21:30:01Z';
SELECT is(pg_temp.due('2026-06-28 22:00:00Z'), NULL, 'none for an hour that was past when it was set');
SELECT is(pg_temp.due('2026-06-29 22:00:00Z'), 'sydney 2026-06-30', 'but the next one');
DELETE FROM re.setting;
SELECT pg_temp.with_digest('night', 'UTC', '23:30', '["sun"]');
SELECT is(pg_temp.due('2026-06-29 01:00:00Z'), 'night 2026-06-28', 'after midnight it is still the digest of the day before');
DELETE FROM re.setting;
SELECT pg_temp.with_digest('york', 'America/New_York', '02:30', '["sun"]');
SELECT is(pg_temp.due('2026-03-08 06:59:59Z'), NULL, 'a skipped time has not come before the clocks skip it');
SELECT is(pg_temp.due('2026-03-08 07:00:00Z'), 'york 2026-03-08', 'and is the next that exists');
UPDATE re.organization_state SET building_after = '' WHERE organization_id = 'york';
SELECT is(pg_temp.due('2026-03-08 07:00:00Z'), NULL, 'before the data are built, the zone is not known');
UPDATE re.organization_state SET building_after = NULL, time_zone = 'Dropped/Zone' WHERE organization_id = 'york';
SELECT is(pg_temp.due('2026-03-08 07:00:00Z'), NULL, 'a zone that PostgreSQL no longer knows disturbs nobody');

-- Claims of digests.
UPDATE re.organization_state SET time_zone = 'America/New_York' WHERE organization_id = 'york';
SET LOCAL ROLE reengagement_api;
SELECT is((SELECT claimed.organization_id || ' ' || claimed.day || ' ' || claimed.attempt || ' ' || claimed.told_day || ' ' || claimed.seconds_left
    FROM re.claim_digests(10) claimed), 'york 2026-03-08 1 2026-03-07 14400', 'the server''s role claims a digest of any organization');
SELECT is_empty('SELECT FROM re.claim_digests(10)', 'a digest is claimed once');
SELECT re.record_digest('york', '2026-03-08', 1, 'retry', '{b@b.example}', '1 hour');
SELECT is_empty('SELECT FROM re.claim_digests(10)', 'it is not tried again before the pause is over');
RESET ROLE;
UPDATE re.digest_sent SET retry_at = clock_timestamp();
SET LOCAL ROLE reengagement_api;
SELECT is((SELECT claimed.attempt || ' ' || claimed.refused FROM re.claim_digests(10) claimed), '2 ["b@b.example"]',
    'the next attempt knows who was refused');
SELECT re.record_digest('york', '2026-03-08', 1, 'sent', '{}', NULL);
RESET ROLE;
SELECT is((SELECT result FROM re.digest_sent), NULL, 'the outcome of an earlier attempt is not recorded');
SELECT re.record_digest('york', '2026-03-08', 2, 'unknown', '{}', NULL);
SELECT is((SELECT number FROM re.sender_total WHERE name = 'digests_sent'), 1::bigint, 'one that the relay may have counts as sent');
INSERT INTO re.digest_sent (organization_id, day, claimed_at, result)
VALUES ('york', '2026-03-01', clock_timestamp() - interval '6 hours', 'retry'),
    ('york', '2026-03-02', clock_timestamp() - interval '2 hours', NULL);
SELECT re.end_digests();
SELECT is((SELECT string_agg(result, ' ' ORDER BY day) FROM re.digest_sent), 'expired lost unknown', 'the others end');
SELECT is((SELECT number FROM re.sender_total WHERE name = 'digests_failed'), 2::bigint, 'and are counted');

-- Claims of webhooks.
SELECT set_config('reengagement.now', '', true);
SELECT given.clinic('hooked', 'UTC');
DELETE FROM re.announcement;
INSERT INTO re.announcement (organization_id, announced_day, sequence) VALUES ('hooked', '2026-01-01', 5);
INSERT INTO re.setting (organization_id, webhook_url, updated_by, updated_at) VALUES ('hooked', 'https://a.example/', 'user_1', now());
SELECT re.restart_webhook('hooked', NULL, 'https://a.example/');
CREATE FUNCTION pg_temp.claimed() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SET LOCAL ROLE reengagement_api;
    SELECT string_agg(concat_ws(' ', claimed.organization_id, claimed.lease, claimed.url, claimed.version, claimed.old_version_signs), ', ')
    INTO found FROM re.claim_webhooks(10, '60 seconds') claimed;
    RESET ROLE;
    RETURN found;
END $$;
SELECT is(pg_temp.claimed(), NULL, 'without a notice there is nothing to tell');
UPDATE re.announcement SET sequence = 7;
SELECT is(pg_temp.claimed(), 'hooked 1 https://a.example/ 1 f', 'after one there is');
SELECT is(pg_temp.claimed(), NULL, 'one sender at a time');
SELECT re.record_webhook('hooked', 0, 1, 7, 200);
SELECT is((SELECT told_sequence FROM re.webhook), 5::bigint, 'the outcome for a URL before a PUT is not recorded');
SELECT is(pg_temp.claimed(), 'hooked 2 https://a.example/ 1 f', 'but frees the webhook');
SELECT re.record_webhook('hooked', 1, 2, 7, 200);
UPDATE re.announcement SET sequence = 8;
SELECT is(pg_temp.claimed(), NULL, 'at most one request in 60 s');
UPDATE re.webhook SET sent_at = sent_at - interval '60 seconds', version = 2, rotated_at = clock_timestamp() - interval '23 hours';
SELECT is(pg_temp.claimed(), 'hooked 3 https://a.example/ 2 t', 'the version before signs for 24 hours');
SELECT re.record_webhook('hooked', 1, 3, 8, NULL);
SELECT is((SELECT concat_ws(' ', failures, told_sequence, failing_since IS NOT NULL, last_status, retry_at - sent_at) FROM re.webhook),
    '1 7 t 00:00:05', 'a failure without an answer');
UPDATE re.webhook SET retry_at = clock_timestamp();
SELECT is(pg_temp.claimed(), 'hooked 4 https://a.example/ 2 t', 'a failure is repeated after its pause, not after 60 s');
SELECT re.record_webhook('hooked', 1, 4, 8, 410);
UPDATE re.webhook SET retry_at = clock_timestamp();
SELECT is(pg_temp.claimed(), NULL, 'a receiver that is gone hears nothing');
SELECT re.restart_webhook('hooked', 'https://a.example/', 'https://a.example/');
SELECT is(pg_temp.claimed(), 'hooked 5 https://a.example/ 2 t', 'until a PUT names the URL again, and then at once');
SELECT is(ARRAY(SELECT extract(epoch FROM re.webhook_pause(n))::int FROM generate_series(1, 9) AS n),
    ARRAY[5, 300, 1800, 7200, 18000, 36000, 36000, 36000, 36000], 'the pauses');

-- Pings.
UPDATE re.webhook SET test_requested_at = '2026-01-01 00:00:00.123456Z';
SET LOCAL ROLE reengagement_api;
SELECT is((SELECT claimed.requested_at::timestamptz FROM re.claim_pings(10, '60 seconds') claimed), '2026-01-01 00:00:00.123456Z'::timestamptz,
    'a ping is claimed');
SELECT is_empty($$ SELECT FROM re.claim_pings(10, '60 seconds') $$, 'once');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
