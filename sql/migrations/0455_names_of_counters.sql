-- Other names for a table and the columns of a view. The rows and definitions stay.
--
-- A server of an earlier version keeps running: it reads neither of them, and the functions that it calls keep their
-- names. Functions with a parsed body follow the table. All others run again from their files. As in 0452, a re.advance
-- that waits for this migration can fail once. It changes nothing, and its caller retries or sends the plain response.
ALTER TABLE re.cell RENAME TO patient_count;
ALTER INDEX re.cell_pkey RENAME TO patient_count_pkey;

-- A site's own view of re.status follows, too. CREATE OR REPLACE VIEW cannot rename a column, and replacing the view
-- would fail because of the site's view.
ALTER VIEW IF EXISTS re.status RENAME COLUMN marks TO pending_changes;
ALTER VIEW IF EXISTS re.status RENAME COLUMN oldest_mark TO oldest_pending_change;
ALTER VIEW IF EXISTS re.status RENAME COLUMN oldest_mark_age TO oldest_pending_change_age;
