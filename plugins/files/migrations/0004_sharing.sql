-- What users may do with files and folders of others. A folder's holds for
-- all that lies in it.
CREATE TABLE permissions (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    -- `file` or `folder`.
    kind TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- `viewer`, `editor` or `admin`.
    role TEXT NOT NULL,
    granted_by TEXT,
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX permissions_subject ON permissions (subject, user_id);

CREATE INDEX permissions_user ON permissions (user_id, kind, created_at, id);

-- Links that let whoever has them read a file or a folder, or put files into
-- a folder. Only a token's SHA-256 is kept.
CREATE TABLE shares (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- `read` or `upload`.
    permission TEXT NOT NULL,
    password_hash TEXT,
    expires_at BIGINT,
    -- Downloads, or uploads, that are allowed and that were made.
    max_uses BIGINT,
    uses BIGINT NOT NULL,
    -- Wrong passwords since `tries_since`.
    tries BIGINT NOT NULL,
    tries_since BIGINT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL
);

CREATE INDEX shares_subject ON shares (subject, id);
