-- Imports of folders that did not come to their end tell by their state that
-- something is left to be taken back: nothing is where no file is noted.
UPDATE jobs SET state = '' WHERE kind = 'import' AND what = 'files'
    AND status IN ('failed', 'cancelled') AND id NOT IN (SELECT job_id FROM stored);
