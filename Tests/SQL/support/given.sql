-- Short functions that create a test's rows. The rollback of the test's transaction removes them.
\set QUIET on
SET LOCAL client_min_messages = warning;
-- Compiling a statement that runs once takes longer than running it.
SET LOCAL jit = off;
-- The session's time zone must not affect a result. This one has summer time.
SET LOCAL TimeZone = 'Australia/Sydney';
CREATE SCHEMA given;

CREATE FUNCTION given.clinic(id text DEFAULT 'clinic', time_zone text DEFAULT 'UTC', value numeric DEFAULT 140)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.organizations (id, name, time_zone, appointment_value) VALUES ($1, 'Clinic ' || $1, $2, $3)
$$;

-- The default intake is long ago, so that it affects no result.
CREATE FUNCTION given.patient(id text, created_at timestamptz DEFAULT '2020-01-01T00:00Z',
    archived_at timestamptz DEFAULT NULL, organization text DEFAULT 'clinic')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.patients (organization_id, id, name, created_at, archived_at)
        VALUES ($4, $1, 'Patient ' || $1, $2, $3)
$$;

-- The default booking is long ago, so that it is attributed to no attempt.
CREATE FUNCTION given.appointment(patient text, starts_at timestamptz, status text DEFAULT 'completed',
    booked_at timestamptz DEFAULT '2000-01-01T00:00Z', value numeric DEFAULT NULL, organization text DEFAULT 'clinic')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.appointments (organization_id, id, patient_id, starts_at, status, created_at, value)
    VALUES ($6, gen_random_uuid()::text, $1, $2, $3, $4, $5)
$$;

CREATE FUNCTION given.conversation(patient text, occurred_at timestamptz, organization text DEFAULT 'clinic')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.conversations (organization_id, id, patient_id, occurred_at)
    VALUES ($3, gen_random_uuid()::text, $1, $2)
$$;

CREATE FUNCTION given.outreach(patient text, created_at timestamptz, outcome text DEFAULT 'success',
    method text DEFAULT 'sms', opened boolean DEFAULT false, id uuid DEFAULT gen_random_uuid(),
    organization text DEFAULT 'clinic')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.outreach_log (organization_id, id, patient_id, method, outcome, opened, logged_by, created_at)
    VALUES ($7, $6, $1, $4, $3, $5, 'user_1', $2)
$$;

CREATE FUNCTION given.now(at text) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('reengagement.now', $1, true)
$$;

-- The view's row of one patient, or null.
CREATE FUNCTION given.row_of(patient text, organization text DEFAULT 'clinic')
RETURNS public.patient_reengagement_master_view LANGUAGE sql AS $$
    SELECT v FROM public.patient_reengagement_master_view v WHERE v.organization_id = $2 AND v.patient_id = $1
$$;
