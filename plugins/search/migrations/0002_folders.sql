-- Who may read what in others' folders is asked of `files` with each search.
ALTER TABLE entries ADD COLUMN folder_id TEXT;

CREATE INDEX entries_folder ON entries (folder_id);

DROP TABLE readers;

-- All is read anew, for its folder.
UPDATE entries SET updated_at = 0;

DELETE FROM marks;
