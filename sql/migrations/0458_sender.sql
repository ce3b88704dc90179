-- What the senders write about their own work (../delivery). A server of the version before does not read it.

ALTER TABLE re.webhook
    -- Until then one sender is at work on this webhook, and its outcome has this number. An outcome with another number
    -- is not recorded.
    ADD COLUMN leased_until timestamptz,
    ADD COLUMN lease bigint NOT NULL DEFAULT 0,
    -- When the last request ended, and to which PUT it belonged.
    ADD COLUMN sent_at timestamptz,
    ADD COLUMN sent_generation bigint,
    -- The same for a ping. test_claimed is the request that it answers.
    ADD COLUMN test_leased_until timestamptz,
    ADD COLUMN test_claimed timestamptz;

ALTER TABLE re.digest_sent
    ADD COLUMN attempts integer NOT NULL DEFAULT 1,
    -- By the wall clock, where the result is `retry`.
    ADD COLUMN retry_at timestamptz,
    -- The recipients that the relay has refused for good.
    ADD COLUMN refused text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT digest_sent_result CHECK (
        result IN ('retry', 'sent', 'unknown', 'refused', 'expired', 'lost'));
CREATE INDEX digest_sent_unfinished ON re.digest_sent (claimed_at) WHERE result IS NULL OR result = 'retry';

-- Numbers that only rise, over all senders and restarts.
CREATE TABLE re.sender_total (
    name text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO re.sender_total (name)
VALUES ('webhooks_delivered'), ('webhooks_failed'), ('digests_sent'), ('digests_failed');
ALTER TABLE re.sender_total ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody_bound ON re.sender_total FOR ALL TO PUBLIC
    USING ((SELECT NOT re.is_bound())) WITH CHECK ((SELECT NOT re.is_bound()));
