-- A page of what was changed last, of the largest, and by name, costs the same
-- with many files as with few.
CREATE INDEX objects_updated ON objects (owner, updated_at, id) WHERE deleted_at IS NULL;

CREATE INDEX objects_all_updated ON objects (updated_at, id) WHERE deleted_at IS NULL;

CREATE INDEX objects_filename ON objects (owner, filename, id) WHERE deleted_at IS NULL;

CREATE INDEX objects_size ON objects (owner, size, id) WHERE deleted_at IS NULL;
