-- Files and folders that have changed and of which nobody was told yet: noted
-- with the change, taken away once it is told.
CREATE TABLE untold (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    is_folder BOOLEAN NOT NULL
);
