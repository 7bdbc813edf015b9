CREATE TABLE folders (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    parent_id TEXT,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    depth BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    -- The folder that it was thrown away with.
    trashed_with TEXT
);

CREATE UNIQUE INDEX folders_path ON folders (owner, path) WHERE deleted_at IS NULL;

CREATE INDEX folders_children ON folders (owner, parent_id, name, id);

CREATE INDEX folders_trash ON folders (deleted_at) WHERE deleted_at IS NOT NULL;

ALTER TABLE objects ADD COLUMN folder_id TEXT;

ALTER TABLE objects ADD COLUMN trashed_with TEXT;

CREATE INDEX objects_in_folder ON objects (owner, folder_id, filename, id);

CREATE INDEX objects_in_folder_created ON objects (owner, folder_id, created_at, id);

CREATE INDEX objects_trash ON objects (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX objects_sha256 ON objects (sha256);

-- Folders of the paths that files have already.
INSERT INTO folders (id, owner, parent_id, name, path, depth, created_at, updated_at)
WITH RECURSIVE steps (owner, path, name, rest, depth, at) AS (
    SELECT owner, '', '', path, 0, created_at FROM objects WHERE deleted_at IS NULL
    UNION ALL
    SELECT
        owner,
        CASE path WHEN '' THEN '' ELSE path || '/' END || substr(rest, 1, instr(rest, '/') - 1),
        substr(rest, 1, instr(rest, '/') - 1),
        substr(rest, instr(rest, '/') + 1),
        depth + 1,
        at
    FROM steps
    WHERE instr(rest, '/') > 0
),
found AS (
    SELECT owner, path, name, depth, MIN(at) AS at, lower(hex(randomblob(16))) AS hex
    FROM steps WHERE depth > 0 GROUP BY owner, path, name, depth
)
SELECT
    substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-4' || substr(hex, 14, 3) || '-8'
        || substr(hex, 18, 3) || '-' || substr(hex, 21, 12),
    owner, NULL, name, path, depth, at, at
FROM found;

UPDATE folders SET parent_id = (
    SELECT parent.id FROM folders AS parent
    WHERE parent.owner = folders.owner AND parent.path || '/' || folders.name = folders.path
);

UPDATE objects SET folder_id = (
    SELECT folders.id FROM folders
    WHERE folders.owner = objects.owner AND folders.path || '/' || objects.filename = objects.path
) WHERE deleted_at IS NULL;
