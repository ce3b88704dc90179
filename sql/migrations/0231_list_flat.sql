-- What the list is sorted and searched by is kept with the patients' states, and the states are made anew, which the
-- background work does; until it has, an organization is answered from the plain views.
DROP FUNCTION IF EXISTS re.flat_prioritized_patients(text, text, text, integer, text, text, text, boolean, integer, integer, integer, integer, text, text);
DROP FUNCTION IF EXISTS re.flat_dashboard(text);
DROP FUNCTION IF EXISTS re.flat_page(text, text, integer, integer, integer, integer, text);
DROP FUNCTION IF EXISTS re.level_range(text);
DROP FUNCTION IF EXISTS re.least_days(integer, bigint, integer);
DROP FUNCTION IF EXISTS re.class_rising_orders();
DROP FUNCTION IF EXISTS re.class_order(integer, integer);
DROP FUNCTION IF EXISTS re.class_orders();
DROP FUNCTION IF EXISTS re.fresh_state(text, text[]);
DELETE FROM re.migration WHERE file IN ('flat/10_class.sql', 'flat/30_fresh_state.sql', 'flat/70_population.sql', 'flat/80_answers.sql');

TRUNCATE re.patient_state, re.cell, re.risk_day, re.outreach_day;
UPDATE re.organization_state SET building_after = '', built_at = NULL, generation = generation + 1;

-- Names have no bound and an index entry has one of 2.7 kB. So those of up to 200 characters stand in one index whole, and
-- of the longer ones the beginning in another, where the whole name decides among equal beginnings.
ALTER TABLE re.patient_state
    ADD COLUMN folded_name text COLLATE "C",
    ADD COLUMN folded_email text COLLATE "C",
    ADD COLUMN phone_digits text COLLATE "C",
    ADD COLUMN short_name text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN char_length(folded_name) <= 200 THEN folded_name END) STORED,
    ADD COLUMN long_name_start text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN char_length(folded_name) > 200 THEN left(folded_name, 200) END) STORED;
CREATE INDEX patient_state_in_order_of_name
    ON re.patient_state (organization_id, short_name, patient_id) INCLUDE (class, last_contact_day)
    WHERE class IS NOT NULL AND short_name IS NOT NULL;
CREATE INDEX patient_state_in_order_of_long_name
    ON re.patient_state (organization_id, long_name_start, patient_id)
    WHERE class IS NOT NULL AND long_name_start IS NOT NULL;

-- What a search is begun with: for each patient numbers made of the organization and of each three characters in a row
-- (flat/75_search.sql). No text, and apart from the states, so that a visit does not touch its index.
CREATE TABLE re.patient_search (
    organization_id text COLLATE "C" NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    pieces integer[] NOT NULL,
    PRIMARY KEY (organization_id, patient_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX patient_search_by_piece ON re.patient_search USING gin (pieces) WITH (fastupdate = off);

-- The searching role sees the numbers of all organizations, since row-level security keeps all operators but the plainest
-- off an index; re.search, which alone runs as it, gives those of the bound organization's patients.
ALTER TABLE re.patient_search ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON re.patient_search FOR ALL TO PUBLIC
    USING (organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
        OR (SELECT NOT re.is_bound()))
    WITH CHECK (organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
        OR (SELECT NOT re.is_bound()));
CREATE POLICY every_piece ON re.patient_search FOR SELECT TO reengagement_searcher USING (true);
