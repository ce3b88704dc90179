-- An organization's settings, and what the sender keeps of its webhook and digests.
--
-- Without foreign keys to organizations, because an organization without its row there is served too.

-- What an administrator has set. A section that was never set, or was emptied, is null. PUT settings validates the
-- sections, and the sender reads them as they are stored.
CREATE TABLE re.setting (
    organization_id text COLLATE "C" PRIMARY KEY CHECK (char_length(organization_id) BETWEEN 1 AND 200),
    webhook_url text COLLATE "C" CHECK (octet_length(webhook_url) BETWEEN 1 AND 2000),
    -- {"to": [address, …], "at": "HH:MM", "days": ["mon", …]}
    digest jsonb CHECK (jsonb_typeof(digest) = 'object'),
    -- {"clinic_name", "booking_link", "postal_address", "country", "sms_from", "reply_to", "staff_addresses", "hours":
    -- {"from", "to"}, "global_holdout_share"}
    sending jsonb CHECK (jsonb_typeof(sending) = 'object'),
    -- The subject of the token, and now.
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL CHECK (isfinite(updated_at)),
    -- When the digest was last set, by now. A digest whose hour was past at that moment is not sent that day.
    digest_set_at timestamptz CHECK (isfinite(digest_set_at))
);
-- A number belongs to one organization. The index sees all of them, whoever writes.
CREATE UNIQUE INDEX setting_of_sms_from ON re.setting ((sending ->> 'sms_from'));

-- What the sender keeps of a webhook. The row stays when the webhook is removed, so that no version of its secret is
-- used twice. All times are of the wall clock.
CREATE TABLE re.webhook (
    organization_id text COLLATE "C" PRIMARY KEY,
    -- The version of the secret. 0: there has been none yet.
    version int NOT NULL DEFAULT 0 CHECK (version >= 0),
    -- When the version before was replaced by a rotation. For 24 hours it signs too. Null: it does not sign.
    rotated_at timestamptz,
    -- How often a PUT has named a URL or removed it. What the sender began before belongs to another number, and is
    -- not recorded.
    generation bigint NOT NULL DEFAULT 0,
    -- The number of the last notice that the receiver has been told of.
    told_sequence bigint,
    failures int NOT NULL DEFAULT 0,
    failing_since timestamptz,
    last_status int,
    retry_at timestamptz,
    -- The receiver has answered 410. Nothing more is sent until a PUT names a URL.
    is_gone boolean NOT NULL DEFAULT false,
    test_requested_at timestamptz,
    -- {"at", "status", "duration_ms", "error"}
    last_test jsonb CHECK (jsonb_typeof(last_test) = 'object')
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);

-- The digests that were claimed, one for an organization and day.
CREATE TABLE re.digest_sent (
    organization_id text COLLATE "C" NOT NULL,
    day date NOT NULL CHECK (isfinite(day)),
    claimed_at timestamptz NOT NULL,
    -- Null until the relay has answered.
    result text,
    PRIMARY KEY (organization_id, day)
);

-- The running senders and their figures.
CREATE TABLE re.sender_state (
    sender text COLLATE "C" PRIMARY KEY,
    -- By the wall clock.
    seen_at timestamptz NOT NULL,
    figures jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(figures) = 'object')
);

DO $$
DECLARE
    name text;
    condition text := $condition$organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
        OR (SELECT NOT re.is_bound())$condition$;
BEGIN
    FOREACH name IN ARRAY ARRAY['setting', 'webhook', 'digest_sent'] LOOP
        EXECUTE format('ALTER TABLE re.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY one_organization ON re.%I FOR ALL TO PUBLIC USING (%2$s) WITH CHECK (%2$s)',
            name, condition);
    END LOOP;
END $$;
ALTER TABLE re.sender_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody_bound ON re.sender_state FOR ALL TO PUBLIC
    USING ((SELECT NOT re.is_bound())) WITH CHECK ((SELECT NOT re.is_bound()));
