CREATE TABLE buckets (
    name TEXT PRIMARY KEY,
    public BOOLEAN NOT NULL,
    uploads TEXT NOT NULL,
    max_object_bytes BIGINT,
    allowed_types TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE objects (
    bucket TEXT NOT NULL REFERENCES buckets (name),
    path TEXT COLLATE "C" NOT NULL,
    object_key TEXT NOT NULL,
    replaced_key TEXT,
    owner TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (bucket, path)
);

CREATE TABLE uploads (
    object_key TEXT PRIMARY KEY,
    bucket TEXT NOT NULL REFERENCES buckets (name),
    path TEXT COLLATE "C" NOT NULL,
    owner TEXT NOT NULL,
    replaces BOOLEAN NOT NULL,
    content_type TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX uploads_path ON uploads (bucket, path);

CREATE INDEX uploads_expires ON uploads (expires_at);
