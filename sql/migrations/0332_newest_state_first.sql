-- While a session holds an old snapshot, no version of an organization's row goes, and each advance leaves one. By the
-- generation in its key the newest stands at one end of the index, and a look for it meets no other (flat/12_state.sql).
-- Its updates touch the index then, so that room beside a row gains nothing.
ALTER TABLE re.organization_state DROP CONSTRAINT organization_state_pkey, ADD PRIMARY KEY (organization_id, generation);
ALTER TABLE re.organization_state RESET (fillfactor);
-- Statistics know nothing of versions. The planner is to expect many rows, so that it reads the index in its order and stops
-- at the first, where it would else gather them all and sort.
ALTER TABLE re.organization_state ALTER COLUMN organization_id SET (n_distinct = 1);
