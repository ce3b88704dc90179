-- Names that say what they hold. A table or column keeps its rows and its definition.
--
-- A server of an earlier version keeps running: it calls functions and reads neither of these tables. Triggers call their
-- functions by oid, so a writer that waits for this migration runs the new text. One call can fail: a re.advance that has
-- begun before the migration and waits for it. It changes nothing, and its caller retries or sends the plain response.
--
-- Views and functions with a parsed body follow the columns. All others run again from their files.
ALTER TABLE re.dirty RENAME TO pending_change;
ALTER TABLE re.pending_change RENAME COLUMN answers_only TO responses_only;
ALTER TABLE re.pending_change RENAME COLUMN marked_at TO recorded_at;
ALTER INDEX re.dirty_by_patient RENAME TO pending_change_by_patient;
ALTER INDEX re.dirty_in_order RENAME TO pending_change_in_order;

ALTER TABLE re.organization_state RENAME COLUMN marks_from TO floor_xid;
ALTER TABLE re.organization_state RENAME COLUMN marks_from_patient TO floor_patient;
ALTER TABLE re.organization_state RENAME COLUMN marks_running TO floor_running;
ALTER TABLE re.organization_state RENAME COLUMN marks_from_by TO floor_written_by;

ALTER TABLE re.patient_state RENAME COLUMN class TO risk_group;
ALTER TABLE re.cell RENAME COLUMN class TO risk_group;
