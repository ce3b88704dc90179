-- What each file of views/, endpoints/, flat/ and audit/ has made (../apply.sql). They all run again, so that it is known of
-- each of them.
ALTER TABLE re.migration ADD COLUMN made text[];
UPDATE re.migration SET sha256 = '' WHERE file ~ '^(views|endpoints|flat|audit)/';
