CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- 'http', 'platform' or 'plugin'.
    kind TEXT NOT NULL,
    schedule TEXT NOT NULL,
    timezone TEXT NOT NULL,
    -- JSON: what is called. Of sealed headers it has the names.
    target TEXT NOT NULL,
    -- Sealed for this row: JSON of sealed headers and of the webhook.
    secrets TEXT,
    timeout_ms BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    retry_backoff_ms BIGINT NOT NULL,
    -- 'skip', 'once' or 'all'.
    catch_up TEXT NOT NULL,
    overlap BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    -- JSON: who is told of what.
    notify TEXT NOT NULL,
    -- Whether the last run failed.
    failing BIGINT NOT NULL DEFAULT 0,
    -- Missed times of the schedule that are known of already.
    missed_seen BIGINT NOT NULL DEFAULT 0,
    missed_told_at BIGINT NOT NULL DEFAULT 0,
    last_status TEXT,
    last_run_at BIGINT,
    -- Counts the changes of secrets.
    revision BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    scheduled_at BIGINT NOT NULL,
    -- When the first attempt began.
    started_at BIGINT,
    finished_at BIGINT,
    -- 'running', 'success', 'fail', 'timeout' or 'missed'.
    status TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    http_status BIGINT,
    -- Of the last attempt.
    duration_ms BIGINT,
    error_text TEXT,
    -- The log, where it is short, and what earlier attempts came to.
    log_text TEXT,
    log_object_key TEXT,
    -- Counts the items of the queue that worked on it.
    step BIGINT NOT NULL,
    -- How often the item of this step was begun.
    tries BIGINT NOT NULL,
    -- The item of the queue that is on its way.
    item TEXT NOT NULL,
    -- The platform's job that does it.
    platform_item TEXT,
    -- What is still to be told: 'failure', 'recovery', 'missed'.
    notice TEXT,
    touched_at BIGINT NOT NULL,
    UNIQUE (job_id, scheduled_at)
);

CREATE INDEX runs_job ON runs (job_id, id);

CREATE INDEX runs_open ON runs (job_id, touched_at) WHERE status = 'running';

CREATE INDEX runs_age ON runs (touched_at);

CREATE INDEX runs_notice ON runs (touched_at) WHERE notice IS NOT NULL;

CREATE INDEX runs_logs ON runs (log_object_key) WHERE log_object_key IS NOT NULL;
