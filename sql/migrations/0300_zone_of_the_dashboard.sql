-- The dashboard gains the clinic's time zone. A server of 0.3.0 names the columns that it asks for, so it may go on.
DROP FUNCTION IF EXISTS re.dashboard(text);
DROP FUNCTION IF EXISTS re.plain_dashboard(text);
DROP FUNCTION IF EXISTS re.flat_dashboard(text);
DELETE FROM re.migration WHERE file IN ('endpoints/dashboard.sql', 'flat/80_answers.sql', 'flat/90_dispatch.sql');
