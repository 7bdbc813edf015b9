-- Exports and imports: what was asked, how far they are, and what came of them.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT,
    format TEXT NOT NULL,
    status TEXT NOT NULL,
    -- What was asked for, and how far it is: JSON.
    asked TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Who works on it: the last that took it.
    run TEXT NOT NULL,
    rows_done BIGINT NOT NULL,
    rows_total BIGINT,
    bytes_done BIGINT NOT NULL,
    bytes_total BIGINT,
    rows_failed BIGINT NOT NULL,
    error_code TEXT,
    error_detail TEXT,
    result_key TEXT,
    result_name TEXT,
    result_type TEXT,
    result_size BIGINT,
    result_sha256 TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    expires_at BIGINT
);

CREATE INDEX jobs_expires ON jobs (expires_at);

-- What a result is put together from.
CREATE TABLE parts (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    object_key TEXT NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (job_id, n)
);

-- Rows that an import did not take, the first of them.
CREATE TABLE row_errors (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    table_name TEXT NOT NULL,
    row_number BIGINT NOT NULL,
    column_name TEXT,
    value TEXT,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (job_id, n)
);

-- What is to be imported.
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    object_key TEXT NOT NULL,
    ready BOOLEAN NOT NULL,
    size BIGINT,
    sha256 TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX uploads_expires ON uploads (expires_at);

-- When this plugin looks after what has expired next, at one row.
CREATE TABLE due (
    one INTEGER PRIMARY KEY,
    at BIGINT NOT NULL
);
