-- A look for a mark walked over the entries of marks that are gone, until a vacuum took them: after a load, all of the
-- load's. Marks now know the transaction that has left them, and an organization's row says where the marks begin
-- (flat/15_floor.sql). '' in the place of no patient, so that all marks have one order; no patient is called that.
UPDATE re.dirty SET patient_id = '' WHERE patient_id IS NULL;
ALTER TABLE re.dirty
    ALTER COLUMN patient_id SET DEFAULT '',
    ALTER COLUMN patient_id SET NOT NULL,
    ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX dirty_in_order ON re.dirty (organization_id, xid, patient_id);

ALTER TABLE re.organization_state
    ADD COLUMN marks_from xid8 NOT NULL DEFAULT '0',
    ADD COLUMN marks_from_patient text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN marks_running xid8[] NOT NULL DEFAULT '{}',
    ADD COLUMN marks_from_by xid;

-- Its parameters change.
DROP FUNCTION IF EXISTS re.organizations_due(integer);
