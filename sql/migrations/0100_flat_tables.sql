-- The derived tables that flat/ reads from and keeps up; flat/00_overview.sql says how. No foreign keys: they follow the
-- source through marks, and a derived row may outlive its source until the next advance.

-- What one attempt adds to the days' counters.
CREATE TYPE re.attempt_summary AS (
    day date, method text, successful boolean, failed boolean, opened boolean,
    converted_day date, microseconds_to_booking bigint
);

-- What writers leave: a patient, or the whole organization (no patient), or that only answers have changed, no derived
-- row. Append-only and without a unique key, so that no writer waits for another.
CREATE TABLE re.dirty (
    organization_id text COLLATE "C" NOT NULL,
    patient_id text COLLATE "C",
    answers_only boolean NOT NULL DEFAULT false,
    marked_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 2000000000);
CREATE INDEX dirty_by_patient ON re.dirty (organization_id, patient_id);

-- One row an organization, made with it; its lock is what advances take turns by. Not among its patients' bounds means
-- not current; building_after is the last patient that a build in progress has reached, null once built.
CREATE TABLE re.organization_state (
    organization_id text COLLATE "C" PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 0,
    building_after text COLLATE "C" DEFAULT '',
    time_zone text NOT NULL DEFAULT 'UTC',
    valid_from timestamptz NOT NULL DEFAULT '-infinity',
    valid_until timestamptz NOT NULL DEFAULT 'infinity',
    day_from date NOT NULL DEFAULT '-infinity',
    day_until date NOT NULL DEFAULT 'infinity',
    advanced_at timestamptz,
    built_at timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);

-- All that a patient adds to the counters, and between which instants and days it holds.
CREATE TABLE re.patient_state (
    organization_id text COLLATE "C" NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    class smallint,
    last_contact_day date,
    contact_days date[] NOT NULL,
    missed_days date[] NOT NULL,
    attempts re.attempt_summary[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    day_from date NOT NULL,
    day_until date NOT NULL,
    PRIMARY KEY (organization_id, patient_id)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX patient_state_in_order_of_priority
    ON re.patient_state (organization_id, class, last_contact_day, patient_id) WHERE class IS NOT NULL;
CREATE INDEX patient_state_by_valid_from ON re.patient_state (organization_id, valid_from);
CREATE INDEX patient_state_by_valid_until ON re.patient_state (organization_id, valid_until) WHERE valid_until < 'infinity';
CREATE INDEX patient_state_by_day_from ON re.patient_state (organization_id, day_from);
CREATE INDEX patient_state_by_day_until ON re.patient_state (organization_id, day_until) WHERE day_until < 'infinity';

-- Patients by class and last contact day; a class's total stands at -infinity. Counters change often, hence the room
-- for new versions on the same page.
CREATE TABLE re.cell (
    organization_id text COLLATE "C" NOT NULL,
    last_contact_day date NOT NULL,
    class smallint NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (organization_id, last_contact_day, class)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.1);

-- What changes on a day: how many patients more (or fewer) are at least 0, 7, 14 and 45 days from their last contact;
-- 30 is what two figures count, new_at_risk up and reengaged down. Days to come are written down already.
CREATE TABLE re.risk_day (
    organization_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    d0 bigint NOT NULL,
    d7 bigint NOT NULL,
    d14 bigint NOT NULL,
    d45 bigint NOT NULL,
    new_at_risk bigint NOT NULL,
    reengaged bigint NOT NULL,
    missed bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (organization_id, day)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.1);

-- Attempts by the day they were made; booked by the day they converted.
CREATE TABLE re.outreach_day (
    organization_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    method text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    successes bigint NOT NULL,
    failed bigint NOT NULL,
    opened bigint NOT NULL,
    converted bigint NOT NULL,
    microseconds_to_booking bigint NOT NULL,
    booked bigint NOT NULL,
    PRIMARY KEY (organization_id, day, method)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.1);

-- The policies ask for the organization first: where that is the one named, who is bound need not be looked up, which
-- would cost more than many an answer, once for each table in a statement.
DO $$
DECLARE
    name text;
    condition text := $condition$organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
        OR (SELECT NOT re.is_bound())$condition$;
BEGIN
    FOREACH name IN ARRAY ARRAY['dirty', 'organization_state', 'patient_state', 'cell', 'risk_day', 'outreach_day'] LOOP
        EXECUTE format('ALTER TABLE re.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY one_organization ON re.%I FOR ALL TO PUBLIC USING (%2$s) WITH CHECK (%2$s)',
            name, condition);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['organizations', 'patients', 'appointments', 'conversations', 'outreach_log'] LOOP
        EXECUTE format('ALTER POLICY one_organization ON public.%I USING (%2$s) WITH CHECK (%2$s)', name,
            CASE name WHEN 'organizations' THEN replace(condition, 'organization_id', 'id') ELSE condition END);
    END LOOP;
END $$;
