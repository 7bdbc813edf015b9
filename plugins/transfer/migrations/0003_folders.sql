-- Files that an import of a folder has stored: what is taken back when it fails.
CREATE TABLE stored (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    file TEXT NOT NULL,
    path TEXT NOT NULL,
    owner TEXT,
    size BIGINT NOT NULL,
    -- Nothing in a dry run.
    file_id TEXT,
    PRIMARY KEY (job_id, n)
);
