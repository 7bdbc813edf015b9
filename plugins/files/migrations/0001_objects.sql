CREATE TABLE objects (
    id TEXT PRIMARY KEY,
    object_key TEXT NOT NULL,
    owner TEXT NOT NULL,
    path TEXT NOT NULL,
    filename TEXT NOT NULL,
    size BIGINT NOT NULL,
    mime_type TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    version BIGINT NOT NULL,
    visibility TEXT NOT NULL,
    description TEXT,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE UNIQUE INDEX objects_path ON objects (owner, path) WHERE deleted_at IS NULL;

CREATE INDEX objects_created ON objects (owner, created_at, id);

CREATE INDEX objects_all_created ON objects (created_at, id);
