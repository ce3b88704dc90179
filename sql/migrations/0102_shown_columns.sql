-- What a list shows of a patient is kept with the patient's state: reading it from the source took some twenty pages a
-- patient, and more of them the larger the clinic. The states are made anew, which the background work does; until it
-- has, an organization is answered from the plain views.
-- Their columns change, and those of what they are made of.
DROP FUNCTION IF EXISTS re.flat_prioritized_patients(text, text, integer, integer, integer, integer, text);
DROP FUNCTION IF EXISTS re.flat_dashboard(text);
DROP FUNCTION IF EXISTS re.flat_page(text, text, integer, integer, integer, integer, text);
DROP FUNCTION IF EXISTS re.flat_trends(text, integer);
DROP FUNCTION IF EXISTS re.flat_risk_metrics(text);
DROP FUNCTION IF EXISTS re.flat_population(text);
DROP FUNCTION IF EXISTS re.fresh_state(text, text[]);
DROP FUNCTION IF EXISTS re.refresh(text, text[]);
DROP FUNCTION IF EXISTS re.settle(text, text, text);
DROP FUNCTION IF EXISTS re.are_unmarked(text, text[]);
DROP FUNCTION IF EXISTS re.class_priority(integer, integer, integer);
DELETE FROM re.migration WHERE file = 'flat/85_trends.sql';

TRUNCATE re.patient_state, re.cell, re.risk_day, re.outreach_day;
ALTER TABLE re.patient_state
    ADD COLUMN name text,
    ADD COLUMN phone text,
    ADD COLUMN email text,
    ADD COLUMN last_appointment_date timestamptz,
    ADD COLUMN next_scheduled_appointment timestamptz,
    ADD COLUMN previous_response_rate numeric,
    ADD COLUMN completed_days date[] NOT NULL,
    -- Of the completed appointments that say what they are worth, and how many do not.
    ADD COLUMN known_value numeric NOT NULL,
    ADD COLUMN without_value integer NOT NULL;
ALTER TABLE re.organization_state ADD COLUMN appointment_value numeric NOT NULL DEFAULT 0;
UPDATE re.organization_state SET building_after = '', built_at = NULL, generation = generation + 1;
