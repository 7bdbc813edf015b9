-- What each owner uses of storage; its row is also the lock under which an
-- owner's tree changes.
CREATE TABLE accounts (
    owner TEXT PRIMARY KEY,
    -- 1 for users, whose storage has a limit.
    limited BIGINT NOT NULL,
    -- All versions, and what is in the trash.
    used_bytes BIGINT NOT NULL,
    -- Files and folders.
    entries BIGINT NOT NULL
);

-- Bytes in the store, and how many versions of files have them.
CREATE TABLE contents (
    object_key TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    refs BIGINT NOT NULL,
    -- 1 for the ones that further versions of the same bytes share.
    canonical BIGINT NOT NULL
);

INSERT INTO contents (object_key, sha256, size, refs, canonical)
SELECT object_key, sha256, size, 1,
    CASE WHEN object_key = (SELECT MIN(o.object_key) FROM objects AS o WHERE o.sha256 = objects.sha256)
        THEN 1 ELSE 0 END
FROM objects;

CREATE UNIQUE INDEX contents_sha256 ON contents (sha256) WHERE canonical = 1;

-- Objects that no row speaks of any more, until they are deleted.
CREATE TABLE doomed (
    object_key TEXT PRIMARY KEY,
    doomed_at BIGINT NOT NULL
);

-- What files were before their present version.
CREATE TABLE versions (
    file_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    object_key TEXT NOT NULL,
    size BIGINT NOT NULL,
    mime_type TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, version)
);

CREATE INDEX versions_replaced ON versions (replaced_at);

-- Who sent the present version.
ALTER TABLE objects ADD COLUMN created_by TEXT;

-- What was done with files and folders.
CREATE TABLE activity (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT,
    detail TEXT,
    at BIGINT NOT NULL
);

CREATE INDEX activity_subject ON activity (subject, id);

CREATE INDEX activity_at ON activity (at);
