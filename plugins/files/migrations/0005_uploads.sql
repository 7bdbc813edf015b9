-- Uploads that come in parts (TUS) or by a signed link. Their whole length
-- counts from the beginning.
CREATE TABLE uploads (
    -- Of the file, too.
    id TEXT PRIMARY KEY,
    -- `tus` or `direct`.
    kind TEXT NOT NULL,
    -- Whose file it becomes.
    owner TEXT NOT NULL,
    -- Who sends it.
    sender TEXT NOT NULL,
    length BIGINT NOT NULL,
    received BIGINT NOT NULL,
    -- How often a part was begun; each has a key of its own.
    attempt BIGINT NOT NULL,
    -- The keys of the parts that count, as a JSON list.
    parts TEXT NOT NULL,
    -- Of the only part, where it is known.
    sha256 TEXT,
    -- The folders on the way and the name, below `folder_id`.
    path TEXT NOT NULL,
    claimed_type TEXT,
    folder_id TEXT,
    visibility TEXT,
    description TEXT,
    tags TEXT,
    -- What it became.
    file_id TEXT,
    expires_at BIGINT NOT NULL
);

CREATE INDEX uploads_expires ON uploads (expires_at);
