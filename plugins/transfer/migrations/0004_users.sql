-- Users of an archive that is imported: who they were, and who they are here.
CREATE TABLE people (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    was TEXT NOT NULL,
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    handle TEXT,
    name TEXT,
    -- JSON.
    roles TEXT NOT NULL,
    -- there, new, added, refused.
    status TEXT NOT NULL,
    -- What could not be taken of whom: JSON.
    note TEXT,
    PRIMARY KEY (job_id, n)
);

CREATE UNIQUE INDEX people_was ON people (job_id, was);

CREATE UNIQUE INDEX people_email ON people (job_id, email);

CREATE INDEX people_status ON people (job_id, status, n);
