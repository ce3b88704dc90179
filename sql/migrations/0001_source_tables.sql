-- The system of record. Everything is keyed by organization first, so that no row can refer across tenants.
-- Ids compare byte by byte (COLLATE "C"), whatever the database's collation. The range checks on timestamps also keep
-- out the infinities, which no answer could show.

CREATE TABLE public.organizations (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    time_zone text NOT NULL DEFAULT 'UTC',
    appointment_value numeric(10,2) NOT NULL DEFAULT 140.00
        CONSTRAINT appointment_value_is_not_negative CHECK (appointment_value >= 0 AND appointment_value <> 'NaN'),
    created_at timestamptz NOT NULL DEFAULT now()
        CONSTRAINT created_at_is_in_years_1_to_9999
        CHECK (created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00')
);

CREATE TABLE public.patients (
    organization_id text COLLATE "C" NOT NULL REFERENCES public.organizations ON DELETE CASCADE,
    id text COLLATE "C" NOT NULL
        CONSTRAINT id_is_1_to_200_characters CHECK (char_length(id) BETWEEN 1 AND 200)
        CONSTRAINT id_can_be_a_path_segment CHECK (id NOT IN ('.', '..', 'prioritized')),
    name text NOT NULL,
    phone text,
    email text,
    treatment_notes text,
    created_at timestamptz NOT NULL DEFAULT now()
        CONSTRAINT created_at_is_in_years_1_to_9999
        CHECK (created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00'),
    archived_at timestamptz
        CONSTRAINT archived_at_is_in_years_1_to_9999
        CHECK (archived_at >= '0001-01-01 00:00:00+00' AND archived_at < '10000-01-01 00:00:00+00'),
    PRIMARY KEY (organization_id, id)
);

CREATE TABLE public.appointments (
    organization_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    starts_at timestamptz NOT NULL
        CONSTRAINT starts_at_is_in_years_1_to_9999
        CHECK (starts_at >= '0001-01-01 00:00:00+00' AND starts_at < '10000-01-01 00:00:00+00'),
    status text NOT NULL
        CONSTRAINT status_is_known CHECK (status IN ('scheduled', 'completed', 'cancelled', 'late_cancelled', 'no_show')),
    value numeric(10,2)
        CONSTRAINT value_is_not_negative CHECK (value >= 0 AND value <> 'NaN'),
    created_at timestamptz NOT NULL DEFAULT now()
        CONSTRAINT created_at_is_in_years_1_to_9999
        CHECK (created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00'),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, patient_id) REFERENCES public.patients ON DELETE CASCADE
);

CREATE TABLE public.conversations (
    organization_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL
        CONSTRAINT occurred_at_is_in_years_1_to_9999
        CHECK (occurred_at >= '0001-01-01 00:00:00+00' AND occurred_at < '10000-01-01 00:00:00+00'),
    sentiment text
        CONSTRAINT sentiment_is_known CHECK (sentiment IN ('positive', 'neutral', 'negative')),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, patient_id) REFERENCES public.patients ON DELETE CASCADE
);

CREATE TABLE public.outreach_log (
    organization_id text COLLATE "C" NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    patient_id text COLLATE "C" NOT NULL,
    method text NOT NULL
        CONSTRAINT method_is_known CHECK (method IN ('sms', 'email', 'phone')),
    outcome text NOT NULL
        CONSTRAINT outcome_is_known CHECK (outcome IN ('success', 'no_response', 'failed')),
    opened boolean NOT NULL DEFAULT false,
    notes text NOT NULL DEFAULT '',
    logged_by text NOT NULL,
    idempotency_key text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now()
        CONSTRAINT created_at_is_in_years_1_to_9999
        CHECK (created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00'),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, idempotency_key),
    FOREIGN KEY (organization_id, patient_id) REFERENCES public.patients ON DELETE CASCADE
);
