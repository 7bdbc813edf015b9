-- Turns at a job are jobs of the host's: the one that was added last.
ALTER TABLE jobs ADD COLUMN item TEXT;

-- What there is to say of a folder's files in the end: JSON.
ALTER TABLE jobs ADD COLUMN outcome TEXT;

-- What is in an archive of all files, as far as it is written.
CREATE TABLE entries (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    name TEXT NOT NULL,
    crc BIGINT NOT NULL,
    size BIGINT NOT NULL,
    start BIGINT NOT NULL,
    PRIMARY KEY (job_id, n)
);

-- A schedule looks after what has expired.
DROP TABLE due;
